/* The serial menu as a person, and as noise, meets it. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "consoled/console.h"

#define NAME "hoa.nguyen"
#define PASSWORD "Green hills of 5"
#define NEXT "Seven rivers run 9"
#define TEXT_BYTES 60000

static struct console con;
static struct accounts accounts;
static uint8_t room[100000];
static char seen[TEXT_BYTES];
static size_t seen_n;
static uint64_t now_ms;

static struct {
	unsigned asks, restarts, saves;
	enum ipc_type type;
	uint32_t seq;
	uint8_t body[32];
	size_t body_n, file_n;
	int ask_result, save_result;
	char event[100];
} world;

static int ask(void *ctx, enum ipc_type type, uint32_t seq, struct span body,
	       struct span file)
{
	(void)ctx;
	world.asks++;
	world.type = type;
	world.seq = seq;
	world.body_n = body.n;
	world.file_n = file.n;
	if (body.n && body.n <= sizeof(world.body))
		memcpy(world.body, body.p, body.n);
	return world.ask_result;
}

static int restart(void *ctx)
{
	(void)ctx;
	world.restarts++;
	return ERR_OK;
}

static int random_bytes(void *ctx, uint8_t *out, size_t n)
{
	(void)ctx;
	memset(out, 0x5a, n);
	return ERR_OK;
}

static int save(void *ctx, struct span text)
{
	static struct accounts read_back;

	(void)ctx;
	world.saves++;
	assert_int_equal(accounts_parse(text, &read_back), ERR_OK);
	return world.save_result;
}

static void event(void *ctx, const char *text)
{
	(void)ctx;
	(void)snprintf(world.event, sizeof(world.event), "%s", text);
}

static const struct console_ops ops = {.ask = ask,
				       .restart = restart,
				       .random = random_bytes,
				       .save = save,
				       .event = event};

/* Everything that can happen without more input or time. */
static void settle(void)
{
	size_t n;

	while (console_work(&con, now_ms))
		continue;
	while ((n = console_output(&con, (uint8_t *)seen + seen_n,
				   TEXT_BYTES - 1 - seen_n)) > 0)
		seen_n += n;
	seen[seen_n] = '\0';
	if (seen_n > TEXT_BYTES / 2) {
		seen_n = 0;
		seen[0] = '\0';
	}
}

static void type(const char *text)
{
	seen_n = 0;
	console_input(&con, span_str(text), now_ms);
	settle();
}

static void wait_ms(uint64_t ms)
{
	now_ms += ms;
	seen_n = 0;
	console_tick(&con, now_ms);
	settle();
}

static bool shows(const char *text)
{
	return strstr(seen, text) != NULL;
}

static void set_password(struct account *a, const char *password)
{
	struct password_work w;

	a->password.iterations = PASSWORD_ITERATIONS_MIN;
	assert_int_equal(password_begin(&w, span_str(password), a->password.salt,
					a->password.iterations),
			 ERR_OK);
	assert_true(password_step(&w, a->password.iterations));
	password_end(&w, a->password.hash);
}

static int start(void **state)
{
	struct account a = {.name = NAME, .role = ROLE_TECHNICIAN};

	(void)state;
	memset(&accounts, 0, sizeof(accounts));
	memset(&world, 0, sizeof(world));
	now_ms = 1000;
	seen_n = 0;
	set_password(&a, PASSWORD);
	if (accounts_add(&accounts, &a) != ERR_OK)
		return -1;
	console_init(&con, &ops, &accounts, span_of(room, sizeof(room)), now_ms);
	settle();
	return 0;
}

static void log_in(void)
{
	type(NAME "\r");
	assert_int_equal(con.at, AT_PASSWORD);
	type(PASSWORD "\r");
	assert_int_equal(con.at, AT_MENU);
}

static void answer(enum ipc_type kind, const void *p, size_t n)
{
	struct console_answer a = {.type = kind, .seq = world.seq, .body = span_of(p, n)};

	seen_n = 0;
	console_answer(&con, &a, now_ms);
	settle();
}

