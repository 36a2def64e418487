/*
 * mgmtd: what the network may talk to. One program, one role a process:
 *
 *   mgmtd webd   the web interface: TLS over its own TCP/IP on a TUN
 *
 * DESIGN: svcd starts it without rights, in a network namespace without anything, in
 * an empty root folder. It reads its key, opens nothing after that, says READY and
 * gives up all system calls that serving does not need. It holds no authority: what
 * it is asked for goes to policyd, who judges by signatures.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <mbedtls/memory_buffer_alloc.h>
#include <psa/crypto.h>

#include "fds.h"
#include "ipc.h"
#include "loop.h"
#include "sandbox.h"
#include "say.h"
#include "tls_key.h"

static unsigned char tls_heap[CONFIG_MGMT_TLS_HEAP_KB * 1024]
	__attribute__((aligned(16)));

static int fail(const char *step, int err)
{
	say("failed", "step=%s reason=\"%s\" error=\"%s\"", step, err_text(err),
	    err == ERR_SYS ? strerror(errno) : "-");
	return 1;
}

static int send_ready(const struct tls_key *key)
{
	uint8_t body[200];
	int n = snprintf((char *)body + 1, sizeof(body) - 1, "fingerprint=%s",
			 key->fingerprint);

	body[0] = READY_RUNNING;
	return ipc_send(FDS_SVCD, IPC_READY, 0, span_of(body, (size_t)n + 1), -1);
}

static int webd(void)
{
	static struct tls_key key;
	const struct loop_fds fds = {.svcd = FDS_SVCD, .tun = FDS_TUN};
	int r;

	/* no core, no debugger: the key is in this memory; the name is that of a
	 * descriptor, because svcd starts us by one */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
	    prctl(PR_SET_NAME, "webd", 0, 0, 0) != 0)
		return fail("process", ERR_SYS);
	mbedtls_memory_buffer_alloc_init(tls_heap, sizeof(tls_heap));
	if (psa_crypto_init() != PSA_SUCCESS)
		return fail("crypto", ERR_INTERNAL);
	r = tls_key_load(&key, FDS_FOLDER);
	if (r != ERR_OK)
		return fail("key", r);
	(void)close(FDS_FOLDER); /* was only read or synced already */
	if (fcntl(FDS_SVCD, F_SETFL, O_NONBLOCK) != 0 ||
	    fcntl(FDS_TUN, F_SETFL, O_NONBLOCK) != 0)
		return fail("descriptors", ERR_SYS);
	r = loop_open(&key, &fds);
	if (r != ERR_OK)
		return fail("network", r);
	say("ready", "fingerprint=%s key=%s", key.fingerprint, key.how);
	r = send_ready(&key);
	if (r != ERR_OK)
		return fail("ready", r);
	r = sandbox_enter();
	if (r != ERR_OK)
		return fail("sandbox", r);
	r = loop_run();
	return r == ERR_NOENT ? 0 : fail("loop", r);
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "webd") == 0)
		return webd();
	(void)fprintf(stderr, "mgmtd: is started by svcd with its role\n");
	return 2;
}
