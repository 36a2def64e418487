/*
 * Who may change the policy of this device, and what was accepted before: the
 * keysets, the store, and the checks that every artifact must pass.
 */
#ifndef LUYTRE_POL_TRUST_H
#define LUYTRE_POL_TRUST_H

#include "keyset.h"
#include "manifest.h"
#include "store.h"

#define TRUST_KEYSET_FILE "/etc/luytre/keyset" /* 1; 2 and up: keyset-N */
#define TRUST_STORE_DIR "/conf/policy"
#define TRUST_SERIAL_FILE "/run/luytre/serial"

struct trust {
	bool is_open; /* keyset and store are usable; else nothing is accepted */
	struct store store;
	struct store_folder folder;
	struct keyset keys; /* the newest one */
	char serial[MAN_NAME_MAX + 1];
	struct man_device device; /* borrows @serial */
	char why[300];
};

int trust_open(struct trust *t) MUST_CHECK;
void trust_close(struct trust *t);
int trust_verify_new(const struct trust *t, enum man_type type, bool is_person,
		     struct span file, struct man *out,
		     struct man_report *rep) MUST_CHECK;
int trust_verify_stored(struct trust *t, enum man_type type, uint64_t keyset,
			struct span file, struct man *out,
			struct man_report *rep) MUST_CHECK;
int trust_take_keyset(struct trust *t, struct span file, struct man_report *rep,
		      uint64_t *version) MUST_CHECK;
void trust_explain(const struct man_report *rep, char *text, size_t max);

#endif
