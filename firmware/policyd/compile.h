/*
 * From a configuration to a program.
 */
#ifndef LUYTRE_POL_COMPILE_H
#define LUYTRE_POL_COMPILE_H

#include "cfg.h"
#include "prog.h"

int compile_closed(struct prog *out) MUST_CHECK;
int compile_cfg(const struct cfg *cfg, struct prog *out) MUST_CHECK;

#endif
