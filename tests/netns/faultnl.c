/*
 * Preloaded into policyd by the tests: spoils chosen netlink messages.
 *
 * FAULT=KIND:N  KIND is what happens, N the how manieth time (1 = first)
 *   batch-enomem   the N-th nf_tables transaction is not sent: ENOMEM
 *   batch-rule     in it the name of the last rule's first expression is wrong
 *   batch-set      in it the last set that a rule looks into does not exist
 *   addr           the N-th address request: ENOBUFS
 *   route          the N-th route request: ENOBUFS
 *   link           the N-th link request: EPERM
 *   dump           the N-th answer of nf_tables to a dump: ENOMEM
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

typedef ssize_t sendto_fn(int, const void *, size_t, int, const struct sockaddr *,
			  socklen_t);

static const char *kind;
static int at, seen;

__attribute__((constructor)) static void start(void)
{
	const char *fault = NULL, *colon;

	for (char **e = environ; *e && !fault; e++) {
		if (!strncmp(*e, "FAULT=", 6))
			fault = *e + 6;
	}
	colon = fault ? strchr(fault, ':') : NULL;

	if (!colon)
		return;
	kind = strndup(fault, (size_t)(colon - fault));
	at = (int)strtol(colon + 1, NULL, 10);
}

static int is_kind(const char *name)
{
	return kind && !strcmp(kind, name);
}

/* Last place of LEN bytes in the message, NULL when there is none. */
static char *last(char *p, size_t n, const char *word, size_t len)
{
	char *found = NULL;

	for (size_t i = 0; i + len <= n; i++) {
		if (!memcmp(p + i, word, len))
			found = p + i;
	}
	return found;
}

static ssize_t spoil_batch(sendto_fn *real, int fd, const void *p, size_t n, int flags,
			   const struct sockaddr *to, socklen_t to_len)
{
	char *copy, *word;
	ssize_t r;

	if (is_kind("batch-enomem")) {
		errno = ENOMEM;
		return -1;
	}
	copy = malloc(n);
	if (!copy)
		abort();
	memcpy(copy, p, n);
	/* set names end in a digest, names of expressions with NUL */
	word = is_kind("batch-set") ? last(copy, n, "inside_", strlen("inside_"))
				    : last(copy, n, "counter", sizeof("counter"));
	if (!word)
		abort(); /* the test would prove nothing */
	word[0] = 'x';
	r = real(fd, copy, n, flags, to, to_len);
	free(copy);
	return r;
}

/* Does the message belong to what the fault counts? */
static int counts(const struct nlmsghdr *h, int protocol)
{
	if (protocol == NETLINK_NETFILTER) {
		if (h->nlmsg_type == NFNL_MSG_BATCH_BEGIN)
			return is_kind("batch-enomem") || is_kind("batch-rule") ||
			       is_kind("batch-set");
		return is_kind("dump") && (h->nlmsg_flags & NLM_F_DUMP) &&
		       h->nlmsg_type >> 8 == NFNL_SUBSYS_NFTABLES;
	}
	if (is_kind("addr"))
		return h->nlmsg_type == RTM_NEWADDR;
	if (is_kind("route"))
		return h->nlmsg_type == RTM_NEWROUTE;
	return is_kind("link") && h->nlmsg_type == RTM_NEWLINK;
}

ssize_t sendto(int fd, const void *p, size_t n, int flags, const struct sockaddr *to,
	       socklen_t to_len)
{
	sendto_fn *real = (sendto_fn *)dlsym(RTLD_NEXT, "sendto");
	int protocol = -1;
	socklen_t len = sizeof(protocol);

	if (!kind || n < sizeof(struct nlmsghdr) ||
	    getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) != 0 ||
	    !counts(p, protocol) || ++seen != at)
		return real(fd, p, n, flags, to, to_len);
	if (!strncmp(kind, "batch", 5))
		return spoil_batch(real, fd, p, n, flags, to, to_len);
	errno = is_kind("link") ? EPERM : is_kind("dump") ? ENOMEM : ENOBUFS;
	return -1;
}
