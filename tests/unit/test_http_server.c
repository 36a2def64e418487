/*
 * The server's frame: what is allowed to whom, bodies and their limits, time, static
 * files, and what an answer always has.
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

/* A call with what its body needs, as far as a refusal before the handler goes. */
static unsigned call_api(enum api_id id)
{
	const struct api *a = api_at(id);

	return rig_call(&rig, http_method_name(a->method), a->path,
			a->flags & (API_JSON | API_BYTES) ? "{\"x\":1}" : NULL);
}

/* Was the call let through to its handler (or to the reader of its body)? */
static bool is_allowed(enum api_id id, unsigned status)
{
	if (status == 403 || status == 401)
		return false;
	if (api_at(id)->flags & API_JSON)
		assert_int_equal(status, 400);
	return true;
}

/* AC-05: every call x every role, and nobody. */
static void role_matrix(void **state)
{
	(void)state;
	for (unsigned role = 0; role < ROLE_COUNT; role++) {
		for (unsigned id = 0; id < API_COUNT; id++) {
			const unsigned roles = api_at((enum api_id)id)->roles;
			const bool want =
				roles & (API_TO_ANYONE | API_TO_SESSION | 1U << role);
			unsigned status;

			rig_start(&rig, NULL);
			rig_login(&rig, account_role_name((enum account_role)role));
			status = call_api((enum api_id)id);
			if (is_allowed((enum api_id)id, status) != want)
				print_message("# %s %s: %u\n",
					      account_role_name((enum account_role)role),
					      api_at((enum api_id)id)->path, status);
			assert_int_equal(is_allowed((enum api_id)id, status), want);
			assert_int_equal(
				api_may((enum api_id)id, (enum account_role)role), want);
			http_clear(&rig.conn);
		}
	}
}

/* AC-11: before login only health, banner and login. */
static void nobody_may_do_nothing(void **state)
{
	(void)state;
	for (unsigned id = 0; id < API_COUNT; id++) {
		rig_start(&rig, NULL);
		if (api_at((enum api_id)id)->roles & API_TO_ANYONE) {
			assert_int_not_equal(call_api((enum api_id)id), 401);
			assert_true(id == API_HEALTH || id == API_BANNER ||
				    id == API_LOGIN);
		} else {
			assert_int_equal(call_api((enum api_id)id), 401);
			assert_int_equal(rig.asks,
					 1); /* only the server's own question */
		}
		http_clear(&rig.conn);
	}
}

/* Whoever may change something needs a second factor (AC-09). */
static void who_changes_needs_a_second_factor(void **state)
{
	(void)state;
	for (unsigned id = 0; id < API_COUNT; id++) {
		const struct api *a = api_at((enum api_id)id);

		if (a->method == HTTP_GET ||
		    (a->roles & (API_TO_ANYONE | API_TO_SESSION)))
			continue;
		for (unsigned role = 0; role < ROLE_COUNT; role++) {
			if (api_may((enum api_id)id, (enum account_role)role))
				assert_true(
					account_role_changes((enum account_role)role));
		}
	}
}

static void table_is_sound(void **state)
{
	const struct json_field *fields;

	(void)state;
	for (unsigned id = 0; id < API_COUNT; id++) {
		const struct api *a = api_at((enum api_id)id);
		const size_t n = api_fields((enum api_id)id, &fields);
		enum api_id found;

		assert_true(strlen(a->path) <= HTTP_PATH_MAX);
		assert_int_equal(api_find(a->path, a->method, &found), ERR_OK);
		assert_int_equal(found, id);
		assert_true(a->rate > 0);
		assert_true(a->body_max <=
			    (a->flags & API_BYTES ? HTTP_BIG_MAX : HTTP_JSON_MAX));
		assert_int_equal(a->body_max > 0, !!(a->flags & (API_JSON | API_BYTES)));
		assert_true(a->method == HTTP_POST || a->body_max == 0);
		assert_int_equal(n > 0, !!(a->flags & API_JSON));
		assert_true(n <= JSON_FIELDS_MAX);
		for (size_t i = 0; i < n; i++) {
			assert_true(strlen(fields[i].name) <= JSON_KEY_MAX);
			if (fields[i].type == JSON_T_STRING)
				assert_true(fields[i].max <= JSON_STRING_MAX);
		}
	}
	assert_int_equal(api_at(API_DRAFT_PUT)->body_max, MAN_CONFIG_MAX);
	assert_int_equal(api_at(API_APPLY)->body_max, MAN_CONFIG_FILE_MAX);
	assert_int_equal(api_at(API_KEYSET)->body_max, MAN_TEXT_MAX);
	assert_int_equal(api_at(API_COMMAND)->body_max, MAN_TEXT_MAX);
}

