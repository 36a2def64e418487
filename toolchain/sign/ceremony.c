/*
 * Keysets: from a plan, a text that a person can read and change.
 *
 *   version N            number of the keyset
 *   days N               how long it may be introduced
 *   scope S              *, fleet/NAME
 *   key NAME FILE        public key (or certificate), beside the plan
 *   role ROLE T E NAME...  T of these keys must sign; E is the epoch
 */
#include "sign.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "b64.h"
#include "hex.h"

#define PLAN_BYTES 32768
#define DAY_S 86400U
#define NAME_BYTES 64
#define PATH_BYTES 4096

struct plan {
	uint64_t version, days;
	char scope[MAN_NAME_MAX + 8];
	unsigned count;
	struct {
		char name[NAME_BYTES];
		struct sig_key key;
	} keys[KEYSET_KEYS_MAX];
	const char *folder;
};

static int take_text(struct span *line, char *out, size_t max)
{
	struct span word;

	if (span_take_word(line, &word) != ERR_OK || word.n >= max)
		return ERR_FORMAT;
	memcpy(out, word.p, word.n);
	out[word.n] = '\0';
	return ERR_OK;
}

static int plan_key(struct span line, struct plan *p, struct sbuf *b)
{
	char file[NAME_BYTES], path[PATH_BYTES];
	char b64[B64_TEXT(SIG_SPKI_MAX) + 1];
	struct sig_key *key;

	if (p->count == KEYSET_KEYS_MAX ||
	    take_text(&line, p->keys[p->count].name, NAME_BYTES) != ERR_OK ||
	    take_text(&line, file, sizeof(file)) != ERR_OK || line.n != 0)
		return ERR_FORMAT;
	(void)snprintf(path, sizeof(path), "%s/%s", p->folder, file);
	key = &p->keys[p->count].key;
	if (key_public(path, key) != ERR_OK)
		return ERR_NOENT;
	b64[b64_encode(span_of(key->spki, key->spki_n), b64)] = '\0';
	sbuf_putf(b, "key %s %s\n", sig_alg_name(key->alg), b64);
	key_print(key, p->keys[p->count].name);
	p->count++;
	return ERR_OK;
}

static int plan_role(struct span line, const struct plan *p, struct sbuf *b)
{
	char role[NAME_BYTES], name[NAME_BYTES], id[2 * SIG_KEY_ID_BYTES + 1];
	char threshold[24], epoch[24];
	unsigned i;

	if (take_text(&line, role, sizeof(role)) != ERR_OK ||
	    take_text(&line, threshold, sizeof(threshold)) != ERR_OK ||
	    take_text(&line, epoch, sizeof(epoch)) != ERR_OK)
		return ERR_FORMAT;
	sbuf_putf(b, "role %s %s %s", role, threshold, epoch);
	while (line.n > 0) {
		if (take_text(&line, name, sizeof(name)) != ERR_OK)
			return ERR_FORMAT;
		for (i = 0; i < p->count && strcmp(p->keys[i].name, name) != 0; i++)
			;
		if (i == p->count)
			return ERR_NOENT;
		hex_encode(p->keys[i].key.id, SIG_KEY_ID_BYTES, id);
		sbuf_putf(b, " %s", id);
	}
	sbuf_putf(b, "\n");
	return ERR_OK;
}

static int plan_line(struct span line, struct plan *p, struct sbuf *b)
{
	struct span word;

	if (line.n == 0 || line.p[0] == '#')
		return ERR_OK;
	if (span_take_word(&line, &word) != ERR_OK)
		return ERR_FORMAT;
	if (span_eq_str(word, "version"))
		return span_to_u64(line, UINT64_MAX, &p->version);
	if (span_eq_str(word, "days"))
		return span_to_u64(line, 36500, &p->days);
	if (span_eq_str(word, "scope"))
		return take_text(&line, p->scope, sizeof(p->scope));
	if (span_eq_str(word, "key"))
		return plan_key(line, p, b);
	if (span_eq_str(word, "role"))
		return plan_role(line, p, b);
	return ERR_FORMAT;
}

