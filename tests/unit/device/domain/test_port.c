/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The port follows the interfaces: each test changes those of a network
 * namespace of its own, in a process of its own.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "domain/gids.h"
#include "domain/port.h"
#include "domain/proc.h"
#include "namespace.h"

static void make_gid(uint8_t last, uint8_t raw[16])
{
	memset(raw, 0, 16);
	memcpy(raw + 10, "\xff\xff\x0a\x09\x00", 5);
	raw[15] = last;
}

/* The slot of 10.9.0.last; -1. */
static int slot_of(uint8_t last)
{
	uint8_t raw[16];
	uint32_t index;

	make_gid(last, raw);
	return adev_port_find(raw, 0, &index) ? -1 : (int)index;
}

/* Takes news until `wanted` came; then nothing else may be left. */
static void expect_news(const char *wanted)
{
	static const char letters[] = { [ADEV_PORT_EVENT_GIDS] = 'g',
					[ADEV_PORT_EVENT_DOWN] = 'd',
					[ADEV_PORT_EVENT_UP] = 'u' };
	struct pollfd readable = { .fd = adev_port_fd(), .events = POLLIN };
	struct adev_port_news news;
	char got[64] = "";
	uint32_t i;

	child_check(readable.fd >= 0);
	while (poll(&readable, 1, strlen(got) < strlen(wanted) ? 10000 : 0) >
	       0) {
		adev_port_follow(&news);
		for (i = 0; i < news.count; i++)
			strncat(got, &letters[news.events[i]], 1);
	}
	if (strcmp(got, wanted))
		fprintf(stderr, "news: \"%s\", not \"%s\"\n", got, wanted);
	child_check(!strcmp(got, wanted));
}

static void addresses_body(void)
{
	struct arnica_bus_gid gid;
	int first;

	adev_port_follow_begin();
	first = slot_of(1);
	child_check(first >= 0);
	child_check(adev_port_state() == ADEV_PORT_ACTIVE);
	namespace_run("ip addr add 10.9.0.2/24 dev p0");
	expect_news("g");
	namespace_run("ip addr add 10.9.0.3/24 dev p1");
	expect_news("g");
	child_check(slot_of(2) > first && slot_of(3) > slot_of(2));
	child_check(!adev_port_gid((uint32_t)slot_of(3), &gid));
	child_check(!strcmp(gid.interface_name, "p1") && gid.interface_mtu == 1500);
	namespace_run("ip addr del 10.9.0.2/24 dev p0");
	expect_news("g");
	child_check(slot_of(2) < 0 && slot_of(1) == first);
	child_check(!strcmp(gid.interface_name, "p1"));
}

static void addresses_come_and_go(void **state)
{
	(void)state;
	namespace_test(addresses_body);
}

static void sync_body(void)
{
	uint8_t raw[16];
	uint64_t version = adev_port_version();

	child_check(slot_of(4) < 0);
	namespace_run("ip addr add 10.9.0.4/24 dev p0");
	child_check(adev_port_version() == version);
	adev_port_sync();
	child_check(adev_port_version() != version && slot_of(4) > 0);
	make_gid(4, raw);
	child_check(adev_port_is_local(raw));
	make_gid(5, raw);
	child_check(!adev_port_is_local(raw));
	memcpy(raw + 12, "\x7f\x00\x00\x09", 4);
	child_check(adev_port_is_local(raw));
	/* Nothing new: nothing is read. */
	version = adev_port_version();
	adev_port_sync();
	child_check(adev_port_version() == version);
	/* A question is answered from the present, too. */
	namespace_run("ip addr add 10.9.0.5/24 dev p0; ip addr del 10.9.0.4/24 dev p0");
	child_check(slot_of(5) > 0 && slot_of(4) < 0);
}

static void sync_sees_the_present_without_an_agent(void **state)
{
	(void)state;
	namespace_test(sync_body);
}

static void both_body(void)
{
	adev_port_follow_begin();
	namespace_run("ip addr add 10.9.0.4/24 dev p0");
	adev_port_sync();
	child_check(slot_of(4) > 0);
	expect_news("g");
}

static void agent_is_told_what_others_saw_first(void **state)
{
	(void)state;
	namespace_test(both_body);
}

