/*
 * WireGuard tunnels of the kernel, over generic netlink, and their private
 * keys.
 */
#ifndef LUYTRE_POL_WG_H
#define LUYTRE_POL_WG_H

#include <stddef.h>
#include <stdint.h>
#include "cfg.h"
#include "store.h"

int wg_apply(const struct cfg_port *port, char *why, size_t why_max) MUST_CHECK;
int wg_check(void) MUST_CHECK;
int wg_verify(const struct cfg_port *port, char *why, size_t why_max) MUST_CHECK;
int wg_public_key(const char *name, uint8_t key[CFG_KEY_BYTES]) MUST_CHECK;

/* wg_key.c */
int wg_key(const struct store_io *io, void *arg, const char *name,
	   uint8_t key[CFG_KEY_BYTES], char *why, size_t why_max) MUST_CHECK;

#endif