/* A request of an operator's session with free header fields. */
static unsigned post(const char *path, const char *fields, const char *body)
{
	static char text[4096];
	int n;

	if (http_wants_close(&rig.conn))
		rig_connect(&rig);
	n = snprintf(text, sizeof(text),
		     "POST %s HTTP/1.1\r\nHost: 10.0.0.1\r\nCookie: __Host-luytre=%s\r\n"
		     "Content-Length: %zu\r\n%s\r\n%s",
		     path, rig.cookie, strlen(body), fields, body);
	return rig_send(&rig, span_of(text, (size_t)n));
}

/* AC-13 */
static void forged_requests_are_refused(void **state)
{
	char token[200], fields[600];

	(void)state;
	rig_login(&rig, "operator");
	(void)snprintf(token, sizeof(token), "X-CSRF: %s\r\n", rig.csrf);
	assert_int_equal(post("/api/rollback", "", ""), 403);
	assert_true(rig_has(&rig, "\"csrf\""));
	assert_int_equal(post("/api/rollback", "X-CSRF: \r\n", ""), 403);
	token[8] ^= 1;
	assert_int_equal(post("/api/rollback", token, ""), 403);
	token[8] ^= 1;
	(void)snprintf(fields, sizeof(fields), "%sOrigin: https://evil\r\n", token);
	assert_int_equal(post("/api/rollback", fields, ""), 403);
	(void)snprintf(fields, sizeof(fields), "%sOrigin: http://10.0.0.1\r\n", token);
	assert_int_equal(post("/api/rollback", fields, ""), 403);
	(void)snprintf(fields, sizeof(fields), "%sOrigin: https://10.0.0.1:444\r\n",
		       token);
	assert_int_equal(post("/api/rollback", fields, ""), 403);
	(void)snprintf(fields, sizeof(fields), "%sOrigin: null\r\n", token);
	assert_int_equal(post("/api/rollback", fields, ""), 403);
	(void)snprintf(fields, sizeof(fields), "%sSec-Fetch-Site: cross-site\r\n", token);
	assert_int_equal(post("/api/rollback", fields, ""), 403);
	assert_int_equal(rig.ask,
			 HTTP_ASK_STATUS); /* policyd heard nothing of all that */
	(void)snprintf(fields, sizeof(fields),
		       "%sOrigin: https://10.0.0.1\r\nSec-Fetch-Site: same-origin\r\n",
		       token);
	assert_int_equal(post("/api/rollback", fields, ""), 0);
	assert_int_equal(rig.ask, HTTP_ASK_ROLLBACK);
	assert_int_equal(rig_answer(&rig, ERR_OK, "done"), 200);
}

/* A form of another site cannot log anybody in. */
static void login_wants_json_and_its_own_origin(void **state)
{
	static const char body[] = "{\"name\":\"viewer\",\"password\":\"" RIG_WORD "\"}";

	(void)state;
	assert_int_equal(post("/api/login", "Content-Type: text/plain\r\n", body), 415);
	assert_int_equal(post("/api/login", "", body), 415);
	assert_int_equal(post("/api/login",
			      "Content-Type: application/json\r\nOrigin: https://x\r\n",
			      body),
			 403);
	assert_int_equal(post("/api/login",
			      "Content-Type: application/json;charset=utf-8\r\n", body),
			 200);
}

