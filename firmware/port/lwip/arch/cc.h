/*
 * lwIP's view of the compiler and the system. A failed assertion ends the process:
 * svcd starts it again, the policy does not depend on it.
 */
#ifndef LUYTRE_LWIP_CC_H
#define LUYTRE_LWIP_CC_H

#include <stdint.h>

#define LWIP_TIMEVAL_PRIVATE 0
#define LWIP_NO_CTYPE_H 1
#define LWIP_DONT_PROVIDE_BYTEORDER_FUNCTIONS
#include <arpa/inet.h>

uint32_t luytre_lwip_rand(void);
_Noreturn void luytre_lwip_assert(const char *what);

#define LWIP_RAND() (luytre_lwip_rand())
#define LWIP_PLATFORM_DIAG(x)                                                            \
	do {                                                                             \
	} while (0)
#define LWIP_PLATFORM_ASSERT(x) luytre_lwip_assert(x)

#endif
