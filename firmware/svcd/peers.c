/*
 * DESIGN: a link exists while both of its tasks run. The task that starts later
 * gets it made: a new socket pair, one end to each, as message PEER over the
 * task's own link to svcd. So start, and restart of either end, are one path,
 * and svcd keeps no end itself: when a task dies, the other end sees it closed.
 */
#include "peers.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static int hand_over(int link, enum ipc_task peer, int fd)
{
	const uint8_t body[1] = {(uint8_t)peer};

	return ipc_send(link, IPC_PEER, 0, span_of(body, sizeof(body)), fd);
}

/*
 * Make a link between two running tasks.
 *
 * @link_a, @link_b  svcd's links to task @a and task @b
 * @failed           on an error: the task that did not take its end, or
 *                   IPC_TASK_svcd when no pair could be made
 *
 * Both ends are non-blocking and closed at exec. Returns ERR_OK, ERR_BUSY (the
 * task does not read what svcd sends) or ERR_SYS (errno is set). After an error
 * the link does not work; the task named must be restarted.
 */
int peers_connect(int link_a, enum ipc_task a, int link_b, enum ipc_task b,
		  enum ipc_task *failed)
{
	int pair[2];
	int r;

	*failed = IPC_TASK_svcd;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) !=
	    0)
		return ERR_SYS;
	*failed = a;
	r = hand_over(link_a, b, pair[0]);
	if (r == ERR_OK) {
		*failed = b;
		r = hand_over(link_b, a, pair[1]);
	}
	(void)close(pair[0]); /* the tasks have their own copies on the way */
	(void)close(pair[1]);
	return r;
}
