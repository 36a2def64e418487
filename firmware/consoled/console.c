/*
 * DESIGN: a serial line is noise that sometimes holds a person. Bytes become
 * lines; a line is judged only in the state that asked for it. What cannot belong
 * to the answer is neither kept nor echoed: before a login nothing but
 * [a-z0-9._-] comes back, so nobody can draw a message of ours on the console.
 * Output is plain lines without cursor movement, so event lines of other
 * processes on the same terminal destroy at most the line being typed, and Ctrl-L
 * shows it again.
 */
#include "console_int.h"

#include <string.h>

#include "wipe.h"

#define CTRL_C 0x03
#define CTRL_L 0x0c
#define CTRL_U 0x15
#define BACKSPACE 0x08
#define DELETE 0x7f
#define ESCAPE 0x1b
#define ESCAPE_BYTES_MAX 16

/* Text of ours or of policyd for the line; what does not fit is lost. */
void con_put_span(struct console *c, struct span text)
{
	struct sbuf b;

	sbuf_init(&b, c->out + c->out_n, sizeof(c->out) - c->out_n);
	text_put(&b, text, c->is_ascii);
	c->out_n += b.n;
}

/* End a line of output. */
void con_newline(struct console *c)
{
	if (c->out_n + 2 > sizeof(c->out))
		return;
	c->out[c->out_n++] = '\r';
	c->out[c->out_n++] = '\n';
}

/* Before a login both languages stand there, Vietnamese without its marks: nobody
 * has said yet what the terminal can show. */
void con_put(struct console *c, enum text text)
{
	bool is_ascii = c->is_ascii;

	if (c->is_in) {
		con_put_span(c, span_str(text_get(text, c->language)));
		return;
	}
	c->is_ascii = true;
	con_put_span(c, span_str(text_get(text, TEXT_VI)));
	if (text == TEXT_ASK_NAME || text == TEXT_ASK_PASSWORD)
		c->out_n -= 2; /* ": " */
	if (text == TEXT_ASK_NAME || text == TEXT_ASK_PASSWORD)
		con_put_span(c, span_str(" / "));
	else
		con_newline(c);
	con_put_span(c, span_str(text_get(text, TEXT_EN)));
	c->is_ascii = is_ascii;
}

/* A text as a line. */
void con_say(struct console *c, enum text text)
{
	con_put(c, text);
	con_newline(c);
}

/* How what is typed is shown. */
enum echo { ECHO_NONE, ECHO_NAME, ECHO_DIGITS };

static enum echo echo_of(enum console_at at)
{
	switch (at) {
	case AT_NAME:
	case AT_ROLLBACK:
	case AT_RESTART:
	case AT_RESTART_AGAIN:
		return ECHO_NAME;
	case AT_MENU:
	case AT_CODE:
		return ECHO_DIGITS;
	case AT_PASSWORD:
	case AT_PAUSE:
	case AT_OLD:
	case AT_NEW:
	case AT_AGAIN:
	case AT_HASH:
	case AT_YMODEM:
	case AT_PASTE:
	case AT_ANSWER:
	case AT_QUIET:
	default:
		return ECHO_NONE;
	}
}

/* The question of the present state, and what was typed so far. */
void con_prompt(struct console *c)
{
	static const struct {
		enum console_at at;
		enum text text;
	} prompts[] = {
		{AT_NAME, TEXT_ASK_NAME},        {AT_PASSWORD, TEXT_ASK_PASSWORD},
		{AT_MENU, TEXT_CHOOSE},          {AT_OLD, TEXT_ASK_OLD},
		{AT_NEW, TEXT_ASK_NEW},          {AT_AGAIN, TEXT_ASK_AGAIN},
		{AT_CODE, TEXT_ASK_CODE},        {AT_ROLLBACK, TEXT_ROLLBACK_SURE},
		{AT_RESTART, TEXT_RESTART_SURE}, {AT_RESTART_AGAIN, TEXT_RESTART_AGAIN},
	};

	if (c->accounts->count == 0) {
		con_say(c, TEXT_NO_ACCOUNT);
		return;
	}
	for (size_t i = 0; i < sizeof(prompts) / sizeof(prompts[0]); i++) {
		if (prompts[i].at != c->at)
			continue;
		con_put(c, prompts[i].text);
		if (echo_of(c->at) != ECHO_NONE)
			con_put_span(c, span_of(c->line, c->line_n));
	}
}

static void clear_line(struct console *c)
{
	wipe(c->line, sizeof(c->line));
	c->line_n = 0;
	c->is_long = false;
}

