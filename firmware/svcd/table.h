/*
 * The fixed task table: every process of the device, its rights and limits.
 */
#ifndef LUYTRE_SVCD_TABLE_H
#define LUYTRE_SVCD_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "err.h"
#include "lib/ipc.h"

#define TABLE_TASKS_MAX 16
#define TABLE_POLICYD_UID 901
#define TABLE_WEBD_UID 902
#define TABLE_CONSOLED_UID 903

enum task_flag {
	TASK_LINK = 1 << 0,       /* FDS_SVCD: SEQPACKET link to svcd */
	TASK_DEV_SOCKET = 1 << 1, /* FDS_DEV: listening development socket */
	TASK_TERMINAL = 1 << 2,   /* own session on spec->tty; not in host mode */
	TASK_CONSOLE = 1 << 4,    /* descriptors 0, 1: the console, both ways */
	TASK_ROOT = 1 << 3,       /* keeps uid 0 and all rights (development shell) */
	TASK_TUN = 1 << 5,        /* FDS_TUN: the TUN of mgmt_net.h */
	TASK_ALONE = 1 << 6,      /* own network namespace with nothing in it, own root
				   * folder with nothing in it; the program must be
				   * linked statically */
};

struct task_spec {
	const char *name;
	enum ipc_task id; /* IPC_TASK_ANY: sends and gets no message */
	const char *path;
	const char *const *argv;
	const char *const *envp;
	const char *tty;    /* TASK_TERMINAL only */
	const char *file;   /* FDS_FILE: a file of the image, opened; NULL for none */
	const char *folder; /* FDS_FOLDER: its own folder, opened; NULL for none */
	unsigned flags;     /* enum task_flag */
	uint32_t uid;       /* also the gid; no other group */
	uint64_t caps;      /* the only capabilities it has, bit n = capability n */
	uint32_t files_max;
	uint32_t file_size_max_mib;
	uint32_t pids_max; /* 1: it cannot fork (board only, by cgroup) */
	int oom_score_adj;
	uint32_t ready_ms; /* first READY after start; 0: sends none */
};

/* Two tasks that svcd links to each other while both run. */
struct table_link {
	enum ipc_task a;
	enum ipc_task b;
};

size_t table_size(void);
const struct task_spec *table_at(size_t i);
const struct table_link *table_link_at(size_t i);
bool table_is_linked(enum ipc_task a, enum ipc_task b);
int table_check(const struct task_spec *specs, size_t n, const char **why) MUST_CHECK;

#endif
