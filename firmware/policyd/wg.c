/*
 * DESIGN: a tunnel's device is compared with the configuration and brought to
 * it peer by peer, so that an apply that changes nothing in a tunnel does not
 * interrupt it: peers that stay keep their session. The private key goes into
 * the kernel and nowhere else; buffers that held it are wiped.
 */
#include "wg.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/wireguard.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "trust.h"
#include "wipe.h"

/* libmnl's iterator macros subtract pointers into an int */
#pragma GCC diagnostic ignored "-Wconversion"

#define ANSWER_S 10
#define READ_BYTES 32768
#define WRITE_BYTES 16384
#define DEVICE_BYTES 512 /* everything in a message but networks */
#define NETWORK_BYTES 44 /* one network */

_Static_assert(DEVICE_BYTES + CONFIG_CFG_MAX_ALLOWED * NETWORK_BYTES <= WRITE_BYTES,
	       "one peer is one message");

struct wg {
	struct mnl_socket *nl;
	uint32_t seq;
	uint16_t family;
};

/* What a dump of one device found. */
struct scan {
	const struct cfg_port *port; /* NULL: only the public key is wanted */
	uint8_t public_key[CFG_KEY_BYTES];
	bool has_public, has_private;
	uint16_t listen;
	bool seen[CONFIG_CFG_MAX_PEERS];
	size_t allowed[CONFIG_CFG_MAX_PEERS];
	const char *differs;
	uint8_t surplus[CONFIG_CFG_MAX_PEERS][CFG_KEY_BYTES];
	size_t surplus_count;
	bool is_overfull; /* more surplus peers than that */
};

static void wg_close(struct wg *w)
{
	if (w->nl)
		(void)mnl_socket_close(w->nl);
	w->nl = NULL;
}

static struct nlmsghdr *request(uint8_t *buf, uint16_t family, uint8_t command,
				uint8_t version, uint16_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *g;

	h->nlmsg_type = family;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->cmd = command;
	g->version = version;
	return h;
}

/* Send one request and wait for its acknowledgement or its dump. */
static int run(struct wg *w, struct nlmsghdr *h,
	       int (*cb)(const struct nlmsghdr *, void *), void *data)
{
	uint8_t buf[READ_BYTES];
	int r = ERR_BUSY;

	h->nlmsg_seq = ++w->seq;
	if (mnl_socket_sendto(w->nl, h, h->nlmsg_len) < 0)
		return ERR_SYS;
	while (r == ERR_BUSY) {
		ssize_t len = mnl_socket_recvfrom(w->nl, buf, sizeof(buf));
		int got;

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0) {
			r = ERR_SYS;
			break;
		}
		got = mnl_cb_run(buf, (size_t)len, w->seq, mnl_socket_get_portid(w->nl),
				 cb, data);
		if (got != MNL_CB_OK)
			r = got == MNL_CB_STOP ? ERR_OK : ERR_KERNEL;
	}
	wipe(buf, sizeof(buf));
	return r;
}

static int on_family(const struct nlmsghdr *h, void *data)
{
	uint16_t *family = data;
	struct nlattr *a;

	mnl_attr_for_each(a, h, sizeof(struct genlmsghdr))
	{
		if (mnl_attr_get_type(a) == CTRL_ATTR_FAMILY_ID)
			*family = mnl_attr_get_u16(a);
	}
	return MNL_CB_OK;
}

/* ERR_TYPE: this kernel has no WireGuard. */
static int wg_open(struct wg *w)
{
	const struct timeval answer = {.tv_sec = ANSWER_S};
	uint8_t buf[DEVICE_BYTES];
	struct nlmsghdr *h;
	int r;

	memset(w, 0, sizeof(*w));
	w->nl = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!w->nl || mnl_socket_bind(w->nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    setsockopt(mnl_socket_get_fd(w->nl), SOL_SOCKET, SO_RCVTIMEO, &answer,
		       sizeof(answer)) < 0) {
		wg_close(w);
		return ERR_SYS;
	}
	h = request(buf, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, NLM_F_ACK);
	mnl_attr_put_strz(h, CTRL_ATTR_FAMILY_NAME, WG_GENL_NAME);
	r = run(w, h, on_family, &w->family);
	if (r == ERR_KERNEL && errno == ENOENT)
		r = ERR_TYPE;
	if (r == ERR_OK && w->family == 0)
		r = ERR_TYPE;
	if (r != ERR_OK)
		wg_close(w);
	return r;
}

