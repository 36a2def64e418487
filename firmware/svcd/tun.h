/*
 * The TUN between the kernel and the web interface.
 */
#ifndef LUYTRE_SVCD_TUN_H
#define LUYTRE_SVCD_TUN_H

int tun_open(void);

#endif
