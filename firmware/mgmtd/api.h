/*
 * The calls of the web interface as a table, made from api.def.
 */
#ifndef LUYTRE_API_H
#define LUYTRE_API_H

#include "accounts.h"
#include "http_parse.h"
#include "json_read.h"

#define API_TO_ANYONE 0x8000U
#define API_TO_SESSION 0x4000U
#define API_TO_ALL ((1U << ROLE_COUNT) - 1)

/* Flags */
#define API_JSON 1U
#define API_BYTES 2U
#define API_IDLE 4U

enum api_id {
#define API(id, method, path, roles, rate, body_max, flags, handler) API_##id,
#include "api.def"
#undef API
	API_COUNT
};

enum api_error {
#define ERROR(id, name, status) API_ERR_##id,
#include "api.def"
#undef ERROR
	API_ERR_COUNT
};

struct http_server;
struct http_conn;
struct session;

/* One call under way; everything in it is borrowed. */
struct api_call {
	struct http_server *server;
	struct http_conn *conn;
	struct session *session; /* NULL only for ANYONE */
	struct account *account; /* of the session */
	struct span body;
	const struct json_value *values; /* in the order of the FIELD lines */
};

struct api {
	enum http_method method;
	const char *path;
	uint16_t roles;
	uint8_t rate;
	uint32_t body_max;
	uint8_t flags;
	void (*handler)(const struct api_call *call);
};

const struct api *api_at(enum api_id id);
int api_find(const char *path, enum http_method method, enum api_id *id) MUST_CHECK;
size_t api_fields(enum api_id id, const struct json_field **fields);
const char *api_error_name(enum api_error error);
unsigned api_error_status(enum api_error error);
enum api_error api_error_of_status(unsigned status);
bool api_may(enum api_id id, enum account_role role);

#define API(id, method, path, roles, rate, body_max, flags, handler)                     \
	void api_##handler(const struct api_call *call);
#include "api.def"
#undef API

#endif
