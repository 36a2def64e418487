/*
 * DESIGN: a new file is written beside the old one, flushed, renamed over it,
 * and the folder is flushed: after a power cut there is the old or the new
 * one, whole (rename(2); ext4 "data=ordered").
 */
#include "active.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEW_NAME ACTIVE_NAME ".new"

/*
 * Read a whole file.
 *
 * @max   most bytes taken; compared before memory is taken
 * @text  malloc'd, caller frees; set only on ERR_OK
 * @n     its size; on ERR_LIMIT the size of the file
 *
 * Returns ERR_OK, ERR_NOENT (no such file), ERR_LIMIT, ERR_TYPE (not a regular
 * file), ERR_NOMEM or ERR_SYS (errno is set).
 */
int active_load(const char *path, size_t max, uint8_t **text, size_t *n)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	uint8_t *p = NULL;
	size_t used = 0;
	struct stat st;
	int r = ERR_SYS;

	if (fd < 0)
		return errno == ENOENT ? ERR_NOENT : ERR_SYS;
	if (fstat(fd, &st) != 0)
		goto out;
	r = ERR_TYPE;
	if (!S_ISREG(st.st_mode))
		goto out;
	r = ERR_LIMIT;
	*n = (size_t)st.st_size;
	if (*n > max)
		goto out;
	r = ERR_NOMEM;
	p = malloc(*n + 1);
	if (!p)
		goto out;
	while (used < *n) {
		ssize_t got = read(fd, p + used, *n - used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			r = ERR_SYS;
			goto out;
		}
		if (got == 0)
			break;
		used += (size_t)got;
	}
	*n = used;
	*text = p;
	p = NULL;
	r = ERR_OK;
out:
	free(p);
	(void)close(fd); /* read only */
	return r;
}

static int write_all(int fd, struct span text)
{
	while (text.n > 0) {
		ssize_t n = write(fd, text.p, text.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return ERR_SYS;
		text.p += n;
		text.n -= (size_t)n;
	}
	return ERR_OK;
}

/* Write the new file and flush it. */
static int write_new(int dir, struct span text, const char **step)
{
	int fd = openat(dir, NEW_NAME,
			O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r = ERR_SYS;

	*step = "creating the file";
	if (fd < 0)
		return ERR_SYS;
	*step = "writing the file";
	if (write_all(fd, text) == ERR_OK) {
		*step = "flushing the file";
		r = fsync(fd) == 0 ? ERR_OK : ERR_SYS;
	}
	if (close(fd) != 0 && r == ERR_OK) {
		*step = "closing the file";
		r = ERR_SYS;
	}
	return r;
}

/*
 * Make @text the stored configuration of the folder, durably.
 *
 * @why  on failure the step and the reason
 *
 * Returns ERR_OK or ERR_SYS. After a failure the old file is still there;
 * only when the last step (flushing the folder) fails may a power cut decide
 * which of the two it is.
 */
int active_save(const char *dir, struct span text, char *why, size_t why_max)
{
	const char *step = "opening the folder";
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = ERR_SYS;

	if (fd < 0)
		goto out;
	r = write_new(fd, text, &step);
	if (r == ERR_OK) {
		step = "renaming the file";
		r = renameat(fd, NEW_NAME, fd, ACTIVE_NAME) == 0 ? ERR_OK : ERR_SYS;
	}
	if (r == ERR_OK) {
		step = "flushing the folder";
		r = fsync(fd) == 0 ? ERR_OK : ERR_SYS;
	}
out:
	if (r != ERR_OK)
		(void)snprintf(why, why_max, "%s/%s: %s: %s", dir, ACTIVE_NAME, step,
			       strerror(errno));
	if (fd >= 0)
		(void)close(fd); /* a folder, read only */
	return r;
}
