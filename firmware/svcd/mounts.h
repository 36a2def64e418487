/*
 * The kernel's file systems and the memory file systems, mounted once.
 */
#ifndef LUYTRE_SVCD_MOUNTS_H
#define LUYTRE_SVCD_MOUNTS_H

void mounts_make(void);
void mounts_release(void);

#endif
