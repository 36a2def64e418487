/*
 * Messages: who may say what, how long, how often; and what really arrives
 * over a socket pair, descriptors included.
 */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/ipc.h"

struct pair {
	int a;
	int b;
};

static unsigned count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (d && readdir(d))
		n++;
	if (d)
		(void)closedir(d);
	return n;
}

static int setup_pair(void **state)
{
	static struct pair p;
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv) !=
	    0)
		return -1;
	p.a = sv[0];
	p.b = sv[1];
	*state = &p;
	return 0;
}

static int teardown_pair(void **state)
{
	struct pair *p = *state;

	(void)close(p->a);
	if (p->b >= 0)
		(void)close(p->b);
	return 0;
}

/* Send @n raw bytes with @fds copies of descriptor 0. */
static void send_raw(int sock, const void *p, size_t n, unsigned fds)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)p, .iov_len = n};
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(16 * sizeof(int))];
	} control;
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};

	memset(&control, 0, sizeof(control));
	if (fds) {
		struct cmsghdr *c;

		mh.msg_control = control.room;
		mh.msg_controllen = CMSG_SPACE(fds * sizeof(int));
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(fds * sizeof(int));
		for (unsigned i = 0; i < fds; i++) {
			const int zero = 0;

			memcpy(CMSG_DATA(c) + i * sizeof(int), &zero, sizeof(zero));
		}
	}
	assert_int_equal(sendmsg(sock, &mh, 0), (ssize_t)n);
}

static void table_is_sound(void **state)
{
	const struct ipc_rule *r, *other;

	(void)state;
	assert_non_null(ipc_rule_at(0));
	for (size_t i = 0; (r = ipc_rule_at(i)); i++) {
		assert_ptr_equal(ipc_rule_find(r->type), r);
		assert_true(r->min_bytes <= r->max_bytes);
		assert_true(r->max_bytes + IPC_HEADER_BYTES <= IPC_MAX_BYTES);
		assert_true(r->fds <= 1);
		assert_int_not_equal(r->senders, 0);
		assert_int_not_equal(r->receivers, 0);
		/* nobody talks to itself */
		if (r->senders != IPC_SET_ANY)
			assert_int_equal(r->senders & r->receivers, 0);
		for (size_t j = 0; j < i; j++) {
			other = ipc_rule_at(j);
			assert_int_not_equal(other->type, r->type);
			assert_string_not_equal(other->name, r->name);
		}
	}
	assert_null(ipc_rule_find(0));
	assert_null(ipc_rule_find(0xffff));
	assert_string_equal(ipc_task_name(200), "?");
}

static void decode_needs_the_exact_length(void **state)
{
	static const uint8_t good[] = {2, 0, 1, 0, 0x78, 0x56, 0x34, 0x12, 1};
	static const uint8_t bad_type[] = {30, 0, 0, 0, 0, 0, 0, 0};
	uint8_t longer[sizeof(good) + 1] = {0};
	struct ipc_msg m;

	(void)state;
	m.fd = -1;
	assert_int_equal(ipc_decode(span_of(good, sizeof(good)), &m), ERR_OK);
	assert_int_equal(m.type, IPC_ART_PUT);
	assert_int_equal(m.seq, 0x12345678);
	assert_true(span_eq(m.body, span_of("\x01", 1)));
	for (size_t n = 0; n < sizeof(good); n++)
		assert_int_equal(ipc_decode(span_of(good, n), &m), ERR_SHORT);
	memcpy(longer, good, sizeof(good));
	assert_int_equal(ipc_decode(span_of(longer, sizeof(longer)), &m), ERR_TRAILING);
	assert_int_equal(ipc_decode(span_of(bad_type, sizeof(bad_type)), &m), ERR_TYPE);
}

/* Every message, every pair of tasks: allowed exactly where msg.def says so. */
static void only_the_listed_pair_may_talk(void **state)
{
	static const uint8_t zeros[IPC_MAX_BYTES];
	struct ipc_msg m;
	const struct ipc_rule *r;

	(void)state;
	for (size_t i = 0; (r = ipc_rule_at(i)); i++) {
		m.type = r->type;
		m.fd = r->fds ? 0 : -1;
		m.body = span_of(zeros, r->min_bytes);
		for (unsigned s = 0; s < 8; s++) {
			for (unsigned t = 0; t < 8; t++) {
				bool from_one = (r->senders >> s & 1) != 0;
				bool to_one = (r->receivers >> t & 1) != 0;
				int want = from_one && to_one ? ERR_OK : ERR_REFUSED;

				/* NOLINTNEXTLINE(clang-analyzer-optin.core.*): meant */
				enum ipc_task from = (enum ipc_task)s;
				/* NOLINTNEXTLINE(clang-analyzer-optin.core.*): meant */
				enum ipc_task to = (enum ipc_task)t;

				assert_int_equal(ipc_check(&m, from, to), want);
			}
		}
	}
}

