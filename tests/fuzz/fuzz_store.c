/* Any bytes as the index of the store: refused, or written again as the very
 * same bytes (one content, one spelling). The checksum is set right first, or
 * nothing behind it would ever be reached. */
#include <stdlib.h>
#include <string.h>

#include "lib/hex.h"
#include "lib/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TAIL (4 + 2 * SIG_SHA256_BYTES + 1)

static uint8_t text[STORE_INDEX_MAX + TAIL], again[STORE_INDEX_MAX],
	third[STORE_INDEX_MAX];
static struct store_index a, b;

static size_t with_sum(const uint8_t *data, size_t size)
{
	uint8_t sum[SIG_SHA256_BYTES];

	if (size > STORE_INDEX_MAX)
		size = STORE_INDEX_MAX;
	memcpy(text, data, size);
	if (sig_sha256(span_of(text, size), sum) != ERR_OK)
		abort();
	text[size] = 's';
	text[size + 1] = 'u';
	text[size + 2] = 'm';
	text[size + 3] = ' ';
	hex_encode(sum, sizeof(sum), (char *)text + size + 4);
	text[size + TAIL - 1] = '\n';
	return size + TAIL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n = with_sum(data, size), m = 0, k = 0;

	if (store_index_parse(span_of(text, n), &a) != ERR_OK)
		return 0;
	if (a.floor_count > STORE_FLOORS_MAX || a.keyset_count > KEYSET_CHAIN_MAX)
		abort();
	if (store_index_print(&a, again, sizeof(again), &m) == ERR_LIMIT)
		return 0; /* text at the very limit may grow when reordered */
	if (store_index_parse(span_of(again, m), &b) != ERR_OK)
		abort();
	/* order may change once; then it is the canonical form */
	if (store_index_print(&b, third, sizeof(third), &k) != ERR_OK || k != m ||
	    memcmp(again, third, m) != 0)
		abort();
	if (a.floor_count != b.floor_count || a.keyset_count != b.keyset_count ||
	    a.config[0].ref.n != b.config[0].ref.n ||
	    a.config[1].ref.n != b.config[1].ref.n || a.trial.is_on != b.trial.is_on)
		abort();
	return 0;
}
