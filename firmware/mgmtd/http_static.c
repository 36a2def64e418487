/* Static files: the pack, and what is served of it before login. */
#include "http_server.h"

#include <string.h>
#include "hex.h"

#define SHA256_BYTES 32
#define FIRST_PAGE "/index.html"
#define LOGIN_PAGE "/login.html"

static bool is_name(struct span v)
{
	if (v.n < 2 || v.n > HTTP_PATH_MAX || v.p[0] != '/')
		return false;
	for (size_t i = 0; i < v.n; i++) {
		uint8_t c = v.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
		      c == '_' || c == '-' || c == '/'))
			return false;
	}
	return true;
}

static int read_entry(struct span *in, struct http_asset *a)
{
	struct span sha, name;
	uint16_t name_n;
	uint8_t type, flags;
	uint32_t data_n;
	int r = span_get_le16(in, &name_n);

	if (r == ERR_OK)
		r = span_get_u8(in, &type);
	if (r == ERR_OK)
		r = span_get_u8(in, &flags);
	if (r == ERR_OK)
		r = span_get_le32(in, &data_n);
	if (r == ERR_OK)
		r = span_take(in, SHA256_BYTES, &sha);
	if (r == ERR_OK)
		r = span_take(in, name_n, &name);
	if (r == ERR_OK)
		r = span_take(in, data_n, &a->gzip);
	if (r != ERR_OK)
		return r;
	if (!is_name(name) || type == 0 || type >= HTTP_TYPE_COUNT ||
	    (flags & ~HTTP_ASSET_PUBLIC))
		return ERR_FORMAT;
	memcpy(a->name, name.p, name.n);
	a->name[name.n] = '\0';
	a->type = (enum http_type)type;
	a->is_public = flags & HTTP_ASSET_PUBLIC;
	a->etag[0] = '"';
	hex_encode(sha.p, sha.n, a->etag + 1);
	a->etag[1 + 2 * SHA256_BYTES] = '"';
	a->etag[2 + 2 * SHA256_BYTES] = '\0';
	return ERR_OK;
}

/*
 * Read the pack of static files.
 *
 * @pack  whole file, at most HTTP_PACK_MAX bytes; borrowed for as long as @out
 * @out   filled when ERR_OK is returned
 *
 * Returns ERR_OK, ERR_SHORT, ERR_FORMAT, ERR_TRAILING or ERR_LIMIT. The hashes
 * are names for caches here: the root file system vouches for the data.
 */
int http_pack_read(struct span pack, struct http_pack *out)
{
	struct span magic;
	uint32_t version = 0, count = 0;
	int r;

	out->count = 0;
	if (pack.n > HTTP_PACK_MAX)
		return ERR_LIMIT;
	r = span_take(&pack, strlen(HTTP_PACK_MAGIC), &magic);
	if (r == ERR_OK)
		r = span_get_le32(&pack, &version);
	if (r == ERR_OK)
		r = span_get_le32(&pack, &count);
	if (r != ERR_OK)
		return r;
	if (!span_eq_str(magic, HTTP_PACK_MAGIC) || version != HTTP_PACK_VERSION)
		return ERR_FORMAT;
	if (count > HTTP_ASSETS_MAX)
		return ERR_LIMIT;
	for (uint32_t i = 0; i < count; i++) {
		r = read_entry(&pack, &out->assets[i]);
		if (r != ERR_OK)
			return r;
		if (i && strcmp(out->assets[i - 1].name, out->assets[i].name) >= 0)
			return ERR_FORMAT;
	}
	if (pack.n)
		return ERR_TRAILING;
	out->count = count;
	return ERR_OK;
}

static const struct http_asset *find(const struct http_pack *pack, const char *name)
{
	for (size_t i = 0; pack && i < pack->count; i++) {
		if (strcmp(pack->assets[i].name, name) == 0)
			return &pack->assets[i];
	}
	return NULL;
}

/* Who is not logged in: pages lead to the login, the rest is refused whether it
 * exists or not. */
static void refuse_stranger(struct http_conn *c)
{
	const struct http_pack *pack = c->server->setup.pack;
	const size_t n = strlen(c->request.path);
	const struct http_asset *login = find(pack, LOGIN_PAGE);
	const bool is_page = n > 5 && strcmp(c->request.path + n - 5, ".html") == 0;

	if (!login || !login->is_public) {
		login = find(pack, FIRST_PAGE);
		if (login && !login->is_public)
			login = NULL;
	}
	if (login && (is_page || strcmp(c->request.path, "/") == 0))
		http_reply_redirect(c, login->name);
	else
		http_reply_error(c, API_ERR_NOT_LOGGED_IN, span_of(NULL, 0));
}

/* Answer a request that is no call. Who is not logged in learns nothing about
 * other pages, not even whether they exist. */
void http_static(struct http_conn *c)
{
	const char *path =
		strcmp(c->request.path, "/") == 0 ? FIRST_PAGE : c->request.path;
	const struct http_asset *a = find(c->server->setup.pack, path);
	struct account *account;

	if (c->request.method != HTTP_GET) {
		c->is_last = true; /* its body is not read */
		http_reply_error(c, API_ERR_NO_METHOD, span_of(NULL, 0));
	} else if (a && (a->is_public || http_session(c, &account))) {
		http_reply_asset(c, a);
	} else if (!http_session(c, &account)) {
		refuse_stranger(c);
	} else {
		http_reply_error(c, API_ERR_NOT_FOUND, span_of(NULL, 0));
	}
}