/* What policyd's peers may say, spelled out: the sets of msg.def mean this. */
static void policyd_has_three_peers(void **state)
{
	static const enum ipc_task peers[] = {IPC_TASK_dev, IPC_TASK_webd,
					      IPC_TASK_consoled};
	struct ipc_msg ask = {.type = IPC_STATUS_GET, .fd = -1};
	struct ipc_msg answer = {.type = IPC_STATUS, .fd = -1};
	struct ipc_msg link = {.type = IPC_PEER, .fd = 0, .body = span_of("\x04", 1)};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(ipc_check(&ask, peers[i], IPC_TASK_policyd), ERR_OK);
		assert_int_equal(ipc_check(&answer, IPC_TASK_policyd, peers[i]), ERR_OK);
		assert_int_equal(ipc_check(&answer, peers[i], IPC_TASK_policyd),
				 ERR_REFUSED);
		assert_int_equal(ipc_check(&link, peers[i], IPC_TASK_policyd),
				 ERR_REFUSED);
	}
	assert_int_equal(ipc_check(&ask, IPC_TASK_svcd, IPC_TASK_policyd), ERR_REFUSED);
	assert_int_equal(ipc_check(&answer, IPC_TASK_policyd, IPC_TASK_svcd),
			 ERR_REFUSED);
	assert_int_equal(ipc_check(&link, IPC_TASK_svcd, IPC_TASK_policyd), ERR_OK);
	assert_int_equal(ipc_check(&ask, IPC_TASK_ANY, IPC_TASK_policyd), ERR_REFUSED);
}

static void length_and_descriptor_are_checked(void **state)
{
	static const uint8_t zeros[IPC_MAX_BYTES];
	struct ipc_msg m = {.type = IPC_ART_PUT, .fd = 0, .body = span_of(zeros, 1)};
	const enum ipc_task from = IPC_TASK_dev, to = IPC_TASK_policyd;

	(void)state;
	assert_int_equal(ipc_check(&m, from, to), ERR_OK);
	m.body.n = 0;
	assert_int_equal(ipc_check(&m, from, to), ERR_RANGE);
	m.body.n = 2;
	assert_int_equal(ipc_check(&m, from, to), ERR_RANGE);
	m.body.n = 1;
	m.fd = -1;
	assert_int_equal(ipc_check(&m, from, to), ERR_FORMAT);
	m.type = IPC_STATUS_GET;
	m.body.n = 0;
	assert_int_equal(ipc_check(&m, from, to), ERR_OK);
	m.fd = 0;
	assert_int_equal(ipc_check(&m, from, to), ERR_FORMAT);
	m.type = 31;
	assert_int_equal(ipc_check(&m, from, to), ERR_TYPE);
}

static void rate_counts_within_one_second(void **state)
{
	const unsigned hz = ipc_rule_find(IPC_ART_PUT)->rate_hz;
	struct ipc_rate rate = {.window_ms = 5000};

	(void)state;
	assert_true(hz > 0);
	for (unsigned i = 0; i < hz; i++)
		assert_int_equal(ipc_rate_check(&rate, IPC_ART_PUT, 5999), ERR_OK);
	assert_int_equal(ipc_rate_check(&rate, IPC_ART_PUT, 5999), ERR_BUSY);
	/* another message has its own count */
	assert_int_equal(ipc_rate_check(&rate, IPC_STATUS_GET, 5999), ERR_OK);
	assert_int_equal(ipc_rate_check(&rate, IPC_ART_PUT, 6000), ERR_OK);
	/* answers have no limit, unknown types no allowance */
	for (unsigned i = 0; i < 100000; i++)
		assert_int_equal(ipc_rate_check(&rate, IPC_STATUS, 6000), ERR_OK);
	assert_int_equal(ipc_rate_check(&rate, 31, 6000), ERR_TYPE);
	assert_int_equal(ipc_rate_check(&rate, 0xffff, 6000), ERR_TYPE);
}

