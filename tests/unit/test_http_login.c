/*
 * Login, lockout, sessions, passwords, second factors and accounts, through requests.
 */
#include "test.h"

#include "http_rig.h"

static int setup(void **state)
{
	(void)state;
	rig_start(&rig, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	http_clear(&rig.conn);
	return 0;
}

static struct account *account(const char *name)
{
	return accounts_find(&rig.server.accounts, span_str(name));
}

static unsigned get_status(void)
{
	unsigned status = rig_call(&rig, "GET", "/api/status", NULL);

	return status ? status : rig_answer(&rig, ERR_OK, "state=enforced\n");
}

static unsigned change(const char *old, const char *next)
{
	char body[700];
	unsigned status;

	rig_tick(&rig, 10000); /* ten changes a minute */
	if (http_wants_close(&rig.conn))
		rig_connect(&rig);
	(void)snprintf(body, sizeof(body), "{\"old\":\"%s\",\"new\":\"%s\"}", old, next);
	status = rig_call(&rig, "POST", "/api/password", body);
	if (status == 200)
		rig_keep(&rig);
	return status;
}

/* AC-01: a first login allows nothing but the change of the password. */
static void first_login_allows_only_the_change(void **state)
{
	struct account *a = rig_account(&rig, "new", ROLE_SOC_ADMIN);

	(void)state;
	a->must_change = true;
	a->has_totp = false;
	rig_login(&rig, "new");
	assert_true(rig_has(&rig, "\"must\":\"password\""));
	for (unsigned id = 0; id < API_COUNT; id++) {
		const struct api *api = api_at((enum api_id)id);

		if ((api->roles & API_TO_ANYONE) || id == API_SESSION ||
		    id == API_LOGOUT || id == API_PASSWORD)
			continue;
		assert_int_equal(
			rig_call(&rig, http_method_name(api->method), api->path, NULL),
			403);
		assert_true(rig_has(&rig, "must-change-password"));
	}
	assert_int_equal(change(RIG_WORD, "Tre-Vang-2026"), 200);
	assert_true(rig_has(&rig, "\"must\":\"totp\""));
	assert_int_equal(get_status(), 403);
	assert_true(rig_has(&rig, "must-enrol"));
	assert_int_equal(rig_call(&rig, "POST", "/api/totp/begin", NULL), 200);
}

/* AC-09 */
static void second_factor_is_enrolled_and_then_needed(void **state)
{
	struct account *a = rig_account(&rig, "an", ROLE_TECHNICIAN);
	uint32_t code;
	char body[64];

	(void)state;
	a->has_totp = false;
	rig_login(&rig, "an");
	assert_true(rig_has(&rig, "\"must\":\"totp\""));
	assert_int_equal(
		rig_call(&rig, "POST", "/api/totp/confirm", "{\"code\":\"000000\"}"),
		400);
	assert_int_equal(rig_call(&rig, "POST", "/api/totp/begin", NULL), 200);
	assert_true(rig_has(&rig, "\"secret\":\""));
	assert_true(rig_has(&rig, "otpauth://totp/LuyTre:an?secret="));
	assert_int_equal(totp_code(TOTP_SHA1,
				   span_of(rig.server.sessions.list[0].new_key, 20),
				   (uint64_t)rig.utc_s / 30, 6, &code),
			 ERR_OK);
	(void)snprintf(body, sizeof(body), "{\"code\":\"%06u\"}", (code + 1) % 1000000);
	assert_int_equal(rig_call(&rig, "POST", "/api/totp/confirm", body), 400);
	assert_false(account("an")->has_totp);
	(void)snprintf(body, sizeof(body), "{\"code\":\"%06u\"}", code);
	assert_int_equal(rig_call(&rig, "POST", "/api/totp/confirm", body), 200);
	assert_true(rig_has(&rig, "\"must\":\"nothing\""));
	assert_int_equal(get_status(), 200);
	/* it cannot be exchanged from within a session */
	assert_int_equal(rig_call(&rig, "POST", "/api/totp/begin", NULL), 409);
	/* the password alone is not enough any more, nor is a used code */
	assert_int_equal(rig_try(&rig, "an", RIG_WORD, false), 401);
	memcpy(account("an")->totp_key, RIG_KEY, TOTP_KEY_BYTES);
	assert_int_equal(rig_try(&rig, "an", RIG_WORD, true), 200);
	{
		char again[TOTP_DIGITS + 1], text[200];

		rig_code(&rig, again);
		(void)snprintf(text, sizeof(text),
			       "{\"name\":\"an\",\"password\":\"" RIG_WORD
			       "\",\"code\":\"%s\"}",
			       again);
		assert_int_equal(rig_call(&rig, "POST", "/api/login", text), 401);
	}
	assert_int_equal(rig_try(&rig, "an", "wrong", true), 401);
}

static void without_a_clock_no_second_factor(void **state)
{
	(void)state;
	rig.utc_s = 0;
	rig_tick(&rig, 1);
	assert_int_equal(rig_call(&rig, "POST", "/api/login",
				  "{\"name\":\"operator\",\"password\":\"" RIG_WORD
				  "\",\"code\":\"123456\"}"),
			 401);
	assert_true(rig_has(&rig, "clock-unset"));
	assert_int_equal(rig_try(&rig, "viewer", RIG_WORD, false), 200);
	assert_false(rig_has(&rig, "Date:"));
	assert_true(rig_has(&rig, "\"password_days\":null"));
}

/* AC-04: the same answer to an unknown name, a wrong password, a missing code, a
 * disabled account and a locked one - and the same work before it. */
static void failures_are_alike(void **state)
{
	static const struct {
		const char *name, *word;
	} rows[] = {{"nobody", RIG_WORD}, {"viewer", "wrong"},  {"operator", RIG_WORD},
		    {"off", RIG_WORD},    {"locked", RIG_WORD}, {"Nobody <b>", "x"},
		    {"empty", ""},        {"empty", RIG_WORD}};
	static char first[4096];

	(void)state;
	rig_account(&rig, "off", ROLE_VIEWER)->is_disabled = true;
	rig_account(&rig, "empty", ROLE_VIEWER)->password.iterations = 0;
	(void)rig_account(&rig, "locked", ROLE_VIEWER);
	for (unsigned i = 0; i < LOCK_TRIES; i++)
		(void)lock_add_wrong(&rig.server.locks, span_str("locked"), rig.peer.addr,
				     rig.now_ms);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[400], body[200];
		unsigned slices = 0;
		int n = snprintf(body, sizeof(body),
				 "{\"name\":\"%s\",\"password\":\"%s\"}", rows[i].name,
				 *rows[i].word ? rows[i].word : "x");

		n = snprintf(text, sizeof(text),
			     "POST /api/login HTTP/1.1\r\nHost: a\r\nContent-Type: "
			     "application/json\r\nContent-Length: %d\r\n\r\n%s",
			     n, body);
		rig_connect(&rig);
		assert_int_equal(http_input(&rig.conn, span_of(text, (size_t)n)), n);
		while (http_work(&rig.server))
			slices++;
		assert_int_equal(slices, 0); /* the last slice: nothing more to do */
		assert_int_equal(rig_send(&rig, span_of(NULL, 0)), 401);
		assert_true(
			rig_has(&rig, "{\"error\":\"login-failed\",\"detail\":\"\"}"));
		if (i == 0)
			memcpy(first, rig.out, sizeof(first) - 1);
		assert_string_equal(rig.out, first);
	}
}

