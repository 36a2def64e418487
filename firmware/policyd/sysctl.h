/*
 * The kernel's network settings that belong to the policy: set, then read back.
 */
#ifndef LUYTRE_POL_SYSCTL_H
#define LUYTRE_POL_SYSCTL_H

#include <stdbool.h>
#include <stddef.h>
#include "cfg.h"
#include "err.h"

int sysctl_harden(const struct cfg *cfg, char *why, size_t why_max) MUST_CHECK;
int sysctl_verify(const struct cfg *cfg, bool is_forwarding, char *why,
		  size_t why_max) MUST_CHECK;
int sysctl_forward(bool on, char *why, size_t why_max) MUST_CHECK;

#endif
