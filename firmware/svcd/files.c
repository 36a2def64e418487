#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/*
 * Write @text to an existing file with one write().
 *
 * Returns ERR_OK, ERR_NOENT or ERR_SYS (errno is set).
 */
int files_write(const char *path, const char *text)
{
	size_t len = strlen(text);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;
	int saved;

	if (fd < 0)
		return errno == ENOENT ? ERR_NOENT : ERR_SYS;
	n = write(fd, text, len);
	saved = errno;
	(void)close(fd);
	errno = saved;
	return n == (ssize_t)len ? ERR_OK : ERR_SYS;
}

/*
 * Read a whole file as a string.
 *
 * @max  room in @out with the terminating NUL
 *
 * Returns ERR_OK, ERR_NOENT, ERR_SYS (errno is set), or ERR_LIMIT when the
 * file does not fit.
 */
int files_read(const char *path, char *out, size_t max)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r = ERR_INTERNAL;
	size_t used = 0;

	if (fd < 0)
		return errno == ENOENT ? ERR_NOENT : ERR_SYS;
	while (used < max) {
		ssize_t n = read(fd, out + used, max - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			r = ERR_SYS;
			break;
		}
		if (n == 0) {
			out[used] = '\0';
			r = ERR_OK;
			break;
		}
		used += (size_t)n;
	}
	if (r == ERR_INTERNAL)
		r = ERR_LIMIT;
	(void)close(fd);
	return r;
}

/*
 * The value of one KEY=value line, as sysfs writes them in uevent files.
 *
 * @key  without the equals sign; must stand at the start of a line
 * @out  set on ERR_OK
 *
 * Returns ERR_OK, ERR_NOENT, or ERR_LIMIT when the value does not fit.
 */
int files_value(const char *text, const char *key, char *out, size_t max)
{
	size_t key_len = strlen(key);

	while (*text != '\0') {
		size_t len = strcspn(text, "\n");

		if (len > key_len && strncmp(text, key, key_len) == 0 &&
		    text[key_len] == '=') {
			len -= key_len + 1;
			if (len >= max)
				return ERR_LIMIT;
			memcpy(out, text + key_len + 1, len);
			out[len] = '\0';
			return ERR_OK;
		}
		text += len;
		if (*text == '\n')
			text++;
	}
	return ERR_NOENT;
}