/* Names that do not exist cost as many slices as those that do. */
static void work_is_alike(void **state)
{
	static const char *const names[] = {"viewer", "nobody"};

	(void)state;
	rig.server.setup.iterations = 5 * PASSWORD_STEP;
	account("viewer")->password.iterations = 5 * PASSWORD_STEP;
	for (size_t i = 0; i < 2; i++) {
		char text[400], body[200];
		unsigned slices = 1;
		int n = snprintf(body, sizeof(body),
				 "{\"name\":\"%s\",\"password\":\"x\"}", names[i]);

		n = snprintf(text, sizeof(text),
			     "POST /api/login HTTP/1.1\r\nHost: a\r\nContent-Type: "
			     "application/json\r\nContent-Length: %d\r\n\r\n%s",
			     n, body);
		assert_int_equal(http_input(&rig.conn, span_of(text, (size_t)n)), n);
		while (http_work(&rig.server))
			slices++;
		assert_int_equal(slices, 5);
		assert_int_equal(rig_send(&rig, span_of(NULL, 0)), 401);
	}
}

/* AC-04: N-1, N, N+1 wrong tries; the right password is refused while locked; others
 * are not touched; just before and just after its time; an administrator unlocks. */
static void lockout_is_exact(void **state)
{
	(void)state;
	for (unsigned i = 1; i < LOCK_TRIES; i++)
		assert_int_equal(rig_try(&rig, "viewer", "wrong", false), 401);
	assert_int_equal(rig_try(&rig, "viewer", RIG_WORD, false),
			 200); /* forgets them */
	for (unsigned i = 0; i < LOCK_TRIES; i++)
		assert_int_equal(rig_try(&rig, "viewer", "wrong", false), 401);
	assert_int_equal(rig.events[HTTP_EV_LOCKED], 1);
	assert_int_equal(rig_try(&rig, "viewer", RIG_WORD, false), 401);
	/* another account, and the same account from another place */
	assert_int_equal(rig_try(&rig, "auditor", RIG_WORD, false), 200);
	rig.peer.addr[15]++;
	rig_connect(&rig);
	assert_int_equal(rig_try(&rig, "viewer", RIG_WORD, false), 200);
	rig.peer.addr[15]--;
	rig_connect(&rig);
	rig_tick(&rig, LOCK_S * UINT64_C(1000) - 1);
	rig_connect(&rig);
	assert_int_equal(rig_try(&rig, "viewer", RIG_WORD, false), 401);
	rig_tick(&rig, 1);
	assert_int_equal(rig_try(&rig, "viewer", RIG_WORD, false), 200);
}

