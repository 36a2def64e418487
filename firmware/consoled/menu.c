/*
 * The entries of the menu, and how policyd's answers are shown.
 */
#include "console_int.h"

#include <string.h>

#define LABEL_COLUMNS 34

/* The entries, in the order of their numbers. */
void menu_show(struct console *c)
{
	static const enum text lines[] = {
		TEXT_MENU,       TEXT_M_STATUS,  TEXT_M_CHECK,    TEXT_M_YMODEM,
		TEXT_M_PASTE,    TEXT_M_CONFIRM, TEXT_M_ROLLBACK, TEXT_M_PASSWORD,
		TEXT_M_LANGUAGE, TEXT_M_CHARSET, TEXT_M_RESTART,  TEXT_M_OUT,
	};

	con_newline(c);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		con_say(c, lines[i]);
}

/* Ask policyd; AT_ANSWER waits. */
void menu_ask(struct console *c, enum ipc_type type, struct span body, struct span file,
	      uint64_t now_ms)
{
	c->seq++;
	if (c->ops->ask(c->ops->ctx, type, c->seq, body, file) != ERR_OK) {
		con_say(c, TEXT_NOT_CONNECTED);
		con_go(c, AT_MENU);
		return;
	}
	c->asked = type;
	c->due_ms = now_ms + CONSOLE_ANSWER_MS;
	con_say(c, TEXT_ASKING);
	con_go(c, AT_ANSWER);
}

static void menu_again(struct console *c)
{
	menu_show(c);
	con_go(c, AT_MENU);
}

/* A number was typed. */
void menu_choose(struct console *c, uint64_t now_ms)
{
	const struct span none = {0};
	uint64_t number = UINT64_MAX;

	if (span_to_u64(span_of(c->line, c->line_n), 99, &number) != ERR_OK)
		number = UINT64_MAX;
	switch (c->line_n ? number : 99) {
	case 0:
		login_end(c, TEXT_LOGGED_OUT);
		break;
	case 1:
	case 2:
		c->is_self_check = number == 2;
		menu_ask(c, IPC_STATUS_GET, none, none, now_ms);
		break;
	case 3:
		transfer_ymodem(c, now_ms);
		break;
	case 4:
		transfer_paste(c);
		break;
	case 5:
		con_go(c, AT_CODE);
		break;
	case 6:
		con_go(c, AT_ROLLBACK);
		break;
	case 7:
		con_go(c, AT_OLD);
		break;
	case 8:
		c->language = c->language == TEXT_VI ? TEXT_EN : TEXT_VI;
		menu_again(c);
		break;
	case 9:
		c->is_ascii = !c->is_ascii;
		menu_again(c);
		break;
	case 10:
		con_go(c, AT_RESTART);
		break;
	case 99:
		menu_again(c);
		break;
	default:
		con_say(c, TEXT_NO_SUCH);
		con_go(c, AT_MENU);
		break;
	}
}

/* The confirmation code was typed. */
void menu_code(struct console *c, uint64_t now_ms)
{
	if (c->line_n == 0) {
		con_go(c, AT_MENU);
		return;
	}
	menu_ask(c, IPC_CONFIRM, span_of(c->line, c->line_n), span_of(NULL, 0), now_ms);
}

/* Yes or no was typed; anything but one of the two words for yes is no. */
void menu_sure(struct console *c, uint64_t now_ms)
{
	struct span typed = span_of(c->line, c->line_n);
	bool is_yes = span_eq_str(typed, "c") || span_eq_str(typed, "y");

	if (is_yes && c->at == AT_RESTART) {
		con_go(c, AT_RESTART_AGAIN);
	} else if (is_yes && c->at == AT_ROLLBACK) {
		menu_ask(c, IPC_ROLLBACK, span_of(NULL, 0), span_of(NULL, 0), now_ms);
	} else if (is_yes && c->ops->restart(c->ops->ctx) == ERR_OK) {
		con_say(c, TEXT_RESTARTING);
		con_go(c, AT_MENU);
	} else {
		con_say(c, TEXT_CANCELLED);
		con_go(c, AT_MENU);
	}
}

/* How a value of STATUS is shown. */
enum show { SHOW_PLAIN, SHOW_STATE, SHOW_WAY };

static const struct key {
	const char *key;
	enum text label;
	enum show show;
	bool is_checked; /* part of the self-check */
} keys[] = {
	{"state", TEXT_K_STATE, SHOW_STATE, true},
	{"serial", TEXT_K_SERIAL, SHOW_PLAIN, true},
	{"sha256", TEXT_K_SHA, SHOW_PLAIN, true},
	{"agency", TEXT_K_AGENCY, SHOW_PLAIN, false},
	{"rules", TEXT_K_RULES, SHOW_PLAIN, false},
	{"ports", TEXT_K_PORTS, SHOW_PLAIN, false},
	{"device_serial", TEXT_K_DEVICE, SHOW_PLAIN, true},
	{"keyset", TEXT_K_KEYSET, SHOW_PLAIN, true},
	{"no_trust", TEXT_K_NO_TRUST, SHOW_PLAIN, true},
	{"trial_left", TEXT_K_TRIAL, SHOW_PLAIN, true},
	{"profile", TEXT_K_PROFILE, SHOW_PLAIN, true},
	{"management", TEXT_K_MANAGEMENT, SHOW_WAY, true},
	{"soc", TEXT_K_SOC, SHOW_WAY, true},
	{"connections", TEXT_K_CONNECTIONS, SHOW_PLAIN, false},
	{"connections_max", TEXT_K_CONNECTIONS_MAX, SHOW_PLAIN, false},
	{"refused", TEXT_K_DROPPED, SHOW_PLAIN, true},
};

