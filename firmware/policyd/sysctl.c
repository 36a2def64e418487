/*
 * DESIGN: one table; an entry with "*" in its path stands for `all`, `default`
 * and every interface there is. `default` covers an interface that is plugged
 * in later. Forwarding is no entry: it is switched on last and off first, by
 * sysctl_forward().
 */
#include "sysctl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOT "/proc/sys/net/"
#define VALUE_BYTES 32
#define FRAG_BYTES "4194304" /* the kernel's default: 64 datagrams of 64 KiB */

enum kind {
	KIND_ALWAYS,
	KIND_CONNTRACK, /* exists once connection tracking is in use */
	KIND_FIRST_NS,  /* can be written in the first network namespace only */
};

/* A value that the configuration may change. */
enum from {
	FROM_TABLE,
	FROM_TCP,
	FROM_TCP_TRANSITORY,
	FROM_UDP,
	FROM_ICMP,
	FROM_CONNECTIONS,
};

struct setting {
	const char *path; /* below ROOT; "*" = each interface */
	const char *value;
	enum kind kind;
	enum from from;
};

static const struct setting settings[] = {
	{"ipv4/conf/*/rp_filter", "1", KIND_ALWAYS, FROM_TABLE},
	{"ipv4/conf/*/accept_redirects", "0", KIND_ALWAYS, FROM_TABLE},
	{"ipv4/conf/*/secure_redirects", "0", KIND_ALWAYS, FROM_TABLE},
	{"ipv4/conf/*/send_redirects", "0", KIND_ALWAYS, FROM_TABLE},
	{"ipv4/conf/*/accept_source_route", "0", KIND_ALWAYS, FROM_TABLE},
	{"ipv4/conf/*/log_martians", "1", KIND_ALWAYS, FROM_TABLE},
	{"ipv4/conf/*/arp_ignore", "1", KIND_ALWAYS, FROM_TABLE},
	{"ipv4/conf/*/arp_announce", "2", KIND_ALWAYS, FROM_TABLE},
	{"ipv4/conf/*/proxy_arp", "0", KIND_ALWAYS, FROM_TABLE},
	{"ipv4/icmp_echo_ignore_broadcasts", "1", KIND_ALWAYS, FROM_TABLE},
	{"ipv4/icmp_ignore_bogus_error_responses", "1", KIND_ALWAYS, FROM_TABLE},
	{"ipv4/tcp_syncookies", "1", KIND_ALWAYS, FROM_TABLE},
	{"ipv4/tcp_timestamps", "1", KIND_ALWAYS,
	 FROM_TABLE}, /* the SYN proxy keeps options in them */
	/* bytes that datagrams in pieces may hold, and seconds (RFC 8200 4.5); both
	 * families, the appliance's own and what connection tracking collects */
	{"ipv4/ipfrag_high_thresh", FRAG_BYTES, KIND_ALWAYS, FROM_TABLE},
	{"ipv4/ipfrag_time", "30", KIND_ALWAYS, FROM_TABLE},
	{"ipv6/ip6frag_high_thresh", FRAG_BYTES, KIND_ALWAYS, FROM_TABLE},
	{"ipv6/ip6frag_time", "60", KIND_ALWAYS, FROM_TABLE},
	{"netfilter/nf_conntrack_frag6_high_thresh", FRAG_BYTES, KIND_CONNTRACK,
	 FROM_TABLE},
	{"netfilter/nf_conntrack_frag6_timeout", "60", KIND_CONNTRACK, FROM_TABLE},
	{"ipv6/conf/*/accept_ra", "0", KIND_ALWAYS, FROM_TABLE},
	{"ipv6/conf/*/autoconf", "0", KIND_ALWAYS, FROM_TABLE},
	{"ipv6/conf/*/accept_redirects", "0", KIND_ALWAYS, FROM_TABLE},
	{"ipv6/conf/*/accept_source_route", "-1", KIND_ALWAYS, FROM_TABLE},
	{"ipv6/conf/*/proxy_ndp", "0", KIND_ALWAYS, FROM_TABLE},
	{"netfilter/nf_conntrack_tcp_loose", "0", KIND_CONNTRACK, FROM_TABLE},
	/* RFC 6092 REC-14, REC-35; RFC 4787 REQ-5; RFC 5382 REQ-5 */
	{"netfilter/nf_conntrack_udp_timeout", NULL, KIND_CONNTRACK, FROM_UDP},
	{"netfilter/nf_conntrack_udp_timeout_stream", NULL, KIND_CONNTRACK, FROM_UDP},
	{"netfilter/nf_conntrack_tcp_timeout_established", NULL, KIND_CONNTRACK,
	 FROM_TCP},
	{"netfilter/nf_conntrack_tcp_timeout_syn_sent", NULL, KIND_CONNTRACK,
	 FROM_TCP_TRANSITORY},
	{"netfilter/nf_conntrack_tcp_timeout_syn_recv", NULL, KIND_CONNTRACK,
	 FROM_TCP_TRANSITORY},
	{"netfilter/nf_conntrack_tcp_timeout_fin_wait", NULL, KIND_CONNTRACK,
	 FROM_TCP_TRANSITORY},
	{"netfilter/nf_conntrack_tcp_timeout_close_wait", NULL, KIND_CONNTRACK,
	 FROM_TCP_TRANSITORY},
	{"netfilter/nf_conntrack_tcp_timeout_last_ack", NULL, KIND_CONNTRACK,
	 FROM_TCP_TRANSITORY},
	/* what was closed is closed: the next packet is judged by the rules again */
	{"netfilter/nf_conntrack_tcp_timeout_time_wait", "0", KIND_CONNTRACK, FROM_TABLE},
	{"netfilter/nf_conntrack_tcp_timeout_close", "0", KIND_CONNTRACK, FROM_TABLE},
	{"netfilter/nf_conntrack_tcp_timeout_max_retrans", "300", KIND_CONNTRACK,
	 FROM_TABLE},
	{"netfilter/nf_conntrack_tcp_timeout_unacknowledged", "300", KIND_CONNTRACK,
	 FROM_TABLE},
	{"netfilter/nf_conntrack_icmp_timeout", NULL, KIND_CONNTRACK, FROM_ICMP},
	{"netfilter/nf_conntrack_icmpv6_timeout", NULL, KIND_CONNTRACK, FROM_ICMP},
	{"netfilter/nf_conntrack_max", NULL, KIND_FIRST_NS, FROM_CONNECTIONS},
};

