/*
 * DESIGN: svcd makes the TUN once and keeps it open, so that it lives on when webd is
 * started again: addresses and flows stay. It is made down and without an address;
 * policyd brings it up when the configuration names who may manage the device.
 */
#include "tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "console.h"
#include "mgmt_net.h"

/*
 * Make the TUN of mgmt_net.h: whole packets, no header of its own.
 *
 * Returns its descriptor, the caller's; -1 when there is none, which the console
 * then says: the device works, without a web interface.
 */
int tun_open(void)
{
	struct ifreq ifr = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	(void)snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), MGMT_NET_NAME);
	if (fd >= 0 && ioctl(fd, TUNSETIFF, &ifr) == 0)
		return fd;
	console_say("no-tun", "name=" MGMT_NET_NAME " error=\"%s\"", strerror(errno));
	if (fd >= 0)
		(void)close(fd);
	return -1;
}