/* AC-12, AC-13: what every answer has, and what none has. */
static void answers_are_guarded(void **state)
{
	static const char *const paths[] = {"/api/health", "/api/none", "/api/status",
					    "/", "/x.html"};
	static const char *const always[] = {
		"default-src 'none'; script-src 'self'; style-src 'self'; img-src "
		"'self'; "
		"connect-src 'self'; form-action 'none'; frame-ancestors 'none'; "
		"base-uri "
		"'none'",
		"X-Content-Type-Options: nosniff\r\n",
		"X-Frame-Options: DENY\r\n",
		"Referrer-Policy: no-referrer\r\n",
		"Cross-Origin-Opener-Policy: same-origin\r\n",
		"Cross-Origin-Resource-Policy: same-origin\r\n",
		"Cache-Control: no-store\r\n",
		"Date: ",
	};
	static const char *const never[] = {"Server:", "X-Powered-By", "LT-0001",
					    "unsafe-"};

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		(void)rig_call(&rig, "GET", paths[i], NULL);
		for (size_t k = 0; k < sizeof(always) / sizeof(always[0]); k++)
			assert_true(rig_has(&rig, always[k]));
		for (size_t k = 0; k < sizeof(never) / sizeof(never[0]); k++)
			assert_false(rig_has(&rig, never[k]));
	}
	rig_login(&rig, "soc-admin");
	assert_true(rig_has(&rig, "; Path=/; Secure; HttpOnly; SameSite=Strict\r\n"));
}

/* CF-15 */
static void banner_says_civil_cryptography(void **state)
{
	(void)state;
	assert_int_equal(rig_call(&rig, "GET", "/api/banner", NULL), 200);
	assert_true(rig_has(&rig, "mật mã dân sự"));
	assert_true(rig_has(&rig, "bí mật nhà nước"));
	assert_true(rig_has(&rig, "civil cryptography"));
	assert_true(rig_has(&rig, "not for state secrets"));
}

/* Text of policyd comes out as text. */
static void stored_text_is_escaped(void **state)
{
	(void)state;
	rig_login(&rig, "viewer");
	assert_int_equal(rig_call(&rig, "GET", "/api/status", NULL), 0);
	assert_int_equal(
		rig_answer(&rig, ERR_OK,
			   "state=enforced\nagency=<script>\"&'\xe2\x80\xa8\xff\n"
			   "serial=x\nrules=12\nunknown=1\nwireguard.w<=k\n=\nbad\n"),
		200);
	assert_true(rig_has(&rig, "\"agency\":\"\\u003cscript\\u003e\\u0022\\u0026\\u0027"
				  "\\u2028\\ufffd\""));
	assert_true(rig_has(&rig, "\"port\":\"w\\u003c\""));
	assert_true(rig_has(&rig, "\"rules\":12"));
	assert_false(rig_has(&rig, "serial"));
	assert_false(rig_has(&rig, "unknown"));
	assert_int_equal(rig_call(&rig, "GET", "/api/config", NULL), 0);
	assert_int_equal(rig_answer(&rig, ERR_KERNEL, "<b>"), 409);
	assert_true(rig_has(&rig, "\\u003cb\\u003e"));
}

/* Sends only the head, with a length. */
static unsigned announce(const char *path, size_t length)
{
	char text[600];
	int n = snprintf(
		text, sizeof(text),
		"POST %s HTTP/1.1\r\nHost: 10.0.0.1\r\nCookie: __Host-luytre=%s\r\n"
		"X-CSRF: %s\r\nContent-Type: application/json\r\n"
		"Content-Length: %zu\r\n\r\n",
		path, rig.cookie, rig.csrf, length);

	if (http_wants_close(&rig.conn))
		rig_connect(&rig);
	return rig_send(&rig, span_of(text, (size_t)n));
}

static void body_limits_are_exact(void **state)
{
	(void)state;
	for (unsigned id = 0; id < API_COUNT; id++) {
		const struct api *a = api_at((enum api_id)id);

		if (a->method != HTTP_POST)
			continue;
		rig_start(&rig, NULL);
		rig_login(&rig, a->roles & (API_TO_ANYONE | API_TO_SESSION) ||
						api_may((enum api_id)id, ROLE_SOC_ADMIN)
					? "soc-admin"
					: "operator");
		rig_connect(&rig);
		assert_int_equal(announce(a->path, a->body_max + 1), 413);
		assert_true(http_wants_close(&rig.conn));
		if (!a->body_max)
			continue;
		assert_int_equal(announce(a->path, a->body_max), 0);
		assert_false(http_wants_close(&rig.conn)); /* waits for the body */
		http_clear(&rig.conn);
	}
}

