/*
 * The serial menu: bytes of the line in, bytes for the line out, a clock, and a
 * table of callbacks. Nothing here knows descriptors or messages; nothing here
 * allocates.
 *
 * Use:
 *	console_init(c, &ops, &accounts, room, bytes of it, now_ms);
 *	console_input(c, bytes, now_ms);          bytes have come
 *	n = console_output(c, buf, sizeof(buf));  what to send now
 *	console_tick(c, now_ms);                  at console_due_ms(c), or earlier
 *	console_work(c, now_ms);                  one slice of work; true: call again
 *	console_answer(c, &answer, now_ms);       policyd has answered
 *	console_peer_lost(c, now_ms);             policyd has gone: no answer will come
 */
#ifndef LUYTRE_CONSOLED_CONSOLE_H
#define LUYTRE_CONSOLED_CONSOLE_H

#include "accounts.h"
#include "ipc.h"
#include "password.h"
#include "span.h"
#include "text.h"
#include "ymodem.h"

#define CONSOLE_IDLE_MS 300000     /* without a byte: logged out */
#define CONSOLE_SESSION_MS 3600000 /* of one login, whatever is typed */
#define CONSOLE_LOGIN_MS 60000     /* from the name to the password */
#define CONSOLE_ANSWER_MS 120000   /* policyd's answer; an apply takes long */
#define CONSOLE_QUIET_MS 1000      /* silence that ends a failed transfer */
#define CONSOLE_PAUSE_MAX_MS 30000 /* after wrong passwords in a row */
#define CONSOLE_PASSWORD_CHARS 14  /* least; there is no second factor here */
#define CONSOLE_LINE_MAX PASSWORD_BYTES_MAX
#define CONSOLE_OUT_MAX 8192
#define CONSOLE_FIRST_NAME "technician"

/* What the console waits for. */
enum console_at {
	AT_NAME, /* nobody is logged in */
	AT_PASSWORD,
	AT_PAUSE, /* after a wrong password: nothing is read */
	AT_MENU,
	AT_OLD, /* present password, to change it */
	AT_NEW,
	AT_AGAIN,
	AT_HASH,     /* a password is being hashed */
	AT_CODE,     /* confirmation code */
	AT_ROLLBACK, /* yes or no */
	AT_RESTART,
	AT_RESTART_AGAIN,
	AT_YMODEM,
	AT_PASTE,
	AT_ANSWER, /* of policyd */
	AT_QUIET,  /* after a failed transfer: until the sender is silent */
};

/* What the hash under way is for. */
enum console_hash { HASH_LOGIN, HASH_OLD, HASH_HISTORY, HASH_NEW };

struct console_ops {
	/* Ask policyd; the answer comes later by console_answer() with @seq.
	 * @file: content of the descriptor of ART_PUT, else empty. Both borrowed
	 * during the call. ERR_NOENT: there is no link now. */
	int (*ask)(void *ctx, enum ipc_type type, uint32_t seq, struct span body,
		   struct span file);
	int (*restart)(void *ctx); /* the device */
	int (*random)(void *ctx, uint8_t *out, size_t n);
	/* Keep the account file: @text replaces it, whole or not at all. */
	int (*save)(void *ctx, struct span text);
	/* For the log: ASCII key=value text. */
	void (*event)(void *ctx, const char *text);
	void *ctx;
};

struct console {
	const struct console_ops *ops;
	struct accounts *accounts; /* count 0: nobody can log in */
	enum console_at at;
	enum text_language language;
	bool is_ascii;       /* chosen in a session, kept until power-off */
	struct account *who; /* of the session, or of the login; NULL: no such */
	bool is_in;          /* logged in */
	unsigned failures;   /* wrong logins in a row */

	uint64_t idle_ms, session_ms; /* when they end the session */
	uint64_t due_ms;              /* of AT_PASSWORD, AT_PAUSE, AT_ANSWER */

	uint8_t line[CONSOLE_LINE_MAX];
	size_t line_n;
	bool is_long;    /* more was typed than fits */
	bool after_cr;   /* an LF now belongs to it */
	unsigned escape; /* inside an escape sequence of the terminal */

	char name[ACCOUNT_NAME_MAX + 1];
	uint8_t fresh[PASSWORD_BYTES_MAX]; /* new password, until it is hashed */
	size_t fresh_n;
	enum console_hash hash_for;
	struct password_work work;
	struct password_hash made;
	uint8_t history[PASSWORD_HASH_BYTES];

	uint32_t seq; /* of the question under way */
	enum ipc_type asked;
	bool is_self_check; /* how to show STATUS */

	uint8_t *file; /* room for a file that is received */
	size_t file_max, file_n;
	bool is_pasting, is_paste_bad; /* between the markers; damaged */
	struct ymodem ymodem;

	uint8_t out[CONSOLE_OUT_MAX];
	size_t out_n;
};

struct console_answer {
	enum ipc_type type; /* STATUS, ART_RESULT or TRIAL_RESULT */
	uint32_t seq;
	struct span body;
};

void console_init(struct console *c, const struct console_ops *ops,
		  struct accounts *accounts, struct span room, uint64_t now_ms);
int console_make_first(struct console *c);
void console_input(struct console *c, struct span in, uint64_t now_ms);
size_t console_output(struct console *c, uint8_t *out, size_t max);
void console_tick(struct console *c, uint64_t now_ms);
uint64_t console_due_ms(const struct console *c);
bool console_work(struct console *c, uint64_t now_ms);
void console_answer(struct console *c, const struct console_answer *answer,
		    uint64_t now_ms);
void console_peer_lost(struct console *c, uint64_t now_ms);

#endif
