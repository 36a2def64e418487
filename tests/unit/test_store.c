/* The store on a simulated folder: what is not flushed is lost or torn, every
 * n-th operation fails or is the last one before a power cut. Afterwards there
 * is the old content or the new one, whole, and no floor has gone down. */
#include "test.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/store.h"

/* What a power cut leaves on the heap is no leak: it jumps out of the store. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#else
static void __lsan_disable(void)
{
}

static void __lsan_enable(void)
{
}
#endif

#define FILES 32
#define BYTES 8192
#define NAME 80

struct content {
	size_t n;
	uint8_t p[BYTES];
};

struct inode {
	struct content now, disk;
	bool is_synced;
};

struct dir {
	char name[FILES][NAME]; /* "" = free */
	int inode[FILES];
};

static struct sim {
	struct inode inodes[FILES * 4];
	int inode_count;
	struct dir now, disk;
	int calls, fail_at; /* 0 = never */
	bool is_cut;        /* the failing call is a power cut */
	bool is_lying;      /* flushes do nothing: the test must notice */
	jmp_buf cut;
} sim;

enum after { LOST, KEPT, TORN, AFTER_COUNT };

static int find(const struct dir *d, const char *name)
{
	for (int i = 0; i < FILES; i++) {
		if (d->name[i][0] && strcmp(d->name[i], name) == 0)
			return i;
	}
	return -1;
}

static bool fails(void)
{
	if (sim.fail_at == 0 || ++sim.calls != sim.fail_at)
		return false;
	if (sim.is_cut)
		longjmp(sim.cut, 1);
	errno = EIO;
	return true;
}

static int sim_create(void *arg, const char *name)
{
	int i = find(&sim.now, name);

	(void)arg;
	if (fails())
		return -1;
	for (int k = 0; i < 0 && k < FILES; k++) {
		if (!sim.now.name[k][0])
			i = k;
	}
	assert_true(i >= 0 && sim.inode_count < FILES * 4);
	(void)snprintf(sim.now.name[i], NAME, "%s", name);
	sim.now.inode[i] = sim.inode_count;
	memset(&sim.inodes[sim.inode_count], 0, sizeof(sim.inodes[0]));
	return sim.inode_count++;
}

static long sim_write(void *arg, int file, const void *p, size_t n)
{
	struct content *c = &sim.inodes[file].now;

	(void)arg;
	if (fails())
		return -1;
	n = n > 100 ? 100 : n; /* short writes happen */
	assert_true(c->n + n <= BYTES);
	memcpy(c->p + c->n, p, n);
	c->n += n;
	return (long)n;
}

static int sim_sync(void *arg, int file)
{
	(void)arg;
	if (fails())
		return -1;
	if (sim.is_lying)
		return 0;
	sim.inodes[file].disk = sim.inodes[file].now;
	sim.inodes[file].is_synced = true;
	return 0;
}

static int sim_close(void *arg, int file)
{
	(void)arg;
	(void)file;
	return fails() ? -1 : 0;
}

static int sim_rename(void *arg, const char *from, const char *to)
{
	int a = find(&sim.now, from), b = find(&sim.now, to);

	(void)arg;
	if (fails())
		return -1;
	assert_true(a >= 0);
	if (b >= 0)
		sim.now.name[b][0] = '\0';
	(void)snprintf(sim.now.name[a], NAME, "%s", to);
	return 0;
}

static int sim_remove(void *arg, const char *name)
{
	int i = find(&sim.now, name);

	(void)arg;
	if (fails() || i < 0)
		return -1;
	sim.now.name[i][0] = '\0';
	return 0;
}

static int sim_sync_folder(void *arg)
{
	(void)arg;
	if (fails())
		return -1;
	if (!sim.is_lying)
		sim.disk = sim.now;
	return 0;
}

static int sim_read(void *arg, const char *name, size_t max, uint8_t **text, size_t *n)
{
	int i = find(&sim.now, name);
	const struct content *c;

	(void)arg;
	if (i < 0)
		return ERR_NOENT;
	c = &sim.inodes[sim.now.inode[i]].now;
	*n = c->n;
	if (c->n > max)
		return ERR_LIMIT;
	*text = malloc(c->n + 1);
	assert_non_null(*text);
	memcpy(*text, c->p, c->n);
	return ERR_OK;
}

static int sim_list(void *arg, bool (*each)(void *ctx, const char *name), void *ctx)
{
	char names[FILES][NAME];

	(void)arg;
	memcpy(names, sim.now.name, sizeof(names));
	for (int i = 0; i < FILES; i++) {
		if (names[i][0] && !each(ctx, names[i]))
			break;
	}
	return 0;
}

static const struct store_io sim_io = {
	.create = sim_create,
	.write = sim_write,
	.sync = sim_sync,
	.close = sim_close,
	.rename = sim_rename,
	.remove = sim_remove,
	.sync_folder = sim_sync_folder,
	.read = sim_read,
	.list = sim_list,
};

