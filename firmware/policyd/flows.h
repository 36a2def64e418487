/*
 * The kernel's connection table, over ctnetlink: flows that the policy in force
 * would not permit any more are cut.
 */
#ifndef LUYTRE_POL_FLOWS_H
#define LUYTRE_POL_FLOWS_H

#include <stddef.h>
#include "cfg.h"

int flows_cut(const struct cfg *cfg, size_t *cut, char *why, size_t why_max) MUST_CHECK;

#endif