/* The largest body arrives whole, in pieces, and is given back exactly. */
static void draft_comes_back_exactly(void **state)
{
	static uint8_t body[MAN_CONFIG_MAX];
	size_t at = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (uint8_t)(i * 31 + i / 256);
	rig_login(&rig, "operator");
	assert_int_equal(rig_call(&rig, "GET", "/api/draft", NULL), 404);
	assert_int_equal(announce("/api/draft", sizeof(body)), 0);
	while (at < sizeof(body)) {
		size_t n = sizeof(body) - at < 1000 ? sizeof(body) - at : 1000;

		assert_int_equal(rig_send(&rig, span_of(body + at, n)),
				 at + n == sizeof(body) ? 200 : 0);
		at += n;
	}
	assert_true(rig_has(&rig, "\"bytes\":1048576"));
	assert_int_equal(rig_call(&rig, "GET", "/api/draft", NULL), 200);
	assert_memory_equal(strstr(rig.out, "\r\n\r\n") + 4, body, sizeof(body));
	assert_int_equal(rig_call(&rig, "DELETE", "/api/draft", NULL), 200);
	assert_int_equal(rig_call(&rig, "GET", "/api/draft", NULL), 404);
}

/* The draft does not change under somebody who is reading it; one large body at a
 * time. */
static void large_things_do_not_mix(void **state)
{
	static struct http_conn other;
	uint8_t some[100];

	(void)state;
	rig_login(&rig, "operator");
	assert_int_equal(rig_call(&rig, "POST", "/api/draft", "{\"x\":1}"), 200);
	http_init(&other, &rig.server, &rig.peer);
	{
		char text[300];
		int n = snprintf(text, sizeof(text),
				 "GET /api/draft HTTP/1.1\r\nHost: a\r\n"
				 "Cookie: __Host-luytre=%s\r\n\r\n",
				 rig.cookie);

		assert_int_equal(http_input(&other, span_of(text, (size_t)n)), n);
	}
	assert_int_equal(http_output(&other, some, sizeof(some)), sizeof(some));
	assert_int_equal(rig_call(&rig, "POST", "/api/draft", "{\"x\":2}"), 503);
	assert_int_equal(rig_call(&rig, "DELETE", "/api/draft", NULL), 503);
	while (http_output(&other, some, sizeof(some)))
		;
	assert_int_equal(rig_call(&rig, "DELETE", "/api/draft", NULL), 200);
	assert_int_equal(announce("/api/draft", 100), 0);
	assert_ptr_equal(rig.server.big_owner, &rig.conn);
	http_clear(&other);
	assert_ptr_equal(rig.server.big_owner, &rig.conn);
	http_clear(&rig.conn); /* cut in the middle: the room is free again */
	assert_null(rig.server.big_owner);
}

static void one_request_at_a_time(void **state)
{
	static const char two[] = "GET /api/health HTTP/1.1\r\nHost: a\r\n\r\n"
				  "GET /api/banner HTTP/1.1\r\nHost: a\r\n\r\n";
	const size_t n = sizeof(two) - 1;
	size_t used = http_input(&rig.conn, span_of(two, n));

	(void)state;
	assert_int_equal(used, n / 2);
	assert_false(http_wants_input(&rig.conn));
	assert_int_equal(http_input(&rig.conn, span_of(two + used, n - used)), 0);
	rig.out_n = 0;
	rig_drain(&rig, 50);
	assert_true(rig_has(&rig, "health"));
	assert_int_equal(rig_send(&rig, span_of(two + used, n - used)), 200);
	assert_true(rig_has(&rig, "\"vi\""));
}

