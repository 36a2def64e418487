/*
 * DESIGN: the kernel drops what it cannot track (nf_conntrack_core.c: "table
 * full"), so a full table never lets anything pass by; existing connections go
 * on. Here it is only watched: a warning at 80 %, an alarm when it is full, both
 * once until it is calm again.
 */
#include "pressure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"

#define COUNT_FILE "/proc/sys/net/netfilter/nf_conntrack_count"
#define MAX_FILE "/proc/sys/net/netfilter/nf_conntrack_max"
#define STAT_FILE "/proc/net/stat/nf_conntrack" /* one line a processor, hexadecimal */
#define STAT_LINE_BYTES 512

static bool read_number(const char *path, uint64_t *out)
{
	FILE *f = fopen(path, "re");
	char text[32];
	bool ok = f && fgets(text, sizeof(text), f);

	if (f)
		(void)fclose(f);
	if (ok)
		*out = strtoull(text, NULL, 10);
	return ok;
}

/* Which column has this heading; -1: none. */
static int column(char *heads, const char *name)
{
	char *save = NULL;
	int i = 0;

	for (char *w = strtok_r(heads, " \n", &save); w;
	     w = strtok_r(NULL, " \n", &save)) {
		if (strcmp(w, name) == 0)
			return i;
		i++;
	}
	return -1;
}

/* Column "drop" is the one that a full table counts. */
static uint64_t read_dropped(void)
{
	char line[STAT_LINE_BYTES], *save;
	FILE *f = fopen(STAT_FILE, "re");
	uint64_t sum = 0;
	int at = -1;

	if (f && fgets(line, sizeof(line), f))
		at = column(line, "drop");
	while (f && at >= 0 && fgets(line, sizeof(line), f)) {
		char *w = strtok_r(line, " \n", &save);

		for (int i = 0; w && i < at; i++)
			w = strtok_r(NULL, " \n", &save);
		sum += w ? strtoull(w, NULL, 16) : 0;
	}
	if (f)
		(void)fclose(f);
	return sum;
}

/*
 * Look at the table and say when it becomes tight, full, or calm again.
 */
void pressure_look(struct table_load *t)
{
	uint64_t dropped;

	t->is_known = read_number(COUNT_FILE, &t->count) &&
		      read_number(MAX_FILE, &t->max) && t->max > 0;
	if (!t->is_known)
		return;
	dropped = read_dropped();
	if (dropped > t->dropped && !t->is_full) {
		say("table-full", "connections=%llu max=%llu refused=%llu",
		    (unsigned long long)t->count, (unsigned long long)t->max,
		    (unsigned long long)dropped);
		t->is_full = true;
		t->is_warned = true;
	} else if (!t->is_warned && t->count * 100 >= t->max * PRESSURE_WARN_PERCENT) {
		say("table-tight", "connections=%llu max=%llu",
		    (unsigned long long)t->count, (unsigned long long)t->max);
		t->is_warned = true;
	} else if (t->is_warned && dropped == t->dropped &&
		   t->count * 100 < t->max * PRESSURE_CALM_PERCENT) {
		say("table-calm", "connections=%llu max=%llu refused=%llu",
		    (unsigned long long)t->count, (unsigned long long)t->max,
		    (unsigned long long)dropped);
		t->is_warned = false;
		t->is_full = false;
	}
	t->dropped = dropped;
}
