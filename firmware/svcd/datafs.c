/*
 * DESIGN: a data partition that does not mount is checked by e2fsck -p, a second
 * time from a backup superblock when there is one; if that does not help, the device goes
 * on without it (policyd then finds no configuration and stays closed) and the console
 * says so. Formatting happens only on a partition that was never written: the first MiB
 * is all zero or all ones and no backup superblock stands where mke2fs puts one. A file
 * system whose start was destroyed is evidence and may be repairable: never format it.
 *
 * A format that power cut short must not look like such evidence. The last MiB
 * of a data partition stays outside its file system; its last sector carries a
 * mark from before mke2fs starts until it has finished. While the mark stands
 * the partition has never been mounted, so it is formatted again.
 *
 * Partitions count only on the disk that the root file system is on, so that a
 * stick with a partition named "conf" changes nothing.
 */
#include "datafs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "console.h"
#include "files.h"
#include "tool.h"

#define EXT_SUPER_AT 1024 /* byte offset of the first superblock */
#define EXT_MAGIC_AT 0x38 /* in the superblock, little endian 0xEF53 */
#define EXT_STATE_AT 0x3a
#define EXT_STATE_ERRORS 2
#define FSCK_TIMEOUT_S 600
#define MKFS_TIMEOUT_S 300
#define TAIL_BYTES ((off_t)1024 * 1024) /* behind the file system, not in it */
#define MARK_BYTES ((size_t)512)        /* one sector: written whole or not */
#define FSCK_REPAIRED_MAX 1             /* exit 0: clean, 1: repaired; more: not usable */

static const char format_mark[] =
	"luytre: this partition was never formatted to the end\n";

static bool is_ext_super(const uint8_t *super)
{
	return super[EXT_MAGIC_AT] == 0x53 && super[EXT_MAGIC_AT + 1] == 0xef;
}

/*
 * Tell what a partition holds by its first bytes.
 *
 * @head        first bytes of the partition, at least 2048
 * @has_backup  a backup superblock was found further in
 */
enum datafs_kind datafs_classify(const uint8_t *head, size_t n, bool has_backup)
{
	const uint8_t *super = head + EXT_SUPER_AT;

	if (n < (size_t)EXT_SUPER_AT * 2)
		return DATAFS_OTHER;
	if (is_ext_super(super))
		return (super[EXT_STATE_AT] & EXT_STATE_ERRORS) != 0 ? DATAFS_EXT_ERRS
								     : DATAFS_EXT;
	if (has_backup || (head[0] != 0x00 && head[0] != 0xff))
		return DATAFS_OTHER;
	for (size_t i = 1; i < n; i++) {
		if (head[i] != head[0])
			return DATAFS_OTHER;
	}
	return DATAFS_BLANK;
}

/* The first places where mke2fs may put a backup superblock. */
static const struct backup_place {
	const char *block;
	const char *block_bytes;
	off_t at;
} backup_places[] = {
	{"8193", "1024", 8193L * 1024},
	{"16384", "2048", 16384L * 2048},
	{"32768", "4096", 32768L * 4096},
};

/* The place where a backup superblock stands, NULL for none. */
static const struct backup_place *find_backup(int fd)
{
	uint8_t super[64];

	for (size_t i = 0; i < sizeof(backup_places) / sizeof(backup_places[0]); i++) {
		if (pread(fd, super, sizeof(super), backup_places[i].at) ==
			    sizeof(super) &&
		    is_ext_super(super))
			return &backup_places[i];
	}
	return NULL;
}

/* Whether a format of this partition began and did not end. */
static bool has_format_mark(int fd)
{
	off_t end = lseek(fd, 0, SEEK_END);
	char sector[MARK_BYTES];

	return end > TAIL_BYTES &&
	       pread(fd, sector, MARK_BYTES, end - (off_t)MARK_BYTES) == MARK_BYTES &&
	       memcmp(sector, format_mark, sizeof(format_mark)) == 0;
}

/*
 * Set or clear the mark, durably.
 *
 * @fs_kib  size that the file system may have, set on ERR_OK
 *
 * Returns ERR_OK, ERR_LIMIT (no room for mark and file system) or ERR_SYS.
 */