static void connection_ends_after_its_share(void **state)
{
	(void)state;
	rig_login(&rig, "viewer");
	rig_connect(&rig);
	for (unsigned i = 1; i < HTTP_REQUESTS_MAX; i++) {
		if (i % 30 == 0)
			rig_tick(&rig, 60000 / 4);
		rig.server.rates.list[0].counts[API_HEALTH] = 0;
		assert_int_equal(rig_call(&rig, "GET", "/api/health", NULL), 200);
		assert_false(http_wants_close(&rig.conn));
	}
	rig.server.rates.list[0].counts[API_HEALTH] = 0;
	assert_int_equal(rig_call(&rig, "GET", "/api/health", NULL), 200);
	assert_true(rig_has(&rig, "Connection: close\r\n"));
	assert_true(http_wants_close(&rig.conn));
	assert_int_equal(http_input(&rig.conn, span_of("GET", 3)), 3); /* thrown away */
}

static void deadlines_are_kept(void **state)
{
	static const char half[] = "POST /api/login HTTP/1.1\r\nHost: a\r\n"
				   "Content-Type: application/json\r\n"
				   "Content-Length: 100\r\n\r\n{";
	(void)state;
	rig_tick(&rig, HTTP_IDLE_MS - 2);
	assert_false(http_wants_close(&rig.conn));
	rig_tick(&rig, 2);
	assert_true(http_wants_close(&rig.conn));
	/* a head that drips: every byte does not buy new time */
	rig_connect(&rig);
	for (unsigned i = 0; i < 9; i++) {
		(void)rig_send(&rig, span_of(half + i, 1));
		rig_tick(&rig, HTTP_HEADER_MS / 10);
		assert_false(http_wants_close(&rig.conn));
	}
	rig_tick(&rig, HTTP_HEADER_MS / 10);
	assert_true(http_wants_close(&rig.conn));
	/* a body that drips */
	rig_connect(&rig);
	assert_int_equal(rig_send(&rig, span_of(half, sizeof(half) - 1)), 0);
	rig_tick(&rig, HTTP_BODY_MS - 1);
	assert_int_equal(rig_send(&rig, span_str("x")), 0);
	assert_false(http_wants_close(&rig.conn));
	rig_tick(&rig, 1);
	assert_true(http_wants_close(&rig.conn));
}

static void who_does_not_read_is_closed(void **state)
{
	uint8_t some[10];
	static const char get[] = "GET /api/banner HTTP/1.1\r\nHost: a\r\n\r\n";

	(void)state;
	assert_int_equal(http_input(&rig.conn, span_str(get)), sizeof(get) - 1);
	assert_int_equal(http_output(&rig.conn, some, sizeof(some)), sizeof(some));
	rig_tick(&rig, HTTP_SEND_MS - 1);
	assert_int_equal(http_output(&rig.conn, some, sizeof(some)), sizeof(some));
	rig_tick(&rig, HTTP_SEND_MS - 1);
	assert_false(http_wants_close(&rig.conn));
	rig_tick(&rig, 1);
	assert_true(http_wants_close(&rig.conn));
}

static void policyd_may_be_away(void **state)
{
	(void)state;
	rig_login(&rig, "viewer");
	rig.is_busy = true;
	assert_int_equal(rig_call(&rig, "GET", "/api/status", NULL), 503);
	rig.is_busy = false;
	assert_int_equal(rig_call(&rig, "GET", "/api/status", NULL), 0);
	assert_false(http_wants_input(&rig.conn));
	{
		const uint32_t id = rig.ask_id;

		rig_tick(&rig, HTTP_POLICY_MS);
		assert_int_equal(rig_send(&rig, span_of(NULL, 0)), 504);
		assert_true(http_wants_close(&rig.conn));
		/* it comes too late: nobody gets it, its document is given back */
		rig.ask_id = id;
		rig.doc = "{}";
		assert_int_equal(rig_answer(&rig, ERR_OK, ""), 0);
		assert_int_equal(rig.open_docs, 0);
	}
}

