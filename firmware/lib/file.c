#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(int fd, uint8_t *p, size_t max, size_t *n)
{
	size_t used = 0;

	while (used < max) {
		ssize_t got = read(fd, p + used, max - used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return ERR_SYS;
		if (got == 0)
			break;
		used += (size_t)got;
	}
	*n = used;
	return ERR_OK;
}

/*
 * Read a whole file, relative to an open folder.
 *
 * @max   most bytes taken; compared before memory is taken
 * @text  malloc'd, caller frees; set only on ERR_OK
 * @n     its size; on ERR_LIMIT the size of the file
 *
 * Returns ERR_OK, ERR_NOENT (no such file), ERR_LIMIT, ERR_TYPE (not a regular
 * file), ERR_NOMEM or ERR_SYS (errno is set).
 */
int file_load_at(int folder, const char *name, size_t max, uint8_t **text, size_t *n)
{
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	uint8_t *p = NULL;
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
	r = read_all(fd, p, *n, n);
	if (r == ERR_OK) {
		*text = p;
		p = NULL;
	}
out:
	free(p);
	(void)close(fd); /* read only */
	return r;
}

/*
 * Read a whole file; as file_load_at() with a path.
 */
int file_load(const char *path, size_t max, uint8_t **text, size_t *n)
{
	return file_load_at(AT_FDCWD, path, max, text, n);
}
