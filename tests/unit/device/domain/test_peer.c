/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arnica/hw/segment.h"
#include "domain/peer.h"
#include "domain/proc.h"
#include "domain/wake.h"

static void peer_in_another_process_is_mapped(void **state)
{
	struct fixture_function remote;
	struct adev_peer peer;
	struct arnica_hw_segment_header *header;
	struct pollfd ended = { .events = POLLIN };
	pid_t pid = fixture_spawn(&remote, FIXTURE_PAUSE);

	(void)state;
	assert_true(pid > 0);
	assert_ok(adev_peer_attach(remote.directory, remote.function,
				   remote.generation, &peer));
	header = peer.base;
	assert_true(arnica_from_le64(header->generation) == remote.generation);
	assert_int_equal(peer.size, remote.size);
	assert_int_equal(peer.pid, pid);
	assert_false(peer.own_process);
	assert_true(peer.wake_fd >= 512 && peer.end_fd >= 512);
	adev_wake_signal(peer.wake_fd);
	ended.fd = peer.end_fd;
	assert_int_equal(poll(&ended, 1, 0), 0);
	fixture_kill(pid);
	assert_int_equal(poll(&ended, 1, FIXTURE_PATIENCE_MS), 1);
	adev_wake_signal(peer.wake_fd);
	adev_peer_detach(&peer);
	assert_int_equal(adev_peer_attach(remote.directory, remote.function,
					  remote.generation, &peer),
			 ENOENT);
	adev_directory_put(remote.directory);
}

/* A pidfd would say nothing: the process goes on as another program. */
static void exec_of_a_peer_is_seen(void **state)
{
	struct fixture_function remote;
	struct adev_peer peer;
	struct pollfd ended = { .events = POLLIN };
	pid_t pid;

	(void)state;
	for (;;) {
		pid = fixture_spawn(&remote, FIXTURE_EXEC);
		assert_true(pid > 0);
		if (!adev_peer_attach(remote.directory, remote.function,
				      remote.generation, &peer))
			break;
		fixture_kill(pid); /* it was quicker */
		adev_directory_put(remote.directory);
	}
	ended.fd = peer.end_fd;
	assert_int_equal(poll(&ended, 1, FIXTURE_PATIENCE_MS), 1);
	assert_int_equal(adev_directory_life(remote.directory, remote.function,
					     remote.generation),
			 ADEV_LIFE_DEAD);
	adev_peer_detach(&peer);
	fixture_kill(pid);
	adev_directory_put(remote.directory);
}

static void a_peer_without_a_beacon_is_watched_too(void **state)
{
	struct fixture_function remote;
	struct adev_peer peer;
	struct pollfd ended = { .events = POLLIN };
	pid_t pid = fixture_spawn(&remote, FIXTURE_PAUSE);

	(void)state;
	assert_true(pid > 0);
	atomic_store(&remote.directory->table->slots[remote.function]
			      .beacon_inode,
		     0);
	assert_ok(adev_peer_attach(remote.directory, remote.function,
				   remote.generation, &peer));
	ended.fd = peer.end_fd;
	assert_int_equal(poll(&ended, 1, 0), 0);
	fixture_kill(pid);
	assert_int_equal(poll(&ended, 1, FIXTURE_PATIENCE_MS), 1);
	adev_peer_detach(&peer);
	adev_directory_put(remote.directory);
}

static void own_function_is_not_mapped_twice(void **state)
{
	struct fixture_function f;
	struct adev_peer peer;

	(void)state;
	assert_true(fixture_enter(&f));
	assert_ok(
		adev_peer_attach(f.directory, f.function, f.generation, &peer));
	assert_ptr_equal(peer.base, f.base);
	assert_true(peer.own_process);
	assert_int_equal(peer.end_fd, -1);
	adev_peer_detach(&peer);
	assert_int_equal(*(volatile uint8_t *)f.base, 0xff);
	fixture_leave(&f);
}

static void wrong_generation_is_gone(void **state)
{
	struct fixture_function f;
	struct adev_peer peer;

	(void)state;
	assert_true(fixture_enter(&f));
	assert_int_equal(adev_peer_attach(f.directory, f.function,
					  f.generation + 1, &peer),
			 ENOENT);
	assert_int_equal(adev_peer_attach(f.directory,
					  f.function + ADEV_FUNCTIONS,
					  f.generation, &peer),
			 ENOENT);
	fixture_leave(&f);
}

static int attach_error(struct fixture_function *f)
{
	struct adev_peer peer;

	return adev_peer_attach(f->directory, f->function, f->generation,
				&peer);
}

static void wrong_header_is_refused(void **state)
{
	struct fixture_function f;
	struct arnica_hw_segment_header *header;
	struct arnica_hw_segment_header good;

	(void)state;
	assert_true(fixture_enter(&f));
	header = f.base;
	good = *header;
	header->magic = arnica_to_le64(1);
	assert_int_equal(attach_error(&f), EPROTO);
	*header = good;
	header->version = arnica_to_le32(2);
	assert_int_equal(attach_error(&f), EPROTO);
	*header = good;
	header->size_bytes = arnica_to_le64(f.size * 2);
	assert_int_equal(attach_error(&f), EPROTO);
	*header = good;
	header->function = arnica_to_le32(f.function + 1);
	assert_int_equal(attach_error(&f), EPROTO);
	*header = good;
	header->generation = arnica_to_le64(1);
	assert_int_equal(attach_error(&f), ENOENT);
	*header = good;
	arnica_store32(&header->state, ARNICA_HW_SEGMENT_CLOSED,
		       memory_order_relaxed);
	assert_int_equal(attach_error(&f), ENOENT);
	fixture_leave(&f);
}

