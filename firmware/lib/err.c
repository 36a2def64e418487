#include "err.h"

/*
 * Short English text of an error code, for logs and messages.
 *
 * @err  ERR_OK or a negative enum err; anything else is named as unknown
 *
 * Returns a static string, never NULL.
 */
const char *err_text(int err)
{
	static const struct {
		int value;
		const char *text;
	} table[] = {
#define X(name, value, text) {(value), (text)},
		ERR_TABLE(X)
#undef X
	};

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (table[i].value == err)
			return table[i].text;
	}
	return "unknown error";
}
