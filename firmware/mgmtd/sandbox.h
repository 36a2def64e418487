/*
 * What webd may still ask of the kernel once it serves.
 */
#ifndef LUYTRE_SANDBOX_H
#define LUYTRE_SANDBOX_H

#include "err.h"

int sandbox_enter(void) MUST_CHECK;

#endif
