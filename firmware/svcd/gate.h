/*
 * What svcd does with a message of a task: take it, drop it, or restart the
 * sender because it sent too many bad ones.
 */
#ifndef LUYTRE_SVCD_GATE_H
#define LUYTRE_SVCD_GATE_H

#include <stdint.h>
#include "lib/ipc.h"

#define GATE_BAD_MAX CONFIG_MSG_BAD_MAX /* bad messages of one run */

enum gate_verdict {
	GATE_TAKE,    /* the message is good */
	GATE_DROP,    /* bad: counted, to be logged */
	GATE_RESTART, /* bad, and the sender used up its allowance */
};

struct gate {
	enum ipc_task sender;
	unsigned bad;
	struct ipc_rate rate;
};

void gate_init(struct gate *g, enum ipc_task sender);
enum gate_verdict gate_judge(struct gate *g, int received, const struct ipc_msg *m,
			     uint64_t now_ms, int *why);

#endif
