/*
 * DESIGN: the boot loader knows the serial number (from fuses or its protected
 * store) and hands it over in the device tree, as U-Boot's serial# does; on
 * boards whose device tree is made elsewhere the kernel's command line ends in
 * "-- serial=NUMBER", which the kernel hands to PID 1 as an argument. svcd writes it down
 * for the tasks; without one, no artifact is for this device and it stays closed.
 */
#include "identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bounds.h"
#include "console.h"
#include "files.h"

#define DEVICE_TREE "/sys/firmware/devicetree/base/serial-number"
#define ALLOWED "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

/*
 * Whether a text can be a serial number: 1 to MAN_NAME_MAX of A-Z a-z 0-9 . _ -
 * (toolchain/FORMAT.manifest.md, scopes).
 */
bool identity_is_serial(const char *text)
{
	size_t n = strlen(text);

	return n > 0 && n <= MAN_NAME_MAX && strspn(text, ALLOWED) == n;
}

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0444);
	char line[MAN_NAME_MAX + 2];
	int n = snprintf(line, sizeof(line), "%s\n", text);
	int r;

	if (fd < 0)
		return ERR_SYS;
	r = write(fd, line, (size_t)n) == n ? ERR_OK : ERR_SYS;
	return close(fd) == 0 ? r : ERR_SYS;
}

/*
 * Find the serial number and write it to a file for the tasks. Without one, or
 * with a malformed one, there is no file and the console says why.
 *
 * @given  from the command line, NULL for none
 */
void identity_write(const char *path, const char *given)
{
	char text[MAN_NAME_MAX + 2] = "";

	if (given)
		(void)snprintf(text, sizeof(text), "%s", given);
	else if (files_read(DEVICE_TREE, text, sizeof(text)) != ERR_OK)
		text[0] = '\0';
	if (!identity_is_serial(text))
		console_say("no-serial",
			    "reason=\"%s\" fix=\"set serial# in the boot "
			    "loader\"",
			    text[0] ? "malformed or too long" : "none was handed over");
	else if (put(path, text) != ERR_OK)
		console_say("no-serial", "path=%s error=\"%s\"", path, strerror(errno));
	else
		console_say("identity", "serial=%s", text);
}
