/*
 * DESIGN: everything that opens something happened before. What stays: to move bytes
 * on the descriptors there are, to wait, to know the time, to get random bytes, to
 * make a sealed memfd for policyd, to end. No socket, no open, no exec, no mapping,
 * no clone. Anything else kills the process; svcd starts it again.
 */
#include "sandbox.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include "port/seccomp/seccomp.h"

static const struct seccomp_rule rules[] = {
	{SYS_read, 0, 0, 0},
	{SYS_write, 0, 0, 0},
	{SYS_close, 0, 0, 0},
#ifdef SYS_poll
	{SYS_poll, 0, 0, 0},
#endif
	{SYS_ppoll, 0, 0, 0},
	{SYS_recvmsg, 0, 0, 0},
	{SYS_sendmsg, 0, 0, 0},
	{SYS_clock_gettime, 0, 0, 0}, /* answered without a call, as a rule */
	{SYS_getrandom, 0, 0, 0},
	/* documents to and from policyd, the account files */
	{SYS_memfd_create, 0, 0, 0},
	{SYS_fcntl, 1, 1, F_ADD_SEALS},
	{SYS_pread64, 0, 0, 0},
	{SYS_pwrite64, 0, 0, 0},
	{SYS_fdatasync, 0, 0, 0},
	{SYS_fstat, 0, 0, 0},
	{SYS_ftruncate, 0, 0, 0},
	{SYS_restart_syscall, 0, 0, 0},
	{SYS_rt_sigreturn, 0, 0, 0},
	{SYS_exit_group, 0, 0, 0},
};

/*
 * Give everything up that serving does not need.
 *
 * Returns ERR_OK, or ERR_SYS (errno is set): the caller must end then.
 */
int sandbox_enter(void)
{
	return seccomp_allow_only(rules, sizeof(rules) / sizeof(rules[0]));
}