/* The power comes back. LOST: what was not flushed is gone; KEPT: all of it
 * happened to be written; TORN: names were written, half of the data was. */
static void power_back(enum after after)
{
	if (after == LOST)
		sim.now = sim.disk;
	for (int i = 0; i < sim.inode_count; i++) {
		struct inode *n = &sim.inodes[i];

		if (after == KEPT)
			continue;
		if (n->is_synced)
			n->now = n->disk;
		else
			n->now.n /= 2;
	}
	sim.disk = sim.now;
	sim.fail_at = 0;
}

static const struct man_scope device = {.kind = MAN_SCOPE_DEVICE,
					.name = {(const uint8_t *)"LT-1", 4}};

static int put(struct store *s, const char *text, uint64_t version)
{
	struct store_index *next = malloc(sizeof(*next));
	struct man_floor floor = {.epoch = 1, .version = version};
	int r;

	assert_non_null(next);
	*next = s->index;
	next->config[STORE_PREVIOUS] = next->config[STORE_ACTIVE];
	next->config[STORE_ACTIVE].keyset = 1;
	r = store_add(s, span_str(text), &next->config[STORE_ACTIVE].ref);
	if (r == ERR_OK)
		r = store_floor_set(next, MAN_CONFIG, &device, &floor);
	if (r == ERR_OK)
		r = store_commit(s, next);
	free(next);
	return r;
}

/* What is in the store: the number of the configuration; checks everything. */
static unsigned holds(void)
{
	struct store s;
	struct man_floor floor = {0};
	uint8_t *text = NULL;
	unsigned number;

	if (store_open(&s, &sim_io, NULL) != ERR_OK)
		return 99;
	if (s.index.config[STORE_ACTIVE].ref.n == 0)
		return 0;
	if (store_load(&s, &s.index.config[STORE_ACTIVE].ref, 100, &text) != ERR_OK)
		return 98;
	number = (unsigned)(text[s.index.config[STORE_ACTIVE].ref.n - 1] - '0');
	free(text);
	if (s.index.config[STORE_PREVIOUS].ref.n) {
		if (store_load(&s, &s.index.config[STORE_PREVIOUS].ref, 100, &text))
			return 97;
		free(text);
	}
	if (store_floor_get(&s.index, MAN_CONFIG, &device, &floor) != ERR_OK ||
	    floor.version != number)
		return 96;
	return number;
}

static void start(void)
{
	struct store s;

	memset(&sim, 0, sizeof(sim));
	assert_int_equal(store_open(&s, &sim_io, NULL), ERR_OK);
	assert_int_equal(put(&s, "configuration 1", 1), ERR_OK);
	assert_int_equal(put(&s, "configuration 2", 2), ERR_OK);
	assert_int_equal(holds(), 2);
	sim.calls = 0;
}

/* One run with a failure at call @n; false when the run had fewer calls. */
static bool one(int n, bool is_cut, enum after after, bool is_lying, unsigned *bad)
{
	struct store s;
	volatile int r = ERR_BUSY;
	unsigned have;

	start();
	assert_int_equal(store_open(&s, &sim_io, NULL), ERR_OK);
	sim.is_lying = is_lying;
	sim.is_cut = is_cut;
	sim.fail_at = n;
	if (is_cut)
		__lsan_disable();
	if (setjmp(sim.cut) == 0)
		r = put(&s, "configuration 3", 3);
	if (is_cut)
		__lsan_enable();
	if (sim.calls < n)
		return false;
	power_back(after);
	have = holds();
	if ((have != 2 && have != 3) || (r == ERR_OK && have != 3))
		(*bad)++;
	return true;
}

static unsigned all(bool is_lying, unsigned *runs)
{
	unsigned bad = 0;

	for (int is_cut = 0; is_cut <= 1; is_cut++) {
		for (unsigned after = 0; after < AFTER_COUNT; after++) {
			for (int n = 1; one(n, is_cut, (enum after)after, is_lying, &bad);
			     n++)
				(*runs)++;
		}
	}
	return bad;
}

static void old_or_new_whatever_fails(void **state)
{
	unsigned runs = 0;

	(void)state;
	assert_int_equal(all(false, &runs), 0);
	assert_true(runs > 60); /* 2 kinds, 3 outcomes, at least 10 operations */
}

static void the_simulation_notices_missing_flushes(void **state)
{
	unsigned runs = 0;

	(void)state;
	assert_true(all(true, &runs) > 0);
}

