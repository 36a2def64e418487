/*
 * devctl: development tool on the device, speaks to policyd's development
 * socket. Not in a release image.
 *
 *   devctl apply FILE    give a signed configuration to policyd
 *   devctl keyset FILE   give it the next keyset
 *   devctl order FILE    give it a signed order of the SOC
 *   devctl confirm CODE  keep the configuration that is on trial
 *   devctl rollback      bring the one before it back now
 *   devctl status        what is enforced, as key=value lines
 *
 * Exit codes: 0 done, 1 refused, 2 usage, or policyd cannot be reached.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/ipc.h"
#include "lib/sealed.h"

#define SOCKET_PATH "/run/luytre/dev.sock"
#define FILE_MAX_BYTES (64U << 20) /* policyd's own limit is lower and has a reason */
#define ANSWER_MS 120000

static int usage(FILE *f, int code)
{
	(void)fprintf(
		f, "usage: devctl apply FILE    bring a signed configuration into force\n"
		   "       devctl keyset FILE   accept the next keyset\n"
		   "       devctl order FILE    carry out a signed order of the SOC\n"
		   "       devctl confirm CODE  keep the configuration that is on trial\n"
		   "       devctl rollback      bring the one before it back now\n"
		   "       devctl status        what is enforced\n"
		   "Exit code: 0 done, 1 refused, 2 usage or policyd not reachable.\n");
	return code;
}

static int connect_policyd(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), SOCKET_PATH);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	(void)fprintf(stderr, "devctl: policyd (" SOCKET_PATH "): %s\n", strerror(errno));
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

/* Send one message and wait for its answer. */
static int ask(int sock, enum ipc_type type, struct span body, int fd, struct ipc_msg *m)
{
	struct pollfd p = {.fd = sock, .events = POLLIN};
	int r = ipc_send(sock, type, 1, body, fd);

	if (r == ERR_OK && poll(&p, 1, ANSWER_MS) == 0)
		r = ERR_BUSY;
	if (r == ERR_OK)
		r = ipc_recv(sock, m);
	if (r != ERR_OK)
		(void)fprintf(stderr, "devctl: no answer of policyd: %s\n",
			      r == ERR_NOENT ? "it closed the connection" : err_text(r));
	return r;
}

/* A sealed memfd with the content of a file, -1 on failure. */
static int sealed_file(const char *file)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *p = NULL;
	int memfd = -1, r;

	if (fd < 0 || fstat(fd, &st) != 0) {
		(void)fprintf(stderr, "devctl: %s: %s\n", file, strerror(errno));
		goto out;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX_BYTES) {
		(void)fprintf(stderr, "devctl: %s: not a file of at most %u bytes\n",
			      file, FILE_MAX_BYTES);
		goto out;
	}
	if (st.st_size > 0)
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED) {
		(void)fprintf(stderr, "devctl: %s: %s\n", file, strerror(errno));
		goto out;
	}
	r = sealed_make("config", span_of(p, (size_t)st.st_size), &memfd);
	if (r != ERR_OK)
		(void)fprintf(stderr, "devctl: memfd: %s\n", strerror(errno));
	if (p)
		(void)munmap(p, (size_t)st.st_size);
out:
	if (fd >= 0)
		(void)close(fd); /* read only */
	return memfd;
}

/* @good  the word of success */
static int print_result(const char *good, const char *file, struct span body)
{
	uint32_t code, low, high;
	uint64_t version;

	if (span_get_le32(&body, &code) != ERR_OK ||
	    span_get_le32(&body, &low) != ERR_OK || span_get_le32(&body, &high) != ERR_OK)
		return 2;
	version = (uint64_t)high << 32 | low;
	if ((int)code == ERR_OK || (int)code == ERR_ALREADY) {
		(void)printf("%s file=%s serial=%llu %.*s\n", good, file,
			     (unsigned long long)version, (int)body.n,
			     (const char *)body.p);
		return 0;
	}
	(void)fprintf(stderr, "refused file=%s %.*s\n", file, (int)body.n,
		      (const char *)body.p);
	return 1;
}

static int put(uint8_t kind, const char *good, const char *file)
{
	int memfd = sealed_file(file), sock = -1;
	struct ipc_msg m;
	int code = 2;

	if (memfd < 0)
		return 2;
	sock = connect_policyd();
	if (sock >= 0 && ask(sock, IPC_ART_PUT, span_of(&kind, 1), memfd, &m) == ERR_OK) {
		if (ipc_check(&m, IPC_TASK_policyd, IPC_TASK_dev) == ERR_OK &&
		    m.type == IPC_ART_RESULT)
			code = print_result(good, file, m.body);
		else
			(void)fprintf(stderr, "devctl: unexpected answer\n");
		ipc_msg_clear(&m);
	}
	if (sock >= 0)
		(void)close(sock);
	(void)close(memfd);
	return code;
}

/* Confirm the trial, or end it. */
static int end_trial(enum ipc_type type, const char *good, struct span body)
{
	int sock = connect_policyd();
	struct ipc_msg m;
	uint32_t result;
	int code = 2;

	if (sock < 0)
		return 2;
	if (ask(sock, type, body, -1, &m) == ERR_OK) {
		if (m.type == IPC_TRIAL_RESULT &&
		    span_get_le32(&m.body, &result) == ERR_OK) {
			code = (int)result == ERR_OK ? 0 : 1;
			(void)fprintf(code ? stderr : stdout, "%s %.*s\n",
				      code ? "refused" : good, (int)m.body.n,
				      (const char *)m.body.p);
		}
		ipc_msg_clear(&m);
	}
	(void)close(sock);
	return code;
}

static int status(void)
{
	int sock = connect_policyd();
	struct ipc_msg m;
	int code = 2;

	if (sock < 0)
		return 2;
	if (ask(sock, IPC_STATUS_GET, span_of(NULL, 0), -1, &m) == ERR_OK) {
		if (m.type == IPC_STATUS) {
			(void)fwrite(m.body.p, 1, m.body.n, stdout);
			code = 0;
		}
		ipc_msg_clear(&m);
	}
	(void)close(sock);
	return fflush(stdout) == 0 ? code : 2;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "status") == 0)
		return status();
	if (argc == 3 && strcmp(argv[1], "apply") == 0)
		return put(ART_CONFIG, "enforced", argv[2]);
	if (argc == 3 && strcmp(argv[1], "keyset") == 0)
		return put(ART_KEYSET, "accepted", argv[2]);
	if (argc == 3 && strcmp(argv[1], "order") == 0)
		return put(ART_COMMAND, "done", argv[2]);
	if (argc == 3 && strcmp(argv[1], "confirm") == 0)
		return end_trial(IPC_CONFIRM, "confirmed", span_str(argv[2]));
	if (argc == 2 && strcmp(argv[1], "rollback") == 0)
		return end_trial(IPC_ROLLBACK, "rolled-back", span_of(NULL, 0));
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return usage(stdout, 0);
	return usage(stderr, 2);
}
