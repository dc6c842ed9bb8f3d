/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Both ways to learn about mappings say the same. */
#include "adopt/mappings.h"

#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pages.h"
#include "test.h"

#define PAGE 4096u
#define MOST 8u

struct seen {
	uint32_t count, limit;
	struct adev_vma vmas[MOST];
};

static bool see(const struct adev_vma *vma, void *argument)
{
	struct seen *seen = argument;

	assert_true(seen->count < seen->limit);
	seen->vmas[seen->count++] = *vma;
	return seen->count < seen->limit;
}

static struct seen look(const void *start, uint64_t bytes, uint32_t limit)
{
	struct seen seen = { .limit = limit };
	uint64_t at = (uintptr_t)start;

	assert_ok(adev_mappings_visit(at, at + bytes, see, &seen));
	return seen;
}

static int ask_by_address(void **state)
{
	(void)state;
	adev_mappings_read_only = false;
	return 0;
}

static int read_all(void **state)
{
	(void)state;
	adev_mappings_read_only = true;
	return 0;
}

static char *map(int rights, int flags)
{
	char *memory = mmap(NULL, 8 * PAGE, rights, MAP_ANONYMOUS | flags, -1,
			    0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

static void a_mapping_is_found_by_each_of_its_pages(void **state)
{
	char *around = map(PROT_NONE, MAP_PRIVATE);
	char *memory = around + 3 * PAGE;
	struct seen seen;

	(void)state;
	assert_ok(mprotect(memory, 2 * PAGE, PROT_READ | PROT_WRITE));
	seen = look(memory + PAGE, 1, MOST);
	assert_int_equal(seen.count, 1);
	assert_true(seen.vmas[0].start == (uintptr_t)memory);
	assert_true(seen.vmas[0].end == (uintptr_t)memory + 2 * PAGE);
	assert_int_equal(seen.vmas[0].rights, PROT_READ | PROT_WRITE);
	assert_int_equal(seen.vmas[0].name, ADEV_VMA_ANONYMOUS);
	assert_true(seen.vmas[0].guarded);
	assert_false(seen.vmas[0].shared);
	assert_int_equal(seen.vmas[0].inode, 0);
	munmap(around, 8 * PAGE);
}

static void they_come_in_order_until_it_is_enough(void **state)
{
	char *memory = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);
	struct seen seen;

	(void)state;
	assert_ok(mprotect(memory + PAGE, PAGE, PROT_READ));
	assert_ok(munmap(memory + 3 * PAGE, PAGE));
	seen = look(memory, 5 * PAGE, MOST);
	assert_int_equal(seen.count, 4);
	assert_true(seen.vmas[1].start == (uintptr_t)memory + PAGE);
	assert_int_equal(seen.vmas[1].rights, PROT_READ);
	assert_true(seen.vmas[2].end == (uintptr_t)memory + 3 * PAGE);
	assert_true(seen.vmas[3].start == (uintptr_t)memory + 4 * PAGE);
	assert_false(seen.vmas[3].guarded);
	assert_int_equal(look(memory, 5 * PAGE, 2).count, 2);
	assert_int_equal(look(memory + 3 * PAGE, PAGE, MOST).count, 0);
	munmap(memory, 8 * PAGE);
}

static void shared_memory_has_a_file(void **state)
{
	char *memory = map(PROT_READ | PROT_WRITE, MAP_SHARED);
	struct seen seen = look(memory + PAGE, PAGE, MOST);

	(void)state;
	assert_int_equal(seen.count, 1);
	assert_true(seen.vmas[0].shared);
	assert_true(seen.vmas[0].inode != 0);
	assert_int_equal(seen.vmas[0].name, ADEV_VMA_OTHER);
	munmap(memory, 8 * PAGE);
}

static void places_in_files_are_told(void **state)
{
	/* A name that is longer than what the query has room for. */
	char name[200];
	struct seen seen;
	char *memory;
	int fd;

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	fd = memfd_create(name, MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_ok(ftruncate(fd, 8 * PAGE));
	memory = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 2 * PAGE);
	assert_ptr_not_equal(memory, MAP_FAILED);
	seen = look(memory, PAGE, MOST);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.vmas[0].offset, 2 * PAGE);
	assert_int_equal(seen.vmas[0].name, ADEV_VMA_OTHER);
	munmap(memory, 4 * PAGE);
	close(fd);
}

static void the_heap_is_known(void **state)
{
	char *end = sbrk(PAGE);
	struct seen seen = look(end, 1, MOST);

	(void)state;
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.vmas[0].name, ADEV_VMA_HEAP);
	assert_ptr_not_equal(sbrk(-(long)PAGE), (void *)-1);
}

static void rings_are_found(void **state)
{
	struct io_uring_params params = { 0 };
	int ring = (int)syscall(SYS_io_uring_setup, 4, &params);
	unsigned long context = 0;
	void *memory;

	(void)state;
	assert_false(adev_mappings_have_ring());
	if (ring >= 0) {
		memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			      ring, IORING_OFF_SQ_RING);
		assert_ptr_not_equal(memory, MAP_FAILED);
		close(ring);
		assert_true(adev_mappings_have_ring());
		munmap(memory, PAGE);
		assert_false(adev_mappings_have_ring());
	}
	if (!syscall(SYS_io_setup, 4, &context)) {
		assert_true(adev_mappings_have_ring());
		assert_ok(syscall(SYS_io_destroy, context));
	}
}

#define both(name)                                                             \
	cmocka_unit_test_setup(name, ask_by_address),                          \
		cmocka_unit_test_setup(name, read_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		both(a_mapping_is_found_by_each_of_its_pages),
		both(they_come_in_order_until_it_is_enough),
		both(shared_memory_has_a_file),
		both(places_in_files_are_told),
		both(the_heap_is_known),
		both(rings_are_found),
	};

	if (!pages_are_adopted())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
