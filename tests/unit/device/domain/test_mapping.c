/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "test.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "domain/mapping.h"

#define BYTES (1u << 20)

static int make_file(void)
{
	int fd = memfd_create("segment", MFD_CLOEXEC);

	assert_ok(ftruncate(fd, BYTES));
	return fd;
}

static void file_is_mapped_once(void **state)
{
	int fd = make_file();
	int copy = dup(fd);
	void *first;
	void *second;

	(void)state;
	assert_ok(adev_mapping_create(fd, BYTES, &first));
	assert_int_equal(adev_mapping_create(copy, BYTES, &second), EEXIST);
	assert_int_equal(adev_mapping_get(copy, BYTES / 2, &second), EPROTO);
	assert_ok(adev_mapping_get(copy, BYTES, &second));
	assert_ptr_equal(first, second);
	adev_mapping_put(first, BYTES);
	memset(second, 1, BYTES);
	adev_mapping_put(second, BYTES);
	assert_int_not_equal(msync(second, BYTES, MS_ASYNC), 0);
	close(fd);
	close(copy);
}

static int use_in_child(char *base, int fd)
{
	void *own;

	for (unsigned int i = 0; i < BYTES; i++)
		if (base[i])
			return 1;
	memset(base, 2, BYTES);
	/* What the child opens itself is the real thing. */
	if (adev_mapping_get(fd, BYTES, &own) != 0 || own == base ||
	    *(char *)own != 1)
		return 2;
	*((char *)own + 1) = 3;
	adev_mapping_put(own, BYTES);
	adev_mapping_put(base, BYTES);
	return msync(base, BYTES, MS_ASYNC) == 0 ? 3 : 0;
}

static void child_finds_zeros_and_harms_nobody(void **state)
{
	int fd = make_file();
	void *base;
	pid_t pid;
	int status;

	(void)state;
	assert_ok(adev_mapping_create(fd, BYTES, &base));
	memset(base, 1, BYTES);
	pid = fork();
	if (pid == 0)
		_exit(use_in_child(base, fd));
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(*(char *)base, 1);
	assert_int_equal(*((char *)base + 1), 3);
	assert_int_equal(*((char *)base + BYTES - 1), 1);
	adev_mapping_put(base, BYTES);
	close(fd);
}

static void grandchild_keeps_what_the_child_wrote(void **state)
{
	int fd = make_file();
	void *base;
	pid_t pid;
	int status;

	(void)state;
	assert_ok(adev_mapping_create(fd, BYTES, &base));
	pid = fork();
	if (pid == 0) {
		*(char *)base = 5;
		pid = fork();
		if (pid == 0)
			_exit(*(char *)base == 5 ? 0 : 1);
		waitpid(pid, &status, 0);
		_exit(status ? 1 : 0);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	adev_mapping_put(base, BYTES);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(file_is_mapped_once),
		cmocka_unit_test(child_finds_zeros_and_harms_nobody),
		cmocka_unit_test(grandchild_keeps_what_the_child_wrote),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
