/*
 * What policyd prints about a configuration without a kernel.
 */
#ifndef LUYTRE_POL_LISTING_H
#define LUYTRE_POL_LISTING_H

#include <stdio.h>
#include "cfg.h"

void listing_controls(const struct cfg *cfg, FILE *f);
void listing_addresses(const struct cfg *cfg, FILE *f);

#endif
