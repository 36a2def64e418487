#include "sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * All four are needed. F_SEAL_FUTURE_WRITE is no substitute for F_SEAL_WRITE:
 * a mapping made before it stays writable, so the content could change after
 * it was checked. The kernel grants F_SEAL_WRITE only when no such mapping
 * exists.
 */
#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static int write_all(int fd, struct span data)
{
	while (data.n > 0) {
		ssize_t n = write(fd, data.p, data.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return ERR_SYS;
		data.p += n;
		data.n -= (size_t)n;
	}
	return ERR_OK;
}

/*
 * Make a sealed memfd that holds a copy of @data, for sending to another task.
 *
 * @name  shown in /proc for diagnosis only
 * @fd    close-on-exec; the caller closes it; set only on ERR_OK
 *
 * Returns ERR_OK or ERR_SYS (errno tells why).
 */
int sealed_make(const char *name, struct span data, int *fd)
{
	int m = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (m < 0)
		return ERR_SYS;
	if (write_all(m, data) != ERR_OK || fcntl(m, F_ADD_SEALS, SEALS) != 0) {
		int saved = errno;

		(void)close(m); /* nothing of value is in it */
		errno = saved;
		return ERR_SYS;
	}
	*fd = m;
	return ERR_OK;
}

/*
 * Map what another task sent, after making sure that it cannot change.
 *
 * @fd   stays open and the caller's; the mapping does not need it
 * @max  most bytes accepted; compared before anything is mapped
 * @out  set only on ERR_OK; give back with sealed_unmap()
 *
 * Returns ERR_OK; ERR_SEAL when it is no memfd or one of F_SEAL_WRITE, SHRINK,
 * GROW, SEAL is missing; ERR_SHORT when empty; ERR_LIMIT above @max; ERR_SYS.
 */
int sealed_map(int fd, size_t max, struct sealed *out)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);
	void *p;

	if (seals < 0)
		return errno == EBADF ? ERR_SYS : ERR_SEAL;
	if ((seals & SEALS) != SEALS)
		return ERR_SEAL;
	if (fstat(fd, &st) != 0)
		return ERR_SYS;
	if (!S_ISREG(st.st_mode))
		return ERR_SEAL;
	if (st.st_size <= 0)
		return ERR_SHORT;
	if ((uint64_t)st.st_size > max)
		return ERR_LIMIT;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return ERR_SYS;
	out->data = span_of(p, (size_t)st.st_size);
	return ERR_OK;
}

/*
 * Give a mapping back; spans into it are dead afterwards. Harmless on a
 * zeroed struct.
 */
void sealed_unmap(struct sealed *s)
{
	if (s->data.n > 0)
		(void)munmap((void *)(uintptr_t)s->data.p, s->data.n); /* ours, whole */
	s->data = span_of(NULL, 0);
}