static int put_format_mark(const char *device, bool is_set, unsigned long long *fs_kib)
{
	char sector[MARK_BYTES] = {0};
	int fd = open(device, O_WRONLY | O_CLOEXEC);
	int r = ERR_SYS;
	off_t end;

	if (fd < 0)
		return ERR_SYS;
	if (is_set)
		memcpy(sector, format_mark, sizeof(format_mark));
	end = lseek(fd, 0, SEEK_END);
	if (end <= TAIL_BYTES) {
		r = ERR_LIMIT;
		goto out;
	}
	if (pwrite(fd, sector, MARK_BYTES, end - (off_t)MARK_BYTES) == MARK_BYTES &&
	    fsync(fd) == 0) {
		*fs_kib = (unsigned long long)(end - TAIL_BYTES) / 1024;
		r = ERR_OK;
	}
out:
	(void)close(fd); /* flushed above, or failed already */
	return r;
}

/* Classify a block device. An unreadable one is DATAFS_OTHER. */
static enum datafs_kind classify_device(const char *device)
{
	enum datafs_kind kind = DATAFS_OTHER;
	uint8_t *head = malloc(DATAFS_HEAD_BYTES);
	int fd = open(device, O_RDONLY | O_CLOEXEC);
	size_t used = 0;

	if (!head || fd < 0)
		goto out;
	while (used < DATAFS_HEAD_BYTES) {
		ssize_t n = pread(fd, head + used, DATAFS_HEAD_BYTES - used, (off_t)used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			goto out;
		if (n == 0)
			break;
		used += (size_t)n;
	}
	kind = has_format_mark(fd) ? DATAFS_BLANK
				   : datafs_classify(head, used, find_backup(fd) != NULL);
out:
	if (fd >= 0)
		(void)close(fd);
	free(head);
	return kind;
}

/* Name of the disk that a block device's sysfs entry belongs to: the last but
 * one component of its real path (.../block/vda/vda5). */
static int disk_of(const char *sysfs_entry, char *out, size_t max)
{
	char path[PATH_MAX];
	char *slash;

	if (!realpath(sysfs_entry, path))
		return ERR_SYS;
	slash = strrchr(path, '/');
	if (!slash)
		return ERR_FORMAT;
	*slash = '\0';
	slash = strrchr(path, '/');
	if (!slash || strlen(slash + 1) >= max)
		return ERR_FORMAT;
	(void)snprintf(out, max, "%s", slash + 1);
	return ERR_OK;
}

/* The disk under the root file system, through device mapper if need be. */
static int root_disk(char *out, size_t max)
{
	char entry[300];
	struct stat st;
	struct dirent *de;
	DIR *dir;
	int r = ERR_NOENT;

	if (stat("/", &st) != 0)
		return ERR_SYS;
	(void)snprintf(entry, sizeof(entry), "/sys/dev/block/%u:%u/slaves",
		       major(st.st_dev), minor(st.st_dev));
	dir = opendir(entry);
	while (dir && (de = readdir(dir)) != NULL && r != ERR_OK) {
		char slave[600];

		if (de->d_name[0] == '.')
			continue;
		(void)snprintf(slave, sizeof(slave), "%s/%s", entry, de->d_name);
		r = disk_of(slave, out, max);
	}
	if (dir)
		(void)closedir(dir);
	if (r == ERR_OK)
		return r;
	(void)snprintf(entry, sizeof(entry), "/sys/dev/block/%u:%u", major(st.st_dev),
		       minor(st.st_dev));
	return disk_of(entry, out, max);
}

/* Find the partition @label on the root's disk; @device gets its /dev path. */
static int find_partition(const char *label, char *device, size_t max)
{
	char disk[64], other[64], path[300], text[1024], value[128];
	struct dirent *de;
	int r = root_disk(disk, sizeof(disk));
	DIR *dir;

	if (r != ERR_OK)
		return r;
	dir = opendir("/sys/class/block");
	if (!dir)
		return ERR_SYS;
	r = ERR_NOENT;
	while (r == ERR_NOENT && (de = readdir(dir)) != NULL) {
		if (de->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "/sys/class/block/%s", de->d_name);
		if (disk_of(path, other, sizeof(other)) != ERR_OK ||
		    strcmp(other, disk) != 0)
			continue;
		(void)snprintf(path, sizeof(path), "/sys/class/block/%s/uevent",
			       de->d_name);
		if (files_read(path, text, sizeof(text)) != ERR_OK ||
		    files_value(text, "PARTNAME", value, sizeof(value)) != ERR_OK ||
		    strcmp(value, label) != 0 ||
		    files_value(text, "DEVNAME", value, sizeof(value)) != ERR_OK)
			continue;
		(void)snprintf(device, max, "/dev/%s", value);
		r = ERR_OK;
	}
	(void)closedir(dir);
	return r;
}

static int try_mount(const char *device, const char *target)
{
	if (mount(device, target, "ext4", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME,
		  "errors=remount-ro") != 0)
		return ERR_SYS;
	return ERR_OK;
}

/* Returns ERR_OK when the file system is clean or was repaired. */
static int check(const char *device, const char *target, const struct backup_place *from,
		 int watchdog)
{
	const char *const plain[] = {"/usr/sbin/e2fsck", "-p", device, NULL};
	const char *const with_backup[] = {"/usr/sbin/e2fsck",
					   "-p",
					   "-b",
					   from ? from->block : "",
					   "-B",
					   from ? from->block_bytes : "",
					   device,
					   NULL};
	int status = 0;
	int r = tool_run(from ? with_backup : plain, FSCK_TIMEOUT_S, watchdog, &status);

	if (r != ERR_OK) {
		console_say("fsck", "target=%s device=%s error=\"%s\"", target, device,
			    err_text(r));
		return r;
	}
	console_say("fsck", "target=%s device=%s superblock=%s exit=%d", target, device,
		    from ? from->block : "first", status);
	return status <= FSCK_REPAIRED_MAX ? ERR_OK : ERR_FORMAT;
}

/* Check with the first superblock; when that does not help, with a backup. */
static int repair(const char *device, const char *target, int watchdog)
{
	const struct backup_place *from;
	int r = check(device, target, NULL, watchdog);
	int fd;

	if (r == ERR_OK)
		return r;
	fd = open(device, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return r;
	from = find_backup(fd);
	(void)close(fd); /* read only */
	return from ? check(device, target, from, watchdog) : r;
}

static int format(const char *label, const char *device, int watchdog)
{
	char size[32];
	const char *const argv[] = {
		"/usr/sbin/mke2fs", "-q", "-F",  "-t",   "ext4", "-m", "1", "-e",
		"remount-ro",       "-L", label, device, size,   NULL};
	unsigned long long fs_kib = 0;
	int status = 0;
	int r = put_format_mark(device, true, &fs_kib);

	if (r == ERR_OK) {
		(void)snprintf(size, sizeof(size), "%lluk", fs_kib);
		r = tool_run(argv, MKFS_TIMEOUT_S, watchdog, &status);
	}
	if (r == ERR_OK && status != 0)
		r = ERR_FORMAT;
	if (r == ERR_OK)
		r = put_format_mark(device, false, &fs_kib);
	console_say("format", "label=%s device=%s result=\"%s\" exit=%d", label, device,
		    err_text(r), status);
	return r;
}

static int prepare_and_mount(const char *label, const char *device, const char *target,
			     int watchdog)
{
	enum datafs_kind kind = classify_device(device);
	int r = ERR_OK;

	if (kind == DATAFS_BLANK)
		r = format(label, device, watchdog);
	else if (kind == DATAFS_EXT_ERRS)
		r = repair(device, target, watchdog);
	if (r != ERR_OK)
		return r;
	if (try_mount(device, target) == ERR_OK)
		return ERR_OK;
	console_say("no-mount", "target=%s device=%s error=\"%s\"", target, device,
		    strerror(errno));
	if (repair(device, target, watchdog) != ERR_OK)
		return ERR_FORMAT;
	return try_mount(device, target);
}

/*
 * Mount a data partition, formatting a blank one and repairing a damaged one.
 *
 * @label     GPT name; the partition must be on the root file system's disk
 * @watchdog  fed while e2fsck or mke2fs work; -1 for none
 *
 * Returns ERR_OK, or an error after saying on the console what is missing and
 * what to do: the caller goes on without the partition.
 */
int datafs_mount(const char *label, const char *target, int watchdog)
{
	char device[160];
	int r = find_partition(label, device, sizeof(device));

	if (r != ERR_OK) {
		console_say("no-data",
			    "target=%s reason=\"no partition %s on the system disk\" "
			    "fix=\"write the disk image again\"",
			    target, label);
		return r;
	}
	r = prepare_and_mount(label, device, target, watchdog);
	if (r != ERR_OK) {
		console_say("no-data",
			    "target=%s device=%s reason=\"file system is damaged\" "
			    "fix=\"save the partition, then restore it, or erase "
			    "all of it to have it formatted\"",
			    target, device);
		return r;
	}
	console_say("mounted", "target=%s device=%s", target, device);
	return ERR_OK;
}
