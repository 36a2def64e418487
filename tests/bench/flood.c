/*
 * Sends IPv4 UDP packets into an interface with AF_PACKET and sendmmsg, and
 * says what each cost. Network stack work of a veth pair runs in the sender, so
 * the process' CPU time is that of the whole path.
 *
 *   flood IF DEST_MAC SRC DST PORT FLOWS FIRST COUNT
 *
 * FLOWS flows in turn, the first is number FIRST: PORTS source ports of SRC, then
 * of the next address. COUNT packets in all. Prints "packets cpu_ns".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <net/if.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define BATCH 64
#define FRAME_BYTES 60
#define FIRST_PORT 10000U
#define PORTS 50U /* flows of one source address */
#define COUNT_MAX 10000000U

struct frame {
	struct ethhdr eth;
	struct iphdr ip;
	struct udphdr udp;
	uint8_t data[FRAME_BYTES - sizeof(struct ethhdr) - sizeof(struct iphdr) -
		     sizeof(struct udphdr)];
} __attribute__((packed));

static uint16_t ip_sum(const struct frame *f)
{
	uint8_t b[sizeof(f->ip)];
	uint32_t sum = 0;

	memcpy(b, &f->ip, sizeof(b));
	for (size_t i = 0; i < sizeof(b); i += 2)
		sum += (uint32_t)(b[i] << 8 | b[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static int take_mac(const char *text, uint8_t mac[ETH_ALEN])
{
	for (int i = 0; i < ETH_ALEN; i++) {
		char *end;
		unsigned long v = strtoul(text, &end, 16);

		if (end == text || v > 255 || *end != (i < ETH_ALEN - 1 ? ':' : '\0'))
			return -1;
		mac[i] = (uint8_t)v;
		text = end + 1;
	}
	return 0;
}

static int make_frame(struct frame *f, const char *mac, const char *src, const char *dst,
		      unsigned port)
{
	memset(f, 0, sizeof(*f));
	if (take_mac(mac, f->eth.h_dest) < 0 ||
	    inet_pton(AF_INET, src, &f->ip.saddr) != 1 ||
	    inet_pton(AF_INET, dst, &f->ip.daddr) != 1 || port > 65535)
		return -1;
	f->eth.h_source[0] = 2;
	f->eth.h_proto = htons(ETH_P_IP);
	f->ip.version = 4;
	f->ip.ihl = 5;
	f->ip.ttl = 64;
	f->ip.protocol = IPPROTO_UDP;
	f->ip.tot_len = htons(FRAME_BYTES - sizeof(struct ethhdr));
	f->udp.dest = htons((uint16_t)port);
	f->udp.len = htons(FRAME_BYTES - sizeof(struct ethhdr) - sizeof(struct iphdr));
	return 0;
}

static void set_flow(struct frame *f, in_addr_t src, unsigned flow)
{
	f->ip.saddr = htonl(ntohl(src) + flow / PORTS);
	f->udp.source = htons((uint16_t)(FIRST_PORT + flow % PORTS));
	f->ip.check = 0;
	f->ip.check = ip_sum(f);
}

static uint64_t cpu_ns(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000U +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000U;
}

static int open_on(const char *name)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
				 .sll_ifindex = (int)if_nametoindex(name)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (to.sll_ifindex == 0 || fd < 0 ||
	    bind(fd, (const void *)&to, sizeof(to)) < 0) {
		perror(name);
		exit(1);
	}
	return fd;
}

static unsigned long number(const char *text, unsigned long max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || n > max) {
		(void)fprintf(stderr, "flood: %s is not a number up to %lu\n", text, max);
		exit(2);
	}
	return n;
}

static unsigned long send_all(int fd, const struct frame *first, unsigned long flows,
			      unsigned long offset, unsigned long count)
{
	static struct frame frames[BATCH];
	static struct iovec iov[BATCH];
	static struct mmsghdr msgs[BATCH];
	in_addr_t src = first->ip.saddr;
	unsigned long sent = 0;

	for (unsigned i = 0; i < BATCH; i++) {
		frames[i] = *first;
		iov[i].iov_base = &frames[i];
		iov[i].iov_len = FRAME_BYTES;
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	while (sent < count) {
		unsigned n = count - sent < BATCH ? (unsigned)(count - sent) : BATCH;
		int r;

		for (unsigned i = 0; i < n; i++)
			set_flow(&frames[i], src,
				 (unsigned)(offset + (sent + i) % flows));
		r = sendmmsg(fd, msgs, n, 0);
		if (r < 0 && errno != ENOBUFS && errno != EINTR) {
			perror("sendmmsg");
			exit(1);
		}
		sent += r > 0 ? (unsigned)r : 0;
	}
	return sent;
}

int main(int argc, char **argv)
{
	struct frame first;
	unsigned long sent, flows;
	uint64_t before;
	int fd;

	if (argc != 9 || make_frame(&first, argv[2], argv[3], argv[4],
				    (unsigned)number(argv[5], 65535)) < 0) {
		(void)fprintf(stderr, "usage: flood IF DEST_MAC SRC DST PORT FLOWS FIRST "
				      "COUNT\n");
		return 2;
	}
	flows = number(argv[6], COUNT_MAX);
	fd = open_on(argv[1]);
	before = cpu_ns();
	sent = send_all(fd, &first, flows ? flows : 1, number(argv[7], COUNT_MAX),
			number(argv[8], COUNT_MAX));
	(void)printf("%lu %llu\n", sent, (unsigned long long)(cpu_ns() - before));
	return 0;
}
