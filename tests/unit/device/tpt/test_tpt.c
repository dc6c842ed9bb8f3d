/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Every verdict of a check, and the bounds at both ends of the address space.
 */
#include "tpt/tpt.h"

#include <string.h>

#include "test.h"

#define ENTRIES 4u
#define PD 7u
#define STAG 0x2ffu /* entry 2, instance 0xff */
#define ADDRESS 0x700000000000ull
#define RIGHTS                                                                 \
	((uint32_t)ARNICA_HW_ACCESS_LOCAL_WRITE | ARNICA_HW_ACCESS_REMOTE_READ)

static struct adev_tpt_entry entries[ENTRIES];
static struct adev_view view;

static int setup(void **state)
{
	(void)state;
	memset(entries, 0, sizeof(entries));
	view.tpt = entries;
	view.layout.max_mr = ENTRIES;
	return 0;
}

static void region(uint64_t iova, uint64_t length)
{
	struct adev_tpt_entry *entry = &entries[adev_tpt_index(STAG)];

	entry->type = ADEV_TPT_REGION;
	entry->pd = PD;
	entry->access = RIGHTS;
	entry->iova = iova;
	entry->length = length;
	entry->address = ADDRESS;
	adev_tpt_publish(entry, STAG);
}

static enum adev_tpt_verdict check(uint64_t iova, uint64_t length)
{
	uint64_t address;

	return adev_tpt_check(&view, STAG, PD, iova, length, RIGHTS, &address);
}

static enum adev_tpt_verdict check_as(uint32_t stag, uint32_t pd,
				      uint32_t access)
{
	uint64_t address;

	return adev_tpt_check(&view, stag, pd, 0x1000, 8, access, &address);
}

static void an_address_is_translated(void **state)
{
	uint64_t address;

	(void)state;
	region(0x1000, 0x100);
	assert_int_equal(
		adev_tpt_check(&view, STAG, PD, 0x1010, 0xf0, RIGHTS, &address),
		ADEV_TPT_OK);
	assert_int_equal(address, ADDRESS + 0x10);
}

static void keys_of_other_instances_and_entries_are_refused(void **state)
{
	(void)state;
	region(0x1000, 0x100);
	assert_int_equal(check_as(STAG - 1, PD, 0), ADEV_TPT_BAD_KEY);
	assert_int_equal(check_as(STAG ^ 0xff, PD, 0), ADEV_TPT_BAD_KEY);
	assert_int_equal(check_as(0x1ff, PD, 0), ADEV_TPT_BAD_KEY);
	assert_int_equal(check_as(0, PD, 0), ADEV_TPT_BAD_KEY);
	assert_int_equal(check_as(1, PD, 0), ADEV_TPT_BAD_KEY);
}

static void keys_beyond_the_table_are_refused(void **state)
{
	(void)state;
	assert_int_equal(check_as(ENTRIES << 8 | 1, PD, 0), ADEV_TPT_BAD_KEY);
	assert_int_equal(check_as(UINT32_MAX, PD, 0), ADEV_TPT_BAD_KEY);
}

static void an_invalid_entry_is_refused_until_it_is_published(void **state)
{
	(void)state;
	region(0x1000, 0x100);
	adev_tpt_invalidate(&entries[2]);
	assert_int_equal(check(0x1000, 1), ADEV_TPT_BAD_KEY);
	adev_tpt_publish(&entries[2], STAG);
	assert_int_equal(check(0x1000, 1), ADEV_TPT_OK);
}

static void an_entry_that_was_never_used_has_no_key_zero(void **state)
{
	(void)state;
	assert_int_equal(check_as(0, 0, 0), ADEV_TPT_BAD_KEY);
}

static void another_protection_domain_is_refused(void **state)
{
	(void)state;
	region(0x1000, 0x100);
	assert_int_equal(check_as(STAG, PD + 1, RIGHTS), ADEV_TPT_BAD_PD);
	assert_int_equal(check_as(STAG, 0, RIGHTS), ADEV_TPT_BAD_PD);
}

static void all_rights_asked_for_are_needed(void **state)
{
	(void)state;
	region(0x1000, 0x100);
	assert_int_equal(check_as(STAG, PD, 0), ADEV_TPT_OK);
	assert_int_equal(check_as(STAG, PD, ARNICA_HW_ACCESS_REMOTE_READ),
			 ADEV_TPT_OK);
	assert_int_equal(check_as(STAG, PD, ARNICA_HW_ACCESS_REMOTE_WRITE),
			 ADEV_TPT_BAD_ACCESS);
	assert_int_equal(
		check_as(STAG, PD, RIGHTS | ARNICA_HW_ACCESS_REMOTE_ATOMIC),
		ADEV_TPT_BAD_ACCESS);
}

