/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* standin/device_file.c: the memfd behind /dev/infiniband/uverbs0. */
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arnica/hw/segment.h"
#include "device_file.h"

static void a_new_file_starts_with_the_header(void **state)
{
	/* Golden bytes: magic, version 1, index 0, state OPENED. */
	static const uint8_t golden[20] = { 0xff, 'A', 'R', 'N', 'I', 'C', 'H',
					    'W',  1,   0,   0,	 0,   0,   0,
					    0,	  0,   1,   0,	 0,   0 };
	static const uint8_t zeros[ARNICA_HW_PAGE_BYTES];
	uint8_t page[ARNICA_HW_PAGE_BYTES + 1];
	int fd;

	(void)state;
	assert_int_equal(standin_device_file_create(O_RDWR, &fd), 0);
	assert_int_equal(pread(fd, page, sizeof(page), 0),
			 ARNICA_HW_PAGE_BYTES);
	assert_memory_equal(page, golden, sizeof(golden));
	assert_memory_equal(page + sizeof(golden), zeros,
			    ARNICA_HW_PAGE_BYTES - sizeof(golden));
	close(fd);
}

static void cloexec_and_nonblock_follow_the_flags(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(standin_device_file_create(O_RDWR, &fd), 0);
	assert_int_equal(fcntl(fd, F_GETFD), 0);
	assert_false(fcntl(fd, F_GETFL) & O_NONBLOCK);
	close(fd);
	assert_int_equal(standin_device_file_create(
				 O_RDWR | O_CLOEXEC | O_NONBLOCK, &fd),
			 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	close(fd);
}

static void duplicates_and_children_recognise_it(void **state)
{
	uint32_t index = 7;
	int status;
	int fd;
	int copy;

	(void)state;
	assert_int_equal(standin_device_file_create(O_RDWR, &fd), 0);
	copy = dup(fd);
	close(fd);
	assert_true(standin_device_file_check(copy, &index));
	assert_int_equal(index, 0);
	if (!fork())
		_exit(standin_device_file_check(copy, &index) ? 0 : 1);
	wait(&status);
	assert_int_equal(status, 0);
	close(copy);
}

static void other_descriptors_are_told_apart(void **state)
{
	uint32_t index;
	int pipes[2];
	int fd;

	(void)state;
	errno = E2BIG;
	assert_false(standin_device_file_check(-1, &index));
	assert_int_equal(errno, E2BIG);
	assert_int_equal(pipe(pipes), 0);
	assert_false(standin_device_file_check(pipes[0], &index));
	close(pipes[0]);
	close(pipes[1]);
	fd = memfd_create("other", 0);
	assert_false(standin_device_file_check(fd, &index));
	assert_int_equal(ftruncate(fd, ARNICA_HW_PAGE_BYTES), 0);
	assert_int_equal(fchmod(fd, STANDIN_DEVICE_MEMORY_MODE & 07777), 0);
	assert_false(standin_device_file_check(fd, &index)); /* no header */
	close(fd);
}

static void a_stray_write_cannot_damage_it(void **state)
{
	char bytes[64] = "write() is not a message";
	uint32_t index;
	int fd;

	(void)state;
	assert_int_equal(standin_device_file_create(O_RDWR, &fd), 0);
	assert_int_equal(write(fd, bytes, sizeof(bytes)), -1);
	assert_int_equal(errno, EINVAL); /* a kernel's answer, too */
	assert_int_equal(read(fd, bytes, sizeof(bytes)), -1);
	assert_int_equal(errno, EINVAL);
	assert_true(standin_device_file_check(fd, &index));
	close(fd);
}

static void the_disguise_is_a_character_device(void **state)
{
	struct stat status;
	struct statx extended;
	uint32_t index;
	int fd;

	(void)state;
	assert_int_equal(standin_device_file_create(O_RDWR, &fd), 0);
	assert_int_equal(fstat(fd, &status), 0);
	assert_true(standin_device_file_check_status(fd, status.st_mode,
						     status.st_nlink, &index));
	standin_device_file_disguise(&status, index);
	assert_int_equal(status.st_mode, S_IFCHR | 0666);
	assert_int_equal(major(status.st_rdev), 231);
	assert_int_equal(minor(status.st_rdev), 192);
	memset(&extended, 0, sizeof(extended));
	standin_device_file_disguise_x(&extended, 1);
	assert_int_equal(extended.stx_mode, S_IFCHR | 0666);
	assert_int_equal(extended.stx_rdev_major, 231);
	assert_int_equal(extended.stx_rdev_minor, 193);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_file_starts_with_the_header),
		cmocka_unit_test(cloexec_and_nonblock_follow_the_flags),
		cmocka_unit_test(duplicates_and_children_recognise_it),
		cmocka_unit_test(other_descriptors_are_told_apart),
		cmocka_unit_test(a_stray_write_cannot_damage_it),
		cmocka_unit_test(the_disguise_is_a_character_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
