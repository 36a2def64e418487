/*
 * Making artifacts: the text of a manifest, signature lines, payload.
 */
#include "sign.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "b64.h"
#include "hex.h"

#define DAY_S 86400U
#define VALID_DAYS 30
#define DAYS_MAX 36500

/*
 * Write the fields that every manifest begins with.
 */
void head_print(struct sbuf *b, const struct head *h)
{
	sbuf_putf(b,
		  "luytre-manifest 1\ntype %s\nscope %s\nversion %llu\nissued %llu\n"
		  "expires %llu\nkeyset %llu\n",
		  man_type_name(h->type), h->scope, (unsigned long long)h->version,
		  (unsigned long long)h->issued_s, (unsigned long long)h->expires_s,
		  (unsigned long long)h->keyset);
}

/* Where the next signature line goes: behind the last one. */
static size_t signatures_end(const struct man *m, struct span file)
{
	return m->has_attached ? (size_t)(m->payload.p - file.p) - 1 : file.n;
}

/*
 * Sign an artifact: its signed bytes get one more signature line.
 *
 * @file  malloc'd; replaced by a longer one
 *
 * Returns ERR_OK, ERR_ALREADY when the key has signed before, or an error that
 * was complained about.
 */
int append_signature(uint8_t **file, size_t *n, const struct signer *s)
{
	uint8_t sig[SIG_BYTES_MAX];
	char b64[B64_TEXT(SIG_BYTES_MAX) + 1], id[2 * SIG_KEY_ID_BYTES + 1];
	char line[MAN_SIG_LINE_MAX + 2];
	struct man_report rep;
	size_t sig_n = 0, at, line_n;
	struct man m;
	uint8_t *longer;
	int r = man_parse(span_of(*file, *n), &m, &rep);

	if (r != ERR_OK) {
		complain("%s (%s)", man_why_text(rep.why), man_why_name(rep.why));
		return r;
	}
	hex_encode(s->public_key.id, SIG_KEY_ID_BYTES, id);
	for (unsigned i = 0; i < m.sig_count; i++) {
		if (memcmp(m.sigs[i].id, s->public_key.id, SIG_KEY_ID_BYTES) == 0) {
			complain(T("key %s has signed this already",
				   "khóa %s đã ký tệp này rồi"),
				 id);
			return ERR_ALREADY;
		}
	}
	r = key_sign(s, m.signed_bytes, sig, sizeof(sig), &sig_n);
	if (r != ERR_OK)
		return r;
	b64[b64_encode(span_of(sig, sig_n), b64)] = '\0';
	line_n = (size_t)snprintf(line, sizeof(line), "sig %s %s %s\n", id,
				  sig_alg_name(s->public_key.alg), b64);
	longer = malloc(*n + line_n);
	if (!longer)
		return ERR_NOMEM;
	at = signatures_end(&m, span_of(*file, *n));
	memcpy(longer, *file, at);
	memcpy(longer + at, line, line_n);
	memcpy(longer + at + line_n, *file + at, *n - at);
	free(*file);
	*file = longer;
	*n += line_n;
	return ERR_OK;
}

/* A config manifest with its payload, unsigned. */
static int make_config(const struct cfg *cfg, struct span payload, unsigned days,
		       uint64_t keyset, uint8_t **file, size_t *n)
{
	char scope[MAN_NAME_MAX + 16], hex[2 * SIG_SHA256_BYTES + 1];
	uint8_t hash[SIG_SHA256_BYTES];
	struct head h = {.type = MAN_CONFIG,
			 .scope = scope,
			 .version = cfg->serial,
			 .issued_s = now_s(),
			 .keyset = keyset};
	size_t room = payload.n + 2048;
	struct sbuf b;

	h.expires_s = h.issued_s + (uint64_t)days * DAY_S;
	(void)snprintf(scope, sizeof(scope), "device/%s", cfg->device);
	*file = malloc(room);
	if (!*file || sig_sha256(payload, hash) != ERR_OK)
		return ERR_NOMEM;
	hex_encode(hash, sizeof(hash), hex);
	sbuf_init(&b, *file, room);
	head_print(&b, &h);
	sbuf_putf(&b, "payload %zu %s\n\n\n", payload.n, hex);
	sbuf_put(&b, payload.p, payload.n);
	*n = b.n;
	return b.is_full ? ERR_LIMIT : ERR_OK;
}

struct options {
	const char *out, *previous, *cms, *ca;
	const char *keys[SIGN_NAMES_MAX];
	size_t key_count;
	unsigned days;
	uint64_t keyset;
	bool is_sure;
};

static bool agrees(void)
{
	char line[64];

	(void)printf(
		T("\nSign this? Write YES: ", "\nKý những điều trên? Gõ CO để ký: "));
	(void)fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		line[0] = '\0';
	line[strcspn(line, "\r\n")] = '\0';
	if (strcmp(line, "YES") == 0 || strcmp(line, "CO") == 0 ||
	    strcmp(line, "CÓ") == 0)
		return true;
	complain(T("not signed", "không ký"));
	return false;
}

/* Show what will be signed; false when the person does not want it. */
static bool show_change(const struct cfg *now, const char *previous, bool is_sure)
{
	struct cfg old;

	memset(&old, 0, sizeof(old));
	if (previous && config_of(previous, &old) != ERR_OK)
		return false;
	(void)printf(T("Configuration %llu for device %s (%s)\n",
		       "Cấu hình số %llu cho thiết bị %s (%s)\n"),
		     (unsigned long long)now->serial, now->device, now->agency);
	(void)diff_words(previous ? &old : NULL, now, stdout);
	cfg_clear(&old);
	return is_sure || agrees();
}

