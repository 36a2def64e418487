/* Any bytes as an artifact: refused for a named reason, or parsed with every
 * part inside of the file. */
#include <stdlib.h>
#include <string.h>

#include "lib/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(struct span part, const uint8_t *p, size_t n)
{
	if (part.n > 0 && (part.p < p || part.n > n || part.p > p + (n - part.n)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	struct man_report rep;
	struct man m;
	int r;

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	r = man_parse(span_of(copy, size), &m, &rep);
	if (r != man_why_err(rep.why))
		abort();
	if (r == ERR_OK) {
		uint8_t buf[MAN_SIG_BUF_MAX];
		struct sig_blob blob;

		inside(m.signed_bytes, copy, size);
		inside(m.body, copy, size);
		inside(m.payload, copy, size);
		if (m.sig_count > MAN_SIGS_MAX)
			abort();
		for (unsigned i = 0; i < m.sig_count; i++) {
			r = man_sig_decode(&m.sigs[i], buf, sizeof(buf), &blob);
			if (r == ERR_INTERNAL)
				abort();
		}
	}
	free(copy);
	return 0;
}
