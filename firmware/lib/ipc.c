/*
 * DESIGN: a message is one SOCK_SEQPACKET packet, so there is no framing to
 * attack: too long is truncated by the kernel and seen as MSG_TRUNC, too short
 * fails the header. At most one descriptor travels with a message; more, or
 * one where none is allowed, makes the message bad and all are closed.
 */
#include "ipc.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define IPC_FDS_MAX 4 /* descriptors received at most, to close the surplus */

static const struct ipc_rule rules[] = {
#define MSG(name_, number, sender_, receiver_, min, max, fds_, rate)                     \
	{.type = (number),                                                               \
	 .senders = IPC_SET_##sender_,                                                   \
	 .receivers = IPC_SET_##receiver_,                                               \
	 .min_bytes = (min),                                                             \
	 .max_bytes = (max),                                                             \
	 .fds = (fds_),                                                                  \
	 .rate_hz = (rate),                                                              \
	 .name = #name_},
#include "msg.def"
#undef MSG
};

#define TASK(name, number) _Static_assert((number) < 8, #name ": a set has 8 bits");
#include "msg.def"
#undef TASK

#define MSG(name, number, sender, receiver, min, max, fds, rate)                         \
	_Static_assert((max) + IPC_HEADER_BYTES <= IPC_MAX_BYTES, #name " too long");    \
	_Static_assert((number) > 0 && (number) < 32, #name " number out of range");
#include "msg.def"
#undef MSG

/*
 * The table line of a message type, or NULL for a type that does not exist.
 */
const struct ipc_rule *ipc_rule_find(uint16_t type)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (rules[i].type == type)
			return &rules[i];
	}
	return NULL;
}

/*
 * The @i-th table line, for documents and tests; NULL past the end.
 */
const struct ipc_rule *ipc_rule_at(size_t i)
{
	return i < sizeof(rules) / sizeof(rules[0]) ? &rules[i] : NULL;
}

/*
 * Name of a task, "?" for a number that no task has.
 */
const char *ipc_task_name(unsigned task)
{
	switch (task) {
#define TASK(name, number)                                                               \
	case number:                                                                     \
		return #name;
#include "msg.def"
#undef TASK
	case IPC_TASK_ANY:
		return "ANY";
	default:
		return "?";
	}
}

/*
 * Whether @task is in a set of msg.def. A number that no task has is in none.
 */
bool ipc_set_has(unsigned set, enum ipc_task task)
{
	return (unsigned)task < 8 && (set >> task & 1) != 0;
}

/*
 * Decode one packet.
 *
 * @packet  header and payload, borrowed by @m->body
 * @m       type, seq and body are set; fd and raw are left alone
 *
 * Returns ERR_OK, ERR_SHORT, ERR_TRAILING (length field and packet differ) or
 * ERR_TYPE (no such message).
 */
int ipc_decode(struct span packet, struct ipc_msg *m)
{
	uint16_t type, len;
	uint32_t seq;

	if (span_get_le16(&packet, &type) != ERR_OK ||
	    span_get_le16(&packet, &len) != ERR_OK ||
	    span_get_le32(&packet, &seq) != ERR_OK)
		return ERR_SHORT;
	if (packet.n < len)
		return ERR_SHORT;
	if (packet.n > len)
		return ERR_TRAILING;
	if (!ipc_rule_find(type))
		return ERR_TYPE;
	m->type = type;
	m->seq = seq;
	m->body = packet;
	return ERR_OK;
}

/*
 * May @sender say this message to @receiver? Checks direction, payload length
 * and descriptor against msg.def.
 *
 * Returns ERR_OK, ERR_TYPE, ERR_REFUSED (not for this pair), ERR_RANGE (length)
 * or ERR_FORMAT (descriptor missing or unwanted).
 */
int ipc_check(const struct ipc_msg *m, enum ipc_task sender, enum ipc_task receiver)
{
	const struct ipc_rule *rule = ipc_rule_find(m->type);

	if (!rule)
		return ERR_TYPE;
	if (!ipc_set_has(rule->senders, sender) ||
	    !ipc_set_has(rule->receivers, receiver))
		return ERR_REFUSED;
	if (m->body.n < rule->min_bytes || m->body.n > rule->max_bytes)
		return ERR_RANGE;
	if ((m->fd >= 0) != (rule->fds == 1))
		return ERR_FORMAT;
	return ERR_OK;
}

/*
 * Count one message of a peer against its rate.
 *
 * @now_ms  monotonic clock
 *
 * Returns ERR_OK, or ERR_BUSY when the peer already said this message rate_hz
 * times in the current second.
 */
int ipc_rate_check(struct ipc_rate *rate, uint16_t type, uint64_t now_ms)
{
	const struct ipc_rule *rule = ipc_rule_find(type);

	if (!rule)
		return ERR_TYPE;
	if (now_ms - rate->window_ms >= 1000) {
		memset(rate->count, 0, sizeof(rate->count));
		rate->window_ms = now_ms;
	}
	if (rule->rate_hz == 0)
		return ERR_OK;
	if (rate->count[type] >= rule->rate_hz)
		return ERR_BUSY;
	rate->count[type]++;
	return ERR_OK;
}

/*
 * Send one message.
 *
 * @sock  connected SEQPACKET socket; a full socket is ERR_BUSY, never a wait,
 *        when the socket is non-blocking
 * @fd    descriptor to pass along, or -1; stays the caller's
 *
 * Returns ERR_OK, ERR_RANGE (body too long for the message), ERR_BUSY or
 * ERR_SYS (errno is set).
 */
int ipc_send(int sock, enum ipc_type type, uint32_t seq, struct span body, int fd)
{
	const struct ipc_rule *rule = ipc_rule_find((uint16_t)type);
	uint8_t head[IPC_HEADER_BYTES];
	struct sbuf b;
	struct iovec iov[2];
	struct msghdr mh = {.msg_iov = iov, .msg_iovlen = 2};
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control;

	if (!rule || body.n > rule->max_bytes)
		return ERR_RANGE;
	sbuf_init(&b, head, sizeof(head));
	sbuf_put_le16(&b, (uint16_t)type);
	sbuf_put_le16(&b, (uint16_t)body.n);
	sbuf_put_le32(&b, seq);
	iov[0].iov_base = head;
	iov[0].iov_len = sizeof(head);
	iov[1].iov_base = (void *)(uintptr_t)body.p;
	iov[1].iov_len = body.n;
	if (fd >= 0) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		mh.msg_control = control.room;
		mh.msg_controllen = sizeof(control.room);
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	if (sendmsg(sock, &mh, MSG_NOSIGNAL) < 0)
		return errno == EAGAIN ? ERR_BUSY : ERR_SYS;
	return ERR_OK;
}

/* Take the descriptors out of a received message: the first one is kept, the
 * others are closed. Returns how many came. */
static unsigned take_fds(struct msghdr *mh, int *fd)
{
	unsigned count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int one;

			memcpy(&one, CMSG_DATA(c) + i * sizeof(int), sizeof(one));
			if (count++ == 0)
				*fd = one;
			else
				(void)close(one);
		}
	}
	return count;
}

