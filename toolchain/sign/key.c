/*
 * DESIGN: GnuTLS holds private keys, whether from a PEM file or in a PKCS#11
 * token; nothing here sees one. What it signs is checked at once with the
 * device's own code: a signature that a device would refuse never reaches a
 * file.
 */
#include "sign.h"

#include <errno.h>
#include <getopt.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/pkcs11.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "hex.h"
#include "wipe.h"

#define PASSPHRASE_BYTES 256
#define PEM_BYTES 16384

struct private_key {
	gnutls_privkey_t priv;
};

static const struct {
	enum sig_alg alg;
	gnutls_pk_algorithm_t pk;
	unsigned bits;
	gnutls_sign_algorithm_t sign;
} algs[] = {
	{SIG_ES256, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1),
	 GNUTLS_SIGN_ECDSA_SHA256},
	{SIG_ES384, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1),
	 GNUTLS_SIGN_ECDSA_SHA384},
	{SIG_PS256, GNUTLS_PK_RSA, 3072, GNUTLS_SIGN_RSA_PSS_RSAE_SHA256},
};
#define ALGS (sizeof(algs) / sizeof(algs[0]))

static int bad(const char *name, int code)
{
	complain("%s: %s", name, gnutls_strerror(code));
	return ERR_SYS;
}

/* First line of a file, or of the terminal without echo. */
static int ask(const char *prompt, char *out, size_t max)
{
	const char *file = getenv("LUYTRE_PIN_FILE");
	FILE *f = fopen(file ? file : "/dev/tty", "r+");
	struct termios was, quiet;
	bool is_tty;
	char *got;

	if (!f && file)
		f = fopen(file, "r");
	if (!f) {
		complain(T("no terminal to ask for %s; name a file in LUYTRE_PIN_FILE",
			   "không có màn hình để hỏi %s; nêu một tệp trong "
			   "LUYTRE_PIN_FILE"),
			 prompt);
		return ERR_NOENT;
	}
	is_tty = !file && tcgetattr(fileno(f), &was) == 0;
	if (is_tty) {
		quiet = was;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		(void)tcsetattr(fileno(f), TCSAFLUSH, &quiet);
		(void)fprintf(f, "%s: ", prompt);
		(void)fflush(f);
	}
	got = fgets(out, (int)max, f);
	if (is_tty) {
		(void)tcsetattr(fileno(f), TCSAFLUSH, &was);
		(void)fputc('\n', stderr);
	}
	(void)fclose(f);
	if (!got)
		return ERR_SHORT;
	out[strcspn(out, "\r\n")] = '\0';
	return ERR_OK;
}

/* GnuTLS asks for the PIN of a token. */
static int give_pin(void *arg, int attempt, const char *url, const char *label,
		    unsigned flags, char *pin, size_t max)
{
	char prompt[160];

	(void)arg;
	(void)url;
	if (attempt > 0 || (flags & GNUTLS_PIN_FINAL_TRY)) {
		complain(T("%s: wrong PIN; not tried again, so that it is not locked",
			   "%s: sai PIN; không thử lại để thiết bị không bị khóa"),
			 label);
		return -1;
	}
	(void)snprintf(prompt, sizeof(prompt), "PIN (%.100s)", label);
	return ask(prompt, pin, max) == ERR_OK ? 0 : -1;
}

static bool is_token(const char *name)
{
	return strncmp(name, "pkcs11:", 7) == 0;
}

static int open_token(const char *url, gnutls_privkey_t priv)
{
	int r;

	gnutls_pkcs11_set_pin_function(give_pin, NULL);
	r = gnutls_privkey_import_url(priv, url, 0);
	return r == GNUTLS_E_SUCCESS ? ERR_OK : bad(url, r);
}