static int find_peer(const struct cfg_port *port, const uint8_t *key)
{
	for (size_t i = 0; i < port->peer_count; i++) {
		if (memcmp(port->peers[i].key, key, CFG_KEY_BYTES) == 0)
			return (int)i;
	}
	return -1;
}

static void on_network(struct scan *s, int peer, struct nlattr *network)
{
	struct net_prefix got = {.len = 0};
	struct nlattr *a;

	mnl_attr_for_each_nested(a, network)
	{
		unsigned n = mnl_attr_get_payload_len(a);

		if (mnl_attr_get_type(a) == WGALLOWEDIP_A_CIDR_MASK)
			got.len = mnl_attr_get_u8(a);
		if (mnl_attr_get_type(a) == WGALLOWEDIP_A_IPADDR && (n == 4 || n == 16)) {
			got.addr.family = n == 4 ? 4 : 6;
			memcpy(got.addr.b, mnl_attr_get_payload(a), n);
		}
	}
	for (size_t i = 0; i < s->port->peers[peer].allowed_count; i++) {
		const struct net_prefix *want = &s->port->peers[peer].allowed[i];

		if (want->len == got.len && net_addr_eq(&want->addr, &got.addr)) {
			s->allowed[peer]++;
			return;
		}
	}
	s->differs = "lets a peer use a network that is not configured";
}

static bool is_endpoint(const struct cfg_peer *peer, const struct nlattr *a)
{
	const struct sockaddr_in *v4 = mnl_attr_get_payload(a);
	const struct sockaddr_in6 *v6 = mnl_attr_get_payload(a);
	unsigned n = mnl_attr_get_payload_len(a);

	/* the port may change: the peer may be behind a translator */
	if (peer->endpoint.family == 4)
		return n == sizeof(*v4) && v4->sin_family == AF_INET &&
		       memcmp(&v4->sin_addr, peer->endpoint.b, 4) == 0;
	return n == sizeof(*v6) && v6->sin6_family == AF_INET6 &&
	       memcmp(&v6->sin6_addr, peer->endpoint.b, 16) == 0;
}

/* One peer; a peer with many networks comes in several parts. */
static void on_peer(struct scan *s, struct nlattr *nest)
{
	const struct nlattr *key = NULL, *endpoint = NULL, *keepalive = NULL;
	const struct cfg_peer *peer;
	struct nlattr *a, *networks = NULL, *network;
	int p;

	mnl_attr_for_each_nested(a, nest)
	{
		switch (mnl_attr_get_type(a)) {
		case WGPEER_A_PUBLIC_KEY:
			key = a;
			break;
		case WGPEER_A_ENDPOINT:
			endpoint = a;
			break;
		case WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL:
			keepalive = a;
			break;
		case WGPEER_A_ALLOWEDIPS:
			networks = a;
			break;
		default:
			break;
		}
	}
	if (!key || mnl_attr_get_payload_len(key) != CFG_KEY_BYTES)
		return;
	p = find_peer(s->port, mnl_attr_get_payload(key));
	if (p < 0) {
		s->differs = "has a peer that is not configured";
		s->is_overfull |= s->surplus_count == CONFIG_CFG_MAX_PEERS;
		if (s->surplus_count < CONFIG_CFG_MAX_PEERS)
			memcpy(s->surplus[s->surplus_count++], mnl_attr_get_payload(key),
			       CFG_KEY_BYTES);
		return;
	}
	peer = &s->port->peers[p];
	/* only the first part has these */
	if (!s->seen[p] &&
	    (keepalive ? mnl_attr_get_u16(keepalive) : 0) != peer->keepalive_s)
		s->differs = "has another keepalive than configured";
	if (!s->seen[p] && peer->has_endpoint && !s->port->is_roaming &&
	    (!endpoint || !is_endpoint(peer, endpoint)))
		s->differs = "has a peer at another address than configured";
	s->seen[p] = true;
	if (!networks)
		return;
	mnl_attr_for_each_nested(network, networks) on_network(s, p, network);
}

