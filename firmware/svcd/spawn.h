/*
 * Start one task: fork, drop every right the table does not list, exec.
 */
#ifndef LUYTRE_SVCD_SPAWN_H
#define LUYTRE_SVCD_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>
#include "err.h"
#include "table.h"

#define SPAWN_EMPTY_DIR "/run/luytre/empty" /* root folder of TASK_ALONE */

struct spawn_env {
	bool is_host;
	int link;   /* this task's end of the link, -1 for none */
	int dev;    /* development socket, -1 for none */
	int tun;    /* TUN of the management plane, -1 for none */
	int folder; /* the task's own folder, -1 for none */
	int file;   /* a file of the image for the task, -1 for none */
};

int spawn_task(const struct task_spec *spec, const struct spawn_env *env,
	       pid_t *pid) MUST_CHECK;

#endif