/* Show what will be countersigned; false when the person does not want it. */
static bool show_artifact(const char *path, const struct man *m, const struct options *o)
{
	struct cfg cfg;
	bool is_wanted;

	if (m->type != MAN_CONFIG) {
		print_artifact(m);
		return o->is_sure || agrees();
	}
	if (config_of(path, &cfg) != ERR_OK)
		return false;
	is_wanted = show_change(&cfg, o->previous, o->is_sure);
	cfg_clear(&cfg);
	return is_wanted;
}

static int read_options(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{"out", required_argument, NULL, 'o'},
		{"key", required_argument, NULL, 'k'},
		{"previous", required_argument, NULL, 'p'},
		{"days", required_argument, NULL, 'd'},
		{"keyset", required_argument, NULL, 's'},
		{"yes", no_argument, NULL, 'y'},
		{NULL, 0, NULL, 0}};
	uint64_t v = 0;
	int opt;

	*o = (struct options){.days = VALID_DAYS, .keyset = 1};
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'o')
			o->out = optarg;
		else if (opt == 'k' && o->key_count < SIGN_NAMES_MAX)
			o->keys[o->key_count++] = optarg;
		else if (opt == 'p')
			o->previous = optarg;
		else if (opt == 'd' &&
			 span_to_u64(span_str(optarg), DAYS_MAX, &v) == ERR_OK && v > 0)
			o->days = (unsigned)v;
		else if (opt == 's' &&
			 span_to_u64(span_str(optarg), UINT64_MAX, &o->keyset) == ERR_OK)
			continue;
		else if (opt == 'y')
			o->is_sure = true;
		else
			return ERR_RANGE;
	}
	return optind == argc - 1 ? ERR_OK : ERR_RANGE;
}

/* Sign with each named key, one after the other. */
static int sign_with(const struct options *o, uint8_t **file, size_t *n)
{
	for (size_t i = 0; i < o->key_count; i++) {
		struct signer s;
		int r = key_open(o->keys[i], &s);

		if (r == ERR_OK)
			r = append_signature(file, n, &s);
		key_close(&s);
		if (r != ERR_OK)
			return r;
	}
	return ERR_OK;
}

static int finish(const struct options *o, const char *path, uint8_t *file, size_t n)
{
	struct man_report rep;
	struct man m;

	if (man_parse(span_of(file, n), &m, &rep) != ERR_OK) {
		complain("%s", man_why_text(rep.why));
		return EXIT_REFUSED;
	}
	if (save(path, span_of(file, n), false) != ERR_OK)
		return EXIT_USAGE;
	(void)printf(T("%s: version %llu, %u signature(s)\n",
		       "%s: phiên bản %llu, %u chữ ký\n"),
		     path, (unsigned long long)m.version, m.sig_count);
	(void)o;
	return EXIT_GOOD;
}

/*
 * sign config CONFIG.json --out FILE --key KEY...
 */
int command_config(int argc, char **argv)
{
	struct cfg_error error;
	struct options o;
	uint8_t *text = NULL, *file = NULL;
	size_t text_n = 0, n = 0;
	struct cfg cfg;
	int code = EXIT_USAGE;

	if (read_options(argc, argv, &o) != ERR_OK || !o.out || o.key_count == 0) {
		complain(T("config CONFIG.json --out FILE --key KEY; see sign --help",
			   "config CẤU_HÌNH.json --out TỆP --key KHÓA; xem sign --help"));
		return EXIT_USAGE;
	}
	if (load(argv[optind], CONFIG_CFG_MAX_BYTES, &text, &text_n) != ERR_OK)
		return EXIT_USAGE;
	if (cfg_parse(span_of(text, text_n), &cfg, &error) != ERR_OK) {
		complain("%s: %s: %s; %s", argv[optind], error.path, error.reason,
			 error.fix);
		free(text);
		return EXIT_REFUSED;
	}
	if (!show_change(&cfg, o.previous, o.is_sure))
		code = EXIT_REFUSED;
	else if (make_config(&cfg, span_of(text, text_n), o.days, o.keyset, &file, &n) ==
			 ERR_OK &&
		 sign_with(&o, &file, &n) == ERR_OK)
		code = finish(&o, o.out, file, n);
	cfg_clear(&cfg);
	free(text);
	free(file);
	return code;
}

/*
 * sign add FILE --key KEY...: countersign in place.
 */
int command_add(int argc, char **argv)
{
	struct options o;
	uint8_t *file = NULL;
	struct man_report rep;
	struct man m;
	size_t n = 0;
	int code = EXIT_USAGE;

	if (read_options(argc, argv, &o) != ERR_OK || o.key_count == 0) {
		complain(T("add FILE --key KEY; see sign --help",
			   "add TỆP --key KHÓA; xem sign --help"));
		return EXIT_USAGE;
	}
	if (load(argv[optind], SIGN_FILE_MAX, &file, &n) != ERR_OK)
		return EXIT_USAGE;
	if (man_parse(span_of(file, n), &m, &rep) != ERR_OK) {
		complain("%s: %s (%s)", argv[optind], man_why_text(rep.why),
			 man_why_name(rep.why));
		free(file);
		return EXIT_REFUSED;
	}
	if (!show_artifact(argv[optind], &m, &o)) {
		free(file);
		return EXIT_REFUSED;
	}
	if (sign_with(&o, &file, &n) == ERR_OK)
		code = finish(&o, o.out ? o.out : argv[optind], file, n);
	free(file);
	return code;
}