static int on_device(const struct nlmsghdr *h, void *data)
{
	static const uint8_t none[CFG_KEY_BYTES];
	struct scan *s = data;
	struct nlattr *a, *peer;

	mnl_attr_for_each(a, h, sizeof(struct genlmsghdr))
	{
		bool is_key = mnl_attr_get_payload_len(a) == CFG_KEY_BYTES;

		switch (mnl_attr_get_type(a)) {
		case WGDEVICE_A_PRIVATE_KEY:
			s->has_private = is_key && memcmp(mnl_attr_get_payload(a), none,
							  sizeof(none)) != 0;
			break;
		case WGDEVICE_A_PUBLIC_KEY:
			if (is_key)
				memcpy(s->public_key, mnl_attr_get_payload(a),
				       CFG_KEY_BYTES);
			s->has_public |= is_key;
			break;
		case WGDEVICE_A_LISTEN_PORT:
			s->listen = mnl_attr_get_u16(a);
			break;
		case WGDEVICE_A_PEERS:
			if (!s->port)
				break;
			mnl_attr_for_each_nested(peer, a) on_peer(s, peer);
			break;
		default:
			break;
		}
	}
	return MNL_CB_OK;
}

static int read_device(struct wg *w, const char *name, const struct cfg_port *port,
		       struct scan *s)
{
	uint8_t buf[DEVICE_BYTES];
	struct nlmsghdr *h =
		request(buf, w->family, WG_CMD_GET_DEVICE, WG_GENL_VERSION, NLM_F_DUMP);

	memset(s, 0, sizeof(*s));
	s->port = port;
	mnl_attr_put_strz(h, WGDEVICE_A_IFNAME, name);
	return run(w, h, on_device, s);
}

static void put_endpoint(struct nlmsghdr *h, const struct cfg_peer *peer)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	if (peer->endpoint.family == 4) {
		v4.sin_port = htons(peer->endpoint_port);
		memcpy(&v4.sin_addr, peer->endpoint.b, 4);
		mnl_attr_put(h, WGPEER_A_ENDPOINT, sizeof(v4), &v4);
	} else {
		v6.sin6_port = htons(peer->endpoint_port);
		memcpy(&v6.sin6_addr, peer->endpoint.b, 16);
		mnl_attr_put(h, WGPEER_A_ENDPOINT, sizeof(v6), &v6);
	}
}

static void put_networks(struct nlmsghdr *h, const struct cfg_peer *peer)
{
	struct nlattr *list = mnl_attr_nest_start(h, WGPEER_A_ALLOWEDIPS);

	for (size_t i = 0; i < peer->allowed_count; i++) {
		const struct net_prefix *n = &peer->allowed[i];
		struct nlattr *item = mnl_attr_nest_start(h, 0);

		mnl_attr_put_u16(h, WGALLOWEDIP_A_FAMILY,
				 n->addr.family == 4 ? AF_INET : AF_INET6);
		mnl_attr_put(h, WGALLOWEDIP_A_IPADDR, net_addr_bytes(n->addr.family),
			     n->addr.b);
		mnl_attr_put_u8(h, WGALLOWEDIP_A_CIDR_MASK, n->len);
		mnl_attr_nest_end(h, item);
	}
	mnl_attr_nest_end(h, list);
}

/* Set one peer, or remove it. */
static int set_peer(struct wg *w, const char *name, const uint8_t *key,
		    const struct cfg_peer *peer)
{
	uint8_t buf[WRITE_BYTES];
	struct nlmsghdr *h =
		request(buf, w->family, WG_CMD_SET_DEVICE, WG_GENL_VERSION, NLM_F_ACK);
	struct nlattr *peers, *item;

	mnl_attr_put_strz(h, WGDEVICE_A_IFNAME, name);
	peers = mnl_attr_nest_start(h, WGDEVICE_A_PEERS);
	item = mnl_attr_nest_start(h, 0);
	mnl_attr_put(h, WGPEER_A_PUBLIC_KEY, CFG_KEY_BYTES, key);
	mnl_attr_put_u32(h, WGPEER_A_FLAGS,
			 peer ? WGPEER_F_REPLACE_ALLOWEDIPS : WGPEER_F_REMOVE_ME);
	if (peer) {
		if (peer->has_endpoint)
			put_endpoint(h, peer);
		mnl_attr_put_u16(h, WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL,
				 peer->keepalive_s);
		put_networks(h, peer);
	}
	mnl_attr_nest_end(h, item);
	mnl_attr_nest_end(h, peers);
	return run(w, h, NULL, NULL);
}

