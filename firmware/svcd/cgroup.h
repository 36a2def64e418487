/*
 * One control group a task: bounds its processes and takes its leftovers down.
 */
#ifndef LUYTRE_SVCD_CGROUP_H
#define LUYTRE_SVCD_CGROUP_H

#include "err.h"
#include "table.h"

#define CGROUP_ROOT "/sys/fs/cgroup"

int cgroup_make(const struct task_spec *spec) MUST_CHECK;
int cgroup_join(const char *name) MUST_CHECK;
void cgroup_kill(const char *name);

#endif