static void nothing_but_the_banner_before_a_login(void **state)
{
	(void)state;
	assert_true(shows("Civil cryptography, not for state secrets."));
	assert_true(shows("Tai khoan / Account: "));
	assert_false(shows("1  "));
	type("nobody\r");
	type("x\r");
	assert_true(shows("Wrong account or password."));
	assert_int_equal(con.at, AT_PAUSE);
	assert_string_equal(world.event, "login-failed account=? failures=1");
	for (const char *p = seen; *p; p++)
		assert_true((uint8_t)*p < 0x80); /* any terminal can show it */
}

static void a_technician_logs_in_and_out(void **state)
{
	(void)state;
	log_in();
	assert_string_equal(world.event, "login account=" NAME " failures=0");
	assert_true(shows("LŨY TRE"));
	assert_false(shows(PASSWORD));
	type("8\r");
	assert_true(shows("Self-check"));
	type("9\r8\r");
	assert_true(shows("LUY TRE - bang dieu khien tai"));
	type("0\r");
	assert_int_equal(con.at, AT_NAME);
	assert_false(con.is_in);
}

/* Wrong passwords make the waiting longer, and never lock. */
static void guessing_is_slow_and_locks_nobody(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		uint64_t pause_ms = i < 5 ? 1000ULL << i : CONSOLE_PAUSE_MAX_MS;

		type(NAME "\r");
		type("wrong\r");
		assert_int_equal(con.at, AT_PAUSE);
		wait_ms(pause_ms - 1);
		assert_int_equal(con.at, AT_PAUSE);
		type(NAME "\r"); /* not read */
		assert_int_equal(con.at, AT_PAUSE);
		wait_ms(1);
		assert_int_equal(con.at, AT_NAME);
		assert_int_equal(con.line_n, 0);
	}
	log_in();
	assert_int_equal(con.failures, 0);
}

static void only_a_technician_who_is_not_disabled(void **state)
{
	(void)state;
	accounts.list[0].is_disabled = true;
	type(NAME "\r");
	type(PASSWORD "\r");
	assert_int_equal(con.at, AT_PAUSE);
	accounts.list[0].is_disabled = false;
	accounts.list[0].role = ROLE_SOC_ADMIN;
	wait_ms(CONSOLE_PAUSE_MAX_MS);
	type(NAME "\r");
	type(PASSWORD "\r");
	assert_int_equal(con.at, AT_PAUSE);
	/* no password fits an account without one */
	accounts.list[0].role = ROLE_TECHNICIAN;
	accounts.list[0].password.iterations = 0;
	wait_ms(CONSOLE_PAUSE_MAX_MS);
	type(NAME "\r");
	type("\r");
	assert_int_equal(con.at, AT_PAUSE);
}

static void a_first_password_opens_nothing_but_its_change(void **state)
{
	(void)state;
	accounts.list[0].must_change = true;
	type(NAME "\r");
	type(PASSWORD "\r");
	assert_int_equal(con.at, AT_NEW);
	type("1\r");
	type("short 1A\r");
	type("no capital letter 1\r");
	type("with the name " NAME " 1A\r");
	assert_int_equal(con.at, AT_NEW);
	assert_int_equal(world.asks, 0);
	type("\x03"); /* away: out, not in */
	assert_int_equal(con.at, AT_NAME);
	type(NAME "\r");
	type(PASSWORD "\r");
	type(NEXT "\r");
	type(NEXT "x\r");
	assert_true(shows("không giống nhau"));
	type(NEXT "\r");
	type(NEXT "\r");
	assert_int_equal(con.at, AT_MENU);
	assert_int_equal(world.saves, 1);
	assert_false(accounts.list[0].must_change);
	assert_int_equal(accounts.list[0].password.iterations,
			 CONFIG_PASSWORD_ITERATIONS);
	type("0\r");
	type(NAME "\r");
	type(NEXT "\r");
	assert_int_equal(con.at, AT_MENU);
}

