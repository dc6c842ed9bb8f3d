/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What may be registered, by what is mapped and how. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fake_function.h"

#include "front/memory.h"

static uint64_t page(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

static char *map(uint64_t pages, int protection)
{
	char *memory = mmap(NULL, pages * page(), protection,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

static int populate(const char *start, uint64_t length, bool writable)
{
	return adev_memory_populate((uintptr_t)start, length, writable);
}

static void pages_are_brought_in(void **state)
{
	char *memory = map(4, PROT_READ | PROT_WRITE);
	unsigned char residency[4];

	(void)state;
	assert_ok(populate(memory + page() - 1, page() + 2, true));
	assert_ok(mincore(memory, 4 * page(), residency));
	assert_true(residency[0] & residency[1] & residency[2] & 1);
	assert_false(residency[3] & 1);
	munmap(memory, 4 * page());
}

static void a_hole_is_a_fault(void **state)
{
	char *memory = map(3, PROT_READ | PROT_WRITE);

	(void)state;
	munmap(memory + page(), page());
	assert_int_equal(populate(memory, 3 * page(), true), EFAULT);
	assert_int_equal(populate(memory, page() + 1, false), EFAULT);
	assert_ok(populate(memory, page(), true));
	munmap(memory, page());
	munmap(memory + 2 * page(), page());
}

static void rights_of_the_mapping_count(void **state)
{
	char *memory = map(1, PROT_READ);

	(void)state;
	assert_ok(populate(memory, 1, false));
	assert_int_equal(populate(memory, 1, true), EFAULT);
	assert_ok(mprotect(memory, page(), PROT_NONE));
	assert_int_equal(populate(memory, 1, false), EFAULT);
	munmap(memory, page());
}

static void contents_stay(void **state)
{
	char *memory = map(2, PROT_READ | PROT_WRITE);

	(void)state;
	memory[5] = 'x';
	assert_ok(populate(memory, 2 * page(), true));
	assert_int_equal(memory[5], 'x');
	munmap(memory, 2 * page());
}

static void ends_of_the_address_space_are_faults(void **state)
{
	(void)state;
	assert_int_equal(adev_memory_populate(0, 1, false), EFAULT);
	assert_int_equal(adev_memory_populate(UINT64_MAX, 1, false), EFAULT);
	assert_int_equal(adev_memory_populate(1ull << 63, 1ull << 62, true),
			 EFAULT);
}

static void the_whole_address_space_is_not_there(void **state)
{
	(void)state;
	assert_int_equal(adev_memory_populate(0, UINT64_MAX, false), EFAULT);
	assert_int_equal(adev_memory_populate(UINT64_MAX - 10, 5, false),
			 EFAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_whole_address_space_is_not_there),
		cmocka_unit_test(pages_are_brought_in),
		cmocka_unit_test(a_hole_is_a_fault),
		cmocka_unit_test(rights_of_the_mapping_count),
		cmocka_unit_test(contents_stay),
		cmocka_unit_test(ends_of_the_address_space_are_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
