/*
 * Where in a JSON text is byte number N? The JSON library reports syntax
 * errors by position; people want the path. This scanner needs no valid
 * document: it follows brackets and keys as far as they go. It also finds the
 * nesting depth before the document is handed to the (recursive) library.
 */
#include "cfg_int.h"

#include <string.h>

#define PATH_DEPTH 32 /* levels shown; deeper ones are only counted */

struct level {
	bool is_list;
	size_t index;
	struct span key;
	bool wants_key;
};

/* Length of the string token at @p (with its quotes), or what is left. */
static size_t string_len(const uint8_t *p, size_t n)
{
	size_t i = 1;

	while (i < n && p[i] != '"')
		i += p[i] == '\\' && i + 1 < n ? 2 : 1;
	return i < n ? i + 1 : n;
}

static void print_path(const struct level *v, size_t depth, char *path, size_t max)
{
	struct sbuf b;

	sbuf_init(&b, path, max);
	sbuf_putf(&b, "$");
	for (size_t i = 0; i < depth && i < PATH_DEPTH; i++) {
		if (v[i].is_list) {
			sbuf_putf(&b, "[%zu]", v[i].index);
		} else if (v[i].key.n) {
			size_t n = v[i].key.n < 40 ? v[i].key.n : 40;

			/* cut at a character border: keys may be Vietnamese */
			while (n > 0 && n < v[i].key.n && (v[i].key.p[n] & 0xc0) == 0x80)
				n--;
			sbuf_putf(&b, ".%.*s", (int)n, (const char *)v[i].key.p);
		}
	}
	if (depth > PATH_DEPTH)
		sbuf_putf(&b, "...");
	path[b.n < max ? b.n : max - 1] = '\0';
}

/*
 * Write the JSON path of the value at or before byte @pos.
 *
 * @text  the document, may be malformed anywhere
 * @path  gets at most @path_max bytes with NUL
 */
void cfg_path_at(struct span text, size_t pos, char *path, size_t path_max)
{
	struct level v[PATH_DEPTH];
	size_t depth = 0;
	size_t end = pos < text.n ? pos : text.n;

	memset(v, 0, sizeof(v));
	for (size_t i = 0; i < end; i++) {
		uint8_t c = text.p[i];
		struct level *top =
			depth > 0 && depth <= PATH_DEPTH ? &v[depth - 1] : NULL;

		if (c == '"') {
			size_t n = string_len(text.p + i, text.n - i);

			if (top && !top->is_list && top->wants_key) {
				top->key = span_of(text.p + i + 1, n >= 2 ? n - 2 : 0);
				top->wants_key = false;
			}
			i += n - 1;
		} else if (c == '{' || c == '[') {
			if (depth < PATH_DEPTH)
				v[depth] = (struct level){.is_list = c == '[',
							  .wants_key = c == '{'};
			depth++;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		} else if (c == ',' && top) {
			top->index++;
			top->wants_key = !top->is_list;
		}
	}
	print_path(v, depth, path, path_max);
}

/*
 * Nesting depth of a document, counting stops above @max.
 *
 * @pos  where the depth went over @max
 */
size_t cfg_depth(struct span text, size_t max, size_t *pos)
{
	size_t depth = 0, deepest = 0;

	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];

		if (c == '"') {
			i += string_len(text.p + i, text.n - i) - 1;
		} else if (c == '{' || c == '[') {
			if (++depth > deepest)
				deepest = depth;
			if (depth > max) {
				*pos = i;
				return deepest;
			}
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return deepest;
}
