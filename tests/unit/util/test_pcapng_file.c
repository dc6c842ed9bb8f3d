/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "pcapng.h"
#include "pcapng_file.h"

static int new_file(void)
{
	int fd = memfd_create("capture", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void empty_file_gets_the_head(void **state)
{
	uint8_t bytes[ARNICA_PCAPNG_HEAD_BYTES + 1];
	int fd = new_file();

	(void)state;
	assert_int_equal(arnica_pcapng_file_begin(fd), 0);
	assert_int_equal(pread(fd, bytes, sizeof(bytes), 0),
			 ARNICA_PCAPNG_HEAD_BYTES);
	assert_true(arnica_pcapng_is_head(bytes));
	close(fd);
}

static void begun_file_is_continued(void **state)
{
	int fd = new_file();

	(void)state;
	assert_int_equal(arnica_pcapng_file_begin(fd), 0);
	assert_int_equal(write(fd, "more", 4), 4);
	assert_int_equal(arnica_pcapng_file_begin(fd), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), ARNICA_PCAPNG_HEAD_BYTES + 4);
	close(fd);
}

static void other_content_is_left_alone(void **state)
{
	static const char letter[2 * ARNICA_PCAPNG_HEAD_BYTES] = "Dear reader,";
	char bytes[sizeof(letter) + 1];
	int fd = new_file();

	(void)state;
	assert_int_equal(write(fd, letter, 12), 12);
	assert_int_equal(arnica_pcapng_file_begin(fd), EEXIST);
	assert_int_equal(write(fd, letter + 12, sizeof(letter) - 12),
			 sizeof(letter) - 12);
	assert_int_equal(arnica_pcapng_file_begin(fd), EEXIST);
	assert_int_equal(pread(fd, bytes, sizeof(bytes), 0), sizeof(letter));
	assert_memory_equal(bytes, letter, sizeof(letter));
	close(fd);
}

static void only_regular_files_are_begun(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(arnica_pcapng_file_begin(ends[1]), EINVAL);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(arnica_pcapng_file_begin(-1), EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_file_gets_the_head),
		cmocka_unit_test(begun_file_is_continued),
		cmocka_unit_test(other_content_is_left_alone),
		cmocka_unit_test(only_regular_files_are_begun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