/*
 * Receive one message.
 *
 * @m  filled on ERR_OK; m->fd belongs to the caller then. ipc_msg_clear()
 *     closes it.
 *
 * Returns ERR_OK, ERR_BUSY (nothing there on a non-blocking socket), ERR_NOENT
 * (the peer is gone), ERR_SYS, or ERR_SHORT, ERR_TRAILING, ERR_TYPE,
 * ERR_FORMAT for a bad message: that one is consumed and dropped, its
 * descriptors are closed, the next call goes on with the next.
 */
int ipc_recv(int sock, struct ipc_msg *m)
{
	struct iovec iov = {.iov_base = m->raw, .iov_len = sizeof(m->raw)};
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(IPC_FDS_MAX * sizeof(int))];
	} control;
	struct msghdr mh = {.msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control.room,
			    .msg_controllen = sizeof(control.room)};
	unsigned fds;
	ssize_t n;
	int r;

	m->fd = -1;
	n = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC);
	if (n < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return ERR_BUSY;
		return errno == ECONNRESET ? ERR_NOENT : ERR_SYS;
	}
	fds = take_fds(&mh, &m->fd);
	if (n == 0 && fds == 0)
		return ERR_NOENT;
	r = ERR_FORMAT;
	if ((mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 && fds <= 1)
		r = ipc_decode(span_of(m->raw, (size_t)n), m);
	if (r != ERR_OK)
		ipc_msg_clear(m);
	return r;
}

/*
 * Close the descriptor of a received message, if it still has one.
 */
void ipc_msg_clear(struct ipc_msg *m)
{
	if (m->fd >= 0)
		(void)close(m->fd);
	m->fd = -1;
}
