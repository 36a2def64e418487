/*
 * Reports made from a configuration alone.
 */
#ifndef LUYTRE_POL_REPORT_H
#define LUYTRE_POL_REPORT_H

#include <stdio.h>
#include "cfg.h"

void report_controls(const struct cfg *cfg, FILE *f);
void report_addresses(const struct cfg *cfg, FILE *f);

#endif
