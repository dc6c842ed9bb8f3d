/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Files with the engine's thread behind them, and no adapter: what becomes of
 * them when the program closes descriptors that it has not opened. */
#include "manager/files.h"

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tree_build.h"

#define NUM_FDS 1024

static int file_open(void)
{
	int fd = -1;

	assert_int_equal(standin_cm_open(O_CLOEXEC, &fd), 0);
	return fd;
}

/* Makes an id; zero or errno. */
static int create(int fd)
{
	struct rdma_ucm_create_id_resp made;
	struct {
		struct rdma_ucm_cmd_hdr header;
		struct rdma_ucm_create_id body;
	} command = {
		.header = { .cmd = RDMA_USER_CM_CMD_CREATE_ID,
			    .in = sizeof(command.body),
			    .out = sizeof(made) },
		.body = { .ps = RDMA_PS_TCP, .response = (uintptr_t)&made },
	};
	ssize_t written = 0;

	assert_true(standin_cm_write(fd, &command, sizeof(command), &written));
	return written < 0 ? errno : 0;
}

static bool is_socket(int fd, struct stat *status)
{
	return !fstat(fd, status) && S_ISSOCK(status->st_mode);
}

/* The thread sees a closed file soon. */
static bool comes_to_its_end(const struct stat *status)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	int i;

	for (i = 0; i < 10000; i++) {
		if (!standin_cm_is_file(status->st_mode, status->st_ino))
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

/* All sockets from `first` on but those two are now duplicates of `mine`, which
 * is as much as to say that the program has closed them and opened others. */
static int take_sockets(int first, int fd, int mine, bool taken[NUM_FDS])
{
	struct stat status;
	int num = 0;
	int i;

	/* The thread makes itself no others meanwhile. */
	pthread_mutex_lock(&standin_cm.lock);
	for (i = first; i < NUM_FDS; i++) {
		taken[i] = i != fd && i != mine && is_socket(i, &status);
		if (!taken[i])
			continue;
		assert_int_equal(dup2(mine, i), i);
		num++;
	}
	pthread_mutex_unlock(&standin_cm.lock);
	return num;
}

static void descriptors_of_the_program_are_left_alone(void **state)
{
	bool taken[NUM_FDS] = { false };
	struct stat status;
	int old = file_open();
	int ends[2];
	int fd, i;
	char byte;

	(void)state;
	assert_int_equal(create(old), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	/* The file's end, and two of the engine. */
	assert_int_equal(take_sockets(ends[1] + 1, old, ends[0], taken), 3);
	assert_int_equal(create(old), EIO);
	fd = file_open();
	assert_int_equal(create(fd), 0);
	assert_true(is_socket(fd, &status));
	close(fd);
	assert_true(comes_to_its_end(&status));
	assert_int_equal(create(old), EIO);
	assert_int_equal(recv(ends[1], &byte, 1, MSG_DONTWAIT), -1);
	for (i = 0; i < NUM_FDS; i++)
		assert_true(!taken[i] || close(i) == 0);
	close(old);
	close(ends[0]);
	close(ends[1]);
}

static void a_closed_file_is_forgotten(void **state)
{
	struct stat status;
	int fd = file_open();
	int copy = dup(fd);

	(void)state;
	assert_int_equal(create(fd), 0);
	assert_true(is_socket(fd, &status));
	close(fd);
	assert_int_equal(create(copy), 0);
	close(copy);
	assert_true(comes_to_its_end(&status));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_closed_file_is_forgotten),
		cmocka_unit_test(descriptors_of_the_program_are_left_alone),
	};
	char domain[] = "/tmp/standin-files-XXXXXX";
	int failed;

	if (!mkdtemp(domain) || setenv("FAKE_DOMAIN", domain, 1))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	standin_build_remove(AT_FDCWD, domain);
	return failed;
}
