/*
 * DESIGN: one pass, outside in. Bytes are bounded and measured (size, depth)
 * before the JSON library sees them; then each part is read and checked in the
 * order in which later parts refer to earlier ones: ports, routes, objects,
 * services, rules, translations. The first mistake refuses the whole document.
 */
#include "cfg_int.h"

#include <stdlib.h>
#include <string.h>

/* Serials survive JSON readers that only know doubles. */
#define CFG_SERIAL_MAX (1LL << 53)

static int read_head(struct reader *r, const json_t *root)
{
	static const struct key keys[] = {{"format", true},   {"serial", true},
					  {"device", true},   {"agency", true},
					  {"ports", true},    {"routes", false},
					  {"objects", false}, {"services", false},
					  {"rules", true},    {"confirm_window", false},
					  {"profile", false}, {"timeouts", false},
					  {"limits", false},  {"management", false},
					  {"soc", false},     {"nat", false},
					  {NULL, false}};
	const json_t *serial = json_object_get(root, "serial");
	const char *format;
	size_t mark;

	if (rd_object(r, root, keys) != ERR_OK)
		return ERR_REFUSED;
	mark = rd_enter(r, ".format");
	if (rd_string(r, json_object_get(root, "format"), &format) != ERR_OK)
		return ERR_REFUSED;
	if (strcmp(format, CFG_FORMAT) != 0)
		return rd_failf(r, "write \"" CFG_FORMAT "\"",
				"this firmware does not know the format \"%.40s\"",
				format);
	rd_leave(r, mark);
	mark = rd_enter(r, ".serial");
	if (!json_is_integer(serial) || json_integer_value(serial) < 1 ||
	    json_integer_value(serial) > CFG_SERIAL_MAX)
		return rd_fail(
			r, "not a valid serial",
			"write a whole number from 1, one higher with each change");
	r->cfg->serial = (uint64_t)json_integer_value(serial);
	rd_leave(r, mark);
	mark = rd_enter(r, ".device");
	if (rd_id(r, json_object_get(root, "device"), r->cfg->device) != ERR_OK)
		return ERR_REFUSED;
	rd_leave(r, mark);
	mark = rd_enter(r, ".agency");
	if (rd_text(r, json_object_get(root, "agency"), r->cfg->agency) != ERR_OK)
		return ERR_REFUSED;
	if (!r->cfg->agency[0])
		return rd_fail(r, "the agency has no name", "write the agency's name");
	rd_leave(r, mark);
	return ERR_OK;
}

static int read_window(struct reader *r, const json_t *j)
{
	size_t mark = rd_enter(r, ".confirm_window");

	r->cfg->confirm_window_s = CONFIG_CONFIRM_WINDOW_S;
	if (j && (!json_is_integer(j) || json_integer_value(j) < CFG_WINDOW_MIN_S ||
		  json_integer_value(j) > CFG_WINDOW_MAX_S))
		return rd_failf(r, "write a whole number of seconds, or leave it out",
				"not a time between %u and %u seconds", CFG_WINDOW_MIN_S,
				CFG_WINDOW_MAX_S);
	if (j)
		r->cfg->confirm_window_s = (unsigned)json_integer_value(j);
	rd_leave(r, mark);
	return ERR_OK;
}

static int read_parts(struct reader *r, const json_t *root)
{
	size_t mark;

	if (read_head(r, root) != ERR_OK ||
	    read_window(r, json_object_get(root, "confirm_window")) != ERR_OK ||
	    cfg_read_profile(r, json_object_get(root, "profile")) != ERR_OK ||
	    cfg_read_limits(r, json_object_get(root, "timeouts"),
			    json_object_get(root, "limits")) != ERR_OK)
		return ERR_REFUSED;
	mark = rd_enter(r, ".ports");
	if (cfg_read_ports(r, json_object_get(root, "ports")) != ERR_OK)
		return ERR_REFUSED;
	rd_leave(r, mark);
	mark = rd_enter(r, ".routes");
	if (cfg_read_routes(r, json_object_get(root, "routes")) != ERR_OK)
		return ERR_REFUSED;
	rd_leave(r, mark);
	if (cfg_check_networks(r) != ERR_OK)
		return ERR_REFUSED;
	if (cfg_read_objects(r, json_object_get(root, "objects"),
			     json_object_get(root, "services")) != ERR_OK ||
	    cfg_read_plane(r, json_object_get(root, "management"),
			   json_object_get(root, "soc")) != ERR_OK)
		return ERR_REFUSED;
	mark = rd_enter(r, ".rules");
	if (cfg_read_rules(r, json_object_get(root, "rules")) != ERR_OK)
		return ERR_REFUSED;
	rd_leave(r, mark);
	mark = rd_enter(r, ".nat");
	if (cfg_read_nat(r, json_object_get(root, "nat")) != ERR_OK)
		return ERR_REFUSED;
	rd_leave(r, mark);
	return cfg_check_profile(r);
}