static int open_file(const char *name, gnutls_privkey_t priv)
{
	char passphrase[PASSPHRASE_BYTES] = "";
	gnutls_datum_t pem;
	uint8_t *text = NULL;
	size_t n = 0;
	int r = load(name, PEM_BYTES, &text, &n);

	if (r != ERR_OK)
		return r;
	pem = (gnutls_datum_t){text, (unsigned)n};
	r = gnutls_privkey_import_x509_raw(priv, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (r == GNUTLS_E_DECRYPTION_FAILED || r == GNUTLS_E_PK_INVALID_PRIVKEY ||
	    r == GNUTLS_E_BASE64_UNEXPECTED_HEADER_ERROR) {
		if (ask(name, passphrase, sizeof(passphrase)) == ERR_OK)
			r = gnutls_privkey_import_x509_raw(
				priv, &pem, GNUTLS_X509_FMT_PEM, passphrase, 0);
	}
	wipe(passphrase, sizeof(passphrase));
	wipe(text, n);
	free(text);
	return r == GNUTLS_E_SUCCESS ? ERR_OK : bad(name, r);
}

/* Our algorithm of a key, by its kind and size. */
static int alg_of(gnutls_pubkey_t pub, enum sig_alg *out)
{
	gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;
	unsigned bits = 0;
	int pk = gnutls_pubkey_get_pk_algorithm(pub, &bits);

	if (pk == GNUTLS_PK_RSA && bits >= SIG_RSA_BITS_MIN && bits <= SIG_RSA_BITS_MAX) {
		*out = SIG_PS256;
		return ERR_OK;
	}
	if (pk != GNUTLS_PK_ECDSA ||
	    gnutls_pubkey_export_ecc_raw(pub, &curve, NULL, NULL) != 0)
		return ERR_RANGE;
	if (curve != GNUTLS_ECC_CURVE_SECP256R1 && curve != GNUTLS_ECC_CURVE_SECP384R1)
		return ERR_RANGE;
	*out = curve == GNUTLS_ECC_CURVE_SECP256R1 ? SIG_ES256 : SIG_ES384;
	return ERR_OK;
}

static int public_of(const char *name, gnutls_pubkey_t pub, struct sig_key *out)
{
	gnutls_datum_t der = {NULL, 0};
	enum sig_alg alg;
	int r = alg_of(pub, &alg);

	if (r != ERR_OK) {
		complain(T("%s: only P-256, P-384 and RSA of 2048 to 4096 bits",
			   "%s: chỉ dùng P-256, P-384 và RSA từ 2048 đến 4096 bit"),
			 name);
		return r;
	}
	r = gnutls_pubkey_export2(pub, GNUTLS_X509_FMT_DER, &der);
	if (r != GNUTLS_E_SUCCESS)
		return bad(name, r);
	r = sig_key_set(out, alg, span_of(der.data, der.size), span_of(NULL, 0));
	gnutls_free(der.data);
	if (r != ERR_OK)
		complain("%s: %s", name, err_text(r));
	return r;
}

/*
 * Open a private key: a PEM file, or a token's "pkcs11:" address.
 *
 * Returns ERR_OK (close with key_close()), or an error that was complained
 * about.
 */
int key_open(const char *name, struct signer *out)
{
	gnutls_pubkey_t pub = NULL;
	int r = ERR_NOMEM;

	memset(out, 0, sizeof(*out));
	out->key = calloc(1, sizeof(*out->key));
	if (!out->key || gnutls_privkey_init(&out->key->priv) != 0 ||
	    gnutls_pubkey_init(&pub) != 0)
		goto out;
	r = is_token(name) ? open_token(name, out->key->priv)
			   : open_file(name, out->key->priv);
	if (r != ERR_OK)
		goto out;
	r = gnutls_pubkey_import_privkey(pub, out->key->priv, 0, 0);
	r = r == GNUTLS_E_SUCCESS ? public_of(name, pub, &out->public_key) : bad(name, r);
out:
	if (pub)
		gnutls_pubkey_deinit(pub);
	if (r != ERR_OK)
		key_close(out);
	return r;
}

/*
 * Forget a private key. Harmless after a failed key_open().
 */
void key_close(struct signer *s)
{
	if (s->key && s->key->priv)
		gnutls_privkey_deinit(s->key->priv);
	free(s->key);
	s->key = NULL;
}

/*
 * Read a public key: PEM of a public key, a certificate, or what key_open()
 * takes.
 */
int key_public(const char *name, struct sig_key *out)
{
	gnutls_pubkey_t pub = NULL;
	struct signer s;
	gnutls_datum_t pem;
	uint8_t *text = NULL;
	size_t n = 0;
	int r;

	if (!is_token(name)) {
		r = load(name, PEM_BYTES, &text, &n);
		if (r != ERR_OK)
			return r;
		pem = (gnutls_datum_t){text, (unsigned)n};
		if (gnutls_pubkey_init(&pub) == 0 &&
		    gnutls_pubkey_import(pub, &pem, GNUTLS_X509_FMT_PEM) == 0) {
			r = public_of(name, pub, out);
			gnutls_pubkey_deinit(pub);
			free(text);
			return r;
		}
		if (pub)
			gnutls_pubkey_deinit(pub);
		wipe(text, n);
		free(text);
	}
	r = key_open(name, &s);
	if (r == ERR_OK) {
		*out = s.public_key;
		key_close(&s);
	}
	return r;
}

/*
 * Sign a message and check the signature with the device's code.
 *
 * Returns ERR_OK, ERR_LIMIT (over @max), or an error that was complained about.
 */
int key_sign(const struct signer *s, struct span message, uint8_t *sig, size_t max,
	     size_t *n)
{
	gnutls_datum_t data = {(unsigned char *)(uintptr_t)message.p,
			       (unsigned)message.n};
	gnutls_datum_t out = {NULL, 0};
	struct sig_blob blob = {.alg = s->public_key.alg};
	int r = GNUTLS_E_INVALID_REQUEST;

	for (size_t i = 0; i < ALGS; i++) {
		if (algs[i].alg == s->public_key.alg)
			r = gnutls_privkey_sign_data2(s->key->priv, algs[i].sign, 0,
						      &data, &out);
	}
	if (r != GNUTLS_E_SUCCESS)
		return bad(T("signing", "ký"), r);
	r = out.size <= max ? ERR_OK : ERR_LIMIT;
	if (r == ERR_OK) {
		memcpy(sig, out.data, out.size);
		*n = out.size;
		blob.sig = span_of(sig, *n);
		r = sig_verify(&s->public_key, message, &blob);
	}
	gnutls_free(out.data);
	if (r != ERR_OK)
		complain(T("the new signature does not verify: %s",
			   "chữ ký vừa tạo không đúng: %s"),
			 err_text(r));
	return r;
}

/*
 * Make a key: FILE with the private one (PKCS#8), FILE.pub with the public one.
 *
 * @passphrase_file  NULL: ask for a passphrase; "": keep it without one
 */
int key_new(const char *file, enum sig_alg alg, const char *passphrase_file)
{
	char passphrase[PASSPHRASE_BYTES] = "", path[4096];
	bool is_plain = passphrase_file && !*passphrase_file;
	gnutls_x509_privkey_t x = NULL;
	gnutls_datum_t pem = {NULL, 0}, pub_pem = {NULL, 0};
	gnutls_pubkey_t pub = NULL;
	int r = GNUTLS_E_MEMORY_ERROR;

	if (!is_plain && (ask(T("new passphrase", "mật khẩu mới"), passphrase,
			      sizeof(passphrase)) != ERR_OK ||
			  strlen(passphrase) < 12)) {
		complain(T("a passphrase has at least 12 characters",
			   "mật khẩu có ít nhất 12 ký tự"));
		return ERR_RANGE;
	}
	if (gnutls_x509_privkey_init(&x) != 0 || gnutls_pubkey_init(&pub) != 0)
		goto out;
	for (size_t i = 0; i < ALGS; i++) {
		if (algs[i].alg == alg)
			r = gnutls_x509_privkey_generate(x, algs[i].pk, algs[i].bits, 0);
	}
	if (r == 0)
		r = gnutls_x509_privkey_export2_pkcs8(
			x, GNUTLS_X509_FMT_PEM, is_plain ? NULL : passphrase,
			is_plain ? GNUTLS_PKCS_PLAIN : GNUTLS_PKCS_PBES2_AES_256, &pem);
	if (r == 0) {
		gnutls_privkey_t priv;

		r = gnutls_privkey_init(&priv);
		if (r == 0) {
			r = gnutls_privkey_import_x509(priv, x, 0);
			if (r == 0)
				r = gnutls_pubkey_import_privkey(pub, priv, 0, 0);
			gnutls_privkey_deinit(priv);
		}
	}
	if (r == 0)
		r = gnutls_pubkey_export2(pub, GNUTLS_X509_FMT_PEM, &pub_pem);
out:
	wipe(passphrase, sizeof(passphrase));
	(void)snprintf(path, sizeof(path), "%s.pub", file);
	if (r != 0)
		r = bad(file, r);
	else if ((r = save(file, span_of(pem.data, pem.size), true)) == ERR_OK)
		r = save(path, span_of(pub_pem.data, pub_pem.size), false);
	if (pem.data)
		wipe(pem.data, pem.size);
	gnutls_free(pem.data);
	gnutls_free(pub_pem.data);
	if (x)
		gnutls_x509_privkey_deinit(x);
	if (pub)
		gnutls_pubkey_deinit(pub);
	return r;
}

/*
 * Print a key's algorithm, id and whole fingerprint, in groups for reading
 * aloud.
 */
void key_print(const struct sig_key *key, const char *name)
{
	char id[2 * SIG_KEY_ID_BYTES + 1], hex[2 * SIG_SHA256_BYTES + 1];
	uint8_t hash[SIG_SHA256_BYTES];

	hex_encode(key->id, SIG_KEY_ID_BYTES, id);
	(void)printf("%-14s %-6s %s", name, sig_alg_name(key->alg), id);
	if (sig_sha256(span_of(key->spki, key->spki_n), hash) == ERR_OK) {
		hex_encode(hash, sizeof(hash), hex);
		(void)printf("  SHA-256");
		for (size_t i = 0; i < 64; i += 8)
			(void)printf(" %.8s", hex + i);
	}
	(void)printf("\n");
}

static int new_key(int argc, char **argv)
{
	static const struct option options[] = {{"alg", required_argument, NULL, 'a'},
						{"plain", no_argument, NULL, 'p'},
						{NULL, 0, NULL, 0}};
	enum sig_alg alg = SIG_ES256;
	const char *passphrase = NULL;
	struct sig_key public_key;
	char path[4096];
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'p')
			passphrase = "";
		else if (opt != 'a')
			return EXIT_USAGE;
		else if (sig_alg_parse(span_str(optarg), &alg) != ERR_OK ||
			 alg == SIG_WEBAUTHN) {
			complain("--alg: es256 | es384 | ps256");
			return EXIT_USAGE;
		}
	}
	if (optind != argc - 1) {
		complain(T("key new: name one file", "key new: nêu một tệp"));
		return EXIT_USAGE;
	}
	if (key_new(argv[optind], alg, passphrase) != ERR_OK)
		return EXIT_USAGE;
	(void)snprintf(path, sizeof(path), "%s.pub", argv[optind]);
	if (key_public(path, &public_key) != ERR_OK)
		return EXIT_USAGE;
	key_print(&public_key, argv[optind]);
	return EXIT_GOOD;
}

/*
 * sign key new | show
 */
int command_key(int argc, char **argv)
{
	if (argc >= 2 && strcmp(argv[1], "new") == 0)
		return new_key(argc - 1, argv + 1);
	if (argc >= 3 && strcmp(argv[1], "show") == 0) {
		for (int i = 2; i < argc; i++) {
			struct sig_key key;

			if (key_public(argv[i], &key) != ERR_OK)
				return EXIT_USAGE;
			key_print(&key, argv[i]);
		}
		return EXIT_GOOD;
	}
	complain(T("key new FILE | key show KEY...", "key new TỆP | key show KHÓA..."));
	return EXIT_USAGE;
}
