/* prog_seal(): the name of a set tells its content. */
#include "test.h"

#include <stdio.h>
#include <string.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter/nf_tables.h>

#include "policyd/expr.h"
#include "policyd/prog.h"

/* A program with one set of these ports, and a rule that looks into it. */
static void make(struct prog *p, const uint8_t *ports, size_t count)
{
	struct prog_set *s;

	prog_init(p);
	assert_non_null(prog_add_chain(p, "c"));
	s = prog_add_set(p, "ports");
	assert_non_null(s);
	s->key_len = 2;
	for (size_t i = 0; i < count; i++) {
		uint8_t key[2] = {0, ports[i]};

		prog_add_range(p, s, key, key);
	}
	ex_lookup(prog_add_rule(p, "c", "r"), "ports", false);
	prog_seal(p);
	assert_false(p->is_full);
}

static int keep_set(struct nftnl_expr *e, void *data)
{
	*(const char **)data = nftnl_expr_get_str(e, NFTNL_EXPR_LOOKUP_SET);
	return 0;
}

static void seal_names(void **state)
{
	static const uint8_t a[] = {1, 2}, b[] = {2, 1}, c[] = {1, 3}, d[] = {1};
	struct prog p, same, other, fewer;
	const char *used = "";

	(void)state;
	make(&p, a, 2);
	make(&same, b, 2);
	make(&other, c, 2);
	make(&fewer, d, 1);
	assert_int_equal(strncmp(p.sets[0].name, "ports_", 6), 0);
	assert_int_equal(strlen(p.sets[0].name), 6 + 8);
	assert_string_equal(p.sets[0].name, same.sets[0].name);
	assert_true(prog_set_is_equal(&p.sets[0], &same.sets[0]));
	assert_string_not_equal(p.sets[0].name, other.sets[0].name);
	assert_false(prog_set_is_equal(&p.sets[0], &other.sets[0]));
	assert_string_not_equal(p.sets[0].name, fewer.sets[0].name);
	assert_false(prog_set_is_equal(&p.sets[0], &fewer.sets[0]));
	/* the rules follow */
	(void)nftnl_expr_foreach(p.rules[0].rule, keep_set, (void *)&used);
	assert_string_equal(used, p.sets[0].name);
	assert_ptr_equal(prog_find_set(&p, used), &p.sets[0]);
	assert_null(prog_find_set(&other, used));
	prog_clear(&p);
	prog_clear(&same);
	prog_clear(&other);
	prog_clear(&fewer);
}

static void seal_long_name(void **state)
{
	char name[PROG_NAME_BYTES];
	struct prog p;

	(void)state;
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	prog_init(&p);
	assert_non_null(prog_add_set(&p, name));
	prog_seal(&p);
	assert_true(p.is_full);
	prog_clear(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seal_names),
		cmocka_unit_test(seal_long_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
