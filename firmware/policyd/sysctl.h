/*
 * The kernel's network settings that belong to the policy: set, then read back.
 */
#ifndef LUYTRE_POL_SYSCTL_H
#define LUYTRE_POL_SYSCTL_H

#include <stdbool.h>
#include <stddef.h>
#include "err.h"

int sysctl_harden(bool has_conntrack, char *why, size_t why_max) MUST_CHECK;
int sysctl_verify(bool has_conntrack, bool is_forwarding, char *why,
		  size_t why_max) MUST_CHECK;
int sysctl_forward(bool on, char *why, size_t why_max) MUST_CHECK;

#endif