static void administrator_unlocks(void **state)
{
	(void)state;
	for (unsigned i = 0; i < LOCK_TRIES; i++)
		assert_int_equal(rig_try(&rig, "viewer", "wrong", false), 401);
	rig_login(&rig, "soc-admin");
	assert_int_equal(rig_call(&rig, "GET", "/api/accounts", NULL), 200);
	assert_true(rig_has(&rig, "\"locked_sources\":1"));
	assert_int_equal(
		rig_call(&rig, "POST", "/api/account/unlock", "{\"name\":\"viewer\"}"),
		200);
	assert_int_equal(rig_try(&rig, "viewer", RIG_WORD, false), 200);
}

/* Many names from one source: that source is shut out, nobody else. */
static void guessing_names_locks_the_source(void **state)
{
	char name[16];

	(void)state;
	for (unsigned i = 0; i <= LOCK_SOURCE_NAMES; i++) {
		(void)snprintf(name, sizeof(name), "n%u", i);
		rig_tick(&rig, 10000);
		rig_connect(&rig);
		assert_int_equal(rig_try(&rig, name, "x", false), 401);
	}
	assert_int_equal(rig_try(&rig, "viewer", RIG_WORD, false), 401);
	rig.peer.addr[15]++;
	rig_connect(&rig);
	assert_int_equal(rig_try(&rig, "viewer", RIG_WORD, false), 200);
}

/* Full tables forget the oldest; they never let a guesser in or an officer out. */
static void lock_table_is_bounded(void **state)
{
	static struct locks all;
	uint8_t source[16] = {0};

	(void)state;
	memset(&all, 0, sizeof(all));
	for (unsigned s = 0; s < LOCK_PLACES; s++) {
		source[0] = (uint8_t)s;
		source[1] = (uint8_t)(s >> 8);
		for (unsigned i = 0; i < LOCK_TRIES; i++)
			(void)lock_add_wrong(&all, span_str("an"), source, 1000 + s);
		assert_true(lock_is_shut(&all, span_str("an"), source, 1000 + s));
	}
	assert_int_equal(lock_count(&all, span_str("an"), 2000), LOCK_PLACES);
	source[2] = 1;
	assert_false(lock_is_shut(&all, span_str("an"), source, 2000));
	for (unsigned i = 0; i < LOCK_TRIES; i++)
		(void)lock_add_wrong(&all, span_str("an"), source, 2000);
	assert_true(lock_is_shut(&all, span_str("an"), source, 2000));
	memset(source, 0, sizeof(source)); /* the oldest made room */
	assert_false(lock_is_shut(&all, span_str("an"), source, 2000));
}