static void a_change_that_is_not_stored_does_not_count(void **state)
{
	(void)state;
	world.save_result = ERR_SYS;
	log_in();
	type("7\r");
	type("wrong\r");
	assert_int_equal(con.at, AT_MENU);
	type("7\r");
	type(PASSWORD "\r");
	assert_int_equal(con.at, AT_NEW);
	type(NEXT "\r");
	type(NEXT "\r");
	assert_true(shows("Không ghi được"));
	type("0\r");
	log_in();
	/* and one that was used before is refused */
	world.save_result = ERR_OK;
	for (unsigned i = 0; i < 2; i++) {
		type("7\r");
		type(i ? NEXT "\r" : PASSWORD "\r");
		type(NEXT "\r");
		type(NEXT "\r");
		assert_int_equal(con.at, i ? AT_NEW : AT_MENU);
	}
}

static void sessions_end(void **state)
{
	(void)state;
	log_in();
	wait_ms(CONSOLE_IDLE_MS - 1);
	assert_true(con.is_in);
	assert_int_equal(console_due_ms(&con), now_ms + 1);
	wait_ms(1);
	assert_false(con.is_in);
	assert_true(shows("hết thời gian"));
	log_in();
	for (unsigned i = 0; i < 12; i++) {
		assert_true(con.is_in);
		wait_ms(CONSOLE_IDLE_MS - 1);
		type(" ");
	}
	wait_ms(12);
	assert_false(con.is_in);
	type(NAME "\r");
	wait_ms(CONSOLE_LOGIN_MS);
	assert_int_equal(con.at, AT_NAME);
}

static void status_is_shown_in_words(void **state)
{
	static const char text[] =
		"state=enforced\nserial=7\nagency=So \xe2\x80\xa6\x1b[2J\n"
		"management=unreachable\nsoc=not-configured\nunknown=1\n"
		"wireguard.site1=KEY\n";

	(void)state;
	log_in();
	type("1\r");
	assert_int_equal(world.type, IPC_STATUS_GET);
	assert_int_equal(con.at, AT_ANSWER);
	type("10\r"); /* nobody asked */
	answer(IPC_STATUS, text, sizeof(text) - 1);
	assert_int_equal(con.at, AT_MENU);
	assert_true(shows("chính sách đang có hiệu lực"));
	assert_true(shows("wireguard.site1 : KEY"));
	assert_false(shows("unknown"));
	assert_false(shows("\x1b"));
	type("2\r");
	answer(IPC_STATUS, text, sizeof(text) - 1);
	assert_true(shows("KHÔNG tới được"));
	assert_true(shows("CÓ VẤN ĐỀ"));
	assert_false(shows("wireguard"));
	type("2\r");
	answer(IPC_STATUS, "state=enforced\n", 15);
	assert_true(shows("Kết quả: TỐT"));
}

static void answers_that_nobody_waits_for_are_dropped(void **state)
{
	struct console_answer old;

	(void)state;
	log_in();
	type("1\r");
	old = (struct console_answer){.type = IPC_STATUS, .seq = world.seq - 1};
	console_answer(&con, &old, now_ms);
	assert_int_equal(con.at, AT_ANSWER);
	console_peer_lost(&con, now_ms);
	assert_int_equal(con.at, AT_MENU);
	answer(IPC_STATUS, "state=enforced\n", 15);
	assert_false(shows("enforced"));
	type("1\r");
	answer(IPC_TRIAL_RESULT, "\0\0\0\0yes", 7); /* no answer to this */
	assert_true(shows("không trả lời"));
	type("1\r");
	wait_ms(CONSOLE_ANSWER_MS);
	assert_int_equal(con.at, AT_MENU);
	world.ask_result = ERR_NOENT;
	type("1\r");
	assert_true(shows("đang khởi động lại"));
}

