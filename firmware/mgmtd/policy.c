/*
 * DESIGN: a message carries the question's number as its sequence number, and so does
 * the answer. When the link breaks, every open question is answered with ERR_BUSY:
 * nobody waits for a policyd that has forgotten it. What policyd says is checked
 * against msg.def like any message; it is no text of this program.
 */
#include "policy.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc.h"
#include "sealed.h"

/*
 * No link, no question.
 */
void policy_init(struct policy *p)
{
	memset(p, 0, sizeof(*p));
	p->fd = -1;
}

static int find(const struct policy *p, uint32_t id)
{
	for (int i = 0; i < POLICY_OPEN_MAX; i++) {
		if (p->open[i].id == id)
			return i;
	}
	return -1;
}

static int send_body(const struct policy *p, enum ipc_type type, uint32_t id,
		     uint8_t kind, int fd)
{
	return ipc_send(p->fd, type, id, span_of(&kind, 1), fd);
}

static int send_artifact(const struct policy *p, uint32_t id, unsigned kind,
			 struct span body)
{
	int fd = -1;
	int r = sealed_make("artifact", body, &fd);

	if (r != ERR_OK)
		return r;
	r = send_body(p, IPC_ART_PUT, id, (uint8_t)kind, fd);
	(void)close(fd); /* the message holds it */
	return r;
}

static int send_question(const struct policy *p, uint32_t id, enum http_ask what,
			 unsigned kind, struct span body)
{
	switch (what) {
	case HTTP_ASK_STATUS:
		return ipc_send(p->fd, IPC_STATUS_GET, id, body, -1);
	case HTTP_ASK_CONFIG:
		return send_body(p, IPC_REPORT_GET, id, REPORT_CONFIG, -1);
	case HTTP_ASK_COUNTERS:
		return send_body(p, IPC_REPORT_GET, id, REPORT_COUNTERS, -1);
	case HTTP_ASK_CONTROLS:
		return send_body(p, IPC_REPORT_GET, id, REPORT_CONTROLS, -1);
	case HTTP_ASK_PUT:
		return send_artifact(p, id, kind, body);
	case HTTP_ASK_CONFIRM:
		return ipc_send(p->fd, IPC_CONFIRM, id, body, -1);
	case HTTP_ASK_ROLLBACK:
		return ipc_send(p->fd, IPC_ROLLBACK, id, span_of(NULL, 0), -1);
	default:
		return ERR_INTERNAL;
	}
}

/*
 * Ask; the answer comes by http_policy_answer() with @id. As http_ops.ask.
 *
 * Returns ERR_OK, or ERR_BUSY (no link, or too much was asked), ERR_RANGE or ERR_SYS.
 */
int policy_ask(struct policy *p, uint32_t id, enum http_ask what, unsigned kind,
	       struct span body)
{
	int at = find(p, 0);
	int r;

	if (p->fd < 0 || at < 0)
		return ERR_BUSY;
	r = send_question(p, id, what, kind, body);
	if (r != ERR_OK)
		return r;
	p->open[at].id = id;
	p->open[at].what = what;
	return ERR_OK;
}

/*
 * A new link to policyd, or none (-1): what was asked over the old one is over.
 *
 * @fd  moves here
 */
void policy_link(struct policy *p, struct http_server *http, int fd)
{
	if (p->fd >= 0)
		(void)close(p->fd);
	p->fd = fd;
	for (int i = 0; i < POLICY_OPEN_MAX; i++) {
		struct http_answer a = {
			.id = p->open[i].id, .code = ERR_BUSY, .doc = {.id = -1}};

		p->open[i].id = 0;
		if (a.id != 0)
			http_policy_answer(http, &a);
	}
}

static bool fits(enum http_ask what, unsigned type)
{
	switch (what) {
	case HTTP_ASK_STATUS:
		return type == IPC_STATUS;
	case HTTP_ASK_CONFIG:
	case HTTP_ASK_COUNTERS:
	case HTTP_ASK_CONTROLS:
		return type == IPC_REPORT;
	case HTTP_ASK_PUT:
		return type == IPC_ART_RESULT;
	case HTTP_ASK_CONFIRM:
	case HTTP_ASK_ROLLBACK:
		return type == IPC_TRIAL_RESULT;
	default:
		return false;
	}
}

/* Code, version and text of an answer; lengths were checked against msg.def. */
static int read_answer(struct ipc_msg *m, struct http_answer *a)
{
	struct span in = m->body;
	uint32_t code = 0, low = 0, high = 0;
	struct stat st;
	int r = ERR_OK;

	if (m->type != IPC_STATUS)
		r = span_get_le32(&in, &code);
	if (r == ERR_OK && m->type == IPC_ART_RESULT) {
		r = span_get_le32(&in, &low);
		if (r == ERR_OK)
			r = span_get_le32(&in, &high);
	}
	if (r != ERR_OK)
		return r;
	a->code = (int)code;
	a->version = (uint64_t)high << 32 | low;
	a->text = in;
	if (m->type != IPC_REPORT || a->code != ERR_OK)
		return ERR_OK;
	if (fstat(m->fd, &st) != 0 || st.st_size < 0)
		return ERR_SYS;
	a->doc.id = m->fd;
	a->doc.n = (size_t)st.st_size;
	m->fd = -1;
	return ERR_OK;
}

/*
 * policyd has sent something, or is gone.
 */
void policy_receive(struct policy *p, struct http_server *http)
{
	struct http_answer a = {.doc = {.id = -1}};
	struct ipc_msg m;
	int r = ipc_recv(p->fd, &m);
	int at;

	if (r == ERR_BUSY)
		return;
	if (r == ERR_NOENT || r == ERR_SYS) {
		policy_link(p, http, -1);
		return;
	}
	if (r != ERR_OK)
		return; /* a bad message was dropped */
	at = m.seq ? find(p, m.seq) : -1;
	if (at >= 0 && ipc_check(&m, IPC_TASK_policyd, IPC_TASK_webd) == ERR_OK &&
	    fits(p->open[at].what, m.type)) {
		a.id = m.seq;
		if (read_answer(&m, &a) != ERR_OK)
			a.code = ERR_FORMAT;
		p->open[at].id = 0;
		http_policy_answer(http, &a);
	}
	ipc_msg_clear(&m);
}
