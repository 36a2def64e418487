#include "wipe.h"

#include <string.h>

/*
 * Overwrite @n bytes at @p with zeros; the compiler may not leave it out.
 *
 * @p  may be NULL when @n is 0
 */
void wipe(void *p, size_t n)
{
	if (n > 0)
		explicit_bzero(p, n);
}
