/*
 * What lwIP asks of its surroundings.
 */
#ifndef LUYTRE_HOOKS_H
#define LUYTRE_HOOKS_H

#include <stdint.h>
#include "lwip/ip_addr.h"

uint32_t luytre_tcp_isn(const ip_addr_t *local, uint16_t local_port,
			const ip_addr_t *remote, uint16_t remote_port);

#endif