static const char *const forwarding[] = {"ipv4/ip_forward", "ipv6/conf/all/forwarding"};

/* Write one file. Returns 0 or errno. */
static int put(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t n = strlen(value);
	int err;

	if (fd < 0)
		return errno;
	err = write(fd, value, n) == (ssize_t)n ? 0 : errno;
	(void)close(fd); /* the kernel has taken the value already */
	return err;
}

/* Read one file without its newline. Returns 0 or errno. */
static int get(const char *path, char value[VALUE_BYTES])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;
	int err;

	if (fd < 0)
		return errno;
	n = read(fd, value, VALUE_BYTES - 1);
	err = n < 0 ? errno : 0;
	(void)close(fd);
	value[n > 0 ? n : 0] = '\0';
	value[strcspn(value, "\n")] = '\0';
	return err;
}

struct visit {
	bool is_write;         /* else compare */
	const struct cfg *cfg; /* NULL: standard values */
	bool has_conntrack;
	char *why;
	size_t why_max;
};

static bool is_read_only(int err)
{
	return err == EACCES || err == EPERM || err == EROFS;
}

/* What the setting must be under this configuration. */
static void wanted(const struct visit *v, const struct setting *s, char text[VALUE_BYTES])
{
	unsigned n = 0;

	switch (s->from) {
	case FROM_TABLE:
		(void)snprintf(text, VALUE_BYTES, "%s", s->value);
		return;
	case FROM_CONNECTIONS:
		n = v->cfg ? v->cfg->max_connections : CONFIG_CONNTRACK_MAX;
		break;
	case FROM_TCP:
	case FROM_TCP_TRANSITORY:
	case FROM_UDP:
	case FROM_ICMP:
	default: {
		unsigned t = (unsigned)s->from - FROM_TCP;

		n = v->cfg ? v->cfg->timeout_s[t]
			   : cfg_timeout_info((enum cfg_timeout)t)->standard_s;
	}
	}
	(void)snprintf(text, VALUE_BYTES, "%u", n);
}