static void documents_are_passed_on(void **state)
{
	(void)state;
	rig_login(&rig, "auditor");
	rig.doc = "{\"rules\":[1,2,3]}";
	assert_int_equal(rig_call(&rig, "GET", "/api/counters", NULL), 0);
	assert_int_equal(rig.ask, HTTP_ASK_COUNTERS);
	assert_int_equal(rig_answer(&rig, ERR_OK, ""), 200);
	assert_true(rig_has(&rig, "Content-Length: 17\r\n"));
	assert_true(rig_has(&rig, "{\"rules\":[1,2,3]}"));
	assert_int_equal(rig.open_docs, 0);
	assert_int_equal(rig_call(&rig, "GET", "/api/config", NULL), 0);
	rig.doc = NULL;
	assert_int_equal(rig_answer(&rig, ERR_NOENT, ""), 404);
	/* the peer goes away in the middle of it */
	rig.doc = "{}";
	assert_int_equal(rig_call(&rig, "GET", "/api/controls", NULL), 0);
	{
		struct http_answer a = {.id = rig.ask_id, .doc = {1, 2}};

		rig.open_docs = 1;
		http_policy_answer(&rig.server, &a);
		http_clear(&rig.conn);
		assert_int_equal(rig.open_docs, 0);
	}
}

static void orders_reach_policyd_as_they_are(void **state)
{
	(void)state;
	rig_login(&rig, "operator");
	assert_int_equal(rig_call(&rig, "POST", "/api/apply", "luytre \x01\xff bytes"),
			 0);
	assert_int_equal(rig.ask, HTTP_ASK_PUT);
	assert_memory_equal(rig.asked, "luytre \x01\xff bytes", rig.asked_n);
	assert_int_equal(rig_answer(&rig, ERR_OK, "rules=1 confirm=123456 within=300"),
			 200);
	assert_true(rig_has(&rig, "\"confirm\":\"123456\""));
	assert_true(rig_has(&rig, "\"version\":9"));
	assert_int_equal(rig_call(&rig, "POST", "/api/apply", "x"), 0);
	assert_int_equal(rig_answer(&rig, ERR_SIGNATURE, "signature does not verify"),
			 409);
	assert_true(rig_has(&rig, "signature does not verify"));
	assert_int_equal(rig_call(&rig, "POST", "/api/apply", "luytre again"), 0);
	assert_int_equal(rig_answer(&rig, ERR_ALREADY, "accepted before confirm=7"), 200);
	assert_true(rig_has(&rig, "\"confirm\":\"7\""));
	assert_int_equal(rig_call(&rig, "POST", "/api/confirm", "{\"code\":\"123456\"}"),
			 0);
	assert_memory_equal(rig.asked, "123456", 6);
	assert_int_equal(rig_answer(&rig, ERR_OK, "serial=9"), 200);
	assert_int_equal(rig.events[HTTP_EV_ORDER], 4);
}

static void rates_are_exact(void **state)
{
	const unsigned most = api_at(API_ROLLBACK)->rate;

	(void)state;
	rig_login(&rig, "technician");
	rig_connect(&rig);
	rig.is_busy = true;
	for (unsigned i = 0; i < most; i++)
		assert_int_equal(rig_call(&rig, "POST", "/api/rollback", NULL), 503);
	assert_int_equal(rig_call(&rig, "POST", "/api/rollback", NULL), 429);
	rig_tick(&rig, SESSION_RATE_MS);
	assert_int_equal(rig_call(&rig, "POST", "/api/rollback", NULL), 503);
	/* before login by source: another source is not touched */
	rig.cookie[0] = '\0';
	for (unsigned i = 0; i < api_at(API_HEALTH)->rate; i++)
		assert_int_equal(rig_call(&rig, "GET", "/api/health", NULL), 200);
	assert_int_equal(rig_call(&rig, "GET", "/api/health", NULL), 429);
	rig.peer.addr[15]++;
	rig_connect(&rig);
	assert_int_equal(rig_call(&rig, "GET", "/api/health", NULL), 200);
}

static void health_follows_policyd(void **state)
{
	(void)state;
	assert_int_equal(rig_call(&rig, "GET", "/api/health", NULL), 200);
	assert_true(rig_has(&rig, "{\"health\":\"unknown\"}"));
	(void)rig_answer(&rig, ERR_OK, "state=enforced\nprofile=2017\n");
	assert_int_equal(rig_call(&rig, "GET", "/api/health", NULL), 200);
	assert_true(rig_has(&rig, "{\"health\":\"ok\"}"));
	assert_string_equal(rig.server.rules->profile, "2017");
	rig_tick(&rig, HTTP_STATUS_MS);
	(void)rig_answer(&rig, ERR_OK, "state=enforced\ntrial_left=3\nprofile=x\n");
	(void)rig_call(&rig, "GET", "/api/health", NULL);
	assert_true(rig_has(&rig, "attention"));
	assert_string_equal(rig.server.rules->profile, "none");
	rig_tick(&rig, HTTP_STATUS_MS);
	(void)rig_answer(&rig, ERR_OK, "state=closed\n");
	(void)rig_call(&rig, "GET", "/api/health", NULL);
	assert_true(rig_has(&rig, "closed"));
	rig_tick(&rig, HTTP_STATUS_MS);
	rig_tick(&rig, HTTP_STATUS_MS); /* no answer */
	rig_connect(&rig);
	(void)rig_call(&rig, "GET", "/api/health", NULL);
	assert_true(rig_has(&rig, "unknown"));
}