/* Hashing does not stop others: while logins are computed a request is served. */
static void hashing_does_not_stall_others(void **state)
{
	static struct http_conn other;
	static uint8_t out[4096];
	static const char health[] = "GET /api/health HTTP/1.1\r\nHost: a\r\n\r\n";
	static const char login[] =
		"POST /api/login HTTP/1.1\r\nHost: a\r\nContent-Type: "
		"application/json\r\n"
		"Content-Length: 32\r\n\r\n{\"name\":\"viewer\",\"password\":\"x\"}";
	struct http_peer peer = rig.peer;

	(void)state;
	rig.server.setup.iterations = 100 * PASSWORD_STEP;
	account("viewer")->password.iterations = 100 * PASSWORD_STEP;
	assert_int_equal(http_input(&rig.conn, span_str(login)), sizeof(login) - 1);
	assert_true(http_work(&rig.server));
	peer.addr[15]++;
	http_init(&other, &rig.server, &peer);
	assert_int_equal(http_input(&other, span_str(health)), sizeof(health) - 1);
	assert_true(http_output(&other, out, sizeof(out)) > 0);
	/* the same source gets no second computation, and a cut one is dropped */
	http_clear(&other);
	http_init(&other, &rig.server, &rig.peer);
	assert_int_equal(http_input(&other, span_str(login)), sizeof(login) - 1);
	assert_true(http_output(&other, out, sizeof(out)) > 0);
	assert_memory_equal(out, "HTTP/1.1 503", 12);
	http_clear(&other);
	http_clear(&rig.conn);
	assert_false(http_work(&rig.server));
}

/* AC-08 */
static void sessions_end_in_time(void **state)
{
	(void)state;
	rig_login(&rig, "viewer");
	rig_tick(&rig, 299000);
	rig_connect(&rig);
	assert_int_equal(rig_call(&rig, "GET", "/api/config", NULL), 0); /* a person */
	(void)rig_answer(&rig, ERR_NOENT, "");
	rig_tick(&rig, 299000);
	rig_connect(&rig);
	assert_int_equal(get_status(),
			 200); /* a page that looks by itself: does not count */
	rig_tick(&rig, 1000);
	assert_int_equal(get_status(), 401);
	assert_int_equal(rig.server.sessions.list[0].id, 0);
}

static void sessions_end_absolutely(void **state)
{
	(void)state;
	rig_login(&rig, "viewer");
	for (unsigned i = 0; i < 14; i++) {
		rig_tick(&rig, 250000);
		rig_connect(&rig);
		assert_int_equal(rig_call(&rig, "GET", "/api/config", NULL), 0);
		(void)rig_answer(&rig, ERR_NOENT, "");
	}
	rig_tick(&rig, 99999);
	rig_connect(&rig);
	assert_int_equal(get_status(), 200);
	rig_tick(&rig, 1);
	assert_int_equal(get_status(), 401);
}

static void logout_kills_the_token(void **state)
{
	char token[SESSION_TOKEN_TEXT];

	(void)state;
	rig_login(&rig, "viewer");
	memcpy(token, rig.cookie, sizeof(token));
	assert_int_equal(rig_call(&rig, "POST", "/api/logout", NULL), 200);
	assert_true(rig_has(&rig, "Max-Age=0"));
	assert_true(rig_has(&rig, "Clear-Site-Data:"));
	memcpy(rig.cookie, token, sizeof(token));
	assert_int_equal(get_status(), 401);
}

static void token_is_good_for_one_source_only(void **state)
{
	(void)state;
	rig_login(&rig, "viewer");
	rig.peer.addr[15]++;
	rig_connect(&rig);
	assert_int_equal(get_status(), 401);
	rig.peer.addr[15]--;
	rig_connect(&rig);
	assert_int_equal(get_status(), 200);
	rig.cookie[5] = rig.cookie[5] == '0' ? '1' : '0';
	assert_int_equal(get_status(), 401);
}

static void cookies_are_read_strictly(void **state)
{
	(void)state;
	assert_true(span_eq_str(session_cookie(span_str("__Host-luytre=ab")), "ab"));
	assert_true(span_eq_str(session_cookie(span_str("x=1;  __Host-luytre=ab; y=2")),
				"ab"));
	assert_int_equal(session_cookie(span_str("__Host-luytre=a; __Host-luytre=b")).n,
			 0);
	assert_int_equal(session_cookie(span_str("X__Host-luytre=a")).n, 0);
	assert_int_equal(session_cookie(span_str("__host-luytre=a")).n, 0);
	assert_int_equal(session_cookie(span_str("")).n, 0);
	assert_int_equal(session_cookie(span_str(";;;")).n, 0);
}

