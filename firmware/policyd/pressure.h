/*
 * How full the connection table is, and what a full one has refused.
 */
#ifndef LUYTRE_POL_PRESSURE_H
#define LUYTRE_POL_PRESSURE_H

#include <stdbool.h>
#include <stdint.h>

#define PRESSURE_WARN_PERCENT 80
#define PRESSURE_CALM_PERCENT 70 /* below this the warning is over */

struct table_load {
	bool is_known;
	uint64_t count, max;
	uint64_t dropped; /* new connections that a full table has refused, since boot */
	bool is_warned, is_full;
};

void pressure_look(struct table_load *t);

#endif
