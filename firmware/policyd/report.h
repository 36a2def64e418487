/*
 * What policyd tells in documents: JSON in a sealed memfd.
 */
#ifndef LUYTRE_POL_REPORT_H
#define LUYTRE_POL_REPORT_H

#include "engine.h"

enum report_kind {
	REPORT_CONFIG = 1, /* the configuration in force, canonical */
	REPORT_COUNTERS,   /* packets and bytes of its rules and of built-in ones */
	REPORT_CONTROLS    /* controls of its level profile, and whether they are met */
};

int report_make(struct engine *e, unsigned kind, int *memfd) MUST_CHECK;

#endif