static void state_body(void)
{
	struct arnica_bus_port port;

	adev_port_follow_begin();
	adev_port_read(&port);
	child_check(!strcmp(port.interface_name, "p0") && port.active_mtu == 3);
	/* p1 has its made-up GID, and would take the port over. */
	namespace_run("ip link set p1 down");
	expect_news("d");
	child_check(adev_port_state() == ADEV_PORT_DOWN);
	child_check(slot_of(1) >= 0);
	namespace_run("ip link set p1 up");
	expect_news("u");
	/* One after the other before anybody looks: each is told. */
	namespace_run("ip link set p0 down; ip link set p0 up; ip link set p0 down; "
	    "ip link set p0 up");
	expect_news("dudu");
	namespace_run("ip link set p0 mtu 9000; ip link set p0 name q0");
	expect_news("");
	adev_port_read(&port);
	child_check(!strcmp(port.interface_name, "q0") && port.active_mtu == 5);
	child_check(!strcmp(port.gids[slot_of(1)].interface_name, "q0"));
}

static void state_follows_the_interface(void **state)
{
	(void)state;
	namespace_test(state_body);
}

static void removal_body(void)
{
	struct arnica_bus_port port;

	adev_port_follow_begin();
	namespace_run("ip link del p0");
	expect_news("dg");
	adev_port_read(&port);
	child_check(port.state == ADEV_PORT_DOWN && slot_of(1) < 0);
	child_check(!strcmp(port.interface_name, "p0"));
	namespace_run("ip link add p0 type veth peer name p1; "
	    "ip link set p0 addrgenmode none; ip addr add 10.9.0.1/24 dev p0; "
	    "ip link set p0 up");
	adev_port_sync();
	child_check(slot_of(1) >= 0 && adev_port_state() == ADEV_PORT_DOWN);
	namespace_run("ip link set p1 addrgenmode none; ip link set p1 up");
	adev_port_sync();
	child_check(adev_port_state() == ADEV_PORT_ACTIVE);
}

static void removed_interface_takes_the_port_down(void **state)
{
	(void)state;
	namespace_test(removal_body);
}

static void takeover_body(void)
{
	struct arnica_bus_port port;

	namespace_run("ip link add q0 type veth peer name q1; "
	    "ip link set q0 addrgenmode none; ip link set q1 addrgenmode none; "
	    "ip link set q0 up; ip link set q1 up; "
	    "ip addr add 10.9.0.7/24 dev q0");
	adev_port_follow_begin();
	namespace_run("ip link set p1 down");
	expect_news("du");
	adev_port_read(&port);
	child_check(!strcmp(port.interface_name, "q0"));
	namespace_run("ip link set p1 up");
	expect_news("");
}

static void another_interface_takes_the_port_over(void **state)
{
	(void)state;
	namespace_test(takeover_body);
}

static void replacement_body(void)
{
	struct arnica_bus_port port;

	namespace_run("ip link del p0");
	adev_port_follow_begin();
	adev_port_read(&port);
	child_check(!strcmp(port.interface_name, "lo") && port.num_gids == 1);
	child_check(port.state == ADEV_PORT_ACTIVE && port.active_mtu == 5);
	namespace_run("ip link add p0 type veth peer name p1; "
	    "ip link set p0 addrgenmode none; ip link set p1 addrgenmode none; "
	    "ip link set p1 up; ip link set p0 up");
	/* Two made-up GIDs, at once or one by one. */
	do {
		struct adev_port_news news;

		adev_port_follow(&news);
		adev_port_read(&port);
	} while (port.num_gids < 3);
	child_check(port.gids[0].raw[12] == 127);
	child_check(port.interface_name[0] == 'p' && port.active_mtu == 3);
	child_check(port.state == ADEV_PORT_ACTIVE);
}

static void loopback_makes_way_for_a_real_interface(void **state)
{
	(void)state;
	namespace_test(replacement_body);
}

static void fork_body(void)
{
	int status;
	pid_t pid;

	adev_port_follow_begin();
	namespace_run("ip addr add 10.9.0.4/24 dev p0");
	pid = fork();
	if (pid == 0) {
		child_check(slot_of(4) > 0);
		child_check(adev_port_fd() >= 0);
		namespace_run("ip addr add 10.9.0.5/24 dev p0");
		adev_port_follow_begin();
		child_check(slot_of(5) > slot_of(4));
		_exit(0);
	}
	child_check(waitpid(pid, &status, 0) == pid && status == 0);
	expect_news("g");
	child_check(slot_of(4) > 0 && slot_of(5) > slot_of(4));
}

