/*
 * The store of accepted artifacts and of what must never go down: one folder,
 * one index file that names everything in it. Bytes: toolchain/FORMAT.store.md.
 *
 * Artifacts are written under the hash of their content and flushed first;
 * then one rename puts the new index in force, artifact and floor together.
 */
#ifndef LUYTRE_STORE_H
#define LUYTRE_STORE_H

#include "manifest.h"

#define STORE_ID_BYTES 37   /* boot id with NUL */
#define STORE_CODE_BYTES 17 /* confirmation code with NUL */

enum store_slot {
	STORE_ACTIVE,   /* the configuration in force */
	STORE_PREVIOUS, /* the one before it, to go back to */
	STORE_SLOT_COUNT
};

/* One file of the store. */
struct store_ref {
	size_t n; /* bytes; 0: there is none */
	uint8_t sha256[SIG_SHA256_BYTES];
};

struct store_floor {
	enum man_type type;
	enum man_scope_kind scope_kind;
	char scope_name[MAN_NAME_MAX + 1];
	struct man_floor floor;
};

struct store_keyset {
	uint64_t version;
	struct store_ref ref;
};

/* A configuration, and the keyset under which it was accepted: who has left
 * since then does not take the policy in force away. */
struct store_config {
	struct store_ref ref;
	uint64_t keyset;
};

/* A configuration that waits for its confirmation. */
struct store_trial {
	bool is_on;
	char boot_id[STORE_ID_BYTES]; /* the boot in which it began */
	uint64_t deadline_s;          /* CLOCK_BOOTTIME of that boot */
	char code[STORE_CODE_BYTES];
};

/* Content of the index file. */
struct store_index {
	uint64_t generation; /* one higher with each commit */
	uint64_t clock_s;    /* a time that has certainly passed */
	unsigned floor_count;
	struct store_floor floors[STORE_FLOORS_MAX];
	unsigned keyset_count;
	struct store_keyset keysets[KEYSET_CHAIN_MAX];
	struct store_config config[STORE_SLOT_COUNT];
	struct store_trial trial;
};

/*
 * What the store asks of a folder. Each returns 0 or more, or -1 with errno;
 * `create` gives a number for `write`, `sync` and `close`.
 */
struct store_io {
	int (*create)(void *arg, const char *name);
	long (*write)(void *arg, int file, const void *p, size_t n);
	int (*sync)(void *arg, int file);
	int (*close)(void *arg, int file);
	int (*rename)(void *arg, const char *from, const char *to);
	int (*remove)(void *arg, const char *name);
	int (*sync_folder)(void *arg);
	/* Whole file, malloc'd; ERR_OK, ERR_NOENT, ERR_LIMIT, ERR_NOMEM, ERR_SYS */
	int (*read)(void *arg, const char *name, size_t max, uint8_t **text, size_t *n);
	/* Calls @each with every name, until it returns false. */
	int (*list)(void *arg, bool (*each)(void *ctx, const char *name), void *ctx);
};

struct store {
	const struct store_io *io;
	void *arg;
	struct store_index index;
	char why[200]; /* the last failure, one sentence */
};

struct store_folder {
	int fd;
};

extern const struct store_io store_folder_io;

int store_folder_open(struct store_folder *f, const char *path) MUST_CHECK;
void store_folder_close(struct store_folder *f);

int store_index_parse(struct span text, struct store_index *out) MUST_CHECK;
int store_index_print(const struct store_index *index, uint8_t *text, size_t max,
		      size_t *n) MUST_CHECK;
int store_open(struct store *s, const struct store_io *io, void *arg) MUST_CHECK;
int store_add(struct store *s, struct span data, struct store_ref *out) MUST_CHECK;
int store_commit(struct store *s, const struct store_index *next) MUST_CHECK;
int store_load(struct store *s, const struct store_ref *ref, size_t max,
	       uint8_t **text) MUST_CHECK;
int store_floor_get(const struct store_index *index, enum man_type type,
		    const struct man_scope *scope, struct man_floor *out) MUST_CHECK;
int store_floor_set(struct store_index *index, enum man_type type,
		    const struct man_scope *scope,
		    const struct man_floor *floor) MUST_CHECK;

#endif