static int visit_file(const struct visit *v, const struct setting *s, const char *path)
{
	char value[VALUE_BYTES], want[VALUE_BYTES];
	int err;

	wanted(v, s, want);
	if (v->is_write) {
		err = put(path, want);
		if (s->kind == KIND_FIRST_NS && is_read_only(err))
			return ERR_OK;
	} else {
		/* what cannot be written here is not ours to verify */
		if (s->kind == KIND_FIRST_NS && access(path, W_OK) != 0)
			return ERR_OK;
		err = get(path, value);
		if (err == 0 && strcmp(value, want) != 0) {
			(void)snprintf(v->why, v->why_max, "%s is %s, must be %s", path,
				       value, want);
			return ERR_MISMATCH;
		}
	}
	if (err == ENOENT && s->kind != KIND_ALWAYS && !v->has_conntrack)
		return ERR_OK;
	if (err == 0)
		return ERR_OK;
	(void)snprintf(v->why, v->why_max, "%s: %s", path, strerror(err));
	return ERR_SYS;
}

/* All interfaces of one "ipvN/conf" folder. One that is unplugged meanwhile is
 * no error. */
static int visit_each(const struct visit *v, const struct setting *s)
{
	const char *star = strchr(s->path, '*');
	char dir[64], path[384];
	struct dirent *de;
	int r = ERR_OK;
	DIR *d;

	(void)snprintf(dir, sizeof(dir), ROOT "%.*s", (int)(star - s->path), s->path);
	d = opendir(dir);
	if (!d) {
		(void)snprintf(v->why, v->why_max, "%s: %s", dir, strerror(errno));
		return ERR_SYS;
	}
	while (r == ERR_OK && (de = readdir(d)) != NULL) {
		if (de->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s%s%s", dir, de->d_name, star + 1);
		r = visit_file(v, s, path);
		if (r == ERR_SYS && access(path, F_OK) != 0)
			r = ERR_OK;
	}
	(void)closedir(d);
	return r;
}

static int visit_all(const struct visit *v)
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		const struct setting *s = &settings[i];
		char path[128];
		int r;

		(void)snprintf(path, sizeof(path), ROOT "%s", s->path);
		r = strchr(s->path, '*') ? visit_each(v, s) : visit_file(v, s, path);
		if (r != ERR_OK)
			return r;
	}
	return ERR_OK;
}

/*
 * Write every setting but forwarding.
 *
 * @cfg  whose rules are in the kernel: the settings of connection tracking exist;
 *       NULL: the closed rules, standard values
 * @why  on failure names the file and the reason
 *
 * Returns ERR_OK or ERR_SYS.
 */
int sysctl_harden(const struct cfg *cfg, char *why, size_t why_max)
{
	struct visit v = {true, cfg, cfg != NULL, why, why_max};

	return visit_all(&v);
}

/*
 * Read every setting back, forwarding too.
 *
 * Returns ERR_OK, ERR_MISMATCH or ERR_SYS with @why.
 */
int sysctl_verify(const struct cfg *cfg, bool is_forwarding, char *why, size_t why_max)
{
	struct visit v = {false, cfg, cfg != NULL, why, why_max};
	int r = visit_all(&v);

	for (size_t i = 0; r == ERR_OK && i < 2; i++) {
		struct setting s = {forwarding[i], is_forwarding ? "1" : "0", KIND_ALWAYS,
				    FROM_TABLE};
		char path[64];

		(void)snprintf(path, sizeof(path), ROOT "%s", s.path);
		r = visit_file(&v, &s, path);
	}
	return r;
}

/*
 * Switch IPv4 and IPv6 forwarding on or off.
 *
 * Returns ERR_OK, or ERR_SYS with @why; switching off tries both in any case.
 */
int sysctl_forward(bool on, char *why, size_t why_max)
{
	int r = ERR_OK;

	for (size_t i = 0; i < 2; i++) {
		char path[64];
		int err;

		(void)snprintf(path, sizeof(path), ROOT "%s", forwarding[i]);
		err = put(path, on ? "1" : "0");
		if (err == 0)
			continue;
		(void)snprintf(why, why_max, "%s: %s", path, strerror(err));
		r = ERR_SYS;
		if (on)
			break;
	}
	return r;
}
