#include "table.h"

#include <linux/capability.h>
#include <stdbool.h>
#include <string.h>

#define LIBEXEC "/usr/libexec/luytre/"
#define CAP(name) (1ULL << CAP_##name)

static const char *const no_env[] = {NULL};
static const char *const policyd_argv[] = {"policyd", NULL};
static const char *const webd_argv[] = {"mgmtd", "webd", NULL};
static const char *const consoled_argv[] = {"consoled", NULL};
#if CONFIG_PROFILE_DEV
static const char *const shell_argv[] = {"-sh", NULL};
static const char *const shell_env[] = {"PATH=/usr/sbin:/usr/bin:/usr/libexec/luytre",
					"HOME=/tmp", "TERM=vt100", "PS1=dev# ", NULL};
#endif

/* The order is the order of start. */
static const struct task_spec tasks[] = {
	{
		.name = "policyd",
		.id = IPC_TASK_policyd,
		.path = LIBEXEC "policyd",
		.argv = policyd_argv,
		.envp = no_env,
		.flags = TASK_LINK | TASK_DEV_SOCKET,
		.uid = TABLE_POLICYD_UID,
		.caps = CAP(NET_ADMIN),
		.files_max = 64,
		.file_size_max_mib = 64,
		.pids_max = 1,
		.oom_score_adj = -900,
		.ready_ms = 30000,
	},
	{
		.name = "webd",
		.id = IPC_TASK_webd,
		.path = LIBEXEC "mgmtd",
		.argv = webd_argv,
		.envp = no_env,
		.folder = "/conf/web",
		.file = LIBEXEC "web.pack",
		.flags = TASK_LINK | TASK_TUN | TASK_ALONE,
		.uid = TABLE_WEBD_UID,
		.files_max = 64,
		.file_size_max_mib = 4,
		.pids_max = 1,
		.oom_score_adj = 300,
		.ready_ms = 60000, /* the first one waits for random numbers */
	},
	{
		.name = "consoled",
		.id = IPC_TASK_consoled,
		.path = LIBEXEC "consoled",
		.argv = consoled_argv,
		.envp = no_env,
		.flags = TASK_LINK | TASK_CONSOLE,
		.uid = TABLE_CONSOLED_UID,
		.files_max = 16,
		.file_size_max_mib = 8,
		.pids_max = 1,
		.oom_score_adj = -500,
		.ready_ms = 30000,
	},
#if CONFIG_PROFILE_DEV
	{
		.name = "shell",
		.id = IPC_TASK_ANY,
		.path = "/usr/bin/sh",
		.argv = shell_argv,
		.envp = shell_env,
		.tty = "/dev/hvc0",
		.flags = TASK_TERMINAL | TASK_ROOT,
		.files_max = 256,
		.file_size_max_mib = 64,
		.pids_max = 64,
		.oom_score_adj = 500,
	},
#endif
};

/* A link to a task that this build does not have is never made. */
static const struct table_link links[] = {
	{IPC_TASK_policyd, IPC_TASK_webd},
	{IPC_TASK_policyd, IPC_TASK_consoled},
};

/*
 * The @i-th link, NULL past the end.
 */
const struct table_link *table_link_at(size_t i)
{
	return i < sizeof(links) / sizeof(links[0]) ? &links[i] : NULL;
}

/*
 * Whether the table links these two tasks.
 */
bool table_is_linked(enum ipc_task a, enum ipc_task b)
{
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		if ((links[i].a == a && links[i].b == b) ||
		    (links[i].a == b && links[i].b == a))
			return true;
	}
	return false;
}

/*
 * Number of tasks of this build.
 */
size_t table_size(void)
{
	return sizeof(tasks) / sizeof(tasks[0]);
}

/*
 * The @i-th task, NULL past the end.
 */
const struct task_spec *table_at(size_t i)
{
	return i < table_size() ? &tasks[i] : NULL;
}

/* Why one line of the table is wrong, or NULL. */
static const char *spec_fault(const struct task_spec *s)
{
	bool is_root = (s->flags & TASK_ROOT) != 0;
	bool has_link = (s->flags & TASK_LINK) != 0;

	if (!s->name || s->name[0] == '\0' || strlen(s->name) > 15)
		return "name missing or over 15 bytes";
	if (strspn(s->name, "abcdefghijklmnopqrstuvwxyz0123456789") != strlen(s->name))
		return "name has other characters than a-z and 0-9";
	if (!s->path || s->path[0] != '/')
		return "path is not absolute";
	if (!s->argv || !s->argv[0] || !s->envp)
		return "argv or envp missing";
	if (is_root != (s->uid == 0))
		return "uid 0 and TASK_ROOT go together";
	if (is_root && s->caps != 0)
		return "a root task lists no capability";
	if (s->caps >> (CAP_LAST_CAP + 1) != 0)
		return "unknown capability";
	if (has_link != (s->id != IPC_TASK_ANY) || s->id == IPC_TASK_svcd)
		return "a link needs a task number of msg.def, and the other way round";
	if (has_link != (s->ready_ms != 0))
		return "a task with a link says READY within ready_ms";
	if (is_root && (s->flags & TASK_ALONE) != 0)
		return "a root task is not alone";
	if ((s->folder && s->folder[0] != '/') || (s->file && s->file[0] != '/'))
		return "folder or file is not absolute";
	if (((s->flags & TASK_TERMINAL) != 0) != (s->tty != NULL))
		return "tty and TASK_TERMINAL go together";
	if (s->files_max < 8 || s->pids_max == 0 || s->file_size_max_mib == 0)
		return "a limit is zero or too small";
	if (s->oom_score_adj < -999 || s->oom_score_adj > 1000)
		return "oom_score_adj outside -999..1000";
	return NULL;
}

/*
 * Check a task table against the rules that keep tasks apart.
 *
 * @why  set to one sentence when the table is refused
 *
 * Returns ERR_OK, or ERR_FORMAT: then no task of it may be started.
 */
int table_check(const struct task_spec *specs, size_t n, const char **why)
{
	if (n == 0 || n > TABLE_TASKS_MAX) {
		*why = "no task, or more than TABLE_TASKS_MAX";
		return ERR_FORMAT;
	}
	for (size_t i = 0; i < n; i++) {
		*why = spec_fault(&specs[i]);
		if (*why)
			return ERR_FORMAT;
		for (size_t j = 0; j < i; j++) {
			if (strcmp(specs[i].name, specs[j].name) == 0)
				*why = "two tasks of one name";
			else if (specs[i].uid != 0 && specs[i].uid == specs[j].uid)
				*why = "two tasks share a uid";
			else if (specs[i].id != IPC_TASK_ANY &&
				 specs[i].id == specs[j].id)
				*why = "two tasks share a task number";
			if (*why)
				return ERR_FORMAT;
		}
	}
	return ERR_OK;
}
