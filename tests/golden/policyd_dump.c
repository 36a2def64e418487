/*
 * What the compiler makes of a configuration, without a kernel and without root.
 *
 *   policyd_dump listing|netlink FILE    FILE "-" stands for the closed rules
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/netlink.h>

#include "lib/file.h"
#include "policyd/cfg.h"
#include "policyd/compile.h"
#include "policyd/nft.h"

static int compile(const char *file, struct prog *out)
{
	struct cfg_error error;
	uint8_t *text = NULL;
	struct cfg cfg;
	size_t n = 0;
	int r;

	if (strcmp(file, "-") == 0)
		return compile_closed(out);
	r = file_load(file, CONFIG_CFG_MAX_BYTES, &text, &n);
	if (r != ERR_OK)
		return r;
	r = cfg_parse(span_of(text, n), &cfg, &error);
	if (r != ERR_OK)
		(void)fprintf(stderr, "%s: %s: %s\n", file, error.path, error.reason);
	else
		r = compile_cfg(&cfg, out);
	if (r == ERR_OK)
		cfg_clear(&cfg);
	free(text);
	return r;
}

static int print_listing(const struct prog *p)
{
	char *text = NULL;
	int r = prog_list(p, &text);

	if (r == ERR_OK)
		(void)fputs(text, stdout);
	free(text);
	return r;
}

static void print_batch(const struct nft *n)
{
	size_t at = 0;

	while (at < n->batch_used) {
		struct nlmsghdr h;

		memcpy(&h, n->batch + at, sizeof(h));
		(void)printf("seq %u type %04x flags %04x length %u\n", h.nlmsg_seq,
			     h.nlmsg_type, h.nlmsg_flags, h.nlmsg_len);
		for (size_t i = sizeof(h); i < h.nlmsg_len; i++)
			(void)printf("%02x%s", n->batch[at + i],
				     i % 32 == 15 || i + 1 == h.nlmsg_len ? "\n" : "");
		at += (h.nlmsg_len + 3) & ~3U;
	}
}

/* The transactions onto an empty kernel, message by message. */
static int print_netlink(const struct prog *p)
{
	struct nft n = {.seq = 1, .batch = calloc(1, CONFIG_NFT_BATCH_MAX_BYTES)};
	struct prog none;
	int r = n.batch ? ERR_OK : ERR_NOMEM;

	prog_init(&none);
	for (int step = NFT_ADD; r == ERR_OK && step <= NFT_DELETE; step++) {
		r = nft_build(&n, &none, p, (enum nft_step)step);
		if (r == ERR_OK)
			print_batch(&n);
	}
	free(n.batch);
	return r;
}

int main(int argc, char **argv)
{
	struct prog p;
	int r;

	if (argc != 3) {
		(void)fprintf(stderr, "usage: policyd_dump listing|netlink FILE\n");
		return 2;
	}
	r = compile(argv[2], &p);
	if (r == ERR_OK)
		r = strcmp(argv[1], "listing") == 0 ? print_listing(&p)
						    : print_netlink(&p);
	prog_clear(&p);
	if (r != ERR_OK)
		(void)fprintf(stderr, "policyd_dump: %s\n", err_text(r));
	return r == ERR_OK ? 0 : 1;
}
