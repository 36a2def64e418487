/*
 * The link between the kernel and webd: a TUN that svcd makes, whose kernel side
 * policyd configures, whose other side is lwIP. The addresses are never on a wire:
 * link-local IPv4 (RFC 3927) is no agency's, and the IPv6 network is a unique local
 * one (RFC 4193) of our own. A configuration may not use them.
 */
#ifndef LUYTRE_MGMT_NET_H
#define LUYTRE_MGMT_NET_H

#define MGMT_NET_NAME "web0"
#define MGMT_NET_PORT 443

#define MGMT_NET_NET4 "169.254.77.0/30"
#define MGMT_NET_KERNEL4 "169.254.77.1"
#define MGMT_NET_WEBD4 "169.254.77.2"

#define MGMT_NET_NET6 "fd6c:7974:7265:77::/64"
#define MGMT_NET_KERNEL6 "fd6c:7974:7265:77::1"
#define MGMT_NET_WEBD6 "fd6c:7974:7265:77::2"

#endif
