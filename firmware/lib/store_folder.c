/*
 * The store's folder on a real file system (ext4, data=ordered).
 */
#include "store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "file.h"

static int folder_fd(void *arg)
{
	return ((const struct store_folder *)arg)->fd;
}

static int io_create(void *arg, const char *name)
{
	return openat(folder_fd(arg), name,
		      O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static long io_write(void *arg, int file, const void *p, size_t n)
{
	(void)arg;
	return write(file, p, n);
}

static int io_sync(void *arg, int file)
{
	(void)arg;
	return fsync(file);
}

static int io_close(void *arg, int file)
{
	(void)arg;
	return close(file);
}

static int io_rename(void *arg, const char *from, const char *to)
{
	return renameat(folder_fd(arg), from, folder_fd(arg), to);
}

static int io_remove(void *arg, const char *name)
{
	return unlinkat(folder_fd(arg), name, 0);
}

static int io_sync_folder(void *arg)
{
	return fsync(folder_fd(arg));
}

static int io_read(void *arg, const char *name, size_t max, uint8_t **text, size_t *n)
{
	return file_load_at(folder_fd(arg), name, max, text, n);
}

static int io_list(void *arg, bool (*each)(void *ctx, const char *name), void *ctx)
{
	int fd = openat(folder_fd(arg), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *de;
	DIR *d;

	if (fd < 0)
		return -1;
	d = fdopendir(fd);
	if (!d) {
		(void)close(fd);
		return -1;
	}
	while ((de = readdir(d)) != NULL) {
		if (!each(ctx, de->d_name))
			break;
	}
	(void)closedir(d);
	return 0;
}

const struct store_io store_folder_io = {
	.create = io_create,
	.write = io_write,
	.sync = io_sync,
	.close = io_close,
	.rename = io_rename,
	.remove = io_remove,
	.sync_folder = io_sync_folder,
	.read = io_read,
	.list = io_list,
};

/*
 * Open a folder for store_folder_io.
 *
 * Returns ERR_OK, ERR_NOENT or ERR_SYS (errno is set).
 */
int store_folder_open(struct store_folder *f, const char *path)
{
	f->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (f->fd >= 0)
		return ERR_OK;
	return errno == ENOENT ? ERR_NOENT : ERR_SYS;
}

/*
 * Close it; harmless after a failed open.
 */
void store_folder_close(struct store_folder *f)
{
	if (f->fd >= 0)
		(void)close(f->fd); /* a folder, read only */
	f->fd = -1;
}
