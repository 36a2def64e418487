/* svcd: restart pauses, message gate, task table, data partitions, console text. */
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "svcd/backoff.h"
#include "svcd/console.h"
#include "svcd/datafs.h"
#include "svcd/files.h"
#include "svcd/gate.h"
#include "svcd/peers.h"
#include "svcd/table.h"

static void pauses_double_up_to_the_limit(void **state)
{
	struct backoff b = {0};
	uint32_t last = 0;

	(void)state;
	for (int i = 0; i < 200; i++) {
		uint32_t now = backoff_next_ms(&b, 0);

		assert_true(now >= last && now <= BACKOFF_MAX_MS);
		last = now;
	}
	assert_int_equal(last, BACKOFF_MAX_MS);
	assert_int_equal(backoff_next_ms(&b, BACKOFF_STABLE_MS), BACKOFF_FIRST_MS);
}

static void the_gate_counts_bad_messages(void **state)
{
	static const uint8_t body[1] = {READY_CLOSED};
	struct ipc_msg good = {.type = IPC_READY, .body = {body, 1}, .fd = -1};
	struct gate g;
	int why = 0;

	(void)state;
	gate_init(&g, IPC_TASK_policyd);
	assert_int_equal(gate_judge(&g, ERR_OK, &good, 1000, &why), GATE_TAKE);
	for (unsigned i = 1; i < GATE_BAD_MAX; i++)
		assert_int_equal(gate_judge(&g, ERR_TYPE, &good, 1000, &why), GATE_DROP);
	assert_int_equal(gate_judge(&g, ERR_TYPE, &good, 1000, &why), GATE_RESTART);
}

static void the_built_table_is_good(void **state)
{
	const char *why = NULL;

	(void)state;
	assert_int_equal(table_check(table_at(0), table_size(), &why), ERR_OK);
	assert_null(table_at(table_size()));
}

static void a_wrong_table_is_refused(void **state)
{
	struct task_spec two[2];
	const char *why = NULL;

	(void)state;
	two[0] = *table_at(0);
	two[1] = *table_at(0);
	assert_int_equal(table_check(two, 2, &why), ERR_FORMAT);
	assert_non_null(why);
	two[0].caps = 1ULL << 63;
	assert_int_equal(table_check(two, 1, &why), ERR_FORMAT);
	two[0] = *table_at(0);
	two[0].uid = 0;
	assert_int_equal(table_check(two, 1, &why), ERR_FORMAT);
	two[0] = *table_at(0);
	two[0].path = "policyd";
	assert_int_equal(table_check(two, 1, &why), ERR_FORMAT);
	assert_int_equal(table_check(two, 0, &why), ERR_FORMAT);
}

static void links_join_different_tasks_that_take_them(void **state)
{
	const struct table_link *l;
	size_t i = 0;

	(void)state;
	for (; (l = table_link_at(i)) != NULL; i++) {
		assert_int_not_equal(l->a, l->b);
		assert_true(ipc_set_has(IPC_SET_LINKED, l->a));
		assert_true(ipc_set_has(IPC_SET_LINKED, l->b));
		assert_true(table_is_linked(l->a, l->b));
		assert_true(table_is_linked(l->b, l->a));
	}
	assert_true(i > 0);
	assert_false(table_is_linked(IPC_TASK_policyd, IPC_TASK_policyd));
	assert_false(table_is_linked(IPC_TASK_webd, IPC_TASK_consoled));
}

static void socket_pair(int pair[2])
{
	assert_int_equal(socketpair(AF_UNIX,
				    SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
				    pair),
			 0);
}

/* Take the link out of a PEER message; it must be to @peer. */
static int take_link(int from_svcd, enum ipc_task peer)
{
	struct ipc_msg m;

	assert_int_equal(ipc_recv(from_svcd, &m), ERR_OK);
	assert_int_equal(m.type, IPC_PEER);
	assert_int_equal(m.body.p[0], peer);
	assert_true(m.fd >= 0);
	return m.fd;
}

