/*
 * DESIGN: one straight program: the architecture, then each rule of the table in
 * its order, then the end of the process. A rule without a check is two
 * instructions, one with a check seven; nothing jumps further than over its own
 * rule, so that the 8-bit distances of BPF always suffice. The number of another
 * calling convention (x32) is in no table.
 */
#include "port/seccomp/seccomp.h"

#include <endian.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "no seccomp architecture for this processor"
#endif
#if __BYTE_ORDER != __LITTLE_ENDIAN
#error "the halves of an argument are looked up in little endian order"
#endif

#define RULE_STEPS 8 /* most instructions of one rule */
#define PROGRAM_MAX (6 + SECCOMP_RULES_MAX * RULE_STEPS)

struct program {
	struct sock_filter code[PROGRAM_MAX];
	unsigned short n;
};

static void put(struct program *p, struct sock_filter step)
{
	p->code[p->n++] = step;
}

static void load(struct program *p, size_t offset)
{
	put(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

/* Go on when the loaded word is @value, else jump over @skip instructions. */
static void must_be(struct program *p, uint32_t value, uint8_t skip)
{
	put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip));
}

static void answer(struct program *p, uint32_t what)
{
	put(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, what));
}

static void put_rule(struct program *p, const struct seccomp_rule *r)
{
	size_t at = offsetof(struct seccomp_data, args) + r->arg * sizeof(uint64_t);

	if (!r->checks) {
		must_be(p, r->nr, 1);
		answer(p, SECCOMP_RET_ALLOW);
		return;
	}
	must_be(p, r->nr, 6);
	load(p, at);
	must_be(p, r->value, 3);
	load(p, at + 4);
	must_be(p, 0, 1);
	answer(p, SECCOMP_RET_ALLOW);
	load(p, offsetof(struct seccomp_data, nr));
}

/*
 * From now on this process and its children may make the calls of the table; any
 * other one kills it. There is no way back.
 *
 * Returns ERR_OK, ERR_LIMIT (too many rules) or ERR_SYS (errno is set).
 */
int seccomp_allow_only(const struct seccomp_rule *rules, size_t n)
{
	static struct program p;
	struct sock_fprog prog;

	if (n > SECCOMP_RULES_MAX)
		return ERR_LIMIT;
	p.n = 0;
	load(&p, offsetof(struct seccomp_data, arch));
	put(&p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0));
	answer(&p, SECCOMP_RET_KILL_PROCESS);
	load(&p, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < n; i++)
		put_rule(&p, &rules[i]);
	answer(&p, SECCOMP_RET_KILL_PROCESS);
	prog.len = p.n;
	prog.filter = p.code;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) != 0)
		return ERR_SYS;
	return ERR_OK;
}