/* A syntax error of the JSON library, in our words. */
static void explain_syntax(struct reader *r, struct span text, const json_error_t *je)
{
	struct cfg_error *e = r->error;
	size_t pos = je->position > 0 ? (size_t)je->position : 0;

	cfg_path_at(text, pos, e->path, sizeof(e->path));
	e->line = je->line > 0 ? (unsigned)je->line : 1;
	e->column = je->column > 0 ? (unsigned)je->column : 1;
	(void)snprintf(e->reason, sizeof(e->reason), "%.200s", je->text);
	for (char *p = e->reason; *p; p++) {
		if (*p == '\n' || *p == '"')
			*p = *p == '"' ? '\'' : ' ';
	}
	if (json_error_code(je) == json_error_duplicate_key)
		(void)snprintf(e->fix, sizeof(e->fix), "keep one of the two");
	else if (json_error_code(je) == json_error_invalid_utf8)
		(void)snprintf(e->fix, sizeof(e->fix), "save the file as UTF-8");
	else
		(void)snprintf(e->fix, sizeof(e->fix),
			       "correct the JSON syntax at or before line %u column %u",
			       e->line, e->column);
}

static int check_bounds(struct reader *r, struct span text)
{
	size_t pos = 0;

	if (text.n > CONFIG_CFG_MAX_BYTES)
		return rd_failf(r, "shorten it",
				"%zu bytes are over the limit CFG_MAX_BYTES = %u", text.n,
				(unsigned)CONFIG_CFG_MAX_BYTES);
	if (cfg_depth(text, CONFIG_CFG_MAX_DEPTH, &pos) > CONFIG_CFG_MAX_DEPTH) {
		cfg_path_at(text, pos, r->path, sizeof(r->path));
		return rd_failf(r, "remove the surplus brackets",
				"nested deeper than CFG_MAX_DEPTH = %u",
				(unsigned)CONFIG_CFG_MAX_DEPTH);
	}
	return ERR_OK;
}

/*
 * Parse and check one configuration document.
 *
 * @text   the bytes as they came, borrowed until the call returns
 * @out    on ERR_OK belongs to the caller, cfg_clear() frees it; on failure it
 *         is empty
 * @error  on failure says where, why and how to mend it
 *
 * Returns ERR_OK, or ERR_REFUSED for anything wrong with the document.
 * Source: firmware/policyd/config.schema.json.
 */
int cfg_parse(struct span text, struct cfg *out, struct cfg_error *error)
{
	struct reader r = {.cfg = out, .error = error};
	json_error_t je;
	json_t *root = NULL;
	int err = ERR_REFUSED;

	memset(error, 0, sizeof(*error));
	memset(out, 0, sizeof(*out));
	arena_init(&out->arena, CFG_ARENA_BYTES);
	(void)rd_enter(&r, "$");
	if (check_bounds(&r, text) != ERR_OK)
		goto out;
	root = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, &je);
	if (!root) {
		explain_syntax(&r, text, &je);
		goto out;
	}
	err = read_parts(&r, root);
	/* the tree goes now: nothing may keep a pointer into it */
	for (size_t i = 0; i < out->object_count; i++)
		out->objects[i].json = NULL;
	for (size_t i = 0; i < out->service_count; i++)
		out->services[i].json = NULL;
out:
	json_decref(root);
	if (err != ERR_OK)
		cfg_clear(out);
	return err;
}

/*
 * Free a configuration. Legal on one that cfg_parse() refused, and twice.
 */
void cfg_clear(struct cfg *cfg)
{
	arena_clear(&cfg->arena);
	memset(cfg, 0, sizeof(*cfg));
}