static void forked_child_has_notifications_of_its_own(void **state)
{
	(void)state;
	namespace_test(fork_body);
}

/* A program that closes all descriptors and opens others. */
static void stolen_body(void)
{
	int ends[2], fd;
	char byte;

	adev_port_sync();
	fd = adev_port_fd();
	child_check(pipe(ends) == 0 && write(ends[1], "x", 1) == 1);
	child_check(dup2(ends[0], fd) == fd);
	namespace_run("ip addr add 10.9.0.4/24 dev p0");
	adev_port_sync();
	child_check(slot_of(4) > 0);
	adev_port_follow_begin();
	child_check(adev_port_fd() != fd);
	child_check(read(ends[0], &byte, 1) == 1 && byte == 'x');
	namespace_run("ip addr add 10.9.0.5/24 dev p0");
	expect_news("g");
}

static void descriptor_of_the_program_is_left_alone(void **state)
{
	(void)state;
	namespace_test(stolen_body);
}

/* In another process of the domain: its slot of 10.9.0.last plus one; 0. */
static int slot_elsewhere(uint8_t last)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(slot_of(last) + 1);
	child_check(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void agreement_body(void)
{
	struct fixture_function function;

	namespace_run("ip addr add 10.9.0.2/24 dev p0; ip addr add 10.9.0.3/24 dev p0");
	adev_port_sync();
	namespace_run("ip addr del 10.9.0.2/24 dev p0");
	adev_port_sync();
	/* Nobody uses the table: a process that starts closes the gap. */
	child_check(slot_elsewhere(3) == slot_of(3));
	/* This one is told, too. */
	namespace_run("ip addr add 10.9.0.4/24 dev p0");
	adev_port_sync();
	child_check(slot_elsewhere(3) == slot_of(3) + 1);
	child_check(fixture_enter(&function));
	namespace_run("ip addr add 10.9.0.5/24 dev p0");
	adev_port_sync();
	namespace_run("ip addr del 10.9.0.4/24 dev p0");
	adev_port_sync();
	/* Somebody does: the gap stays. */
	child_check(slot_elsewhere(5) == slot_of(5) + 1);
	child_check(slot_of(5) == slot_of(3) + 2);
	fixture_leave(&function);
}

static void processes_agree_on_the_slots(void **state)
{
	(void)state;
	namespace_test(agreement_body);
}

static void open_port_file(int *fd, struct stat *status)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/port1-%llu",
		 getenv("ARNICA_RUNTIME_DIR"),
		 (unsigned long long)adev_proc_namespace("net"));
	*fd = open(path, O_RDWR | O_CLOEXEC);
	child_check(*fd >= 0 && fstat(*fd, status) == 0);
}

/* What others wrote is believed as far as it makes sense. */
static void garbage_body(void)
{
	struct stat status;
	uint8_t *content;
	off_t at;
	int fd;

	adev_port_sync();
	open_port_file(&fd, &status);
	content = malloc((size_t)status.st_size);
	child_check(content && pread(fd, content, (size_t)status.st_size, 0) ==
				       status.st_size);
	for (at = 0; at < status.st_size; at += 7) {
		uint8_t wrong = (uint8_t)~content[at];

		child_check(pwrite(fd, &wrong, 1, at) == 1);
		child_check(slot_elsewhere(1) == slot_of(1) + 1);
		/* It was made anew. */
		child_check(pwrite(fd, content, (size_t)status.st_size, 0) ==
			    status.st_size);
	}
	child_check(ftruncate(fd, 5) == 0);
	child_check(slot_elsewhere(1) == slot_of(1) + 1);
	child_check(fstat(fd, &status) == 0 && status.st_size > 5);
	free(content);
	close(fd);
}

static void damaged_file_is_made_anew(void **state)
{
	(void)state;
	namespace_test(garbage_body);
}

