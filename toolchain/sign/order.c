/*
 * Orders of the SOC to one device: short signed texts, each good once.
 */
#include "sign.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "hex.h"

#define ORDER_VALID_S 86400U /* an order not used by then is not meant any more */
#define ORDER_FILE_ROOM 2048

struct order_options {
	const char *out;
	const char *keys[SIGN_NAMES_MAX];
	size_t key_count;
	uint64_t version, keyset; /* version 0: the time in seconds */
};

static int read_options(int argc, char **argv, struct order_options *o)
{
	static const struct option options[] = {{"out", required_argument, NULL, 'o'},
						{"key", required_argument, NULL, 'k'},
						{"version", required_argument, NULL, 'v'},
						{"keyset", required_argument, NULL, 's'},
						{NULL, 0, NULL, 0}};
	int opt;

	*o = (struct order_options){.keyset = 1};
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		uint64_t *number = opt == 'v' ? &o->version : &o->keyset;

		if (opt == 'o')
			o->out = optarg;
		else if (opt == 'k' && o->key_count < SIGN_NAMES_MAX)
			o->keys[o->key_count++] = optarg;
		else if ((opt != 'v' && opt != 's') ||
			 span_to_u64(span_str(optarg), UINT64_MAX, number) != ERR_OK)
			return ERR_RANGE;
	}
	return optind == argc - 2 && o->out && o->key_count ? ERR_OK : ERR_RANGE;
}

/* The unsigned text of an order to confirm the configuration in an artifact. */
static int confirm_text(const struct man *config, const struct order_options *o,
			uint8_t **file, size_t *n)
{
	char scope[MAN_NAME_MAX + 16], hex[2 * SIG_SHA256_BYTES + 1];
	struct head h = {.type = MAN_COMMAND,
			 .scope = scope,
			 .issued_s = now_s(),
			 .keyset = o->keyset};
	struct sbuf b;

	if (man_scope_format(&config->scope, scope, sizeof(scope)) != ERR_OK)
		return ERR_SCOPE;
	hex_encode(config->payload_sha256, SIG_SHA256_BYTES, hex);
	h.version = o->version ? o->version : h.issued_s;
	h.expires_s = h.issued_s + ORDER_VALID_S;
	*file = malloc(ORDER_FILE_ROOM);
	if (!*file)
		return ERR_NOMEM;
	sbuf_init(&b, *file, ORDER_FILE_ROOM);
	head_print(&b, &h);
	sbuf_putf(&b, "body\nconfirm config %llu %s\n\n",
		  (unsigned long long)config->version, hex);
	*n = b.n;
	return b.is_full ? ERR_LIMIT : ERR_OK;
}

static int sign_and_save(const struct order_options *o, uint8_t **file, size_t *n)
{
	for (size_t i = 0; i < o->key_count; i++) {
		struct signer s;
		int r = key_open(o->keys[i], &s);

		if (r == ERR_OK)
			r = append_signature(file, n, &s);
		key_close(&s);
		if (r != ERR_OK)
			return EXIT_USAGE;
	}
	if (save(o->out, span_of(*file, *n), false) != ERR_OK)
		return EXIT_USAGE;
	(void)printf(T("%s: order with %zu signature(s), good for one day\n",
		       "%s: lệnh có %zu chữ ký, hiệu lực một ngày\n"),
		     o->out, o->key_count);
	return EXIT_GOOD;
}

/*
 * sign order confirm CONFIG.signed --out FILE --key KEY...
 */
int command_order(int argc, char **argv)
{
	uint8_t *text = NULL, *file = NULL;
	struct man_report rep;
	struct order_options o;
	size_t text_n = 0, n = 0;
	struct man config;
	int code = EXIT_USAGE;

	if (read_options(argc, argv, &o) != ERR_OK ||
	    strcmp(argv[optind], "confirm") != 0) {
		complain(T("order confirm CONFIG.signed --out FILE --key KEY...",
			   "order confirm CẤU_HÌNH.signed --out TỆP --key KHÓA..."));
		return EXIT_USAGE;
	}
	if (load(argv[optind + 1], MAN_CONFIG_FILE_MAX, &text, &text_n) != ERR_OK)
		return EXIT_USAGE;
	if (man_parse(span_of(text, text_n), &config, &rep) != ERR_OK ||
	    config.type != MAN_CONFIG) {
		complain(T("%s: not a signed configuration",
			   "%s: không phải cấu hình đã ký"),
			 argv[optind + 1]);
		code = EXIT_REFUSED;
	} else if (confirm_text(&config, &o, &file, &n) == ERR_OK) {
		code = sign_and_save(&o, &file, &n);
	}
	free(text);
	free(file);
	return code;
}
