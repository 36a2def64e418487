/* Any bytes as a configuration: refused with place, reason and fix, or taken,
 * compiled, listed, and then its canonical form must be taken too. */
#include <stdio.h>
#include <stdlib.h>

#include "policyd/cfg.h"
#include "policyd/compile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_canonical(const struct cfg *cfg)
{
	struct cfg_error e;
	struct cfg again;
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		abort();
	cfg_print(cfg, f);
	if (fclose(f) != 0 || cfg_parse(span_of(text, n), &again, &e) != ERR_OK ||
	    again.rule_count != cfg->rule_count || again.port_count != cfg->port_count ||
	    again.nat.source_count != cfg->nat.source_count ||
	    again.nat.destination_count != cfg->nat.destination_count ||
	    again.nat.prefix_count != cfg->nat.prefix_count)
		abort();
	cfg_clear(&again);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cfg_error e;
	struct cfg cfg;
	struct prog p;
	char *text = NULL;

	if (cfg_parse(span_of(data, size), &cfg, &e) != ERR_OK) {
		if (e.path[0] != '$' || !e.reason[0] || !e.fix[0])
			abort();
		return 0;
	}
	for (size_t i = 0; i < cfg.port_count; i++) {
		if (cfg.ports[i].name[0] == '\0' || cfg.ports[i].zone > ZONE_NONE)
			abort();
	}
	if (compile_cfg(&cfg, &p) == ERR_OK && prog_list(&p, &text) != ERR_OK)
		abort();
	free(text);
	prog_clear(&p);
	check_canonical(&cfg);
	cfg_clear(&cfg);
	return 0;
}