/* As a process that was stopped would. */
static void locked_body(void)
{
	struct stat status;
	int fd;

	adev_port_follow_begin();
	open_port_file(&fd, &status);
	child_check(flock(fd, LOCK_EX) == 0);
	namespace_run("ip addr add 10.9.0.4/24 dev p0");
	expect_news("g");
	child_check(slot_of(4) == slot_of(1) + 1);
	child_check(slot_elsewhere(4) == slot_of(4) + 1);
	close(fd);
	namespace_run("ip addr add 10.9.0.5/24 dev p0");
	expect_news("g");
	child_check(slot_of(5) == slot_of(4) + 1);
	child_check(slot_elsewhere(5) == slot_of(5) + 1);
}

static void held_lock_stops_nobody(void **state)
{
	(void)state;
	namespace_test(locked_body);
}

static _Atomic bool enough;

/* A table of two times has a last slot that is empty, or one behind it. */
static void *read_tables(void *unused)
{
	struct arnica_bus_port port;
	uint32_t i;

	(void)unused;
	while (!atomic_load(&enough)) {
		adev_port_read(&port);
		for (i = 0; i < ARNICA_HW_GID_TABLE_LEN; i++) {
			if (i >= port.num_gids || i + 1 == port.num_gids)
				child_check(adev_gid_is_empty(&port.gids[i]) ==
				      (i >= port.num_gids));
		}
		usleep(10);
	}
	return NULL;
}

static void threads_body(void)
{
	pthread_t readers[2];
	int i;

	adev_port_sync();
	for (i = 0; i < 2; i++)
		child_check(!pthread_create(&readers[i], NULL, read_tables, NULL));
	for (i = 0; i < 20; i++) {
		namespace_run("ip addr add 10.9.0.9/24 dev p0");
		adev_port_sync();
		namespace_run("ip addr del 10.9.0.9/24 dev p0");
		adev_port_sync();
	}
	atomic_store(&enough, true);
	for (i = 0; i < 2; i++)
		pthread_join(readers[i], NULL);
}

static void readers_see_whole_tables(void **state)
{
	(void)state;
	namespace_test(threads_body);
}

/* What the parent of a process that may not is to do for it. */
static void without_netlink_body(void)
{
	int ends[2];
	pid_t helper;
	char byte;

	child_check(pipe(ends) == 0);
	helper = fork();
	if (helper == 0) {
		child_check(read(ends[0], &byte, 1) == 1);
		namespace_run("ip addr add 10.9.0.6/24 dev p0");
		_exit(0);
	}
	namespace_deny_netlink();
	adev_port_follow_begin();
	child_check(adev_port_fd() == -1);
	child_check(adev_port_deadline() != UINT64_MAX);
	child_check(slot_of(1) >= 0 && slot_of(6) < 0);
	child_check(adev_port_state() == ADEV_PORT_ACTIVE);
	child_check(write(ends[1], "x", 1) == 1);
	child_check(waitpid(helper, NULL, 0) == helper);
	/* Looked at again after a while, and not each time. */
	while (slot_of(6) < 0)
		usleep(20000);
	adev_port_follow_end();
	child_check(adev_port_deadline() == UINT64_MAX);
}

static void without_netlink_it_follows_later(void **state)
{
	(void)state;
	namespace_test(without_netlink_body);
}

static int count_fds(void)
{
	int fd, count = 0;

	for (fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void many_body(void)
{
	int fds, i;

	adev_port_follow_begin();
	fds = count_fds();
	for (i = 0; i < 50; i++) {
		namespace_run("ip addr add 10.9.0.9/24 dev p0");
		expect_news("g");
		namespace_run("ip addr del 10.9.0.9/24 dev p0");
		expect_news("g");
	}
	child_check(count_fds() == fds);
}

static void many_changes_leave_nothing_behind(void **state)
{
	(void)state;
	namespace_test(many_body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		domain_test(addresses_come_and_go),
		domain_test(sync_sees_the_present_without_an_agent),
		domain_test(agent_is_told_what_others_saw_first),
		domain_test(state_follows_the_interface),
		domain_test(removed_interface_takes_the_port_down),
		domain_test(another_interface_takes_the_port_over),
		domain_test(loopback_makes_way_for_a_real_interface),
		domain_test(forked_child_has_notifications_of_its_own),
		domain_test(descriptor_of_the_program_is_left_alone),
		domain_test(processes_agree_on_the_slots),
		domain_test(damaged_file_is_made_anew),
		domain_test(held_lock_stops_nobody),
		domain_test(without_netlink_it_follows_later),
		domain_test(readers_see_whole_tables),
		domain_test(many_changes_leave_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
