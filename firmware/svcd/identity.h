/*
 * Which device this is.
 */
#ifndef LUYTRE_SVCD_IDENTITY_H
#define LUYTRE_SVCD_IDENTITY_H

#include <stdbool.h>

bool identity_is_serial(const char *text);
void identity_write(const char *path, const char *given);

#endif
