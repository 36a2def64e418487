/* Any bytes as a message: decoded within its bounds or refused. */
#include <stdlib.h>
#include <string.h>

#include "lib/ipc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ipc_msg m = {.fd = -1};
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	if (ipc_decode(span_of(copy, size), &m) == ERR_OK) {
		const struct ipc_rule *rule = ipc_rule_find(m.type);
		unsigned sum = 0;

		if (!rule || m.body.n + IPC_HEADER_BYTES != size ||
		    (size >= 4 && m.body.n != (size_t)(copy[2] | copy[3] << 8)))
			abort();
		for (size_t i = 0; i < m.body.n; i++)
			sum += m.body.p[i];
		if (sum > size * 255)
			abort();
		for (unsigned from = 0; from < 8; from++) {
			for (unsigned to = 0; to < 8; to++) {
				if (ipc_check(&m, (enum ipc_task)from,
					      (enum ipc_task)to) == ERR_OK &&
				    (m.body.n < rule->min_bytes ||
				     m.body.n > rule->max_bytes))
					abort();
			}
		}
	}
	free(copy);
	return 0;
}
