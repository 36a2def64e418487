/* Seeds are text files: "LF" in their first line says that each line end after it
 * stands for CR LF. */
#ifndef TESTS_FUZZ_LINES_H
#define TESTS_FUZZ_LINES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* What @data stands for, at most @max bytes of it, at @out. Returns their number. */
static inline size_t lines_expand(const uint8_t *data, size_t size, uint8_t *out,
				  size_t max)
{
	const int is_text = size >= 3 && memcmp(data, "LF\n", 3) == 0;
	size_t n = 0;

	for (size_t i = is_text ? 3 : 0; i < size && n + 2 <= max; i++) {
		if (is_text && data[i] == '\n')
			out[n++] = '\r';
		out[n++] = data[i];
	}
	return n;
}

#endif
