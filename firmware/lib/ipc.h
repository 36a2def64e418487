/*
 * Messages between the processes of the device: one table (msg.def), one
 * codec, one place that decides who may say what, how long and how often.
 */
#ifndef LUYTRE_IPC_H
#define LUYTRE_IPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "err.h"
#include "span.h"

#define IPC_HEADER_BYTES 8
#define IPC_MAX_BYTES 4096 /* header and payload of the longest message */

enum ipc_task {
#define TASK(name, number) IPC_TASK_##name = (number),
#include "msg.def"
#undef TASK
	IPC_TASK_ANY = 255
};

/* Sets of tasks, as msg.def names them: bit n is task n. */
enum ipc_set {
#define BIT(name) (1U << IPC_TASK_##name)
#define TASK(name, number) IPC_SET_##name = BIT(name),
#define SET(name, bits) IPC_SET_##name = (bits),
#include "msg.def"
#undef SET
#undef TASK
#undef BIT
	IPC_SET_ANY = 0xff
};

enum ipc_type {
#define MSG(name, number, sender, receiver, min, max, fds, rate) IPC_##name = (number),
#include "msg.def"
#undef MSG
};

/* What a task says in READY. */
enum ready_state {
	READY_CLOSED = 1,   /* policyd: the built-in closed rules are in the kernel */
	READY_ENFORCED = 2, /* policyd: the configuration is in force, verified */
	READY_RUNNING = 3   /* any other task: serves its peers */
};

enum art_kind { ART_CONFIG = 1, ART_KEYSET = 2, ART_COMMAND = 3 };

/* What a REPORT is about. */
enum report_kind {
	REPORT_CONFIG = 1, /* the configuration in force, canonical */
	REPORT_COUNTERS,   /* packets and bytes of its rules and of built-in ones */
	REPORT_CONTROLS    /* controls of its level profile, and whether they are met */
};

struct ipc_rule {
	uint16_t type;
	uint8_t senders;   /* enum ipc_set */
	uint8_t receivers; /* enum ipc_set */
	uint16_t min_bytes;
	uint16_t max_bytes;
	uint8_t fds;
	uint16_t rate_hz; /* 0 = no limit */
	const char *name;
};

struct ipc_msg {
	uint16_t type;
	uint32_t seq;
	struct span body; /* borrows from @raw */
	int fd;           /* -1 when none came; the receiver owns it */
	uint8_t raw[IPC_MAX_BYTES];
};

/* Token bucket of one peer: counts per message type within one second. */
struct ipc_rate {
	uint64_t window_ms;
	uint16_t count[32];
};

const struct ipc_rule *ipc_rule_find(uint16_t type);
const struct ipc_rule *ipc_rule_at(size_t i);
const char *ipc_task_name(unsigned task);
bool ipc_set_has(unsigned set, enum ipc_task task);
int ipc_decode(struct span packet, struct ipc_msg *m) MUST_CHECK;
int ipc_check(const struct ipc_msg *m, enum ipc_task sender,
	      enum ipc_task receiver) MUST_CHECK;
int ipc_rate_check(struct ipc_rate *rate, uint16_t type, uint64_t now_ms) MUST_CHECK;
int ipc_send(int sock, enum ipc_type type, uint32_t seq, struct span body,
	     int fd) MUST_CHECK;
int ipc_recv(int sock, struct ipc_msg *m) MUST_CHECK;
void ipc_msg_clear(struct ipc_msg *m);

#endif