/* Key and port; with @is_clean all peers go. */
static int set_device(struct wg *w, const struct cfg_port *port, const uint8_t *key,
		      bool is_clean)
{
	uint8_t buf[DEVICE_BYTES];
	struct nlmsghdr *h =
		request(buf, w->family, WG_CMD_SET_DEVICE, WG_GENL_VERSION, NLM_F_ACK);
	int r;

	mnl_attr_put_strz(h, WGDEVICE_A_IFNAME, port->name);
	if (is_clean)
		mnl_attr_put_u32(h, WGDEVICE_A_FLAGS, WGDEVICE_F_REPLACE_PEERS);
	mnl_attr_put(h, WGDEVICE_A_PRIVATE_KEY, CFG_KEY_BYTES, key);
	mnl_attr_put_u16(h, WGDEVICE_A_LISTEN_PORT, port->listen);
	mnl_attr_put_u32(h, WGDEVICE_A_FWMARK, 0);
	r = run(w, h, NULL, NULL);
	wipe(buf, sizeof(buf));
	return r;
}

static int set_all(struct wg *w, const struct cfg_port *port, const uint8_t *key)
{
	struct scan s;
	int r = read_device(w, port->name, port, &s);

	if (r == ERR_OK)
		r = set_device(w, port, key, s.is_overfull);
	for (size_t i = 0; r == ERR_OK && !s.is_overfull && i < s.surplus_count; i++)
		r = set_peer(w, port->name, s.surplus[i], NULL);
	for (size_t i = 0; r == ERR_OK && i < port->peer_count; i++)
		r = set_peer(w, port->name, port->peers[i].key, &port->peers[i]);
	return r;
}

static void explain(const char *name, int r, char *why, size_t why_max)
{
	(void)snprintf(why, why_max, "port %s: WireGuard: %s", name,
		       r == ERR_TYPE ? "the kernel of this device does not have it"
				     : strerror(errno));
}

/*
 * Whether this kernel has WireGuard.
 *
 * Returns ERR_OK, ERR_TYPE when it does not, or another error.
 */
int wg_check(void)
{
	struct wg w;
	int r = wg_open(&w);

	wg_close(&w);
	return r;
}

/*
 * Give a tunnel's device its key, UDP port and peers; the interface is there.
 *
 * Returns ERR_OK, or an error with @why.
 */
int wg_apply(const struct cfg_port *port, char *why, size_t why_max)
{
	struct store_folder folder = {.fd = -1};
	uint8_t key[CFG_KEY_BYTES];
	struct wg w;
	int r = store_folder_open(&folder, TRUST_STORE_DIR);

	if (r != ERR_OK) {
		(void)snprintf(why, why_max, "port %s: " TRUST_STORE_DIR ": %s",
			       port->name, strerror(errno));
		return ERR_SYS;
	}
	r = wg_key(&store_folder_io, &folder, port->name, key, why, why_max);
	store_folder_close(&folder);
	if (r != ERR_OK)
		return r;
	r = wg_open(&w);
	if (r == ERR_OK)
		r = set_all(&w, port, key);
	if (r != ERR_OK)
		explain(port->name, r, why, why_max);
	wipe(key, sizeof(key));
	wg_close(&w);
	return r;
}

/*
 * Compare a tunnel's device with the configuration.
 *
 * Returns ERR_OK, ERR_MISMATCH with @why, or another error.
 */
int wg_verify(const struct cfg_port *port, char *why, size_t why_max)
{
	struct scan s;
	struct wg w;
	int r = wg_open(&w);

	if (r == ERR_OK)
		r = read_device(&w, port->name, port, &s);
	wg_close(&w);
	if (r != ERR_OK) {
		explain(port->name, r, why, why_max);
		return r;
	}
	if (!s.has_private)
		s.differs = "has no private key";
	if (s.listen != port->listen)
		s.differs = "listens on another UDP port than configured";
	for (size_t i = 0; i < port->peer_count; i++) {
		if (!s.seen[i])
			s.differs = "lacks a peer";
		else if (s.allowed[i] != port->peers[i].allowed_count)
			s.differs = "lacks a network of a peer";
	}
	if (!s.differs)
		return ERR_OK;
	(void)snprintf(why, why_max, "port %s %s", port->name, s.differs);
	return ERR_MISMATCH;
}

/*
 * The public key that the kernel has for a tunnel.
 *
 * Returns ERR_OK, ERR_NOENT when it has none, or another error.
 */
int wg_public_key(const char *name, uint8_t key[CFG_KEY_BYTES])
{
	struct scan s;
	struct wg w;
	int r = wg_open(&w);

	if (r == ERR_OK)
		r = read_device(&w, name, NULL, &s);
	if (r == ERR_OK && !s.has_public)
		r = ERR_NOENT;
	if (r == ERR_OK)
		memcpy(key, s.public_key, CFG_KEY_BYTES);
	wg_close(&w);
	return r;
}