static void connections_are_bounded(void **state)
{
	static struct http_conn many[HTTP_CONNS_MAX];

	(void)state;
	for (unsigned i = 0; i < HTTP_CONNS_MAX - 1; i++) {
		http_init(&many[i], &rig.server, &rig.peer);
		assert_false(http_wants_close(&many[i]));
	}
	http_init(&many[HTTP_CONNS_MAX - 1], &rig.server, &rig.peer);
	assert_true(http_wants_close(&many[HTTP_CONNS_MAX - 1]));
	for (unsigned i = 0; i < HTTP_CONNS_MAX; i++)
		http_clear(&many[i]);
	assert_int_equal(rig_call(&rig, "GET", "/api/health", NULL), 200);
}

static void build_options_are_limits(void **state)
{
	static struct http_server s;
	struct http_setup limits = {.ops = rig.server.setup.ops};

	(void)state;
	assert_int_equal(http_server_init(&s, &limits, span_of(NULL, 0)), ERR_RANGE);
	http_setup_limits(&limits);
	assert_int_equal(http_server_init(&s, &limits, span_of(NULL, 0)), ERR_OK);
	limits.idle_s = SESSION_IDLE_MAX_S + 1;
	assert_int_equal(http_server_init(&s, &limits, span_of(NULL, 0)), ERR_RANGE);
	limits.idle_s = SESSION_IDLE_MIN_S - 1;
	assert_int_equal(http_server_init(&s, &limits, span_of(NULL, 0)), ERR_RANGE);
	limits.idle_s = SESSION_IDLE_MIN_S;
	limits.absolute_s = SESSION_ABSOLUTE_MAX_S + 1;
	assert_int_equal(http_server_init(&s, &limits, span_of(NULL, 0)), ERR_RANGE);
	limits.absolute_s = SESSION_ABSOLUTE_MAX_S;
	limits.min_chars = ACCOUNT_PASSWORD_MIN_MAX;
	assert_int_equal(http_server_init(&s, &limits, span_str("nonsense\n")),
			 ERR_FORMAT);
	assert_int_equal(http_server_init(&s, &limits, span_of(NULL, 0)), ERR_OK);
	limits.min_chars++;
	assert_int_equal(http_server_init(&s, &limits, span_of(NULL, 0)), ERR_RANGE);
}

/* A pack: one public page, one for who is logged in. */
static size_t make_pack(uint8_t *p, size_t max, const char *first, const char *second)
{
	const char *names[] = {first, second};
	uint8_t sha[32] = {1};
	struct sbuf b;

	sbuf_init(&b, p, max);
	sbuf_putf(&b, "LUYTREUI");
	sbuf_put_le32(&b, 1);
	sbuf_put_le32(&b, 2);
	for (unsigned i = 0; i < 2; i++) {
		sbuf_put_le16(&b, (uint16_t)strlen(names[i]));
		sbuf_put_u8(&b, i == 0 ? HTTP_TYPE_HTML : HTTP_TYPE_JS);
		sbuf_put_u8(&b, i == 0 ? HTTP_ASSET_PUBLIC : 0);
		sbuf_put_le32(&b, 4);
		sbuf_put(&b, sha, sizeof(sha));
		sbuf_putf(&b, "%s", names[i]);
		sbuf_putf(&b, "DATA");
	}
	return b.n;
}

