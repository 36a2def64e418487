#include "cgroup.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "files.h"

static int group_write(const char *name, const char *file, const char *text)
{
	char path[96];

	(void)snprintf(path, sizeof(path), CGROUP_ROOT "/%s/%s", name, file);
	return files_write(path, text);
}

/*
 * Make the group of a task with its process limit.
 *
 * Returns ERR_OK or ERR_SYS (errno is set).
 */
int cgroup_make(const struct task_spec *spec)
{
	char path[96], number[16];

	/* Writing an enabled controller again is not an error. */
	if (files_write(CGROUP_ROOT "/cgroup.subtree_control", "+pids +memory") != ERR_OK)
		return ERR_SYS;
	(void)snprintf(path, sizeof(path), CGROUP_ROOT "/%s", spec->name);
	if (mkdir(path, 0755) != 0 && errno != EEXIST)
		return ERR_SYS;
	(void)snprintf(number, sizeof(number), "%u", spec->pids_max);
	return group_write(spec->name, "pids.max", number) == ERR_OK ? ERR_OK : ERR_SYS;
}

/*
 * Move the calling process into the group of task @name.
 *
 * Returns ERR_OK or ERR_SYS (errno is set).
 */
int cgroup_join(const char *name)
{
	return group_write(name, "cgroup.procs", "0") == ERR_OK ? ERR_OK : ERR_SYS;
}

/*
 * Kill whatever is left in the group of task @name. Nothing left, or no such
 * group, is fine.
 */
void cgroup_kill(const char *name)
{
	int r = group_write(name, "cgroup.kill", "1");

	(void)r; /* a group that is not there holds no process */
}
