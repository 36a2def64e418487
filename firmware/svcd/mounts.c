#include "mounts.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "console.h"

#define STRICT (MS_NOSUID | MS_NODEV | MS_NOEXEC)

struct mount_spec {
	const char *source;
	const char *target;
	const char *type;
	unsigned long flags;
	const char *data;
};

/* The targets are folders of the root image or of an earlier line. */
static const struct mount_spec table[] = {
	{"proc", "/proc", "proc", STRICT, "hidepid=invisible"},
	{"sysfs", "/sys", "sysfs", STRICT | MS_RDONLY, NULL},
	{"devtmpfs", "/dev", "devtmpfs", MS_NOSUID | MS_NOEXEC, "mode=0755"},
	{"devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
	 "mode=0620,ptmxmode=0666"},
	{"tmpfs", "/run", "tmpfs", STRICT, "mode=0755,size=16m"},
	{"tmpfs", "/tmp", "tmpfs", STRICT, "mode=1777,size=16m"},
	{"cgroup2", "/sys/fs/cgroup", "cgroup2", STRICT, "nsdelegate"},
};

/*
 * Mount what every process needs. A mount that fails is said on the console and
 * the boot goes on: what depends on it fails closed by itself.
 */
void mounts_make(void)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct mount_spec *m = &table[i];

		if (strcmp(m->target, "/dev/pts") == 0)
			(void)mkdir(m->target, 0755); /* fails only if it exists */
		if (mount(m->source, m->target, m->type, m->flags, m->data) == 0)
			continue;
		/* The kernel mounted /dev itself (DEVTMPFS_MOUNT), without our
		 * flags, and refuses the same one again at the same place. */
		if (errno != EBUSY ||
		    mount(NULL, m->target, NULL, MS_REMOUNT | m->flags, m->data) != 0)
			console_say("no-mount", "target=%s error=\"%s\"", m->target,
				    strerror(errno));
	}
}

/*
 * Write everything out and let go of the data partitions. One that is still in
 * use becomes read-only, so that its journal is clean.
 */
void mounts_release(void)
{
	static const char *const data[] = {"/log", "/conf"};

	sync();
	for (size_t i = 0; i < sizeof(data) / sizeof(data[0]); i++) {
		if (umount2(data[i], 0) == 0 || errno == EINVAL)
			continue; /* EINVAL: was not mounted */
		if (mount(NULL, data[i], NULL, MS_REMOUNT | MS_RDONLY, NULL) != 0)
			console_say("still-mounted", "target=%s error=\"%s\"", data[i],
				    strerror(errno));
	}
	sync();
}
