#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define CONSOLE_DEVICE "/dev/console"

/* A descriptor that landed on 0, 1 or 2 stays open on purpose. */
#pragma GCC diagnostic push
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wanalyzer-fd-leak"
#endif

/*
 * Make the kernel's console stdin (empty), stdout and stderr of PID 1.
 *
 * XOFF is switched off: one Ctrl-S on the serial line would otherwise stop
 * every process that writes a line, PID 1 first. PID 1's own descriptor is
 * non-blocking besides: a line may get lost there, the main loop may not.
 * Nothing reads the console: input is thrown away and not echoed, so that what
 * comes in on the line can neither fill a buffer nor pose as a message of ours.
 * On failure the descriptors that the kernel gave stay in use.
 */
void console_open(void)
{
	struct termios tio;
	int fd = open(CONSOLE_DEVICE, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null_fd >= 0) {
		(void)dup2(null_fd, STDIN_FILENO); /* a lost stdin costs nothing */
		if (null_fd > STDERR_FILENO)
			(void)close(null_fd);
	}
	if (fd < 0)
		return;
	if (tcgetattr(fd, &tio) == 0) {
		tio.c_iflag &= (tcflag_t) ~(IXON | IXOFF);
		tio.c_cflag &= (tcflag_t)~CREAD;
		tio.c_lflag &= (tcflag_t) ~(ECHO | ECHONL | ISIG | ICANON | IEXTEN);
		tio.c_oflag |= OPOST | ONLCR;
		(void)tcsetattr(fd, TCSANOW, &tio); /* best effort */
	}
	(void)dup2(fd, STDOUT_FILENO);
	(void)dup2(fd, STDERR_FILENO);
	if (fd > STDERR_FILENO)
		(void)close(fd);
}

#pragma GCC diagnostic pop

/*
 * Print "luytre: svcd: EVENT key=value ..." as one line.
 *
 * @event  one word, stable: tests look for it
 * @fmt    key=value pairs; untrusted text goes through console_escape() first
 *
 * A line over CONSOLE_LINE_BYTES is cut. A console that does not take the line
 * is not waited for.
 */
void console_say(const char *event, const char *fmt, ...)
{
	char line[CONSOLE_LINE_BYTES];
	va_list ap;
	size_t used;
	int n, m;

	n = snprintf(line, sizeof(line), "luytre: svcd: %s ", event);
	if (n < 0 || (size_t)n >= sizeof(line))
		return;
	used = (size_t)n;
	va_start(ap, fmt);
	m = vsnprintf(line + used, sizeof(line) - used, fmt, ap);
	va_end(ap);
	if (m < 0)
		return;
	used += (size_t)m;
	if (used > sizeof(line) - 1)
		used = sizeof(line) - 1;
	while (used > 0 && line[used - 1] == ' ')
		used--;
	line[used++] = '\n';
	if (write(STDOUT_FILENO, line, used) < 0)
		return; /* nobody to tell */
}

/*
 * Copy untrusted bytes as printable ASCII: everything else, the double quote
 * and the backslash become \xNN.
 *
 * @out  at least one byte; always terminated; text that does not fit is cut
 *       at a whole character
 */
void console_escape(struct span in, char *out, size_t max)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	for (size_t i = 0; i < in.n; i++) {
		uint8_t c = in.p[i];
		bool is_plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';

		if (n + (is_plain ? 1 : 4) >= max)
			break;
		if (is_plain) {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '\\';
		out[n++] = 'x';
		out[n++] = hex[c >> 4];
		out[n++] = hex[c & 15];
	}
	out[n] = '\0';
}