/* Go to a state and ask its question. */
void con_go(struct console *c, enum console_at at)
{
	clear_line(c);
	c->at = at;
	con_prompt(c);
}

/*
 * Begin: nobody is logged in.
 *
 * @accounts  count 0: nobody can log in; stays the caller's, changed by the menu
 * @room      memory for a file that is received
 */
void console_init(struct console *c, const struct console_ops *ops,
		  struct accounts *accounts, struct span room, uint64_t now_ms)
{
	memset(c, 0, sizeof(*c));
	c->ops = ops;
	c->accounts = accounts;
	c->file = (uint8_t *)(uintptr_t)room.p;
	c->file_max = room.n;
	c->idle_ms = now_ms + CONSOLE_IDLE_MS;
	login_banner(c);
}

/* A whole line has been typed. */
static void end_line(struct console *c, uint64_t now_ms)
{
	if (c->at != AT_PASTE)
		con_newline(c);
	switch (c->at) {
	case AT_NAME:
		login_name(c, now_ms);
		break;
	case AT_PASSWORD:
	case AT_OLD:
	case AT_NEW:
	case AT_AGAIN:
		login_line(c, now_ms);
		break;
	case AT_MENU:
		menu_choose(c, now_ms);
		break;
	case AT_CODE:
		menu_code(c, now_ms);
		break;
	case AT_ROLLBACK:
	case AT_RESTART:
	case AT_RESTART_AGAIN:
		menu_sure(c, now_ms);
		break;
	case AT_PASTE:
		transfer_paste_line(c, now_ms);
		clear_line(c);
		break;
	case AT_PAUSE:
	case AT_HASH:
	case AT_YMODEM:
	case AT_ANSWER:
	case AT_QUIET:
	default:
		break;
	}
}

static bool is_wanted(const struct console *c, uint8_t byte)
{
	switch (echo_of(c->at)) {
	case ECHO_NAME:
		return byte != 0 && byte < 0x80 &&
		       strchr("abcdefghijklmnopqrstuvwxyz0123456789._-", byte);
	case ECHO_DIGITS:
		return byte >= '0' && byte <= '9';
	case ECHO_NONE:
	default:
		return byte >= 0x20 && byte != DELETE;
	}
}

/* Most bytes of an answer in this state. */
static size_t line_max(enum console_at at)
{
	switch (echo_of(at)) {
	case ECHO_NAME:
		return ACCOUNT_NAME_MAX;
	case ECHO_DIGITS:
		return 16;
	case ECHO_NONE:
	default:
		return CONSOLE_LINE_MAX;
	}
}

static void rub_out(struct console *c)
{
	if (c->line_n == 0)
		return;
	do {
		c->line_n--;
	} while (c->line_n > 0 && (c->line[c->line_n] & 0xc0) == 0x80);
	if (echo_of(c->at) != ECHO_NONE && c->out_n + 3 <= sizeof(c->out)) {
		memcpy(c->out + c->out_n, "\b \b", 3);
		c->out_n += 3;
	}
}

static void take_plain(struct console *c, uint8_t byte)
{
	if (!is_wanted(c, byte) || c->accounts->count == 0)
		return;
	if (c->line_n >= line_max(c->at)) {
		c->is_long = true;
		return;
	}
	c->line[c->line_n++] = byte;
	if (echo_of(c->at) != ECHO_NONE)
		con_put_span(c, span_of(&byte, 1));
}

/* Keys of a terminal that send more than one byte: ESC, then "[" or "O",
 * parameters, a final letter. True while the byte belongs to one. */
static bool take_escape(struct console *c, uint8_t byte)
{
	if (byte == ESCAPE) {
		c->escape = 1;
		return true;
	}
	if (c->escape == 0)
		return false;
	if (byte < 0x20 || byte >= DELETE || ++c->escape > ESCAPE_BYTES_MAX) {
		c->escape = 0;
		return false;
	}
	if (byte != '[' && byte != 'O' && byte >= 0x40)
		c->escape = 0;
	return true;
}

/* Ctrl-C: away from what is going on, back to the menu or the name. */
static void interrupt(struct console *c)
{
	con_newline(c);
	if (!c->is_in || (c->who && c->who->must_change)) {
		login_end(c, TEXT_LOGGED_OUT);
		return;
	}
	login_forget(c);
	con_say(c, TEXT_CANCELLED);
	con_go(c, AT_MENU);
}

