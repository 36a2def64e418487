/*
 * Judging and showing artifacts.
 */
#include "sign.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hex.h"

static const struct man_device any_device = {.serial = "", .board = ""};

/*
 * Load a chain of keysets: the first is trusted (keyset 1 or that of an
 * image), each other one must be its valid successor.
 *
 * Returns ERR_OK, or an error that was complained about.
 */
int keysets_load(char *const *files, size_t count, struct keyset *out)
{
	struct keyset *next = malloc(sizeof(*next));
	struct man_report rep;
	int r = next ? ERR_OK : ERR_NOMEM;

	for (size_t i = 0; r == ERR_OK && i < count; i++) {
		uint8_t *text = NULL;
		size_t n = 0;

		r = load(files[i], MAN_TEXT_MAX, &text, &n);
		if (r != ERR_OK)
			break;
		if (i == 0)
			r = keyset_load(span_of(text, n), &any_device, out, &rep);
		else
			r = keyset_update(out, &any_device, span_of(text, n), next, &rep);
		if (r != ERR_OK)
			complain("%s: %s (%s); %s", files[i], man_why_text(rep.why),
				 man_why_name(rep.why), man_why_fix(rep.why));
		else if (i > 0)
			*out = *next;
		free(text);
	}
	free(next);
	return r;
}

/*
 * The configuration in a file: an artifact's payload, or plain JSON.
 *
 * @out  on ERR_OK the caller clears it
 *
 * Returns ERR_OK, or an error that was complained about.
 */
int config_of(const char *path, struct cfg *out)
{
	struct cfg_error error;
	struct man_report rep;
	uint8_t *text = NULL;
	struct span payload;
	struct man m;
	size_t n = 0;
	int r = load(path, MAN_CONFIG_FILE_MAX, &text, &n);

	if (r != ERR_OK)
		return r;
	payload = span_of(text, n);
	if (n > 0 && text[0] != '{') {
		r = man_parse(payload, &m, &rep);
		if (r == ERR_OK && (m.type != MAN_CONFIG || !m.has_attached))
			r = man_fail(&rep, MAN_WHY_PAYLOAD_MISSING, 0, "payload");
		if (r == ERR_OK && man_check_payload(&m, m.payload) != ERR_OK)
			r = man_fail(&rep, MAN_WHY_PAYLOAD, 0, "payload");
		if (r == ERR_OK)
			payload = m.payload;
		else
			complain("%s: %s (%s)", path, man_why_text(rep.why),
				 man_why_name(rep.why));
	}
	if (r == ERR_OK) {
		r = cfg_parse(payload, out, &error);
		if (r != ERR_OK)
			complain("%s: %s: %s; %s", path, error.path, error.reason,
				 error.fix);
	}
	free(text);
	return r;
}

static int no_floor(void *arg, enum man_type type, const struct man_scope *scope,
		    struct man_floor *out)
{
	(void)arg;
	(void)type;
	(void)scope;
	(void)out;
	return ERR_NOENT;
}

static void print_time(const char *what, uint64_t s)
{
	time_t t = (time_t)s;
	struct tm tm;
	char text[40] = "?";

	if (gmtime_r(&t, &tm))
		(void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm);
	(void)printf("%-10s %s\n", what, text);
}

/*
 * Print what the manifest of an artifact says; without payload also its body.
 */
void print_artifact(const struct man *m)
{
	char scope[MAN_NAME_MAX + 16] = "?", hex[2 * SIG_SHA256_BYTES + 1];

	if (man_scope_format(&m->scope, scope, sizeof(scope)) != ERR_OK)
		scope[0] = '?';
	hex_encode(m->digest, sizeof(m->digest), hex);
	(void)printf("%-10s %s\n%-10s %s\n%-10s %llu\n", T("type", "loại"),
		     man_type_name(m->type), T("scope", "phạm vi"), scope,
		     T("version", "phiên bản"), (unsigned long long)m->version);
	print_time(T("issued", "ký lúc"), m->issued_s);
	print_time(T("expires", "hết hạn"), m->expires_s);
	(void)printf("%-10s %llu\n%-10s %s\n", T("keyset", "bộ khóa"),
		     (unsigned long long)m->keyset, T("digest", "mã băm"), hex);
	for (unsigned i = 0; i < m->sig_count; i++) {
		hex_encode(m->sigs[i].id, SIG_KEY_ID_BYTES, hex);
		(void)printf("%-10s %s %s\n", T("signature", "chữ ký"), hex,
			     sig_alg_name(m->sigs[i].alg));
	}
	if (m->type != MAN_CONFIG)
		(void)printf("%.*s", (int)m->body.n, (const char *)m->body.p);
}

static int verify_config(const struct man *m, const char *path)
{
	struct cfg_error error;
	struct cfg cfg;

	if (cfg_parse(m->payload, &cfg, &error) != ERR_OK) {
		complain("%s: %s: %s; %s", path, error.path, error.reason, error.fix);
		return EXIT_REFUSED;
	}
	if (cfg.serial != m->version || !span_eq_str(m->scope.name, cfg.device)) {
		complain(T("%s: manifest and configuration name different serials or "
			   "devices",
			   "%s: tờ khai và cấu hình ghi khác số phiên bản hoặc thiết bị"),
			 path);
		cfg_clear(&cfg);
		return EXIT_REFUSED;
	}
	cfg_clear(&cfg);
	return EXIT_GOOD;
}