static void bounds_are_exact(void **state)
{
	(void)state;
	region(0x1000, 0x100);
	assert_int_equal(check(0x1000, 0x100), ADEV_TPT_OK);
	assert_int_equal(check(0x10ff, 1), ADEV_TPT_OK);
	assert_int_equal(check(0x0fff, 1), ADEV_TPT_BAD_BOUNDS);
	assert_int_equal(check(0x1000, 0x101), ADEV_TPT_BAD_BOUNDS);
	assert_int_equal(check(0x10ff, 2), ADEV_TPT_BAD_BOUNDS);
	assert_int_equal(check(0x1100, 1), ADEV_TPT_BAD_BOUNDS);
}

static void lengths_that_wrap_are_refused(void **state)
{
	(void)state;
	region(0x1000, 0x100);
	assert_int_equal(check(0x1080, UINT64_MAX), ADEV_TPT_BAD_BOUNDS);
	assert_int_equal(check(0x1080, 0ull - 0x80), ADEV_TPT_BAD_BOUNDS);
	assert_int_equal(check(UINT64_MAX, 0x1002), ADEV_TPT_BAD_BOUNDS);
	assert_int_equal(check(0, UINT64_MAX), ADEV_TPT_BAD_BOUNDS);
}

static void a_region_may_end_with_the_address_space(void **state)
{
	(void)state;
	region(UINT64_MAX - 0xff, 0x100);
	assert_int_equal(check(UINT64_MAX, 1), ADEV_TPT_OK);
	assert_int_equal(check(UINT64_MAX - 0xff, 0x100), ADEV_TPT_OK);
	assert_int_equal(check(UINT64_MAX, 2), ADEV_TPT_BAD_BOUNDS);
	assert_int_equal(check(0, 1), ADEV_TPT_BAD_BOUNDS);
}

static void a_region_may_be_the_whole_address_space(void **state)
{
	(void)state;
	region(0, UINT64_MAX);
	assert_int_equal(check(0, UINT64_MAX), ADEV_TPT_OK);
	assert_int_equal(check(1, UINT64_MAX - 1), ADEV_TPT_OK);
	assert_int_equal(check(1, UINT64_MAX), ADEV_TPT_BAD_BOUNDS);
}

#define QPN 0x123456u

static enum adev_tpt_verdict check_window(enum adev_tpt_type type, uint32_t pd,
					  uint32_t qpn, uint32_t access)
{
	const struct adev_tpt_user user = { .pd = pd, .qpn = qpn };
	uint64_t address;

	region(0x1000, 0x100);
	entries[2].type = type;
	entries[2].qpn = QPN;
	return adev_tpt_check_remote(&view, STAG, user, 0x1000, 8, access,
				     &address);
}

static void a_window_is_no_region(void **state)
{
	uint32_t type;

	(void)state;
	for (type = ADEV_TPT_WINDOW_1; type <= ADEV_TPT_WINDOW_2B; type++) {
		region(0x1000, 0x100);
		entries[2].type = type;
		assert_int_equal(check(0x1000, 1), ADEV_TPT_BAD_KEY);
	}
}

/* Rows: what is named; columns: own, other PD, other QP, both others. */
static void each_kind_has_its_users(void **state)
{
	static const struct {
		enum adev_tpt_type type;
		enum adev_tpt_verdict verdicts[4];
	} rows[] = {
		{ ADEV_TPT_REGION,
		  { ADEV_TPT_OK, ADEV_TPT_BAD_PD, ADEV_TPT_OK,
		    ADEV_TPT_BAD_PD } },
		{ ADEV_TPT_WINDOW_1,
		  { ADEV_TPT_OK, ADEV_TPT_BAD_PD, ADEV_TPT_OK,
		    ADEV_TPT_BAD_PD } },
		{ ADEV_TPT_WINDOW_2A,
		  { ADEV_TPT_OK, ADEV_TPT_OK, ADEV_TPT_BAD_QP,
		    ADEV_TPT_BAD_QP } },
		{ ADEV_TPT_WINDOW_2B,
		  { ADEV_TPT_OK, ADEV_TPT_BAD_PD, ADEV_TPT_BAD_QP,
		    ADEV_TPT_BAD_PD } },
		{ ADEV_TPT_NULL,
		  { ADEV_TPT_BAD_KEY, ADEV_TPT_BAD_KEY, ADEV_TPT_BAD_KEY,
		    ADEV_TPT_BAD_KEY } },
	};
	unsigned int row, column;

	(void)state;
	for (row = 0; row < 5; row++)
		for (column = 0; column < 4; column++)
			assert_int_equal(
				check_window(rows[row].type, PD + column % 2,
					     QPN + column / 2, 0),
				rows[row].verdicts[column]);
}

