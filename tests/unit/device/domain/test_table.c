/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "domain/proc.h"

static int open_file(int flags)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/directory",
		 getenv("ARNICA_RUNTIME_DIR"));
	return open(path, flags | O_CLOEXEC, 0600);
}

static int open_error(void)
{
	struct adev_directory *directory;
	int error = adev_directory_open(&directory);

	if (!error)
		adev_directory_put(directory);
	return error;
}

static void file_has_all_its_memory_from_the_start(void **state)
{
	struct stat status;
	int fd;

	(void)state;
	assert_ok(open_error());
	fd = open_file(O_RDONLY);
	assert_ok(fstat(fd, &status));
	assert_int_equal(status.st_size, sizeof(struct adev_table));
	assert_true((uint64_t)status.st_blocks * 512 >=
		    sizeof(struct adev_table));
	assert_int_equal(status.st_mode & 07777, 0600);
	close(fd);
}

static void second_open_finds_the_first_ones_file(void **state)
{
	struct stat first;
	struct stat second;
	int fd;

	(void)state;
	assert_ok(open_error());
	fd = open_file(O_RDONLY);
	assert_ok(fstat(fd, &first));
	close(fd);
	assert_ok(open_error());
	fd = open_file(O_RDONLY);
	assert_ok(fstat(fd, &second));
	close(fd);
	assert_int_equal(first.st_ino, second.st_ino);
}

static void all_who_come_at_once_meet(void **state)
{
	struct adev_directory *directory;
	pid_t pid[16];
	int status;

	(void)state;
	for (int i = 0; i < 16; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			struct adev_directory *own;

			if (adev_directory_open(&own) != 0)
				_exit(1);
			own->table->slots[i].wake_inode = 4711;
			_exit(0);
		}
	}
	for (int i = 0; i < 16; i++) {
		waitpid(pid[i], &status, 0);
		assert_int_equal(status, 0);
	}
	assert_ok(adev_directory_open(&directory));
	for (int i = 0; i < 16; i++)
		assert_int_equal(directory->table->slots[i].wake_inode, 4711);
	adev_directory_put(directory);
}

static void write_at(off_t offset, uint64_t value, size_t bytes)
{
	int fd = open_file(O_RDWR);

	assert_int_equal(pwrite(fd, &value, bytes, offset), bytes);
	close(fd);
}

static uint32_t version_in_file(void)
{
	uint32_t version;
	int fd = open_file(O_RDONLY);

	assert_int_equal(
		pread(fd, &version, sizeof(version),
		      offsetof(struct adev_table_header, version)),
		sizeof(version));
	close(fd);
	return version;
}

/* As long as a function of the other build lives, in whichever slot. */
static void other_version_in_use_is_refused(void **state)
{
	static const uint32_t functions[] = { 0, 63, 64, ADEV_FUNCTIONS - 1 };

	(void)state;
	assert_ok(open_error());
	write_at(offsetof(struct adev_table_header, version),
		 ADEV_TABLE_VERSION + 1, 4);
	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
		off_t life = (off_t)(offsetof(struct adev_table, slots) +
				     functions[i] * sizeof(struct adev_slot));

		write_at(life, 4711, 4);
		assert_int_equal(open_error(), EPROTO);
		write_at(life, ADEV_LIFE_OWNER_DIED | 4711, 4);
	}
	assert_int_equal(version_in_file(), ADEV_TABLE_VERSION + 1);
}

static void other_version_that_nobody_uses_is_replaced(void **state)
{
	int fd;

	(void)state;
	assert_ok(open_error());
	write_at(offsetof(struct adev_table_header, version),
		 ADEV_TABLE_VERSION - 1, 4);
	write_at(offsetof(struct adev_table, slots),
		 ADEV_LIFE_OWNER_DIED | 4711, 4);
	/* An older one ends earlier. */
	fd = open_file(O_RDWR);
	assert_ok(ftruncate(fd, offsetof(struct adev_table, services)));
	close(fd);
	assert_ok(open_error());
	assert_int_equal(version_in_file(), ADEV_TABLE_VERSION);
}

static void other_layout_is_refused(void **state)
{
	(void)state;
	assert_ok(open_error());
	write_at(offsetof(struct adev_table_header, slot_bytes), 64, 4);
	assert_int_equal(open_error(), EPROTO);
}

static void cut_or_foreign_file_is_refused(void **state)
{
	int fd;

	(void)state;
	assert_ok(open_error());
	fd = open_file(O_RDWR);
	assert_ok(ftruncate(fd, 8192));
	assert_int_equal(open_error(), EPROTO);
	assert_ok(ftruncate(fd, 0));
	assert_int_equal(open_error(), EPROTO);
	close(fd);
}