static void trials_are_confirmed_and_ended(void **state)
{
	(void)state;
	log_in();
	type("5\r");
	type("12a34\r");
	assert_int_equal(world.type, IPC_CONFIRM);
	assert_int_equal(world.body_n, 4);
	assert_memory_equal(world.body, "1234", 4);
	answer(IPC_TRIAL_RESULT, "\0\0\0\0serial=7", 12);
	assert_true(shows("Xong: serial=7"));
	type("6\r");
	type("k\r");
	assert_int_equal(world.asks, 1);
	type("6\r");
	type("c\r");
	assert_int_equal(world.type, IPC_ROLLBACK);
	answer(IPC_TRIAL_RESULT,
	       "\xf6\xff\xff\xff"
	       "reason=x",
	       12);
	assert_true(shows("Bị từ chối: reason=x"));
}

static void a_restart_is_asked_twice(void **state)
{
	(void)state;
	log_in();
	type("10\r");
	type("y\r");
	assert_int_equal(world.restarts, 0);
	type("\r");
	assert_int_equal(world.restarts, 0);
	type("10\r");
	type("c\r");
	type("c\r");
	assert_int_equal(world.restarts, 1);
}

static void pasted_text_is_whole_or_refused(void **state)
{
	static const char begin[] = "-----BEGIN LUYTRE FILE-----\r\n";
	static const char end[] = "-----END LUYTRE FILE-----\r\n";
	char text[300];

	(void)state;
	log_in();
	type("4\r");
	assert_int_equal(con.at, AT_PASTE);
	type("0\r10\r"); /* before the marker: not looked at */
	type(begin);
	type("bm90IHNpZ25lZAo=\r\n");
	type(end);
	assert_true(shows("không phải là tệp đã ký"));
	assert_int_equal(con.at, AT_MENU);
	type("4\r");
	type(begin);
	type("bm90IHNpZ25lZAo\r\n"); /* a character is lost */
	type(end);
	assert_true(shows("bị hỏng"));
	type("4\r");
	type(end);
	assert_true(shows("bị hỏng"));
	type("4\r");
	type(begin);
	memset(text, 'A', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	type(text); /* a line over the limit */
	type("\r\n");
	type(end);
	assert_true(shows("bị hỏng"));
	type("4\r");
	type("\x03");
	assert_int_equal(con.at, AT_MENU);
	assert_int_equal(world.asks, 0);
}

/* A sender that goes on after a failed transfer chooses nothing. */
static void a_failed_transfer_ends_in_silence(void **state)
{
	(void)state;
	log_in();
	type("3\r");
	assert_int_equal(con.at, AT_YMODEM);
	type("\x18\x18");
	assert_int_equal(con.at, AT_QUIET);
	for (unsigned i = 0; i < 5; i++) {
		type("10\ry\ry\r");
		wait_ms(CONSOLE_QUIET_MS - 1);
		assert_int_equal(con.at, AT_QUIET);
	}
	wait_ms(1);
	assert_int_equal(con.at, AT_MENU);
	assert_int_equal(world.restarts, 0);
	type("3\r");
	for (unsigned i = 0; i < 100 && con.at == AT_YMODEM; i++)
		wait_ms(YMODEM_WAIT_MS);
	assert_int_equal(con.at, AT_QUIET);
}

/* 100,000 random bytes: nobody gets in, nothing is asked, then a person can. */
static void noise_gets_nowhere(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		uint8_t byte;

		seed = seed * 1664525U + 1013904223U;
		byte = (uint8_t)(seed >> 24);
		console_input(&con, span_of(&byte, 1), now_ms);
		settle();
		assert_false(con.is_in);
		now_ms += i % 7;
	}
	assert_int_equal(world.asks + world.saves + world.restarts, 0);
	wait_ms(CONSOLE_LOGIN_MS);
	type("\x1b[A\x03\r");
	assert_int_equal(con.at, AT_NAME);
	log_in();
}