static void static_files_need_a_session(void **state)
{
	static struct http_pack pack;
	static uint8_t bytes[512];
	const size_t n = make_pack(bytes, sizeof(bytes), "/index.html", "/x.js");

	(void)state;
	assert_int_equal(http_pack_read(span_of(bytes, n), &pack), ERR_OK);
	rig_start(&rig, &pack);
	assert_int_equal(rig_call(&rig, "GET", "/", NULL), 200);
	assert_true(rig_has(&rig, "Content-Encoding: gzip\r\n"));
	assert_true(rig_has(&rig, "Content-Type: text/html; charset=utf-8\r\n"));
	assert_true(rig_has(&rig, "\r\n\r\nDATA"));
	assert_int_equal(rig_call(&rig, "GET", "/x.js", NULL), 401);
	assert_int_equal(rig_call(&rig, "GET", "/none.js", NULL),
			 401); /* tells nothing */
	assert_int_equal(rig_call(&rig, "GET", "/none.html", NULL), 303);
	assert_true(rig_has(&rig, "Location: /index.html\r\n"));
	assert_int_equal(rig_call(&rig, "POST", "/x.js", "x"), 405);
	rig_login(&rig, "viewer");
	assert_int_equal(rig_call(&rig, "GET", "/x.js", NULL), 200);
	assert_true(rig_has(&rig, "Cache-Control: private, no-cache\r\n"));
	assert_int_equal(rig_call(&rig, "GET", "/none.js", NULL), 404);
	assert_int_equal(
		rig_send(&rig, span_str("GET / HTTP/1.1\r\nHost: a\r\nIf-None-Match: "
					"\"01000000000000000000000000000000000000"
					"00000000000000000000000000\"\r\n\r\n")),
		304);
	assert_false(rig_has(&rig, "DATA"));
}

static void packs_are_read_strictly(void **state)
{
	static struct http_pack pack;
	static uint8_t bytes[512];
	size_t n = make_pack(bytes, sizeof(bytes), "/a.html", "/b.js");

	(void)state;
	for (size_t i = 0; i < n; i++)
		assert_int_not_equal(http_pack_read(span_of(bytes, i), &pack), ERR_OK);
	assert_int_equal(http_pack_read(span_of(bytes, n + 1), &pack), ERR_TRAILING);
	n = make_pack(bytes, sizeof(bytes), "/b.html", "/b.html");
	assert_int_equal(http_pack_read(span_of(bytes, n), &pack), ERR_FORMAT);
	n = make_pack(bytes, sizeof(bytes), "a.html", "/b.js");
	assert_int_equal(http_pack_read(span_of(bytes, n), &pack), ERR_FORMAT);
	n = make_pack(bytes, sizeof(bytes), "/A.html", "/b.js");
	assert_int_equal(http_pack_read(span_of(bytes, n), &pack), ERR_FORMAT);
	n = make_pack(bytes, sizeof(bytes), "/a.html", "/b.js");
	bytes[8] = 2;
	assert_int_equal(http_pack_read(span_of(bytes, n), &pack), ERR_FORMAT);
	bytes[8] = 1;
	bytes[12] = HTTP_ASSETS_MAX + 1;
	assert_int_equal(http_pack_read(span_of(bytes, n), &pack), ERR_LIMIT);
	assert_int_equal(pack.count, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(role_matrix),
		TEST(nobody_may_do_nothing),
		TEST(who_changes_needs_a_second_factor),
		TEST(table_is_sound),
		TEST(forged_requests_are_refused),
		TEST(login_wants_json_and_its_own_origin),
		TEST(answers_are_guarded),
		TEST(banner_says_civil_cryptography),
		TEST(stored_text_is_escaped),
		TEST(body_limits_are_exact),
		TEST(draft_comes_back_exactly),
		TEST(large_things_do_not_mix),
		TEST(one_request_at_a_time),
		TEST(connection_ends_after_its_share),
		TEST(deadlines_are_kept),
		TEST(who_does_not_read_is_closed),
		TEST(policyd_may_be_away),
		TEST(documents_are_passed_on),
		TEST(orders_reach_policyd_as_they_are),
		TEST(rates_are_exact),
		TEST(health_follows_policyd),
		TEST(connections_are_bounded),
		TEST(build_options_are_limits),
		TEST(static_files_need_a_session),
		TEST(packs_are_read_strictly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