static void message_crosses_with_its_descriptor(void **state)
{
	const struct pair *p = *state;
	const unsigned before = count_fds();
	struct ipc_msg m;

	assert_int_equal(ipc_send(p->a, IPC_ART_PUT, 77, span_of("\x01", 1), 0), ERR_OK);
	assert_int_equal(ipc_recv(p->b, &m), ERR_OK);
	assert_int_equal(m.type, IPC_ART_PUT);
	assert_int_equal(m.seq, 77);
	assert_true(span_eq(m.body, span_of("\x01", 1)));
	assert_true(m.fd > 2);
	assert_true((fcntl(m.fd, F_GETFD) & FD_CLOEXEC) != 0);
	ipc_msg_clear(&m);
	assert_int_equal(m.fd, -1);
	ipc_msg_clear(&m);
	assert_int_equal(count_fds(), before);
	assert_int_equal(ipc_recv(p->b, &m), ERR_BUSY);
}

static void longest_message_crosses(void **state)
{
	static uint8_t body[4000];
	const struct pair *p = *state;
	struct ipc_msg m;

	memset(body, 'x', sizeof(body));
	assert_int_equal(ipc_send(p->a, IPC_STATUS, 1, span_of(body, sizeof(body)), -1),
			 ERR_OK);
	assert_int_equal(ipc_recv(p->b, &m), ERR_OK);
	assert_true(span_eq(m.body, span_of(body, sizeof(body))));
	assert_int_equal(m.fd, -1);
	assert_int_equal(ipc_send(p->a, IPC_STATUS, 1, span_of(body, 4001), -1),
			 ERR_RANGE);
	/* NOLINTNEXTLINE(clang-analyzer-optin.core.EnumCastOutOfRange): meant */
	assert_int_equal(ipc_send(p->a, (enum ipc_type)31, 1, span_of(body, 0), -1),
			 ERR_RANGE);
}

static void bad_messages_are_dropped_and_leak_nothing(void **state)
{
	static uint8_t big[IPC_MAX_BYTES + 1] = {5};
	static const uint8_t status_get[] = {4, 0, 0, 0, 9, 0, 0, 0};
	const struct pair *p = *state;
	const unsigned before = count_fds();
	struct ipc_msg m;

	send_raw(p->a, big, sizeof(big), 0); /* truncated by the kernel */
	send_raw(p->a, status_get, 7, 1);    /* header too short, with a descriptor */
	send_raw(p->a, status_get, 8, 2);    /* two descriptors */
	send_raw(p->a, status_get, 8, 4);    /* as many as are received at most */
	send_raw(p->a, status_get, 8, 16);   /* more */
	send_raw(p->a, status_get, 8, 0);    /* and a good one */
	assert_int_equal(ipc_recv(p->b, &m), ERR_FORMAT);
	assert_int_equal(ipc_recv(p->b, &m), ERR_SHORT);
	assert_int_equal(m.fd, -1);
	assert_int_equal(ipc_recv(p->b, &m), ERR_FORMAT);
	assert_int_equal(ipc_recv(p->b, &m), ERR_FORMAT);
	assert_int_equal(ipc_recv(p->b, &m), ERR_FORMAT);
	assert_int_equal(ipc_recv(p->b, &m), ERR_OK);
	assert_int_equal(m.type, IPC_STATUS_GET);
	assert_int_equal(m.seq, 9);
	assert_int_equal(count_fds(), before);
}

static void closed_peer_is_noticed(void **state)
{
	struct pair *p = *state;
	struct ipc_msg m;

	(void)close(p->b);
	p->b = -1;
	assert_int_equal(ipc_recv(p->a, &m), ERR_NOENT);
	assert_int_equal(ipc_send(p->a, IPC_STATUS_GET, 1, span_of(NULL, 0), -1),
			 ERR_SYS);
}

static void full_socket_is_busy(void **state)
{
	static uint8_t body[4000];
	const struct pair *p = *state;
	int r = ERR_OK;

	for (unsigned i = 0; i < 10000 && r == ERR_OK; i++)
		r = ipc_send(p->a, IPC_STATUS, i, span_of(body, sizeof(body)), -1);
	assert_int_equal(r, ERR_BUSY);
}

#define WITH_PAIR(f) cmocka_unit_test_setup_teardown(f, setup_pair, teardown_pair)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_is_sound),
		cmocka_unit_test(decode_needs_the_exact_length),
		cmocka_unit_test(only_the_listed_pair_may_talk),
		cmocka_unit_test(policyd_has_three_peers),
		cmocka_unit_test(length_and_descriptor_are_checked),
		cmocka_unit_test(rate_counts_within_one_second),
		WITH_PAIR(message_crosses_with_its_descriptor),
		WITH_PAIR(longest_message_crosses),
		WITH_PAIR(bad_messages_are_dropped_and_leak_nothing),
		WITH_PAIR(closed_peer_is_noticed),
		WITH_PAIR(full_socket_is_busy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
