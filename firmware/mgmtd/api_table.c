#include "api.h"

#include <string.h>

#define ANYONE API_TO_ANYONE
#define SESSION API_TO_SESSION
#define ALL API_TO_ALL
#define VIEWER (1U << ROLE_VIEWER)
#define OPERATOR (1U << ROLE_OPERATOR)
#define TECHNICIAN (1U << ROLE_TECHNICIAN)
#define SOC_ADMIN (1U << ROLE_SOC_ADMIN)
#define AUDITOR (1U << ROLE_AUDITOR)
#define OUTSOURCED (1U << ROLE_OUTSOURCED)
#define JSON API_JSON
#define BYTES API_BYTES
#define IDLE API_IDLE

static const struct api table[API_COUNT] = {
#define API(id, method, path, roles, rate, body_max, flags, handler)                     \
	[API_##id] = {HTTP_##method, path, roles, rate, body_max, flags, api_##handler},
#include "api.def"
#undef API
};

static const struct json_field field_table[] = {
#define FIELD(api, name, type, optional, min, max)                                       \
	{#name, JSON_T_##type, optional, min, max},
#include "api.def"
#undef FIELD
};

static const enum api_id field_owner[] = {
#define FIELD(api, name, type, optional, min, max) API_##api,
#include "api.def"
#undef FIELD
};

static const struct {
	const char *name;
	uint16_t status;
} errors[API_ERR_COUNT] = {
#define ERROR(id, name, status) [API_ERR_##id] = {name, status},
#include "api.def"
#undef ERROR
};

/* The call numbered @id. */
const struct api *api_at(enum api_id id)
{
	return &table[id];
}

/*
 * Find a call.
 *
 * @id  filled when ERR_OK is returned
 *
 * Returns ERR_OK, ERR_NOENT for another path, ERR_TYPE for another method.
 */
int api_find(const char *path, enum http_method method, enum api_id *id)
{
	int r = ERR_NOENT;

	for (unsigned i = 0; i < API_COUNT; i++) {
		if (strcmp(table[i].path, path) != 0)
			continue;
		if (table[i].method == method) {
			*id = (enum api_id)i;
			return ERR_OK;
		}
		r = ERR_TYPE;
	}
	return r;
}

/* The fields of the body of @id, one after the other at @fields. Returns their
 * number, at most JSON_FIELDS_MAX. */
size_t api_fields(enum api_id id, const struct json_field **fields)
{
	const size_t count = sizeof(field_table) / sizeof(field_table[0]);
	size_t first = 0, n = 0;

	while (first < count && field_owner[first] != id)
		first++;
	while (first + n < count && field_owner[first + n] == id)
		n++;
	*fields = &field_table[first < count ? first : 0];
	return n;
}

/* Name of @error as the pages know it. */
const char *api_error_name(enum api_error error)
{
	return errors[error].name;
}

/* HTTP status of @error. */
unsigned api_error_status(enum api_error error)
{
	return errors[error].status;
}

/* The error for a @status of the parser; the first one listed with it. */
enum api_error api_error_of_status(unsigned status)
{
	for (unsigned i = 0; i < API_ERR_COUNT; i++) {
		if (errors[i].status == status)
			return (enum api_error)i;
	}
	return API_ERR_INTERNAL;
}

/* May an account of @role call @id, when nothing else stands in the way? */
bool api_may(enum api_id id, enum account_role role)
{
	const unsigned roles = table[id].roles;

	return (roles & (API_TO_ANYONE | API_TO_SESSION)) || (roles & (1U << role));
}