static void administrator_sees_and_ends_sessions(void **state)
{
	char viewer[SESSION_TOKEN_TEXT], body[40];

	(void)state;
	rig_login(&rig, "viewer");
	memcpy(viewer, rig.cookie, sizeof(viewer));
	(void)snprintf(body, sizeof(body), "{\"id\":%u}", rig.server.sessions.list[0].id);
	rig_login(&rig, "soc-admin");
	assert_int_equal(rig_call(&rig, "GET", "/api/sessions", NULL), 200);
	assert_true(rig_has(&rig, "\"uptime_s\":"));
	assert_true(rig_has(&rig, "\"name\":\"viewer\",\"role\":\"viewer\",\"source\":"
				  "\"10.0.0.2\""));
	assert_int_equal(rig_call(&rig, "POST", "/api/session/end", body), 200);
	assert_int_equal(rig_call(&rig, "POST", "/api/session/end", body), 404);
	assert_int_equal(rig_call(&rig, "POST", "/api/session/end", "{\"id\":0}"), 400);
	memcpy(rig.cookie, viewer, sizeof(viewer));
	assert_int_equal(get_status(), 401);
}

static void sessions_are_bounded(void **state)
{
	char name[16];

	(void)state;
	for (unsigned i = 0; i < SESSIONS_ACCOUNT_MAX + 2; i++) {
		rig_tick(&rig, 4000);
		rig_login(&rig, "viewer"); /* the oldest of the account makes room */
	}
	for (unsigned i = SESSIONS_ACCOUNT_MAX; i < SESSIONS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "u%u", i);
		(void)rig_account(&rig, name, ROLE_VIEWER);
		rig_tick(&rig, 4000);
		rig_login(&rig, name);
	}
	rig_tick(&rig, 4000);
	assert_int_equal(rig_try(&rig, "auditor", RIG_WORD, false), 503);
	rig_tick(&rig, 1);
	assert_int_equal(rig_try(&rig, "viewer", RIG_WORD, false), 200);
}

/* AC-02, AC-03 */
static void passwords_are_changed_by_the_rules(void **state)
{
	char old_token[SESSION_TOKEN_TEXT], now[40] = RIG_WORD, next[40];

	(void)state;
	(void)rig_answer(&rig, ERR_OK, "state=enforced\nprofile=2017\n");
	rig_login(&rig, "viewer");
	assert_int_equal(change(RIG_WORD, "Abcde-78"), 400);
	assert_true(rig_has(&rig, "\"detail\":\"short\""));
	assert_int_equal(change(RIG_WORD, RIG_WORD), 400);
	assert_true(rig_has(&rig, "\"detail\":\"old\""));
	assert_int_equal(change("wrong", "Abcde-789"), 401);
	memcpy(old_token, rig.cookie, sizeof(old_token));
	for (unsigned i = 0; i < ACCOUNT_HISTORY_MAX + 1; i++) {
		(void)snprintf(next, sizeof(next), "Mật-Khẩu-%u", i);
		assert_int_equal(change(now, next), 200);
		memcpy(now, next, sizeof(now));
	}
	for (unsigned i = 1; i < ACCOUNT_HISTORY_MAX + 1; i++) {
		(void)snprintf(next, sizeof(next), "Mật-Khẩu-%u", i);
		assert_int_equal(change(now, next), 400);
		assert_true(rig_has(&rig, "\"detail\":\"old\""));
	}
	assert_int_equal(change(now, "Mật-Khẩu-0"), 200); /* the eleventh is forgotten */
	assert_string_not_equal(rig.cookie, old_token);
	memcpy(rig.cookie, old_token, sizeof(old_token));
	assert_int_equal(get_status(), 401); /* the token was exchanged */
	assert_int_equal(rig_try(&rig, "viewer", RIG_WORD, false), 401);
	assert_int_equal(rig_try(&rig, "viewer", "Mật-Khẩu-0", false), 200);
}

