/*
 * The board's hardware watchdog: resets the board when PID 1 hangs.
 */
#ifndef LUYTRE_SVCD_WATCHDOG_H
#define LUYTRE_SVCD_WATCHDOG_H

#include <stdint.h>

/* Three chances to feed it within one period. */
#define WATCHDOG_FEED_MS (CONFIG_WATCHDOG_S * 1000 / 3)

int watchdog_open(void);
void watchdog_feed(int fd);

#endif