static int judge(const char *path, const struct keyset *keys, const char *serial)
{
	struct man_device device = {.serial = serial ? serial : "", .board = ""};
	char name[MAN_NAME_MAX + 1];
	struct man_report rep;
	struct man_ctx ctx = {.keys = keys,
			      .scopes = ~0U,
			      .device = &device,
			      .mode = MAN_NEW,
			      .payload = MAN_PAYLOAD_SEPARATE,
			      .clock = {.now_s = now_s(), .is_verified = true},
			      .floor = no_floor};
	uint8_t *text = NULL;
	struct man m;
	size_t n = 0;
	int code = EXIT_REFUSED;

	if (load(path, SIGN_FILE_MAX, &text, &n) != ERR_OK)
		return EXIT_USAGE;
	if (man_parse(span_of(text, n), &m, &rep) != ERR_OK)
		goto out;
	/* without --device it is judged as the device that it names */
	if (!serial && m.scope.kind == MAN_SCOPE_DEVICE) {
		memcpy(name, m.scope.name.p, m.scope.name.n);
		name[m.scope.name.n] = '\0';
		device.serial = name;
	}
	ctx.type = m.type;
	ctx.active_version = m.base;
	if (m.type == MAN_CONFIG)
		ctx.payload = MAN_PAYLOAD_ATTACHED;
	if (man_verify(&ctx, span_of(text, n), &m, &rep) != ERR_OK)
		goto out;
	code = m.type == MAN_CONFIG && m.has_attached ? verify_config(&m, path)
						      : EXIT_GOOD;
	if (code == EXIT_GOOD) {
		(void)printf(T("%s: good, signed by", "%s: hợp lệ, người ký"), path);
		for (unsigned i = 0; i < m.signers.count; i++) {
			char id[2 * SIG_KEY_ID_BYTES + 1];

			hex_encode(m.signers.id[i], SIG_KEY_ID_BYTES, id);
			(void)printf(" %s", id);
		}
		(void)printf("\n");
	}
	free(text);
	return code;
out:
	complain(T("%s: refused: %s (%s), line %u; %s",
		   "%s: bị từ chối: %s (%s), dòng %u; %s"),
		 path, man_why_text(rep.why), man_why_name(rep.why), rep.line,
		 man_why_fix(rep.why));
	free(text);
	return EXIT_REFUSED;
}

/*
 * sign verify FILE --keyset FILE... [--device SERIAL]
 */
int command_verify(int argc, char **argv)
{
	static const struct option options[] = {{"keyset", required_argument, NULL, 's'},
						{"device", required_argument, NULL, 'd'},
						{NULL, 0, NULL, 0}};
	char *files[SIGN_KEYSETS_MAX];
	struct keyset *keys = malloc(sizeof(*keys));
	const char *serial = NULL;
	size_t count = 0;
	int opt, code = EXIT_USAGE;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 's' && count < SIGN_KEYSETS_MAX)
			files[count++] = optarg;
		else if (opt == 'd')
			serial = optarg;
		else
			goto out;
	}
	if (count == 0 || optind != argc - 1) {
		complain("verify FILE --keyset FILE... [--device SERIAL]");
		goto out;
	}
	if (keys && keysets_load(files, count, keys) == ERR_OK)
		code = judge(argv[optind], keys, serial);
	else
		code = EXIT_REFUSED;
out:
	free(keys);
	return code;
}

/*
 * sign inspect FILE [--previous FILE]
 */
int command_inspect(int argc, char **argv)
{
	static const struct option options[] = {
		{"previous", required_argument, NULL, 'p'}, {NULL, 0, NULL, 0}};
	const char *previous = NULL;
	struct cfg now, old;
	struct man_report rep;
	uint8_t *text = NULL;
	struct man m;
	size_t n = 0;
	int opt;

	memset(&old, 0, sizeof(old));
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt != 'p')
			return EXIT_USAGE;
		previous = optarg;
	}
	if (optind != argc - 1) {
		complain("inspect FILE [--previous FILE]");
		return EXIT_USAGE;
	}
	if (load(argv[optind], SIGN_FILE_MAX, &text, &n) != ERR_OK)
		return EXIT_USAGE;
	if (n > 0 && text[0] != '{') {
		if (man_parse(span_of(text, n), &m, &rep) != ERR_OK) {
			complain("%s: %s (%s)", argv[optind], man_why_text(rep.why),
				 man_why_name(rep.why));
			free(text);
			return EXIT_REFUSED;
		}
		print_artifact(&m);
		if (m.type != MAN_CONFIG) {
			free(text);
			return EXIT_GOOD;
		}
	}
	free(text);
	if (config_of(argv[optind], &now) != ERR_OK)
		return EXIT_REFUSED;
	if (previous && config_of(previous, &old) != ERR_OK) {
		cfg_clear(&now);
		return EXIT_REFUSED;
	}
	(void)diff_words(previous ? &old : NULL, &now, stdout);
	cfg_clear(&now);
	cfg_clear(&old);
	return EXIT_GOOD;
}