static void a_window_has_rights_of_its_own(void **state)
{
	(void)state;
	assert_int_equal(check_window(ADEV_TPT_WINDOW_2B, PD, QPN,
				      ARNICA_HW_ACCESS_REMOTE_READ),
			 ADEV_TPT_OK);
	assert_int_equal(check_window(ADEV_TPT_WINDOW_2B, PD, QPN,
				      ARNICA_HW_ACCESS_REMOTE_WRITE),
			 ADEV_TPT_BAD_ACCESS);
}

static bool take_back(enum adev_tpt_type type, uint32_t pd, uint32_t qpn)
{
	const struct adev_tpt_user user = { .pd = pd, .qpn = qpn };

	region(0x1000, 0x100);
	entries[2].type = type;
	entries[2].qpn = QPN;
	return adev_tpt_take_back(&view, STAG, user);
}

static void only_windows_of_type_2_are_taken_back_by_their_user(void **state)
{
	const struct adev_tpt_user user = { .pd = PD, .qpn = QPN };

	(void)state;
	assert_false(take_back(ADEV_TPT_REGION, PD, QPN));
	assert_false(take_back(ADEV_TPT_WINDOW_1, PD, QPN));
	assert_false(take_back(ADEV_TPT_WINDOW_2A, PD, QPN + 1));
	assert_false(take_back(ADEV_TPT_WINDOW_2B, PD + 1, QPN));
	assert_false(take_back(ADEV_TPT_NULL, PD, QPN));
	assert_int_equal(entries[2].tag, STAG);
	assert_true(take_back(ADEV_TPT_WINDOW_2A, PD + 1, QPN));
	assert_int_equal(entries[2].tag, 0);
	assert_true(take_back(ADEV_TPT_WINDOW_2B, PD, QPN));
	assert_false(adev_tpt_take_back(&view, STAG, user));
}

static void a_null_region_has_two_places_and_no_bounds(void **state)
{
	uint64_t address;

	(void)state;
	region(0, 0);
	entries[2].type = ADEV_TPT_NULL;
	entries[2].access = ARNICA_HW_ACCESS_LOCAL_WRITE;
	entries[2].sink = 0x1234000;
	assert_int_equal(adev_tpt_check(&view, STAG, PD, UINT64_MAX, UINT32_MAX,
					0, &address),
			 ADEV_TPT_OK);
	assert_int_equal(address, ADDRESS);
	assert_int_equal(adev_tpt_check(&view, STAG, PD, 5, 1,
					ARNICA_HW_ACCESS_LOCAL_WRITE, &address),
			 ADEV_TPT_OK);
	assert_int_equal(address, 0x1234000);
	assert_int_equal(adev_tpt_check(&view, STAG, PD, 5, 1,
					ARNICA_HW_ACCESS_MW_BIND, &address),
			 ADEV_TPT_BAD_ACCESS);
}

#define tpt_test(function) cmocka_unit_test_setup(function, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		tpt_test(an_address_is_translated),
		tpt_test(keys_of_other_instances_and_entries_are_refused),
		tpt_test(keys_beyond_the_table_are_refused),
		tpt_test(an_invalid_entry_is_refused_until_it_is_published),
		tpt_test(an_entry_that_was_never_used_has_no_key_zero),
		tpt_test(another_protection_domain_is_refused),
		tpt_test(all_rights_asked_for_are_needed),
		tpt_test(bounds_are_exact),
		tpt_test(lengths_that_wrap_are_refused),
		tpt_test(a_region_may_end_with_the_address_space),
		tpt_test(a_region_may_be_the_whole_address_space),
		tpt_test(a_window_is_no_region),
		tpt_test(each_kind_has_its_users),
		tpt_test(a_window_has_rights_of_its_own),
		tpt_test(only_windows_of_type_2_are_taken_back_by_their_user),
		tpt_test(a_null_region_has_two_places_and_no_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