static void a_link_reaches_both_tasks_and_works(void **state)
{
	const enum ipc_task p = IPC_TASK_policyd, c = IPC_TASK_consoled;
	enum ipc_task failed;
	int to_p[2], to_c[2];
	struct ipc_msg m;
	int at_p, at_c;

	(void)state;
	socket_pair(to_p);
	socket_pair(to_c);
	assert_int_equal(peers_connect(to_p[0], p, to_c[0], c, &failed), ERR_OK);
	at_p = take_link(to_p[1], c);
	at_c = take_link(to_c[1], p);
	assert_int_equal(ipc_send(at_c, IPC_STATUS_GET, 5, span_of(NULL, 0), -1), ERR_OK);
	assert_int_equal(ipc_recv(at_p, &m), ERR_OK);
	assert_int_equal(m.seq, 5);
	/* svcd has kept no end: the link ends with either task */
	(void)close(at_p);
	assert_int_equal(ipc_recv(at_c, &m), ERR_NOENT);
	(void)close(at_c);
	/* a task that is gone is named */
	(void)close(to_c[1]);
	assert_int_equal(peers_connect(to_p[0], p, to_c[0], c, &failed), ERR_SYS);
	assert_int_equal(failed, c);
	(void)close(to_p[0]);
	(void)close(to_p[1]);
	(void)close(to_c[0]);
}

static void only_a_linked_peer_can_be_accused(void **state)
{
	static const uint8_t whom[3] = {IPC_TASK_policyd, IPC_TASK_svcd, 99};
	struct ipc_msg m = {.type = IPC_BAD_PEER, .fd = -1};
	struct gate g;
	int why = 0;

	(void)state;
	gate_init(&g, IPC_TASK_policyd);
	for (size_t i = 0; i < sizeof(whom); i++) {
		m.body = span_of(&whom[i], 1);
		assert_int_equal(gate_judge(&g, ERR_OK, &m, 1000, &why), GATE_DROP);
		assert_int_equal(why, ERR_REFUSED);
	}
	gate_init(&g, IPC_TASK_consoled);
	m.body = span_of(&whom[0], 1);
	assert_int_equal(gate_judge(&g, ERR_OK, &m, 1000, &why), GATE_DROP);
}

static void only_blank_partitions_are_blank(void **state)
{
	uint8_t *head = calloc(1, DATAFS_HEAD_BYTES);

	(void)state;
	assert_non_null(head);
	assert_int_equal(datafs_classify(head, DATAFS_HEAD_BYTES, false), DATAFS_BLANK);
	assert_int_equal(datafs_classify(head, DATAFS_HEAD_BYTES, true), DATAFS_OTHER);
	head[DATAFS_HEAD_BYTES - 1] = 1;
	assert_int_equal(datafs_classify(head, DATAFS_HEAD_BYTES, false), DATAFS_OTHER);
	memset(head, 0xff, DATAFS_HEAD_BYTES);
	assert_int_equal(datafs_classify(head, DATAFS_HEAD_BYTES, false), DATAFS_BLANK);
	memset(head, 0, DATAFS_HEAD_BYTES);
	head[1024 + 0x38] = 0x53;
	head[1024 + 0x39] = 0xef;
	assert_int_equal(datafs_classify(head, DATAFS_HEAD_BYTES, false), DATAFS_EXT);
	head[1024 + 0x3a] = 2;
	assert_int_equal(datafs_classify(head, DATAFS_HEAD_BYTES, false),
			 DATAFS_EXT_ERRS);
	assert_int_equal(datafs_classify(head, 100, false), DATAFS_OTHER);
	free(head);
}

static void console_text_is_harmless(void **state)
{
	char out[32];

	(void)state;
	console_escape(span_str("a\"b\\\n\x1b"), out, sizeof(out));
	assert_string_equal(out, "a\\x22b\\x5c\\x0a\\x1b");
	console_escape(span_str("0123456789"), out, 5);
	assert_string_equal(out, "0123");
	console_escape(span_str("12\n"), out, 5);
	assert_string_equal(out, "12");
}

static void values_are_found_at_line_starts(void **state)
{
	static const char text[] = "XPARTNAME=no\nPARTNAME=conf\nDEVNAME=vda6\n";
	char out[8];

	(void)state;
	assert_int_equal(files_value(text, "PARTNAME", out, sizeof(out)), ERR_OK);
	assert_string_equal(out, "conf");
	assert_int_equal(files_value(text, "NAME", out, sizeof(out)), ERR_NOENT);
	assert_int_equal(files_value(text, "DEVNAME", out, 4), ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pauses_double_up_to_the_limit),
		cmocka_unit_test(the_gate_counts_bad_messages),
		cmocka_unit_test(the_built_table_is_good),
		cmocka_unit_test(a_wrong_table_is_refused),
		cmocka_unit_test(links_join_different_tasks_that_take_them),
		cmocka_unit_test(a_link_reaches_both_tasks_and_works),
		cmocka_unit_test(only_a_linked_peer_can_be_accused),
		cmocka_unit_test(only_blank_partitions_are_blank),
		cmocka_unit_test(console_text_is_harmless),
		cmocka_unit_test(values_are_found_at_line_starts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