static void other_sessions_end_with_the_password(void **state)
{
	char first[SESSION_TOKEN_TEXT];

	(void)state;
	rig_login(&rig, "viewer");
	memcpy(first, rig.cookie, sizeof(first));
	rig_login(&rig, "viewer");
	assert_int_equal(change(RIG_WORD, "Tre-Vang-2026-x"), 200);
	assert_int_equal(get_status(), 200);
	memcpy(rig.cookie, first, sizeof(first));
	assert_int_equal(get_status(), 401);
}

/* Guessing the old password from within a session locks, too, and ends the session. */
static void wrong_old_passwords_lock(void **state)
{
	(void)state;
	rig_login(&rig, "viewer");
	for (unsigned i = 0; i < LOCK_TRIES; i++)
		assert_int_equal(change("wrong", "Tre-Vang-2026-x"), 401);
	assert_int_equal(get_status(), 401);
	assert_int_equal(rig_try(&rig, "viewer", RIG_WORD, false), 401);
}

static void old_passwords_must_be_changed(void **state)
{
	(void)state;
	account("viewer")->last_login_s = RIG_T0;
	rig.utc_s += INT64_C(173) * 86400 + 10;
	for (unsigned i = 0; i < rig.server.accounts.count; i++)
		rig.server.accounts.list[i].last_login_s = rig.utc_s;
	rig_tick(&rig, 1);
	rig_login(&rig, "viewer");
	assert_true(rig_has(&rig, "\"must\":\"nothing\""));
	assert_true(rig_has(&rig, "\"password_days\":7"));
	assert_true(rig_has(&rig, "\"password_warning\":true"));
	rig.utc_s += INT64_C(7) * 86400;
	rig_tick(&rig, 1);
	assert_int_equal(get_status(), 403);
	assert_true(rig_has(&rig, "must-change-password"));
	assert_int_equal(change(RIG_WORD, "Tre-Vang-2026-x"), 200);
	assert_int_equal(get_status(), 200);
}

static unsigned admin_post(const char *path, const char *body)
{
	return rig_call(&rig, "POST", path, body);
}

