/*
 * A compiled ruleset: the complete content of our table, independent of how it
 * came about (compiled from a configuration, built in, or read from a kernel).
 * Two programs are equal when their listings are.
 */
#ifndef LUYTRE_POL_PROG_H
#define LUYTRE_POL_PROG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "err.h"

#define PROG_TABLE "luytre"
#define PROG_NAME_BYTES 64 /* names of chains and sets with NUL */
#define PROG_ID_BYTES 64   /* rule ids in comments with NUL */
#define PROG_TYPE_BYTES 8  /* type of a base chain with NUL */
#define PROG_KEY_BYTES 40  /* two IPv6 addresses, protocol, port */
#define PROG_FIELDS_MAX 4  /* of a concatenation whose fields are ranges */
#define PROG_RULES_MAX 65536
#define PROG_SETS_MAX 8192
#define PROG_CHAINS_MAX (2 * CONFIG_CFG_MAX_RULES + 256) /* rules' own, all others */
#define PROG_ELEMS_MAX 1048576

struct nftnl_rule;

struct prog_chain {
	char name[PROG_NAME_BYTES];
	bool is_base;
	char type[PROG_TYPE_BYTES]; /* of a base chain, "" = filter */
	uint32_t hook;
	int32_t prio;
	uint32_t policy; /* NF_ACCEPT or NF_DROP */
};

struct prog_elem {
	uint8_t key[PROG_KEY_BYTES];
	uint8_t key_end[PROG_KEY_BYTES]; /* concatenated ranges: inclusive */
	bool is_end;                     /* end of an interval, exclusive */
	char jump[PROG_NAME_BYTES];      /* maps: chain the element jumps to */
};

struct prog_set {
	char name[PROG_NAME_BYTES];
	uint32_t flags;    /* NFT_SET_* */
	uint32_t key_type; /* nft's datatype number, for listings only */
	uint32_t key_len;  /* bytes */
	uint32_t field_len[PROG_FIELDS_MAX]; /* bytes; concatenated ranges only */
	size_t field_count;
	uint32_t size;       /* dynamic sets (NFT_SET_EVAL): most elements */
	uint32_t timeout_ms; /* dynamic sets: unused elements go after this; 0: never */
	struct prog_elem *elems;
	size_t count, room;
};

struct prog_rule {
	char chain[PROG_NAME_BYTES];
	char id[PROG_ID_BYTES];
	struct nftnl_rule *rule; /* owned */
};

struct prog {
	uint32_t family; /* NFPROTO_INET */
	struct prog_chain *chains;
	size_t chain_count, chain_room;
	struct prog_set *sets;
	size_t set_count, set_room;
	struct prog_rule *rules;
	size_t rule_count, rule_room;
	bool is_full; /* a limit or the memory was reached: the program is unusable */
};

void prog_init(struct prog *p);
void prog_clear(struct prog *p);
struct prog_chain *prog_add_chain(struct prog *p, const char *name);
struct prog_set *prog_add_set(struct prog *p, const char *name);
struct prog_elem *prog_add_elem(struct prog *p, struct prog_set *set);
void prog_add_range(struct prog *p, struct prog_set *set, const uint8_t *lo,
		    const uint8_t *hi);
struct nftnl_rule *prog_add_rule(struct prog *p, const char *chain, const char *id);
bool prog_has_chain(const struct prog *p, const char *name);
const struct prog_chain *prog_find_chain(const struct prog *p, const char *name);
const struct prog_set *prog_find_set(const struct prog *p, const char *name);
int prog_elem_cmp(const void *a, const void *b);
bool prog_set_is_equal(const struct prog_set *a, const struct prog_set *b);
void prog_seal(struct prog *p);
int prog_list(const struct prog *p, char **text) MUST_CHECK;
int prog_diff(const char *want, const char *have, char *line, size_t max) MUST_CHECK;

#endif
