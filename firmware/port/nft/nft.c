/*
 * nft: command line of libnftables for diagnosis on the device.
 *
 * DESIGN: Debian's nft program is a line editor around the same library; with
 * it come libedit, libtinfo, libbsd and libmd, half a megabyte in every slot
 * for nothing. The commands and their output are the library's, so they are
 * those of nft(8). policyd does not use this: it speaks netlink itself.
 *
 *   nft [-a] [-j] [-n] [-s] [-t] COMMAND WORD...
 *   nft [-c] -f FILE        "-" is standard input
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Stable interface of libnftables.so.1 (libnftables(3)); Debian ships the
 * header apart from the library. */
struct nft_ctx;
struct nft_ctx *nft_ctx_new(uint32_t flags);
void nft_ctx_free(struct nft_ctx *ctx);
void nft_ctx_set_dry_run(struct nft_ctx *ctx, bool dry);
void nft_ctx_output_set_flags(struct nft_ctx *ctx, unsigned flags);
int nft_run_cmd_from_buffer(struct nft_ctx *nft, const char *buf);
int nft_run_cmd_from_filename(struct nft_ctx *nft, const char *filename);

enum nft_output {
	OUTPUT_STATELESS = 1 << 2,
	OUTPUT_HANDLE = 1 << 3,
	OUTPUT_JSON = 1 << 4,
	OUTPUT_NUMERIC = 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10,
	OUTPUT_TERSE = 1 << 11,
};

#define COMMAND_MAX 4096

static int usage(void)
{
	(void)fprintf(stderr, "usage: nft [-ajnst] COMMAND WORD...\n"
			      "       nft [-c] -f FILE\n");
	return 2;
}

/* Join the words of a command with blanks. */
static bool join(char *out, size_t max, int argc, char **argv)
{
	size_t used = 0;

	for (int i = 0; i < argc; i++) {
		size_t len = strlen(argv[i]);

		if (used + len + 2 > max)
			return false;
		memcpy(out + used, argv[i], len);
		used += len;
		out[used++] = ' ';
	}
	out[used] = '\0';
	return used > 0;
}

int main(int argc, char **argv)
{
	char command[COMMAND_MAX];
	const char *file = NULL;
	unsigned flags = 0;
	bool is_dry = false;
	struct nft_ctx *ctx;
	int opt, r;

	while ((opt = getopt(argc, argv, "+ajnstcf:")) != -1) {
		switch (opt) {
		case 'a':
			flags |= OUTPUT_HANDLE;
			break;
		case 'j':
			flags |= OUTPUT_JSON;
			break;
		case 'n':
			flags |= OUTPUT_NUMERIC;
			break;
		case 's':
			flags |= OUTPUT_STATELESS;
			break;
		case 't':
			flags |= OUTPUT_TERSE;
			break;
		case 'c':
			is_dry = true;
			break;
		case 'f':
			file = optarg;
			break;
		default:
			return usage();
		}
	}
	if (!file && !join(command, sizeof(command), argc - optind, argv + optind))
		return usage();
	if (file && strcmp(file, "-") == 0)
		file = "/dev/stdin";
	ctx = nft_ctx_new(0);
	if (!ctx)
		return 1;
	nft_ctx_output_set_flags(ctx, flags);
	nft_ctx_set_dry_run(ctx, is_dry);
	r = file ? nft_run_cmd_from_filename(ctx, file)
		 : nft_run_cmd_from_buffer(ctx, command);
	nft_ctx_free(ctx);
	return r == 0 ? 0 : 1;
}