static void other_files_are_refused(void **state)
{
	struct fixture_function f;
	struct adev_slot *slot;
	int unsealed = fixture_device_file();

	(void)state;
	assert_true(fixture_enter(&f));
	slot = &f.directory->table->slots[f.function];
	slot->segment_inode++;
	assert_int_equal(attach_error(&f), ENOENT);
	slot->segment_inode--;
	slot->segment_fd = (uint32_t)unsealed;
	assert_int_equal(attach_error(&f), ENOENT);
	slot->segment_fd = 9999;
	assert_int_equal(attach_error(&f), ENOENT);
	slot->segment_fd = UINT32_MAX;
	assert_int_equal(attach_error(&f), EPROTO);
	slot->segment_fd = (uint32_t)f.device_fd;
	slot->wake_inode++;
	assert_int_equal(attach_error(&f), ENOENT);
	slot->wake_inode--;
	slot->pid_namespace++;
	assert_int_equal(attach_error(&f), EACCES);
	slot->pid_namespace--;
	slot->pid = 1;
	assert_int_not_equal(attach_error(&f), 0);
	slot->pid = (uint32_t)getpid();
	close(unsealed);
	fixture_leave(&f);
}

static void unsealed_segment_is_refused(void **state)
{
	struct adev_directory *directory;
	struct fixture_function f = { .generation = 99 };
	int fd = fixture_device_file();
	int ends[2];

	(void)state;
	assert_ok(adev_directory_open(&directory));
	assert_ok(adev_wake_create(&ends[0], &ends[1]));
	assert_ok(adev_directory_enter(directory, fd, f.generation, ends[1], -1,
				       &f.function));
	f.directory = directory;
	assert_int_equal(attach_error(&f), EPROTO);
	adev_directory_leave(directory, f.function);
	close(ends[0]);
	close(ends[1]);
	close(fd);
	adev_directory_put(directory);
}

static int count_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void hostile_slots_cost_nothing(void **state)
{
	struct fixture_function f;
	struct adev_slot *slot;
	struct adev_slot good;
	struct adev_peer peer;
	int before;

	(void)state;
	assert_true(fixture_enter(&f));
	slot = &f.directory->table->slots[f.function];
	good = *slot;
	before = count_descriptors();
	for (int i = 0; i < 2000; i++) {
		uint64_t *words = (uint64_t *)(void *)slot;

		*slot = good;
		words[3 + adev_proc_random() % 6] = adev_proc_random() >>
						    adev_proc_random() % 64;
		if (adev_peer_attach(f.directory, f.function, f.generation,
				     &peer) == 0)
			adev_peer_detach(&peer);
	}
	assert_int_equal(count_descriptors(), before);
	*slot = good;
	fixture_leave(&f);
}

/* The /proc of these processes counts others than they do. */
static int meet_in_new_pid_namespace(void)
{
	struct fixture_function mine;
	struct fixture_function remote;
	struct adev_peer peer;

	if (!fixture_enter(&mine) || fixture_spawn(&remote, FIXTURE_PAUSE) < 0)
		return 1;
	if (adev_directory_reap(mine.directory) != 0 ||
	    !adev_directory_alive(mine.directory, remote.function,
				  remote.generation))
		return 2;
	if (attach_error(&remote) != EACCES)
		return 3;
	if (adev_peer_attach(mine.directory, mine.function, mine.generation,
			     &peer) != 0 ||
	    !peer.own_process)
		return 4;
	return 0;
}

static void pid_namespace_without_proc_is_no_death(void **state)
{
	pid_t pid = fork();
	pid_t first;
	int status;

	(void)state;
	if (pid == 0) {
		if (unshare(CLONE_NEWPID) != 0)
			_exit(77);
		first = fork();
		if (first == 0)
			_exit(meet_in_new_pid_namespace());
		waitpid(first, &status, 0);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
	}
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

static void other_pid_namespace_is_alive_but_closed_to_us(void **state)
{
	struct fixture_function remote;
	pid_t pid;

	(void)state;
	pid = fixture_spawn(&remote, FIXTURE_PAUSE);
	assert_true(pid > 0);
	remote.directory->table->slots[remote.function].pid_namespace++;
	assert_int_equal(adev_directory_reap(remote.directory), 0);
	assert_int_equal(attach_error(&remote), EACCES);
	fixture_kill(pid);
	assert_true(fixture_wait_life(&remote, ADEV_LIFE_DEAD));
	adev_directory_put(remote.directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		domain_test(peer_in_another_process_is_mapped),
		domain_test(exec_of_a_peer_is_seen),
		domain_test(a_peer_without_a_beacon_is_watched_too),
		domain_test(own_function_is_not_mapped_twice),
		domain_test(wrong_generation_is_gone),
		domain_test(wrong_header_is_refused),
		domain_test(other_files_are_refused),
		domain_test(unsealed_segment_is_refused),
		domain_test(hostile_slots_cost_nothing),
		domain_test(pid_namespace_without_proc_is_no_death),
		domain_test(other_pid_namespace_is_alive_but_closed_to_us),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
