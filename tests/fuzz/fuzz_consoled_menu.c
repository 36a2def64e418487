/*
 * Any bytes at the serial menu. The first byte: bit 0, somebody is logged in. A
 * "~" and a byte in the input let time pass or policyd answer; the rest is typed.
 * Nobody gets in without the password, which is not in the input; a restart is
 * asked twice; nothing is written past its room.
 */
#include <stdlib.h>
#include <string.h>

#include "consoled/console.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROOM 300

static struct console con;
static struct accounts accounts;

static int ask(void *ctx, enum ipc_type type, uint32_t seq, struct span body,
	       struct span file)
{
	const struct ipc_rule *rule = ipc_rule_find((uint16_t)type);

	(void)ctx;
	(void)seq;
	if (!con.is_in || con.who->must_change || !rule || body.n < rule->min_bytes ||
	    body.n > rule->max_bytes || (file.n != 0) != (rule->fds == 1) ||
	    file.n > ROOM)
		abort();
	return ERR_OK;
}

static int restart(void *ctx)
{
	(void)ctx;
	if (con.at != AT_RESTART_AGAIN || !con.is_in)
		abort();
	return ERR_OK;
}

static int random_bytes(void *ctx, uint8_t *out, size_t n)
{
	(void)ctx;
	memset(out, 1, n);
	return ERR_OK;
}

static int save(void *ctx, struct span text)
{
	(void)ctx;
	(void)text;
	return ERR_OK;
}

static void event(void *ctx, const char *text)
{
	(void)ctx;
	if (strlen(text) > 200)
		abort();
}

static const struct console_ops ops = {.ask = ask,
				       .restart = restart,
				       .random = random_bytes,
				       .save = save,
				       .event = event};

static void begin(uint8_t *room, bool is_in)
{
	struct account a = {.name = "hoa", .role = ROLE_TECHNICIAN};

	memset(&accounts, 0, sizeof(accounts));
	a.password.iterations = PASSWORD_ITERATIONS_MIN;
	memset(a.password.hash, 7, sizeof(a.password.hash)); /* of nothing typed */
	if (accounts_add(&accounts, &a) != ERR_OK)
		abort();
	console_init(&con, &ops, &accounts, span_of(room, ROOM), 1000);
	if (!is_in)
		return;
	con.is_in = true;
	con.who = &accounts.list[0];
	con.at = AT_MENU;
	con.session_ms = 1000 + CONSOLE_SESSION_MS;
}

static void something_happens(uint8_t what, uint64_t *now_ms)
{
	static const char text[] =
		"\0\0\0\0\1\0\0\0\0\0\0\0confirm=123 x=\xc3\x1b\n=\nstate";
	struct console_answer answer = {.type = IPC_STATUS, .seq = con.seq};

	(void)console_work(&con, *now_ms);
	if (what < 'a' || what > 'p') {
		*now_ms += (uint64_t)what * 197;
		console_tick(&con, *now_ms);
		return;
	}
	if (what == 'a') {
		console_peer_lost(&con, *now_ms);
		return;
	}
	answer.type = what % 3 == 0   ? IPC_STATUS
		      : what % 3 == 1 ? IPC_ART_RESULT
				      : IPC_TRIAL_RESULT;
	answer.body = span_of(text, (size_t)(what - 'a') * (sizeof(text) - 1) / 15);
	console_answer(&con, &answer, *now_ms);
}

static void judge(bool was_in, size_t out_n)
{
	if (con.is_in && !was_in)
		abort();
	if (con.is_in && !con.who)
		abort();
	if (con.line_n > sizeof(con.line) || con.out_n > sizeof(con.out) ||
	    con.file_n > ROOM || out_n > 64)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *room = malloc(ROOM), *typed = malloc(size ? size : 1), out[64];
	bool was_in = size && (data[0] & 1) != 0;
	uint64_t now_ms = 1000;

	if (!room || !typed)
		abort();
	if (size)
		memcpy(typed, data, size);
	begin(room, was_in);
	for (size_t i = 1; i < size; i++) {
		if (typed[i] == '~' && i + 1 < size)
			something_happens(typed[++i], &now_ms); /* hashing is slow */
		else
			console_input(&con, span_of(typed + i, 1), now_ms);
		judge(was_in, console_output(&con, out, typed[i] % 65));
		was_in = con.is_in;
	}
	if (con.at == AT_HASH)
		password_clear(&con.work);
	free(typed);
	free(room);
	return 0;
}