/* What is typed before a login cannot look like a line of ours. */
static void nothing_can_be_forged(void **state)
{
	(void)state;
	type("luytre: policyd: enforced serial=666");
	assert_false(shows("luytre: "));
	assert_false(shows("serial=666"));
	type("\r");
	type("luytre: policyd: enforced serial=666\r");
	assert_false(shows("luytre"));
}

static void without_accounts_the_console_says_so(void **state)
{
	(void)state;
	accounts.count = 0;
	type("\r");
	assert_true(shows("No account: the device was not prepared"));
	type(NAME "\r" PASSWORD "\r");
	assert_int_equal(con.at, AT_NAME);
	assert_false(shows(NAME));
}

static void the_first_account_works(void **state)
{
	char password[ACCOUNT_FIRST_BYTES + 1];
	const char *at;

	(void)state;
	accounts.count = 0;
	seen_n = 0;
	assert_int_equal(console_make_first(&con), ERR_OK);
	settle();
	at = strstr(seen, " password=");
	assert_non_null(at);
	(void)snprintf(password, sizeof(password), "%.24s\r", at + 10);
	type(CONSOLE_FIRST_NAME "\r");
	type(password);
	assert_int_equal(con.at, AT_NEW);
	accounts.count = 0;
	world.save_result = ERR_SYS;
	assert_int_equal(console_make_first(&con), ERR_SYS);
	assert_int_equal(accounts.count, 0);
}

static void marks_are_taken_off_letters(void **state)
{
	static const char from[] =
		"Ăă Ââ Đđ Êê Ôô Ơơ Ưư ÁÀẢÃẠ ấầẩẫậ ếềểễệ íìỉĩị óòỏõọ ỢợỰự ýỳỷỹỵ €";
	char out[200];
	struct sbuf b;

	(void)state;
	sbuf_init(&b, out, sizeof(out));
	text_put(&b, span_str(from), true);
	assert_true(span_eq_str(span_of(b.p, b.n),
				"Aa Aa Dd Ee Oo Oo Uu AAAAA aaaaa eeeee iiiii ooooo OoUu "
				"yyyyy ?"));
	sbuf_init(&b, out, sizeof(out));
	text_put(&b, span_str("a\x01\xc3(\xff\xe1\xba"), false);
	assert_true(span_eq_str(span_of(b.p, b.n), "a?"
						   "?(?"
						   "??"));
	for (unsigned i = 0; i < TEXT_COUNT; i++) {
		for (unsigned l = 0; l < 2; l++) {
			const char *text = text_get((enum text)i, (enum text_language)l);
			size_t columns = 0, marks = 0;

			for (const char *p = text; *p; p++) {
				columns += ((uint8_t)*p & 0xc0) != 0x80;
				marks += *p == '?';
			}
			assert_true(columns > 0 && columns < 80);
			sbuf_init(&b, out, sizeof(out));
			text_put(&b, span_str(text), true);
			for (size_t k = 0; k < b.n; k++)
				marks -= b.p[k] == '?';
			assert_int_equal(marks, 0);
		}
	}
}

#define FROM_START(f) cmocka_unit_test_setup(f, start)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FROM_START(nothing_but_the_banner_before_a_login),
		FROM_START(a_technician_logs_in_and_out),
		FROM_START(guessing_is_slow_and_locks_nobody),
		FROM_START(only_a_technician_who_is_not_disabled),
		FROM_START(a_first_password_opens_nothing_but_its_change),
		FROM_START(a_change_that_is_not_stored_does_not_count),
		FROM_START(sessions_end),
		FROM_START(status_is_shown_in_words),
		FROM_START(answers_that_nobody_waits_for_are_dropped),
		FROM_START(trials_are_confirmed_and_ended),
		FROM_START(a_restart_is_asked_twice),
		FROM_START(pasted_text_is_whole_or_refused),
		FROM_START(a_failed_transfer_ends_in_silence),
		FROM_START(noise_gets_nowhere),
		FROM_START(nothing_can_be_forged),
		FROM_START(without_accounts_the_console_says_so),
		FROM_START(the_first_account_works),
		FROM_START(marks_are_taken_off_letters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
