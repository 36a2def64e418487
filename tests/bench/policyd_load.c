/*
 * Loads the policy of a configuration into the network namespace it is started
 * in, by policyd's own compiler, transaction and read-back, and says what each
 * took. Links, addresses and settings are left alone.
 *
 *   policyd_load FILE    prints one line of key=value
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <sys/resource.h>

#include "lib/file.h"
#include "policyd/cfg.h"
#include "policyd/compile.h"
#include "policyd/nft.h"

static double now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int parse(const char *file, struct cfg *cfg)
{
	struct cfg_error error;
	uint8_t *text = NULL;
	size_t n = 0;
	int r = file_load(file, CONFIG_CFG_MAX_BYTES, &text, &n);

	if (r == ERR_OK) {
		r = cfg_parse(span_of(text, n), cfg, &error);
		if (r != ERR_OK)
			(void)fprintf(stderr, "%s: %s: %s\n", file, error.path,
				      error.reason);
	}
	free(text);
	return r;
}

static int compare(struct nft *n, const struct prog *want)
{
	char *a = NULL, *b = NULL;
	struct prog have;
	int r = nft_read(n, &have);

	if (r != ERR_OK)
		return r;
	r = prog_list(want, &a);
	if (r == ERR_OK)
		r = prog_list(&have, &b);
	if (r == ERR_OK)
		r = prog_diff(a, b, n->why, sizeof(n->why));
	free(a);
	free(b);
	prog_clear(&have);
	return r;
}

static size_t elements(const struct prog *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->set_count; i++)
		n += p->sets[i].count;
	return n;
}

static void report(const struct nft *n, const struct prog *p, const double t[5])
{
	struct rusage use;

	(void)getrusage(RUSAGE_SELF, &use);
	(void)printf("parse_ms=%.1f compile_ms=%.1f transaction_ms=%.1f read_ms=%.1f "
		     "batch_bytes=%zu kernel_rules=%zu chains=%zu sets=%zu elements=%zu "
		     "peak_kib=%ld\n",
		     t[1] - t[0], t[2] - t[1], t[3] - t[2], t[4] - t[3], n->batch_used,
		     p->rule_count, p->chain_count, p->set_count, elements(p),
		     use.ru_maxrss);
}

int main(int argc, char **argv)
{
	double t[5] = {now_ms(), 0, 0, 0, 0};
	struct nft n = {.batch = NULL};
	struct prog p;
	struct cfg cfg;
	int r;

	if (argc != 2) {
		(void)fprintf(stderr, "usage: policyd_load FILE\n");
		return 2;
	}
	prog_init(&p);
	r = parse(argv[1], &cfg);
	t[1] = now_ms();
	if (r == ERR_OK) {
		r = compile_cfg(&cfg, &p);
		cfg_clear(&cfg);
	}
	t[2] = now_ms();
	if (r == ERR_OK)
		r = nft_open(&n);
	if (r == ERR_OK)
		r = nft_replace(&n, &p);
	t[3] = now_ms();
	if (r == ERR_OK)
		r = compare(&n, &p);
	t[4] = now_ms();
	if (r == ERR_OK)
		report(&n, &p, t);
	else
		(void)fprintf(stderr, "policyd_load: %s %s\n", err_text(r), n.why);
	nft_close(&n);
	prog_clear(&p);
	return r == ERR_OK ? 0 : 1;
}
