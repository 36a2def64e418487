/*
 * A list of system calls a process may still make, as a classic BPF program.
 */
#ifndef LUYTRE_SECCOMP_H
#define LUYTRE_SECCOMP_H

#include <stddef.h>
#include <stdint.h>
#include "err.h"

#define SECCOMP_RULES_MAX 64

/* One allowed call. */
struct seccomp_rule {
	uint32_t nr;    /* SYS_* of this architecture */
	uint8_t checks; /* 1: argument number @arg must be @value */
	uint8_t arg;    /* 0 to 5 */
	uint32_t value; /* low 32 bits; the high ones must be zero */
};

int seccomp_allow_only(const struct seccomp_rule *rules, size_t n) MUST_CHECK;

#endif
