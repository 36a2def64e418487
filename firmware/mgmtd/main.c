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
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <mbedtls/memory_buffer_alloc.h>
#include <psa/crypto.h>

#include "fds.h"
#include "ipc.h"
#include "loop.h"
#include "sandbox.h"
#include "say.h"
#include "tls_key.h"
#include "wipe.h"

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

/* The pages: mapped, not copied. */
static int open_pack(struct http_pack *pack)
{
	struct stat st;
	void *p;

	if (fstat(FDS_FILE, &st) != 0)
		return ERR_SYS;
	if (st.st_size <= 0 || st.st_size > (off_t)HTTP_PACK_MAX)
		return ERR_LIMIT;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, FDS_FILE, 0);
	if (p == MAP_FAILED)
		return ERR_SYS;
	(void)close(FDS_FILE); /* the mapping stays */
	return http_pack_read(span_of(p, (size_t)st.st_size), pack);
}

/* Everything that is to be read. Returns the step that failed, with @err. */
static const char *open_files(struct loop_setup *setup, uint8_t text[ACCOUNTS_FILE_MAX],
			      int *err)
{
	static struct tls_key key;
	static struct http_pack pack;
	static struct keep keep;
	size_t n = 0;

	*err = tls_key_load(&key, FDS_FOLDER);
	if (*err != ERR_OK)
		return "key";
	*err = keep_open(&keep, FDS_FOLDER, text, ACCOUNTS_FILE_MAX, &n);
	if (*err != ERR_OK)
		return "accounts";
	*err = open_pack(&pack);
	if (*err != ERR_OK)
		return "pages";
	(void)close(FDS_FOLDER); /* what was written there was synced */
	setup->key = &key;
	setup->keep = &keep;
	setup->pack = &pack;
	setup->accounts = span_of(text, n);
	return NULL;
}

static int webd(void)
{
	static uint8_t text[ACCOUNTS_FILE_MAX];
	struct loop_setup setup = {.fds = {.svcd = FDS_SVCD, .tun = FDS_TUN}};
	const char *step;
	int r;

	/* no core, no debugger: the key is in this memory; the name is that of a
	 * descriptor, because svcd starts us by one */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
	    prctl(PR_SET_NAME, "webd", 0, 0, 0) != 0)
		return fail("process", ERR_SYS);
	mbedtls_memory_buffer_alloc_init(tls_heap, sizeof(tls_heap));
	if (psa_crypto_init() != PSA_SUCCESS)
		return fail("crypto", ERR_INTERNAL);
	step = open_files(&setup, text, &r);
	if (step)
		return fail(step, r);
	if (fcntl(FDS_SVCD, F_SETFL, O_NONBLOCK) != 0 ||
	    fcntl(FDS_TUN, F_SETFL, O_NONBLOCK) != 0)
		return fail("descriptors", ERR_SYS);
	r = loop_open(&setup);
	wipe(text, sizeof(text));
	if (r != ERR_OK)
		return fail("network", r);
	say("ready", "fingerprint=%s key=%s", setup.key->fingerprint, setup.key->how);
	r = send_ready(setup.key);
	if (r != ERR_OK)
		return fail("ready", r);
	tzset(); /* gmtime_r() would open the time zone's file at its first use */
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
