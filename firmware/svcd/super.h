/*
 * Supervision: which task runs, what it said, when the next thing is due.
 */
#ifndef LUYTRE_SVCD_SUPER_H
#define LUYTRE_SVCD_SUPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "backoff.h"
#include "gate.h"
#include "table.h"

#define SUPER_STOP_MS 3000 /* from SIGTERM to SIGKILL */
#define SUPER_NEVER UINT64_MAX

enum task_state {
	TASK_OFF,      /* is not started (again) */
	TASK_WAITING,  /* to be started at due_ms */
	TASK_STARTING, /* runs, READY is expected before due_ms */
	TASK_RUNNING,  /* runs */
};

struct task {
	const struct task_spec *spec;
	enum task_state state;
	pid_t pid;
	int link; /* svcd's end, -1 when there is none */
	uint64_t started_ms;
	uint64_t due_ms; /* SUPER_NEVER: nothing is due */
	struct backoff backoff;
	struct gate gate;
};

struct super {
	struct task tasks[TABLE_TASKS_MAX];
	size_t n;
	bool is_host;
	bool wants_restart; /* a person asked for it at the console */
	bool is_stopping;
	bool is_killing; /* stopping, and SIGKILL was sent */
	uint64_t stop_due_ms;
	int dev_socket; /* -1 outside the development profile */
	int tun;        /* of the management plane, -1 when there is none */
};

void super_init(struct super *s, bool is_host, int dev_socket, int tun);
void super_start(struct super *s, uint64_t now_ms);
void super_tick(struct super *s, uint64_t now_ms);
void super_reap(struct super *s, uint64_t now_ms);
void super_receive(struct super *s, size_t i, uint64_t now_ms);
void super_stop(struct super *s, uint64_t now_ms);
bool super_is_stopped(const struct super *s);
uint64_t super_due_ms(const struct super *s);

#endif