static void take_byte(struct console *c, uint8_t byte, uint64_t now_ms)
{
	bool after_cr = c->after_cr;

	c->after_cr = byte == '\r';
	if (byte == '\n' && after_cr)
		return;
	if (c->at == AT_PAUSE || c->at == AT_HASH || c->at == AT_ANSWER)
		return; /* nobody asked */
	if (take_escape(c, byte))
		return;
	switch (byte) {
	case '\r':
	case '\n':
		end_line(c, now_ms);
		break;
	case BACKSPACE:
	case DELETE:
		rub_out(c);
		break;
	case CTRL_U:
		while (c->line_n)
			rub_out(c);
		c->is_long = false;
		break;
	case CTRL_C:
		interrupt(c);
		break;
	case CTRL_L:
		if (c->at == AT_PASTE)
			break;
		con_newline(c);
		if (c->at == AT_MENU)
			menu_show(c);
		con_prompt(c);
		break;
	default:
		take_plain(c, byte);
		break;
	}
}

/*
 * Take bytes of the line, any bytes.
 */
void console_input(struct console *c, struct span in, uint64_t now_ms)
{
	console_tick(c, now_ms);
	if (in.n)
		c->idle_ms = now_ms + CONSOLE_IDLE_MS;
	while (in.n) {
		if (c->at == AT_QUIET) {
			c->due_ms = now_ms + CONSOLE_QUIET_MS;
			return;
		}
		if (c->at == AT_YMODEM) {
			transfer_ymodem_bytes(c, in, now_ms);
			return;
		}
		take_byte(c, in.p[0], now_ms);
		in = span_of(in.p + 1, in.n - 1);
	}
}

/*
 * What to send to the line now, at most @max bytes. Returns how many.
 */
size_t console_output(struct console *c, uint8_t *out, size_t max)
{
	size_t n = c->out_n < max ? c->out_n : max;

	memcpy(out, c->out, n);
	memmove(c->out, c->out + n, c->out_n - n);
	c->out_n -= n;
	if (c->at == AT_YMODEM && c->out_n == 0)
		n += ymodem_output(&c->ymodem, out + n, max - n);
	return n;
}

/*
 * Time has passed: sessions end, waiting ends.
 */
void console_tick(struct console *c, uint64_t now_ms)
{
	if (c->is_in && (now_ms >= c->idle_ms || now_ms >= c->session_ms)) {
		con_newline(c);
		login_end(c, TEXT_TIMED_OUT);
		return;
	}
	if (c->at == AT_YMODEM) {
		transfer_ymodem_tick(c, now_ms);
		return;
	}
	if ((c->at == AT_PASSWORD || c->at == AT_PAUSE) && now_ms >= c->due_ms) {
		if (c->at == AT_PASSWORD)
			con_newline(c);
		con_go(c, AT_NAME);
	} else if (c->at == AT_QUIET && now_ms >= c->due_ms) {
		con_go(c, AT_MENU);
	} else if (c->at == AT_ANSWER && now_ms >= c->due_ms) {
		con_say(c, TEXT_NO_ANSWER);
		con_go(c, AT_MENU);
	}
}

/*
 * When console_tick() has something to do next; UINT64_MAX for nothing.
 */
uint64_t console_due_ms(const struct console *c)
{
	uint64_t due_ms = UINT64_MAX;

	if (c->is_in)
		due_ms = c->idle_ms < c->session_ms ? c->idle_ms : c->session_ms;
	if ((c->at == AT_PASSWORD || c->at == AT_PAUSE || c->at == AT_ANSWER ||
	     c->at == AT_QUIET) &&
	    c->due_ms < due_ms)
		due_ms = c->due_ms;
	if (c->at == AT_YMODEM && c->ymodem.due_ms < due_ms)
		due_ms = c->ymodem.due_ms;
	return due_ms;
}

/*
 * Do one slice of work that takes long: hashing. Returns true while there is more.
 */
bool console_work(struct console *c, uint64_t now_ms)
{
	return c->at == AT_HASH && login_work(c, now_ms);
}

/*
 * policyd has answered. An answer to a question that nobody waits for is dropped.
 */
void console_answer(struct console *c, const struct console_answer *answer,
		    uint64_t now_ms)
{
	(void)now_ms;
	if (c->at != AT_ANSWER || answer->seq != c->seq)
		return;
	menu_answer(c, answer);
	con_go(c, AT_MENU);
}

/*
 * The link to policyd is gone: what was asked is not answered any more.
 */
void console_peer_lost(struct console *c, uint64_t now_ms)
{
	(void)now_ms;
	if (c->at != AT_ANSWER)
		return;
	con_say(c, TEXT_NO_ANSWER);
	con_go(c, AT_MENU);
}
