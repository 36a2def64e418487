/*
 * Links between two tasks.
 */
#ifndef LUYTRE_SVCD_PEERS_H
#define LUYTRE_SVCD_PEERS_H

#include "err.h"
#include "lib/ipc.h"

int peers_connect(int link_a, enum ipc_task a, int link_b, enum ipc_task b,
		  enum ipc_task *failed) MUST_CHECK;

#endif
