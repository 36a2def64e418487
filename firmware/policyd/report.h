/*
 * What policyd tells in documents: JSON in a sealed memfd.
 */
#ifndef LUYTRE_POL_REPORT_H
#define LUYTRE_POL_REPORT_H

#include "engine.h"
#include "lib/ipc.h"

int report_make(struct engine *e, unsigned kind, int *memfd) MUST_CHECK;

#endif
