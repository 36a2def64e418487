/*
 * nf_tables over netlink: a program in, everything back out. The only
 * code of the product that writes to nf_tables.
 */
#ifndef LUYTRE_POL_NFT_H
#define LUYTRE_POL_NFT_H

#include <stddef.h>
#include <stdint.h>
#include "prog.h"

struct mnl_socket;

struct nft {
	struct mnl_socket *nl;
	uint32_t seq;
	uint8_t *batch; /* NFT_BATCH_MAX_BYTES, taken once */
	size_t batch_used;
	char why[200]; /* what the kernel refused, for people */
};

/* The steps from one program to another, a transaction each. */
enum nft_step {
	NFT_ADD,    /* sets and chains that only the new one has */
	NFT_SWITCH, /* all rules, base chains */
	NFT_DELETE, /* sets and chains that only the old one has */
};

int nft_open(struct nft *n) MUST_CHECK;
void nft_close(struct nft *n);
int nft_read(struct nft *n, struct prog *out) MUST_CHECK;
int nft_read_rules(struct nft *n, struct prog *out) MUST_CHECK;
int nft_generation(struct nft *n, uint32_t *generation) MUST_CHECK;
int nft_build(struct nft *n, const struct prog *old, const struct prog *new,
	      enum nft_step step) MUST_CHECK;
int nft_replace(struct nft *n, const struct prog *new) MUST_CHECK;

#endif
