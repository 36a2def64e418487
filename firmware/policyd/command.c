/*
 * Orders of the SOC: signed, for this device, each carried out once. An order is
 * one body line; toolchain/FORMAT.manifest.md section 7 lists them.
 */
#include "intake.h"

#include <stdio.h>
#include <string.h>

#include "say.h"

/* "confirm config SERIAL SHA256" behind its first two words. */
static int confirm_config(struct intake *in, const struct man *m, struct span rest,
			  struct intake_result *out)
{
	struct span serial, sha256;
	uint64_t n;

	if (span_take_word(&rest, &serial) != ERR_OK ||
	    span_take_word(&rest, &sha256) != ERR_OK || rest.n != 0 ||
	    span_to_u64(serial, UINT64_MAX, &n) != ERR_OK)
		return ERR_FORMAT;
	trial_confirm_ordered(in, m, n, sha256, out);
	return ERR_OK;
}

/* Carry a verified order out. */
static void carry_out(struct intake *in, const struct man *m, struct intake_result *out)
{
	struct span body = m->body, line = {NULL, 0}, verb = line, object = line;
	int r = span_take_line(&body, &line);

	if (r == ERR_OK && body.n != 0)
		r = ERR_TRAILING;
	if (r == ERR_OK)
		r = span_take_word(&line, &verb);
	if (r == ERR_OK)
		r = span_take_word(&line, &object);
	if (r == ERR_OK && span_eq_str(verb, "confirm") && span_eq_str(object, "config"))
		r = confirm_config(in, m, line, out);
	else
		r = ERR_FORMAT;
	if (r == ERR_OK)
		return;
	out->code = r;
	(void)snprintf(out->text, sizeof(out->text),
		       "path=manifest.body line=%u reason=\"no order that this firmware "
		       "knows\" fix=\"make it with `sign order`\"",
		       m->body_line);
}

/*
 * Take one order from a peer: verify it as every artifact, carry it out, raise
 * its floor.
 *
 * @memfd  stays the caller's
 * @out    code ERR_OK: carried out; else @out->text says why not
 */
void intake_put_command(struct intake *in, int memfd, struct intake_result *out)
{
	struct sealed map = {.data = {NULL, 0}};
	struct man_report rep;
	struct man m;
	int r;

	memset(out, 0, sizeof(*out));
	out->code = intake_map(memfd, MAN_TEXT_MAX, &map, out);
	if (out->code == ERR_OK) {
		r = trust_verify_new(&in->trust, MAN_COMMAND, true, map.data, &m, &rep);
		if (r == ERR_OK)
			carry_out(in, &m, out);
		else
			trust_explain(&rep, out->text, sizeof(out->text));
		if (r != ERR_OK)
			out->code = r;
		else
			out->version = m.version;
		sealed_unmap(&map);
	}
	if (out->code != ERR_OK)
		say("refused", "file=order %s", out->text);
}