static const struct word {
	const char *word;
	enum show show;
	enum text text;
} words[] = {
	{"closed", SHOW_STATE, TEXT_V_CLOSED},
	{"enforced", SHOW_STATE, TEXT_V_ENFORCED},
	{"kept", SHOW_STATE, TEXT_V_KEPT},
	{"broken", SHOW_STATE, TEXT_V_BROKEN},
	{"reachable", SHOW_WAY, TEXT_V_GOOD},
	{"unreachable", SHOW_WAY, TEXT_V_BAD},
	{"not-configured", SHOW_WAY, TEXT_V_NONE},
};

static void show_label(struct console *c, enum text label)
{
	const char *text = text_get(label, c->language);
	size_t columns = 0;

	for (const char *p = text; *p; p++)
		columns += ((uint8_t)*p & 0xc0) != 0x80;
	con_put(c, label);
	for (; columns < LABEL_COLUMNS; columns++)
		con_put_span(c, span_str(" "));
	con_put_span(c, span_str(": "));
}

static void show_value(struct console *c, enum show show, struct span value)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (words[i].show == show && span_eq_str(value, words[i].word)) {
			con_say(c, words[i].text);
			return;
		}
	}
	con_put_span(c, value);
	con_newline(c);
}

static struct span before_equals(struct span line, struct span *value)
{
	const uint8_t *at = memchr(line.p, '=', line.n);
	size_t n = at ? (size_t)(at - line.p) : line.n;

	*value = at ? span_of(at + 1, line.n - n - 1) : span_of(NULL, 0);
	return span_of(line.p, n);
}

/* The public keys of tunnels: the other ends must be told. */
static void show_other(struct console *c, struct span key, struct span value)
{
	if (c->is_self_check || key.n < 10 || memcmp(key.p, "wireguard.", 10) != 0)
		return;
	con_put_span(c, key);
	con_put_span(c, span_str(" : "));
	con_put_span(c, value);
	con_newline(c);
}

static void show_line(struct console *c, struct span key, struct span value)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (!span_eq_str(key, keys[i].key))
			continue;
		if (c->is_self_check && !keys[i].is_checked)
			return;
		show_label(c, keys[i].label);
		show_value(c, keys[i].show, value);
		return;
	}
	show_other(c, key, value);
}

static void show_status(struct console *c, struct span body)
{
	bool is_enforced = false, is_bad = false;
	struct span line, value;

	con_newline(c);
	while (span_take_line(&body, &line) == ERR_OK) {
		struct span key = before_equals(line, &value);

		show_line(c, key, value);
		is_enforced |= span_eq_str(line, "state=enforced");
		is_bad |=
			span_eq_str(key, "no_trust") || span_eq_str(value, "unreachable");
	}
	if (c->is_self_check)
		con_say(c, is_enforced && !is_bad ? TEXT_CHECK_GOOD : TEXT_CHECK_BAD);
}

/* The digits behind "confirm=", empty when there are none. */
static struct span code_in(struct span text)
{
	static const char mark[] = "confirm=";
	const uint8_t *at = memmem(text.p, text.n, mark, sizeof(mark) - 1);
	size_t n = 0;

	if (!at)
		return span_of(NULL, 0);
	at += sizeof(mark) - 1;
	while (at + n < text.p + text.n && at[n] >= '0' && at[n] <= '9')
		n++;
	return span_of(at, n);
}

static void show_put(struct console *c, struct span body)
{
	char number[24];
	struct span code;
	struct sbuf b;
	uint32_t result, low, high;

	if (span_get_le32(&body, &result) != ERR_OK ||
	    span_get_le32(&body, &low) != ERR_OK || span_get_le32(&body, &high) != ERR_OK)
		return;
	if ((int)result != ERR_OK && (int)result != ERR_ALREADY) {
		con_put(c, TEXT_REFUSED);
		con_put_span(c, body);
		con_newline(c);
		return;
	}
	sbuf_init(&b, number, sizeof(number));
	sbuf_putf(&b, "%llu", (unsigned long long)((uint64_t)high << 32 | low));
	con_put(c, TEXT_ACCEPTED);
	con_put_span(c, span_of(b.p, b.n));
	con_newline(c);
	code = code_in(body);
	if (code.n) {
		con_put(c, TEXT_ON_TRIAL);
		con_put_span(c, code);
		con_newline(c);
	}
}

static void show_trial(struct console *c, struct span body)
{
	uint32_t result;

	if (span_get_le32(&body, &result) != ERR_OK)
		return;
	con_put(c, (int)result == ERR_OK ? TEXT_TRIAL_DONE : TEXT_REFUSED);
	con_put_span(c, body);
	con_newline(c);
}

/* Show an answer to the question that was asked. */
void menu_answer(struct console *c, const struct console_answer *answer)
{
	if (answer->type == IPC_STATUS && c->asked == IPC_STATUS_GET)
		show_status(c, answer->body);
	else if (answer->type == IPC_ART_RESULT && c->asked == IPC_ART_PUT)
		show_put(c, answer->body);
	else if (answer->type == IPC_TRIAL_RESULT &&
		 (c->asked == IPC_CONFIRM || c->asked == IPC_ROLLBACK))
		show_trial(c, answer->body);
	else
		con_say(c, TEXT_NO_ANSWER);
}
