/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arnica/hw/segment.h"
#include "domain/segment.h"

#define SMALL (64ull << 20)

/* Runs in a child, so that limits and signals stay there; 0 is success. */
static void in_child(int (*run)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(run());
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

static void segment_has_a_fixed_size(void **state)
{
	int fd = fixture_device_file();
	struct stat status;
	uint64_t size;
	void *base;

	(void)state;
	assert_ok(adev_segment_reserve(fd, SMALL + 1, &base, &size));
	assert_int_equal(size, SMALL);
	assert_ok(fstat(fd, &status));
	assert_int_equal(status.st_size, SMALL);
	assert_int_not_equal(ftruncate(fd, 4096), 0);
	assert_int_not_equal(ftruncate(fd, SMALL * 2), 0);
	assert_int_not_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0);
	adev_segment_release(base, size);
	close(fd);
}

static void device_file_becomes_a_segment_once(void **state)
{
	int fd = fixture_device_file();
	uint64_t size;
	uint64_t other_size;
	void *base;
	void *other;

	(void)state;
	assert_ok(adev_segment_reserve(fd, SMALL, &base, &size));
	assert_int_equal(adev_segment_reserve(fd, SMALL, &other, &other_size),
			 EBUSY);
	adev_segment_release(base, size);
	assert_int_equal(adev_segment_reserve(fd, SMALL, &other, &other_size),
			 EBUSY);
	close(fd);
}

static void other_files_are_refused(void **state)
{
	struct arnica_hw_segment_header header;
	int ends[2];
	int fd = memfd_create("other", MFD_ALLOW_SEALING);
	uint64_t size;
	void *base;

	(void)state;
	assert_int_equal(adev_segment_reserve(fd, SMALL, &base, &size), EBADF);
	close(fd);
	assert_int_equal(adev_segment_reserve(-1, SMALL, &base, &size), EBADF);
	assert_ok(pipe(ends));
	assert_int_equal(adev_segment_reserve(ends[0], SMALL, &base, &size),
			 EBADF);
	close(ends[0]);
	close(ends[1]);
	fd = fixture_device_file();
	assert_int_equal(pread(fd, &header, sizeof(header), 0), sizeof(header));
	header.version = arnica_to_le32(ARNICA_HW_VERSION + 1);
	assert_int_equal(pwrite(fd, &header, sizeof(header), 0),
			 sizeof(header));
	assert_int_equal(adev_segment_reserve(fd, SMALL, &base, &size), EPROTO);
	close(fd);
}

static void memory_comes_with_populate(void **state)
{
	int fd = fixture_device_file();
	struct stat status;
	uint64_t size;
	void *base;

	(void)state;
	assert_ok(adev_segment_reserve(fd, 1ull << 30, &base, &size));
	assert_ok(adev_segment_populate(fd, 1 << 20, 5 << 20));
	assert_ok(fstat(fd, &status));
	assert_in_range(status.st_blocks, 5 << 11, 6 << 11);
	memset((char *)base + (1 << 20), 1, 5 << 20);
	assert_int_equal(adev_segment_populate(fd, size - 4096, 8192), EINVAL);
	assert_int_equal(adev_segment_populate(fd, size + 4096, 0), EINVAL);
	assert_int_equal(adev_segment_populate(fd, 4096, UINT64_MAX), EINVAL);
	adev_segment_release(base, size);
	close(fd);
}

static int reserve_under_address_limit(void)
{
	const struct rlimit little = { 200u << 20, 200u << 20 };
	int fd = fixture_device_file();
	uint64_t size;
	void *base;

	if (setrlimit(RLIMIT_AS, &little) != 0)
		return 1;
	if (adev_segment_reserve(fd, 16ull << 30, &base, &size) != 0)
		return 2;
	return size == (128u << 20) || size == SMALL ? 0 : 3;
}

/* Peers under the same limit find room for each other. */
static int reserve_leaves_room_for_peers(void)
{
	const struct rlimit limit = { 4ull << 30, 4ull << 30 };
	int fd = fixture_device_file();
	uint64_t size;
	void *base;

	if (setrlimit(RLIMIT_AS, &limit) != 0)
		return 1;
	if (adev_segment_reserve(fd, 0, &base, &size) != 0)
		return 2;
	return size == 512ull << 20 ? 0 : 3;
}

static int reserve_under_tiny_address_limit(void)
{
	const struct rlimit tiny = { 32u << 20, 32u << 20 };
	int fd = fixture_device_file();
	uint64_t size;
	void *base;

	if (setrlimit(RLIMIT_AS, &tiny) != 0)
		return 1;
	return adev_segment_reserve(fd, 0, &base, &size) == ENOMEM ? 0 : 2;
}

static int reserve_under_file_limit(void)
{
	struct rlimit limit = { 100u << 20, 200u << 20 };
	int fd = fixture_device_file();
	uint64_t size;
	void *base;

	/* No SIGXFSZ either: it would end this process. */
	if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
		return 1;
	if (adev_segment_reserve(fd, 0, &base, &size) != 0 || size != SMALL)
		return 2;
	if (adev_segment_populate(fd, SMALL - 4096, 4096) != 0)
		return 3;
	limit.rlim_cur = 1u << 20;
	if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
		return 4;
	fd = fixture_device_file();
	return adev_segment_reserve(fd, 0, &base, &size) == ENOMEM ? 0 : 5;
}

static void small_address_space_gives_a_small_segment(void **state)
{
	(void)state;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	in_child(reserve_under_address_limit);
	in_child(reserve_under_tiny_address_limit);
	in_child(reserve_leaves_room_for_peers);
#else
	(void)reserve_under_address_limit;
	(void)reserve_under_tiny_address_limit;
	(void)reserve_leaves_room_for_peers;
	skip(); /* a sanitizer's own memory does not fit the limit */
#endif
}

static void small_file_limit_gives_a_small_segment(void **state)
{
	(void)state;
	in_child(reserve_under_file_limit);
}

static void environment_sets_the_size(void **state)
{
	static const char *const wrong[] = {
		"1", "10X", "-1", "2048G", "64M ", "0x", "99999999999999G"
	};

	(void)state;
	unsetenv("ARNICA_SEGMENT_MAX");
	assert_int_equal(adev_segment_max_bytes(), ADEV_SEGMENT_DEFAULT_BYTES);
	setenv("ARNICA_SEGMENT_MAX", "256M", 1);
	assert_int_equal(adev_segment_max_bytes(), 256 << 20);
	setenv("ARNICA_SEGMENT_MAX", "0x8000000", 1);
	assert_int_equal(adev_segment_max_bytes(), 128 << 20);
	for (unsigned int i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		setenv("ARNICA_SEGMENT_MAX", wrong[i], 1);
		assert_int_equal(adev_segment_max_bytes(),
				 ADEV_SEGMENT_DEFAULT_BYTES);
	}
	unsetenv("ARNICA_SEGMENT_MAX");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		domain_test(segment_has_a_fixed_size),
		domain_test(device_file_becomes_a_segment_once),
		domain_test(other_files_are_refused),
		domain_test(memory_comes_with_populate),
		domain_test(small_address_space_gives_a_small_segment),
		domain_test(small_file_limit_gives_a_small_segment),
		domain_test(environment_sets_the_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