/* The unsigned keyset of a plan. */
static int keyset_text(const char *plan_file, uint8_t **file, size_t *n)
{
	static uint8_t body[MAN_SIGNED_MAX];
	struct plan *p = calloc(1, sizeof(*p));
	char folder[PATH_BYTES];
	uint8_t *text = NULL;
	struct span rest, line;
	struct head h = {.type = MAN_KEYSET};
	struct sbuf b, out;
	size_t text_n = 0;
	unsigned number = 0;
	int r = p ? load(plan_file, PLAN_BYTES, &text, &text_n) : ERR_NOMEM;

	if (r != ERR_OK)
		goto out;
	(void)snprintf(folder, sizeof(folder), "%s", plan_file);
	if (strrchr(folder, '/'))
		*strrchr(folder, '/') = '\0';
	else
		(void)snprintf(folder, sizeof(folder), ".");
	*p = (struct plan){.version = 1, .days = 3650, .scope = "*", .folder = folder};
	sbuf_init(&b, body, sizeof(body));
	rest = span_of(text, text_n);
	while (r == ERR_OK && rest.n > 0) {
		number++;
		r = span_take_line(&rest, &line);
		if (r == ERR_OK)
			r = plan_line(line, p, &b);
	}
	if (r != ERR_OK) {
		complain(T("%s: line %u is not understood", "%s: không hiểu dòng %u"),
			 plan_file, number);
		goto out;
	}
	h.scope = p->scope;
	h.version = p->version;
	h.issued_s = now_s();
	h.expires_s = h.issued_s + p->days * DAY_S;
	h.keyset = p->version > 1 ? p->version - 1 : 1;
	*file = malloc(MAN_SIGNED_MAX);
	if (!*file) {
		r = ERR_NOMEM;
		goto out;
	}
	sbuf_init(&out, *file, MAN_SIGNED_MAX);
	head_print(&out, &h);
	sbuf_putf(&out, "body\n");
	sbuf_put(&out, body, b.n);
	sbuf_putf(&out, "\n");
	*n = out.n;
	r = b.is_full || out.is_full ? ERR_LIMIT : ERR_OK;
out:
	free(text);
	free(p);
	return r;
}

/*
 * sign keyset PLAN --out FILE
 */
int command_keyset(int argc, char **argv)
{
	static const struct option options[] = {{"out", required_argument, NULL, 'o'},
						{NULL, 0, NULL, 0}};
	const char *out = NULL;
	uint8_t *file = NULL;
	size_t n = 0;
	int opt, code = EXIT_USAGE;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt != 'o')
			return EXIT_USAGE;
		out = optarg;
	}
	if (!out || optind != argc - 1) {
		complain("keyset PLAN --out FILE");
		return EXIT_USAGE;
	}
	if (keyset_text(argv[optind], &file, &n) == ERR_OK &&
	    save(out, span_of(file, n), false) == ERR_OK)
		code = EXIT_GOOD;
	free(file);
	return code;
}

/* Who a province has at first: role, threshold, holders. */
static const struct {
	const char *role, *names;
	unsigned threshold;
} split[] = {
	{"root", "root-1 root-2 root-3", 2},
	{"head", "online", 1},
	{"blocklist", "soc-1 soc-2", 1},
	{"config", "officer soc-1 soc-2", 2},
	{"firmware", "firmware-1 firmware-2 firmware-3", 2},
	{"command", "soc-1 soc-2", 2},
	{"time", "online", 1},
};
static const char *const holders[] = {"root-1",     "root-2",  "root-3",     "soc-1",
				      "soc-2",      "officer", "firmware-1", "firmware-2",
				      "firmware-3", "online"};
#define HOLDERS (sizeof(holders) / sizeof(holders[0]))

