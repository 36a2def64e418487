/*
 * sign: keys, keysets and signed artifacts, on the PC of an officer or of the
 * SOC. It checks with the very code that the device uses (firmware/lib,
 * firmware/policyd/cfg_*.c); only the private keys are GnuTLS's, from files or
 * from a PKCS#11 token.
 */
#ifndef LUYTRE_SIGN_H
#define LUYTRE_SIGN_H

#include <stdbool.h>
#include <stdio.h>
#include "lib/keyset.h"
#include "lib/manifest.h"
#include "policyd/cfg.h"

/* Exit codes, also in --help. */
#define EXIT_GOOD 0
#define EXIT_REFUSED 1 /* the file was judged and is not good */
#define EXIT_USAGE 2   /* usage, or a file or token cannot be used */

#define SIGN_FILE_MAX (64U << 20)
#define SIGN_KEYSETS_MAX KEYSET_CHAIN_MAX
#define SIGN_NAMES_MAX 16

extern bool is_english;

/* The same sentence in English or Vietnamese. */
#define T(en, vi) (is_english ? (en) : (vi))

struct private_key; /* GnuTLS's */

/* A key that can sign. */
struct signer {
	struct private_key *key;
	struct sig_key public_key;
};

void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int load(const char *path, size_t max, uint8_t **text, size_t *n) MUST_CHECK;
int save(const char *path, struct span data, bool is_secret) MUST_CHECK;
uint64_t now_s(void);

/* key.c */
int key_open(const char *name, struct signer *out) MUST_CHECK;
void key_close(struct signer *s);
int key_public(const char *name, struct sig_key *out) MUST_CHECK;
int key_sign(const struct signer *s, struct span message, uint8_t *sig, size_t max,
	     size_t *n) MUST_CHECK;
int key_new(const char *file, enum sig_alg alg, const char *passphrase_file) MUST_CHECK;
void key_print(const struct sig_key *key, const char *name);
int command_key(int argc, char **argv);

/* make.c */
struct head {
	enum man_type type;
	const char *scope;
	uint64_t version, issued_s, expires_s, keyset;
};
void head_print(struct sbuf *b, const struct head *h);
int append_signature(uint8_t **file, size_t *n, const struct signer *s) MUST_CHECK;
int command_config(int argc, char **argv);
int command_add(int argc, char **argv);

/* ceremony.c */
int command_ceremony(int argc, char **argv);
int command_keyset(int argc, char **argv);

/* show.c */
int keysets_load(char *const *files, size_t count, struct keyset *out) MUST_CHECK;
int config_of(const char *path, struct cfg *out) MUST_CHECK;
void print_artifact(const struct man *m);
int command_verify(int argc, char **argv);
int command_inspect(int argc, char **argv);

/* diff.c */
unsigned diff_words(const struct cfg *old, const struct cfg *now, FILE *f);
void put_zones(struct sbuf *b, uint32_t mask, bool is_any);
void put_ranges(struct sbuf *b, const struct net_range *v, size_t n);
void put_services(struct sbuf *b, const struct cfg_rule *r);

/* diff_nat.c */
size_t nat_count(const struct cfg *cfg);
const char *nat_id(const struct cfg *cfg, size_t i);
const char *nat_before(const struct cfg *cfg, size_t i);
void nat_text(struct sbuf *b, const struct cfg *cfg, size_t i);
unsigned nat_moved(const struct cfg *old, const struct cfg *now, FILE *f);

/* order.c */
int command_order(int argc, char **argv);

/* cms.c */
int command_cms(int argc, char **argv);

/* cms_der.c */
int cms_shape(struct span der, struct span *digest) MUST_CHECK;

#endif