static void a_floor_never_goes_down(void **state)
{
	struct store_index *next = calloc(1, sizeof(*next));
	struct man_floor low = {.epoch = 1, .version = 1},
			 epoch0 = {.epoch = 0, .version = 99};
	struct store s;

	(void)state;
	assert_non_null(next);
	start();
	assert_int_equal(store_open(&s, &sim_io, NULL), ERR_OK);
	*next = s.index;
	assert_int_equal(store_floor_set(next, MAN_CONFIG, &device, &low), ERR_OK);
	assert_int_equal(store_commit(&s, next), ERR_ROLLBACK);
	assert_int_equal(store_floor_set(next, MAN_CONFIG, &device, &epoch0), ERR_OK);
	assert_int_equal(store_commit(&s, next), ERR_ROLLBACK);
	*next = s.index;
	next->floor_count = 0;
	assert_int_equal(store_commit(&s, next), ERR_ROLLBACK);
	*next = s.index;
	next->clock_s = 100;
	assert_int_equal(store_commit(&s, next), ERR_OK);
	next->clock_s = 99;
	assert_int_equal(store_commit(&s, next), ERR_ROLLBACK);
	assert_int_equal(holds(), 2);
	free(next);
}

/* Factory reset: no configuration, but the floors stay. */
static void floors_stay_without_configuration(void **state)
{
	struct store_index *next = calloc(1, sizeof(*next));
	struct man_floor floor;
	struct store s;

	(void)state;
	assert_non_null(next);
	start();
	assert_int_equal(store_open(&s, &sim_io, NULL), ERR_OK);
	*next = s.index;
	memset(next->config, 0, sizeof(next->config));
	assert_int_equal(store_commit(&s, next), ERR_OK);
	assert_int_equal(store_open(&s, &sim_io, NULL), ERR_OK);
	assert_int_equal(s.index.config[STORE_ACTIVE].ref.n, 0);
	assert_int_equal(store_floor_get(&s.index, MAN_CONFIG, &device, &floor), ERR_OK);
	assert_int_equal(floor.version, 2);
	for (int i = 0; i < FILES; i++)
		assert_true(strncmp(sim.now.name[i], "o-", 2) != 0); /* swept */
	free(next);
}

static void index_round_trip(void **state)
{
	struct store_index *x = calloc(1, sizeof(*x)), *y = calloc(1, sizeof(*y));
	struct man_scope all_devices = {.kind = MAN_SCOPE_ALL};
	struct man_floor floor = {.epoch = 3, .version = UINT64_MAX, .digest = {1, 2}};
	uint8_t text[STORE_INDEX_MAX], again[STORE_INDEX_MAX];
	size_t n = 0, m = 0;

	(void)state;
	assert_true(x && y);
	x->generation = 7;
	x->clock_s = 1760000000;
	assert_int_equal(store_floor_set(x, MAN_BLOCKLIST, &all_devices, &floor), ERR_OK);
	assert_int_equal(store_floor_set(x, MAN_CONFIG, &device, &floor), ERR_OK);
	x->keyset_count = 2;
	x->keysets[0] = (struct store_keyset){4, {.n = 5, .sha256 = {9}}};
	x->keysets[1] = (struct store_keyset){5, {.n = 6, .sha256 = {8}}};
	x->config[STORE_ACTIVE].ref = (struct store_ref){.n = 77, .sha256 = {7}};
	x->config[STORE_ACTIVE].keyset = 5;
	x->trial = (struct store_trial){true, "0b1c", 1234, "483920"};
	assert_int_equal(store_index_print(x, text, sizeof(text), &n), ERR_OK);
	assert_int_equal(store_index_parse(span_of(text, n), y), ERR_OK);
	assert_int_equal(store_index_print(y, again, sizeof(again), &m), ERR_OK);
	assert_int_equal(n, m);
	assert_memory_equal(text, again, n);
	for (size_t i = 0; i < n; i++) { /* every bit counts */
		text[i] ^= 1;
		assert_int_not_equal(store_index_parse(span_of(text, n), y), ERR_OK);
		text[i] ^= 1;
		assert_int_not_equal(store_index_parse(span_of(text, i), y), ERR_OK);
	}
	free(x);
	free(y);
}

static void a_damaged_file_is_noticed(void **state)
{
	struct store s;
	uint8_t *text = NULL;

	(void)state;
	start();
	assert_int_equal(store_open(&s, &sim_io, NULL), ERR_OK);
	for (int i = 0; i < FILES; i++) {
		if (strncmp(sim.now.name[i], "o-", 2) == 0)
			sim.inodes[sim.now.inode[i]].now.p[0] ^= 1;
	}
	assert_int_equal(store_load(&s, &s.index.config[STORE_ACTIVE].ref, 100, &text),
			 ERR_CHUNK);
	assert_int_equal(store_load(&s, &s.index.config[STORE_ACTIVE].ref, 5, &text),
			 ERR_LIMIT);
	sim.inodes[sim.now.inode[find(&sim.now, "index")]].now.p[20] ^= 1;
	assert_int_equal(store_open(&s, &sim_io, NULL), ERR_CHUNK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(old_or_new_whatever_fails),
		cmocka_unit_test(the_simulation_notices_missing_flushes),
		cmocka_unit_test(a_floor_never_goes_down),
		cmocka_unit_test(floors_stay_without_configuration),
		cmocka_unit_test(index_round_trip),
		cmocka_unit_test(a_damaged_file_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