static int write_plan(const char *path, const char *scope)
{
	char text[PLAN_BYTES];
	struct sbuf b;

	sbuf_init(&b, text, sizeof(text));
	sbuf_putf(&b, "# %s\nversion 1\ndays 3650\nscope %s\n",
		  T("Who may sign what. For the next keyset: raise version, change, "
		    "run `sign keyset`, sign with old and new root keys.",
		    "Ai được ký gì. Bộ khóa kế tiếp: tăng version, sửa, chạy `sign "
		    "keyset`, ký bằng khóa gốc cũ và mới."),
		  scope);
	for (size_t i = 0; i < HOLDERS; i++)
		sbuf_putf(&b, "key %s %s.key.pub\n", holders[i], holders[i]);
	for (size_t i = 0; i < sizeof(split) / sizeof(split[0]); i++)
		sbuf_putf(&b, "role %s %u 1 %s\n", split[i].role, split[i].threshold,
			  split[i].names);
	return b.is_full ? ERR_LIMIT : save(path, span_of(text, b.n), false);
}

/* Keyset 1, signed by all three root keys. */
static int write_first(const char *folder, const char *plan)
{
	char path[PATH_BYTES];
	uint8_t *file = NULL;
	size_t n = 0;
	int r = keyset_text(plan, &file, &n);

	for (unsigned i = 1; r == ERR_OK && i <= 3; i++) {
		struct signer s;

		(void)snprintf(path, sizeof(path), "%s/root-%u.key", folder, i);
		r = key_open(path, &s);
		if (r == ERR_OK)
			r = append_signature(&file, &n, &s);
		key_close(&s);
	}
	(void)snprintf(path, sizeof(path), "%s/keyset-1", folder);
	if (r == ERR_OK)
		r = save(path, span_of(file, n), false);
	free(file);
	return r;
}

/*
 * sign ceremony --out DIR [--plain] [--scope S]
 */
int command_ceremony(int argc, char **argv)
{
	static const struct option options[] = {{"out", required_argument, NULL, 'o'},
						{"scope", required_argument, NULL, 's'},
						{"plain", no_argument, NULL, 'p'},
						{NULL, 0, NULL, 0}};
	const char *folder = NULL, *scope = "*", *passphrase = NULL;
	char path[PATH_BYTES];
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'o')
			folder = optarg;
		else if (opt == 's')
			scope = optarg;
		else if (opt == 'p')
			passphrase = "";
		else
			return EXIT_USAGE;
	}
	if (!folder || optind != argc) {
		complain("ceremony --out DIR [--plain] [--scope S]");
		return EXIT_USAGE;
	}
	if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
		complain("%s: %s", folder, strerror(errno));
		return EXIT_USAGE;
	}
	for (size_t i = 0; i < HOLDERS; i++) {
		if (!passphrase)
			(void)printf(T("Key of %s\n", "Khóa của %s\n"), holders[i]);
		(void)snprintf(path, sizeof(path), "%s/%s.key", folder, holders[i]);
		if (key_new(path, SIG_ES256, passphrase) != ERR_OK)
			return EXIT_USAGE;
	}
	(void)snprintf(path, sizeof(path), "%s/plan", folder);
	if (write_plan(path, scope) != ERR_OK || write_first(folder, path) != ERR_OK)
		return EXIT_USAGE;
	(void)printf(
		T("\nkeyset-1 goes into the firmware: make image KEYSET=%s/keyset-1\n"
		  "Give each *.key to its holder and delete it here; root keys "
		  "stay offline. Read the fingerprints to each other aloud.\n",
		  "\nkeyset-1 nằm trong phần dẻo: make image KEYSET=%s/keyset-1\n"
		  "Giao từng tệp *.key cho người giữ rồi xóa ở đây; khóa gốc cất nơi "
		  "không nối mạng. Đọc to dấu vân tay cho nhau nghe để đối chiếu.\n"),
		folder);
	return EXIT_GOOD;
}
