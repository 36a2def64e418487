/*
 * What the parts of the menu share.
 */
#ifndef LUYTRE_CONSOLED_CONSOLE_INT_H
#define LUYTRE_CONSOLED_CONSOLE_INT_H

#include "console.h"

/* console.c: output and the way between states */
void con_say(struct console *c, enum text text);
void con_put(struct console *c, enum text text);
void con_put_span(struct console *c, struct span text);
void con_newline(struct console *c);
void con_prompt(struct console *c);
void con_go(struct console *c, enum console_at at);

/* login.c: names, passwords, the session */
void login_banner(struct console *c);
void login_name(struct console *c, uint64_t now_ms);
void login_line(struct console *c, uint64_t now_ms);
void login_end(struct console *c, enum text why);
bool login_work(struct console *c, uint64_t now_ms);
void login_forget(struct console *c);

/* menu.c: entries and answers */
void menu_show(struct console *c);
void menu_choose(struct console *c, uint64_t now_ms);
void menu_code(struct console *c, uint64_t now_ms);
void menu_sure(struct console *c, uint64_t now_ms);
void menu_ask(struct console *c, enum ipc_type type, struct span body, struct span file,
	      uint64_t now_ms);
void menu_answer(struct console *c, const struct console_answer *answer);

/* transfer.c: a signed file comes */
void transfer_ymodem(struct console *c, uint64_t now_ms);
void transfer_ymodem_bytes(struct console *c, struct span in, uint64_t now_ms);
void transfer_ymodem_tick(struct console *c, uint64_t now_ms);
void transfer_paste(struct console *c);
void transfer_paste_line(struct console *c, uint64_t now_ms);

#endif