static void accounts_are_managed(void **state)
{
	char word[ACCOUNT_FIRST_BYTES], body[100];
	const char *at;

	(void)state;
	rig_login(&rig, "soc-admin");
	assert_int_equal(admin_post("/api/account/create",
				    "{\"name\":\"an\",\"role\":\"viewer\"}"),
			 200);
	at = strstr(rig.out, "\"password\":\"");
	assert_non_null(at);
	memcpy(word, at + 12, sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	assert_true(account("an")->must_change);
	assert_int_equal(admin_post("/api/account/create",
				    "{\"name\":\"an\",\"role\":\"viewer\"}"),
			 409);
	assert_int_equal(admin_post("/api/account/create",
				    "{\"name\":\"An\",\"role\":\"viewer\"}"),
			 400);
	assert_int_equal(
		admin_post("/api/account/create", "{\"name\":\"bn\",\"role\":\"root\"}"),
		400);
	assert_int_equal(
		admin_post("/api/account/role", "{\"name\":\"an\",\"role\":\"auditor\"}"),
		200);
	assert_int_equal(account("an")->role, ROLE_AUDITOR);
	assert_int_equal(
		admin_post("/api/account/role", "{\"name\":\"zz\",\"role\":\"auditor\"}"),
		404);
	assert_int_equal(admin_post("/api/account/disable", "{\"name\":\"an\"}"), 200);
	(void)snprintf(body, sizeof(body), "%s", rig.cookie);
	assert_int_equal(rig_try(&rig, "an", word, false), 401);
	rig_login(&rig, "soc-admin");
	assert_int_equal(admin_post("/api/account/enable", "{\"name\":\"an\"}"), 200);
	assert_int_equal(rig_try(&rig, "an", word, false), 200);
	assert_true(rig_has(&rig, "\"must\":\"password\""));
	rig_login(&rig, "soc-admin");
	assert_int_equal(admin_post("/api/account/delete", "{\"name\":\"an\"}"), 200);
	assert_null(account("an"));
	assert_int_equal(admin_post("/api/account/delete", "{\"name\":\"an\"}"), 404);
	/* what is stored is what is in force */
	{
		static struct accounts back;

		assert_int_equal(accounts_parse(span_of(rig.file, rig.file_n), &back),
				 ERR_OK);
		assert_int_equal(back.count, rig.server.accounts.count);
	}
}

/* AC-07: the last administrator stays, whatever is asked. */
static void last_administrator_stays(void **state)
{
	(void)state;
	rig_login(&rig, "soc-admin");
	assert_int_equal(admin_post("/api/account/delete", "{\"name\":\"soc-admin\"}"),
			 409);
	assert_true(rig_has(&rig, "last-admin"));
	assert_int_equal(admin_post("/api/account/disable", "{\"name\":\"soc-admin\"}"),
			 409);
	assert_int_equal(admin_post("/api/account/role",
				    "{\"name\":\"soc-admin\",\"role\":\"viewer\"}"),
			 409);
	assert_int_equal(admin_post("/api/account/reset",
				    "{\"name\":\"soc-admin\",\"totp\":true}"),
			 409);
	rig.utc_s += INT64_C(400) * 86400;
	rig_tick(&rig, HTTP_UNUSED_MS);
	assert_false(account("soc-admin")->is_disabled);
	assert_true(account("viewer")->is_disabled);
	assert_int_equal(rig_try(&rig, "viewer", RIG_WORD, false), 401);
}

static void reset_gives_a_first_password(void **state)
{
	(void)state;
	rig_login(&rig, "operator");
	rig_login(&rig, "soc-admin");
	assert_int_equal(admin_post("/api/account/reset",
				    "{\"name\":\"operator\",\"totp\":false}"),
			 200);
	assert_true(account("operator")->must_change);
	assert_true(account("operator")->has_totp);
	assert_int_equal(
		admin_post("/api/account/reset", "{\"name\":\"operator\",\"totp\":true}"),
		200);
	assert_false(account("operator")->has_totp);
	for (unsigned i = 0; i < SESSIONS_MAX; i++)
		assert_string_not_equal(rig.server.sessions.list[i].name, "operator");
}

/* What cannot be stored does not happen. */
static void failure_to_store_changes_nothing(void **state)
{
	static struct accounts before;

	(void)state;
	rig_login(&rig, "soc-admin");
	before = rig.server.accounts;
	rig.save_fails = true;
	assert_int_equal(admin_post("/api/account/create",
				    "{\"name\":\"an\",\"role\":\"viewer\"}"),
			 500);
	assert_int_equal(admin_post("/api/account/disable", "{\"name\":\"viewer\"}"),
			 500);
	assert_int_equal(admin_post("/api/account/delete", "{\"name\":\"viewer\"}"), 500);
	assert_int_equal(admin_post("/api/account/role",
				    "{\"name\":\"viewer\",\"role\":\"operator\"}"),
			 500);
	assert_int_equal(change(RIG_WORD, "Tre-Vang-2026-x"), 500);
	assert_memory_equal(&before, &rig.server.accounts, sizeof(before));
	assert_int_equal(rig_try(&rig, "operator", RIG_WORD, true), 500);
}

/* An account that goes while its session lives takes the session with it. */
static void sessions_die_with_their_account(void **state)
{
	(void)state;
	rig_login(&rig, "viewer");
	assert_int_equal(get_status(), 200);
	account("viewer")->is_disabled = true;
	assert_int_equal(get_status(), 401);
	account("viewer")->is_disabled = false;
	assert_int_equal(get_status(), 401); /* it does not come back */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(first_login_allows_only_the_change),
		TEST(second_factor_is_enrolled_and_then_needed),
		TEST(without_a_clock_no_second_factor),
		TEST(failures_are_alike),
		TEST(work_is_alike),
		TEST(lockout_is_exact),
		TEST(administrator_unlocks),
		TEST(guessing_names_locks_the_source),
		TEST(lock_table_is_bounded),
		TEST(hashing_does_not_stall_others),
		TEST(sessions_end_in_time),
		TEST(sessions_end_absolutely),
		TEST(logout_kills_the_token),
		TEST(token_is_good_for_one_source_only),
		TEST(cookies_are_read_strictly),
		TEST(administrator_sees_and_ends_sessions),
		TEST(sessions_are_bounded),
		TEST(passwords_are_changed_by_the_rules),
		TEST(other_sessions_end_with_the_password),
		TEST(wrong_old_passwords_lock),
		TEST(old_passwords_must_be_changed),
		TEST(accounts_are_managed),
		TEST(last_administrator_stays),
		TEST(reset_gives_a_first_password),
		TEST(failure_to_store_changes_nothing),
		TEST(sessions_die_with_their_account),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
