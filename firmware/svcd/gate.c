#include "gate.h"

#include <string.h>

#include "table.h"

/*
 * Start judging a new run of a task: no bad message yet.
 */
void gate_init(struct gate *g, enum ipc_task sender)
{
	memset(g, 0, sizeof(*g));
	g->sender = sender;
}

/* What msg.def cannot say: READY carries a state that exists, and a task accuses
 * only those that it has a link to. */
static int body_check(const struct gate *g, const struct ipc_msg *m)
{
	if (m->type == IPC_BAD_PEER) {
		for (size_t i = 0; i < table_size(); i++) {
			enum ipc_task id = table_at(i)->id;

			if (id == m->body.p[0] && table_is_linked(g->sender, id))
				return ERR_OK;
		}
		return ERR_REFUSED;
	}
	if (m->type == IPC_EVENT || m->type == IPC_RESTART)
		return ERR_OK;
	if (m->type != IPC_READY)
		return ERR_REFUSED;
	switch (m->body.p[0]) {
	case READY_CLOSED:
	case READY_ENFORCED:
	case READY_RUNNING:
		return ERR_OK;
	default:
		return ERR_RANGE;
	}
}

/*
 * Judge one received message.
 *
 * @received  what ipc_recv() returned: ERR_OK, or the error of a bad packet
 * @m         the message; looked at only when @received is ERR_OK
 * @why       set to the reason when the message is bad
 *
 * Returns the verdict. The caller logs a bad message and drops it; nothing a
 * task says ends svcd.
 */
enum gate_verdict gate_judge(struct gate *g, int received, const struct ipc_msg *m,
			     uint64_t now_ms, int *why)
{
	int r = received;

	if (r == ERR_OK)
		r = ipc_check(m, g->sender, IPC_TASK_svcd);
	if (r == ERR_OK)
		r = ipc_rate_check(&g->rate, m->type, now_ms);
	if (r == ERR_OK)
		r = body_check(g, m);
	if (r == ERR_OK)
		return GATE_TAKE;
	*why = r;
	g->bad++;
	return g->bad >= GATE_BAD_MAX ? GATE_RESTART : GATE_DROP;
}
