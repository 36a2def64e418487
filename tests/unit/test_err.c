/* Error codes: every one has its own value and its own text. */
#include "test.h"

#include <string.h>
#include "err.h"

static const int all[] = {
#define X(name, value, text) ERR_##name,
	ERR_TABLE(X)
#undef X
};

static void text_of_each_code_is_its_own(void **state)
{
	const size_t n = sizeof(all) / sizeof(all[0]);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		assert_non_null(err_text(all[i]));
		assert_string_not_equal(err_text(all[i]), "unknown error");
		for (size_t j = 0; j < i; j++) {
			assert_int_not_equal(all[i], all[j]);
			assert_string_not_equal(err_text(all[i]), err_text(all[j]));
		}
	}
}

static void only_ok_is_not_negative(void **state)
{
	(void)state;
	assert_int_equal(ERR_OK, 0);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		assert_true(all[i] == ERR_OK || all[i] < 0);
}

static void foreign_number_is_named_unknown(void **state)
{
	(void)state;
	assert_string_equal(err_text(1), "unknown error");
	assert_string_equal(err_text(-1000), "unknown error");
	assert_string_equal(err_text(-2147483647 - 1), "unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_of_each_code_is_its_own),
		cmocka_unit_test(only_ok_is_not_negative),
		cmocka_unit_test(foreign_number_is_named_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