static void file_of_an_earlier_boot_is_replaced(void **state)
{
	(void)state;
	assert_ok(open_error());
	write_at(offsetof(struct adev_table_header, boot), adev_proc_boot() + 1,
		 8);
	write_at(offsetof(struct adev_table, blocks) + 800, 1, 8);
	assert_ok(open_error());
	assert_ok(open_error());
}

static int open_under_file_limit(void)
{
	const struct rlimit little = { 65536, 65536 };

	return setrlimit(RLIMIT_FSIZE, &little) == 0 && open_error() == EFBIG ?
		       0 :
		       1;
}

static void small_file_limit_is_an_error_and_no_signal(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0)
		_exit(open_under_file_limit());
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

static int open_on_full_file_system(void)
{
	const char *folder = getenv("ARNICA_RUNTIME_DIR");

	if (unshare(CLONE_NEWNS) != 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("none", folder, "tmpfs", 0, "size=256k,mode=0700") != 0)
		return 77;
	/* Again, with the first attempt's memory given back. */
	return open_error() == ENOSPC && open_error() == ENOSPC &&
			       open_file(O_RDONLY) < 0 ?
		       0 :
		       1;
}

static void full_file_system_is_an_error_and_no_signal(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0)
		_exit(open_on_full_file_system());
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

static void use_all(struct adev_directory *directory)
{
	uint64_t generation;
	uint32_t number;
	uint32_t lease;
	pid_t pid;

	for (uint32_t i = 0; i < ADEV_FUNCTIONS; i++) {
		generation = directory->table->slots[i].generation;
		adev_directory_life(directory, i, generation);
		if (adev_directory_pid(directory, i, generation, &pid) == 0)
			assert_true(pid > 0);
	}
	for (uint32_t i = 0; i < 1u << 24; i += 97)
		if (adev_directory_find(directory, i, &number, &generation,
					&lease) == 0)
			assert_true(number < ADEV_FUNCTIONS && lease < 256);
	adev_directory_reap(directory);
}

static void random_content_crashes_nobody(void **state)
{
	struct adev_directory *directory;
	struct fixture_function f;
	int fd;

	(void)state;
	assert_ok(adev_directory_open(&directory));
	fd = open_file(O_RDWR);
	for (int round = 0; round < 3; round++) {
		for (off_t at = sizeof(struct adev_table_header);
		     at < (off_t)sizeof(struct adev_table); at += 8) {
			uint64_t word = adev_proc_random() >>
					adev_proc_random() % 64;

			assert_int_equal(pwrite(fd, &word, 8, at), 8);
		}
		use_all(directory);
		if (fixture_enter(&f))
			fixture_leave(&f);
	}
	close(fd);
	adev_directory_put(directory);
}

/* A process of its own, which has learnt nothing yet, with room for `left` more
 * descriptors. */
static int open_with_few_descriptors(int left)
{
	int next = dup(0), error;
	struct rlimit few = { (rlim_t)(next + left), (rlim_t)(next + left) };

	close(next);
	if (setrlimit(RLIMIT_NOFILE, &few) != 0)
		return 255;
	error = open_error();
	return error == EMFILE ? 0 : error;
}

static uint64_t inode_of_file(void)
{
	struct stat status;
	int fd = open_file(O_RDONLY);

	assert_ok(fstat(fd, &status));
	close(fd);
	return status.st_ino;
}

/* Without its name the machine would seem to have been booted anew, and the
 * directory of living processes stale. */
static void without_descriptors_it_fails_and_leaves_the_file_alone(void **state)
{
	uint64_t inode;
	char left[16];
	int status;

	(void)state;
	assert_ok(open_error());
	inode = inode_of_file();
	for (int i = 0; i < 6; i++) {
		pid_t pid = fork();

		snprintf(left, sizeof(left), "%d", i);
		if (pid == 0) {
			execl("/proc/self/exe", "test", left, (char *)NULL);
			_exit(254);
		}
		waitpid(pid, &status, 0);
		assert_int_equal(status, 0);
		assert_int_equal(inode_of_file(), inode);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		domain_test(file_has_all_its_memory_from_the_start),
		domain_test(second_open_finds_the_first_ones_file),
		domain_test(all_who_come_at_once_meet),
		domain_test(other_version_in_use_is_refused),
		domain_test(other_version_that_nobody_uses_is_replaced),
		domain_test(other_layout_is_refused),
		domain_test(cut_or_foreign_file_is_refused),
		domain_test(file_of_an_earlier_boot_is_replaced),
		domain_test(small_file_limit_is_an_error_and_no_signal),
		domain_test(full_file_system_is_an_error_and_no_signal),
		domain_test(random_content_crashes_nobody),
		domain_test(
			without_descriptors_it_fails_and_leaves_the_file_alone),
	};

	/* Not by way of exit(), where a sanitizer looks for leaks and would need
	 * descriptors. */
	if (argc == 2)
		_exit(open_with_few_descriptors(atoi(argv[1])));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
