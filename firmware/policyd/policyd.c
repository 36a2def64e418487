/*
 * policyd: the only process that changes nf_tables, links, addresses, routes.
 *
 *   policyd            started by svcd: descriptor 3 is the link to it,
 *                      descriptor 4 (development profile) the listening socket
 *   policyd -n FILE    check a configuration, change nothing
 *   policyd -nv FILE   and print its canonical form
 *   policyd -nl FILE   and print the compiled rules
 *   policyd -np FILE   and list the controls of its level profile
 *   policyd -nr FILE   and list the addresses that it uses toward TSLCD
 *
 * Exit codes of the last five: 0 valid, 1 refused, 2 usage or system.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "compile.h"
#include "engine.h"
#include "fds.h"
#include "file.h"
#include "intake.h"
#include "listing.h"
#include "say.h"
#include "serve.h"

static int usage(FILE *f, int code)
{
	(void)fprintf(
		f, "usage: policyd -n FILE    check a configuration\n"
		   "       policyd -nv FILE   and print its canonical form (JSON)\n"
		   "       policyd -nl FILE   and print the compiled rules\n"
		   "       policyd -np FILE   and list the controls of its level "
		   "profile\n"
		   "       policyd -nr FILE   and list the addresses used toward TSLCD\n"
		   "Without arguments it is a daemon that svcd starts.\n"
		   "Exit code: 0 valid, 1 refused, 2 usage or system error.\n");
	return code;
}

static int print_listing(const struct cfg *cfg)
{
	char *text = NULL;
	struct prog p;
	int r = compile_cfg(cfg, &p);

	if (r == ERR_OK)
		r = prog_list(&p, &text);
	prog_clear(&p);
	if (r == ERR_OK)
		(void)fputs(text, stdout);
	else
		(void)fprintf(stderr, "policyd: compiling: %s\n", err_text(r));
	free(text);
	return r == ERR_OK ? 0 : 1;
}

static int refuse(const char *file, const struct cfg_error *error)
{
	char text[INTAKE_TEXT_BYTES];

	intake_explain(error, text, sizeof(text));
	(void)fprintf(stderr, "refused file=%s %s\n", file, text);
	return 1;
}

/* policyd -n: no kernel, no root.
 * @form  0, or 'v', 'l', 'p', 'r' */
static int check_file(const char *file, int form)
{
	struct cfg_error error;
	uint8_t *text = NULL;
	struct cfg cfg;
	size_t n = 0;
	int r = file_load(file, CONFIG_CFG_MAX_BYTES, &text, &n);
	int code = 0;

	if (r == ERR_LIMIT) {
		intake_too_long(n, CONFIG_CFG_MAX_BYTES, &error);
		return refuse(file, &error);
	}
	if (r != ERR_OK) {
		(void)fprintf(stderr, "policyd: %s: %s\n", file, err_text(r));
		return 2;
	}
	r = cfg_parse(span_of(text, n), &cfg, &error);
	free(text);
	if (r != ERR_OK)
		return refuse(file, &error);
	cfg_judge(&cfg, (int64_t)time(NULL));
	if (form == 'v')
		cfg_print(&cfg, stdout);
	else if (form == 'p')
		listing_controls(&cfg, stdout);
	else if (form == 'r')
		listing_addresses(&cfg, stdout);
	else if (form == 'l')
		code = print_listing(&cfg);
	else
		(void)printf("valid file=%s serial=%llu rules=%zu ports=%zu\n", file,
			     (unsigned long long)cfg.serial, cfg.rule_count,
			     cfg.port_count);
	cfg_clear(&cfg);
	return fflush(stdout) == 0 ? code : 2;
}

static int command(int argc, char **argv)
{
	bool is_check = false;
	int opt, form = 0, forms = 0;

	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return usage(stdout, 0);
	while ((opt = getopt(argc, argv, "nvlprh")) != -1) {
		is_check |= opt == 'n';
		if (opt == 'v' || opt == 'l' || opt == 'p' || opt == 'r') {
			form = opt;
			forms++;
		}
		if (opt == 'h')
			return usage(stdout, 0);
		if (opt == '?')
			return usage(stderr, 2);
	}
	if (!is_check || optind != argc - 1 || forms > 1)
		return usage(stderr, 2);
	return check_file(argv[optind], form);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

int main(int argc, char **argv)
{
	static struct intake in; /* large */
	int dev = is_open(FDS_DEV) ? FDS_DEV : -1;
	int r;

	if (argc > 1)
		return command(argc, argv);
	if (!is_open(FDS_SVCD)) {
		(void)fprintf(stderr, "policyd: is started by svcd; --help\n");
		return 2;
	}
	if (engine_open(&in.engine) != ERR_OK) {
		say("broken", "reason=\"%s\"", in.engine.why);
		return 1;
	}
	intake_boot(&in);
	/* svcd tries again: what could not be closed may close next time */
	if (in.engine.state == ENGINE_BROKEN) {
		engine_close(&in.engine);
		return 1;
	}
	r = serve_ready(&in.engine, FDS_SVCD);
	if (r == ERR_OK)
		r = serve_run(&in, FDS_SVCD, dev);
	engine_close(&in.engine);
	return r == ERR_NOENT ? 0 : 1;
}
