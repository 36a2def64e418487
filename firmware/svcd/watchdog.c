#include "watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "console.h"

/*
 * Start the watchdog, with the period of the configuration.
 *
 * It is never stopped again: an orderly restart that hangs on its way ends in
 * a reset too.
 *
 * Returns its descriptor, or -1 when the board has none (said on the console).
 */
int watchdog_open(void)
{
	int fd = open("/dev/watchdog", O_WRONLY | O_CLOEXEC);
	int period_s = CONFIG_WATCHDOG_S;

	if (fd < 0) {
		console_say("watchdog", "state=none error=\"%s\"", strerror(errno));
		return -1;
	}
	if (ioctl(fd, WDIOC_SETTIMEOUT, &period_s) != 0)
		console_say("watchdog", "state=default-period error=\"%s\"",
			    strerror(errno));
	if (ioctl(fd, WDIOC_GETTIMEOUT, &period_s) != 0)
		period_s = 0;
	watchdog_feed(fd);
	console_say("watchdog", "state=armed period=%ds", period_s);
	return fd;
}

/*
 * Feed the watchdog; -1 is allowed and does nothing. A failure is not handled:
 * the reset that follows is the right answer.
 */
void watchdog_feed(int fd)
{
	if (fd >= 0 && write(fd, "\0", 1) != 1)
		return;
}
