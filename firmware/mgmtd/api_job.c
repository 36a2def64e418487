/*
 * DESIGN: a password takes a second to hash on the board. The request waits as a
 * job; http_work() computes one slice of one job at a time, in turn, and the loop
 * serves everybody else in between. One source has one job at a time.
 */
#include "http_server.h"

#include <string.h>
#include "wipe.h"

/*
 * A place for a job of the request.
 *
 * @name  of the account, at most ACCOUNT_NAME_MAX bytes
 *
 * Returns NULL when all places are taken, or one by the same source.
 */
struct http_job *api_job_new(const struct api_call *call, enum http_job_kind kind,
			     const char *name)
{
	struct http_server *s = call->server;
	struct http_job *free = NULL;

	for (size_t i = 0; i < HTTP_JOBS_MAX; i++) {
		struct http_job *job = &s->jobs[i];

		if (!job->conn)
			free = job;
		else if (memcmp(job->conn->peer.addr, call->conn->peer.addr, 16) == 0)
			return NULL;
	}
	if (!free)
		return NULL;
	memset(free, 0, sizeof(*free));
	free->conn = call->conn;
	free->kind = kind;
	memcpy(free->name, name, strlen(name) + 1);
	return free;
}

/* Compute a slice; a job that is complete answers its request. */
void api_job_step(struct http_server *s, struct http_job *job)
{
	uint8_t hash[PASSWORD_HASH_BYTES];
	struct http_conn *c = job->conn;

	(void)s;
	if (!password_step(&job->work, PASSWORD_STEP))
		return;
	password_end(&job->work, hash);
	if (job->kind == JOB_LOGIN)
		api_login_done(job, hash);
	else if (job->kind == JOB_PASSWORD)
		api_password_done(job, hash);
	else
		api_first_done(job, hash);
	wipe(hash, sizeof(hash));
	if (c->state != HTTP_WAIT)
		api_job_drop(c);
}

/* Forget the job of @c, if it has one. */
void api_job_drop(struct http_conn *c)
{
	for (size_t i = 0; i < HTTP_JOBS_MAX; i++) {
		struct http_job *job = &c->server->jobs[i];

		if (job->conn != c)
			continue;
		password_clear(&job->work);
		wipe(job, sizeof(*job));
	}
}
