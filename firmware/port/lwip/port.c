/*
 * What lwIP needs of the system: a clock, random numbers, initial sequence
 * numbers, the end after a failed assertion.
 *
 * DESIGN: an initial sequence number is a clock of 4 microseconds plus SipHash-2-4
 * of the four-tuple under a secret of this run (RFC 6528 3): numbers of one tuple
 * ascend, those of other tuples say nothing about them.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "luytre_hooks.h"
#include "lwip/sys.h"

#define ISN_TICK_NS 4000 /* RFC 6528 3 */

static uint64_t rotl(uint64_t v, unsigned bits)
{
	return v << bits | v >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

/* SipHash-2-4 of whole words; the length goes into the last one, as the
 * algorithm wants it. */
static uint64_t siphash(const uint64_t key[2], const uint64_t *words, size_t n)
{
	uint64_t v[4] = {key[0] ^ 0x736f6d6570736575U, key[1] ^ 0x646f72616e646f6dU,
			 key[0] ^ 0x6c7967656e657261U, key[1] ^ 0x7465646279746573U};
	uint64_t last = (uint64_t)(n * 8) << 56;

	for (size_t i = 0; i <= n; i++) {
		uint64_t m = i < n ? words[i] : last;

		v[3] ^= m;
		sip_round(v);
		sip_round(v);
		v[0] ^= m;
	}
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* getrandom() fails only for wrong arguments once the kernel's generator is
 * seeded, and before that it waits. */
static void fill_random(void *out, size_t n)
{
	if (getrandom(out, n, 0) != (ssize_t)n)
		luytre_lwip_assert("getrandom");
}

/*
 * Random number for lwIP (local ports).
 */
uint32_t luytre_lwip_rand(void)
{
	uint32_t v;

	fill_random(&v, sizeof(v));
	return v;
}

/*
 * Say which assertion failed and end the process; svcd starts it again.
 */
_Noreturn void luytre_lwip_assert(const char *what)
{
	char line[160];
	int n = snprintf(line, sizeof(line), "luytre: webd: assert text=\"%.100s\"\n",
			 what);

	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
		_exit(3); /* nobody to tell */
	_exit(3);
}

/*
 * Milliseconds of the monotonic clock; wraps, as lwIP expects.
 */
u32_t sys_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail for this clock */
	return (u32_t)((uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000);
}

static void put_addr(uint64_t out[2], const ip_addr_t *a)
{
	if (IP_IS_V6(a))
		memcpy(out, ip_2_ip6(a)->addr, 16);
	else
		out[0] = ip_2_ip4(a)->addr;
}

/*
 * Initial sequence number of a connection; lwIP's hook.
 *
 * @local_port, @remote_port  host byte order
 */
uint32_t luytre_tcp_isn(const ip_addr_t *local, uint16_t local_port,
			const ip_addr_t *remote, uint16_t remote_port)
{
	static uint64_t secret[2];
	static bool has_secret;
	uint64_t tuple[5] = {0};
	struct timespec ts;

	if (!has_secret) {
		fill_random(secret, sizeof(secret));
		has_secret = true;
	}
	put_addr(&tuple[0], local);
	put_addr(&tuple[2], remote);
	tuple[4] = (uint64_t)local_port << 16 | remote_port;
	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail for this clock */
	return (uint32_t)(siphash(secret, tuple, 5) +
			  (uint64_t)ts.tv_sec * (1000000000 / ISN_TICK_NS) +
			  (uint64_t)ts.tv_nsec / ISN_TICK_NS);
}
