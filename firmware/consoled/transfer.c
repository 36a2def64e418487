/*
 * DESIGN: a signed file comes by YMODEM or as base64 text between two markers. It
 * is looked at only to find its kind, and handed to policyd as it is, who trusts
 * nobody's look but its own.
 */
#include "console_int.h"

#include <string.h>

#include "b64.h"
#include "manifest.h"

#define PASTE_BEGIN "-----BEGIN LUYTRE FILE-----"
#define PASTE_END "-----END LUYTRE FILE-----"

/* The kind of ART_PUT for a file, 0 when it is not taken here. */
static uint8_t kind_of(enum man_type type)
{
	if (type == MAN_CONFIG)
		return ART_CONFIG;
	if (type == MAN_KEYSET)
		return ART_KEYSET;
	return type == MAN_COMMAND ? ART_COMMAND : 0;
}

static void hand_over(struct console *c, uint64_t now_ms)
{
	struct span file = span_of(c->file, c->file_n);
	struct man_report report;
	struct man man;
	uint8_t kind;

	if (file.n == 0 || man_parse(file, &man, &report) != ERR_OK) {
		con_say(c, TEXT_NOT_SIGNED);
		con_go(c, AT_MENU);
		return;
	}
	kind = kind_of(man.type);
	if (kind == 0) {
		con_say(c, TEXT_WRONG_KIND);
		con_go(c, AT_MENU);
		return;
	}
	menu_ask(c, IPC_ART_PUT, span_of(&kind, 1), file, now_ms);
	c->file_n = 0;
}

/* Wait for a file by YMODEM. */
void transfer_ymodem(struct console *c, uint64_t now_ms)
{
	con_say(c, TEXT_YMODEM_START);
	con_go(c, AT_YMODEM);
	ymodem_start(&c->ymodem, c->file, c->file_max, now_ms);
}

/* Has the transfer ended? The sender of a failed one may still talk, and its bytes
 * must not choose from the menu. */
static void ymodem_look(struct console *c, uint64_t now_ms)
{
	const struct ymodem *y = &c->ymodem;
	uint8_t last[sizeof(y->out)];
	size_t n;

	if (y->state != YMODEM_DONE && y->state != YMODEM_FAILED)
		return;
	n = ymodem_output(&c->ymodem, last, sizeof(last));
	if (c->out_n + n <= sizeof(c->out)) {
		memcpy(c->out + c->out_n, last, n);
		c->out_n += n;
	}
	con_newline(c);
	if (y->state == YMODEM_DONE) {
		c->file_n = y->n;
		hand_over(c, now_ms);
		return;
	}
	con_put(c, TEXT_YMODEM_FAILED);
	con_put_span(c, span_str(err_text(y->why)));
	con_newline(c);
	c->due_ms = now_ms + CONSOLE_QUIET_MS;
	con_go(c, AT_QUIET);
}

/* Bytes of the line while a file is received. */
void transfer_ymodem_bytes(struct console *c, struct span in, uint64_t now_ms)
{
	ymodem_input(&c->ymodem, in, now_ms);
	ymodem_look(c, now_ms);
}

/* Time has passed while a file is received. */
void transfer_ymodem_tick(struct console *c, uint64_t now_ms)
{
	ymodem_tick(&c->ymodem, now_ms);
	ymodem_look(c, now_ms);
}

/* Wait for base64 text. */
void transfer_paste(struct console *c)
{
	con_say(c, TEXT_PASTE_START);
	con_put_span(c, span_str(PASTE_BEGIN));
	con_newline(c);
	con_put_span(c, span_str(PASTE_END));
	con_newline(c);
	c->is_pasting = false;
	c->is_paste_bad = false;
	c->file_n = 0;
	con_go(c, AT_PASTE);
}

static void end_paste(struct console *c, uint64_t now_ms)
{
	if (c->is_paste_bad || !c->is_pasting) {
		con_say(c, TEXT_PASTE_BAD);
		con_go(c, AT_MENU);
		return;
	}
	hand_over(c, now_ms);
}

/* A line of pasted text. What stands before the first marker is not looked at; a
 * damaged line spoils the whole, which is told at the end. */
void transfer_paste_line(struct console *c, uint64_t now_ms)
{
	struct span line = span_of(c->line, c->line_n);
	size_t n;

	if (span_eq_str(line, PASTE_END) && !c->is_long) {
		end_paste(c, now_ms);
	} else if (span_eq_str(line, PASTE_BEGIN) && !c->is_long) {
		c->is_paste_bad |= c->is_pasting; /* twice */
		c->is_pasting = true;
	} else if (c->is_pasting && (line.n || c->is_long)) {
		/* b64_decode() takes whole groups of four; padding ends the text */
		if (c->is_long || c->is_paste_bad ||
		    b64_decode(line, c->file + c->file_n, c->file_max - c->file_n, &n) !=
			    ERR_OK)
			c->is_paste_bad = true;
		else
			c->file_n += n;
	}
}
