/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The group on port 4791: packets reach the function that owns their QP number,
 * whoever came, went or was killed meanwhile; and strangers stay outside.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "domain/directory.h"
#include "link/group.h"
#include "link/group_lock.h"
#include "link/group_members.h"
#include "link/hand_on.h"
#include "link/steer.h"
#include "link/wire_state.h"
#include "wire_fixture.h"

static const uint8_t write_middle = ROCE_RC | ROCE_WRITE_MIDDLE;
static bool isolated;

static int setup(void **state)
{
	wire_forget_arrivals();
	return two_setup(state);
}

static struct adev_udp *udp_of(struct adev_function *fn)
{
	return adev_wire_of(fn)->lower;
}

static uint32_t place_of(struct adev_function *fn)
{
	uint64_t word = atomic_load(
		&fn->directory->table->slots[fn->view.function].wire);

	return word & ADEV_WIRE_PLACE_KNOWN ?
		       (uint32_t)(word & ADEV_WIRE_PLACE_MASK) :
		       UINT32_MAX;
}

static bool is_settled(struct adev_function *fn)
{
	return !atomic_load(&fn->directory->table->header.wire_unsure);
}

static void wait_until_settled(struct adev_function *fn)
{
	uint64_t until = 0;

	while (!is_settled(fn) ||
	       atomic_load(&udp_of(fn)->refresh_ns) != ADEV_NEVER_NS)
		(void)two_patience(&until);
}

/* One packet for each QP number, from outside the group. */
static void send_to(struct adev_function *from, const uint32_t *qpns,
		    uint32_t count)
{
	const struct adev_path path = wire_path("127.0.0.1", "127.0.0.1");
	struct adev_batch *batch = adev_wire_batch(from);
	uint32_t i;

	for (i = 0; i < count; i++)
		wire_add(batch, &path, write_middle, qpns[i], i, 64 + 4 * i);
	adev_batch_send(batch);
}

static struct adev_function *receiver_of(uint32_t psn)
{
	uint32_t i;

	for (i = 0; i < wire_num_arrivals; i++)
		if (wire_arrivals[i].arrival.packet.psn == psn)
			return wire_arrivals[i].fn;
	return NULL;
}

static uint64_t handed_on(struct two *two)
{
	return atomic_load(&two_function_of(&two->a)->counters.wire_handed_on) +
	       atomic_load(&two_function_of(&two->b)->counters.wire_handed_on);
}

#define MANY 40u

static void each_function_gets_what_is_for_it(void **state)
{
	struct two *two = *state;
	struct adev_function *a = two_function_of(&two->a);
	struct adev_function *b = two_function_of(&two->b);
	uint32_t qpns[MANY], i;

	wire_open_or_skip(a);
	for (i = 0; i < MANY; i++)
		qpns[i] = wire_qpn(i % 2 ? b : a);
	assert_ok(adev_wire_open(b));
	assert_int_equal(place_of(a), 0);
	assert_int_equal(place_of(b), 1);
	send_to(a, qpns, MANY);
	wire_wait(a, b, MANY);
	for (i = 0; i < MANY; i++)
		assert_ptr_equal(receiver_of(i), i % 2 ? b : a);
	assert_int_equal(handed_on(two), 0);
}

static void a_new_lease_is_steered(void **state)
{
	struct two *two = *state;
	struct adev_function *a = two_function_of(&two->a);
	struct adev_function *b = two_function_of(&two->b);
	uint32_t qpns[MANY], i;

	wire_open_or_skip(a);
	assert_ok(adev_wire_open(b));
	for (i = 0; i < MANY; i++)
		qpns[i] = wire_qpn(i % 2 ? b : a);
	adev_wire_leased(a);
	adev_wire_leased(b);
	wait_until_settled(a);
	wait_until_settled(b);
	send_to(a, qpns, MANY);
	wire_wait(a, b, MANY);
	for (i = 0; i < MANY; i++)
		assert_ptr_equal(receiver_of(i), i % 2 ? b : a);
}

/* No program: the kernel's hash decides, and members hand on. */
static void packets_that_strayed_are_handed_on(void **state)
{
	struct two *two = *state;
	struct adev_function *a = two_function_of(&two->a);
	struct adev_function *b = two_function_of(&two->b);
	struct sock_filter code[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	const struct sock_fprog all_to_first = { 1, code };
	struct adev_path path = wire_path("127.0.0.3", "127.0.0.4");
	uint32_t qpn, i;

	path.traffic_class = 0x21;
	path.hop_limit = 9;
	wire_open_or_skip(a);
	qpn = wire_qpn(b);
	assert_ok(adev_wire_open(b));
	assert_ok(setsockopt(udp_of(b)->receive_fd, SOL_SOCKET,
			     SO_ATTACH_REUSEPORT_CBPF, &all_to_first,
			     sizeof(all_to_first)));
	for (i = 0; i < 5; i++)
		wire_add(adev_wire_batch(b), &path, write_middle, qpn, i, 512);
	adev_batch_send(adev_wire_batch(b));
	wire_wait(a, b, 5);
	for (i = 0; i < 5; i++) {
		const struct adev_arrival *arrival = &wire_arrivals[i].arrival;

		assert_ptr_equal(wire_arrivals[i].fn, b);
		assert_int_equal(arrival->packet.psn, i);
		assert_memory_equal(arrival->source, path.source, 16);
		assert_memory_equal(arrival->destination, path.destination, 16);
		assert_int_equal(arrival->traffic_class, 0x21);
		assert_int_equal(arrival->hop_limit, 9);
		two_check(arrival->packet.payload, 512, i);
	}
	assert_int_equal(atomic_load(&a->counters.wire_handed_on), 5);
	/* And the program is made anew. */
	wait_until_settled(a);
	wait_until_settled(b);
	wire_forget_arrivals();
	send_to(a, &qpn, 1);
	wire_wait(a, b, 1);
	assert_int_equal(atomic_load(&a->counters.wire_handed_on), 5);
}

static void strangers_cannot_hand_on(void **state)
{
	struct two *two = *state;
	struct adev_function *a = two_function_of(&two->a);
	struct sockaddr_storage name;
	socklen_t bytes = sizeof(name);
	uint8_t forged[256] = { 0 };
	uint64_t until = 0;
	int fd;

	wire_open_or_skip(a);
	assert_ok(getsockname(udp_of(a)->private_fd, (void *)&name, &bytes));
	fd = socket(name.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(sendto(fd, forged, sizeof(forged), 0,
				(const void *)&name, bytes),
			 sizeof(forged));
	/* The agent is woken by it, once. */
	while (!atomic_load(&a->counters.wire_bad_packet))
		(void)two_patience(&until);
	assert_int_equal(wire_num_arrivals, 0);
	close(fd);
}

static void strangers_cannot_answer_probes(void **state)
{
	struct two *two = *state;
	struct adev_function *a = two_function_of(&two->a);
	uint8_t forged[24] = { ADEV_STEER_PROBE, 0, 0, 7 };

	wire_open_or_skip(a);
	assert_false(adev_group_probed(udp_of(a), forged, sizeof(forged)));
	assert_false(adev_group_probed(udp_of(a), forged, 1));
	assert_int_equal(place_of(a), 0);
}

static void the_last_member_takes_the_place_of_one_that_leaves(void **state)
{
	struct two *two = *state;
	struct adev_function *a = two_function_of(&two->a);
	struct adev_function *b = two_function_of(&two->b);
	uint32_t qpn;

	wire_open_or_skip(a);
	qpn = wire_qpn(b);
	assert_ok(adev_wire_open(b));
	two_function_close(&two->a);
	assert_int_equal(place_of(b), 0);
	assert_true(is_settled(b));
	send_to(b, &qpn, 1);
	wire_wait(b, NULL, 1);
	assert_ok(two_function_open(&two->a));
	assert_ok(adev_wire_open(two_function_of(&two->a)));
	assert_int_equal(place_of(two_function_of(&two->a)), 1);
}

/* Places that are all wrong: probes find them. */
static void probes_find_the_places(void **state)
{
	struct two *two = *state;
	struct adev_function *a = two_function_of(&two->a);
	struct adev_function *b = two_function_of(&two->b);
	uint32_t qpns[2];

	wire_open_or_skip(a);
	assert_ok(adev_wire_open(b));
	qpns[0] = wire_qpn(a);
	qpns[1] = wire_qpn(b);
	atomic_fetch_xor(&a->directory->table->slots[a->view.function].wire, 1);
	atomic_fetch_xor(&b->directory->table->slots[b->view.function].wire, 1);
	assert_int_equal(place_of(a), 1);
	adev_group_doubt(a->directory);
	adev_group_expect(udp_of(a), 0);
	wait_until_settled(a);
	wait_until_settled(b);
	assert_int_equal(place_of(a), 0);
	assert_int_equal(place_of(b), 1);
	send_to(a, qpns, 2);
	wire_wait(a, b, 2);
	assert_int_equal(handed_on(two), 0);
}

/*
 * A process with a function of its own on the wire, in this domain or in that
 * of another folder; reports the error of opening, and stays until it is
 * killed. It is this program again, so that it inherits nothing.
 */
static int be_member(char **arguments)
{
	static struct two_function own;
	const char *folder = arguments[0];
	uid_t uid = (uid_t)atoi(arguments[1]);
	int report = atoi(arguments[2]);
	int error = EPERM;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (*folder)
		setenv("ARNICA_RUNTIME_DIR", folder, 1);
	if (!uid || setresuid(uid, uid, uid) == 0)
		error = two_function_open(&own) ?
				EIO :
				adev_wire_open(two_function_of(&own));
	if (write(report, &error, sizeof(error)) != sizeof(error))
		return 1;
	close(report);
	for (;;)
		pause();
}

static pid_t spawn(const char *folder, uid_t uid, int *error)
{
	char uid_text[16], report_text[16];
	int report[2];
	pid_t pid;

	assert_ok(pipe2(report, O_CLOEXEC));
	snprintf(uid_text, sizeof(uid_text), "%u", uid);
	snprintf(report_text, sizeof(report_text), "%d", report[1]);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		fcntl(report[1], F_SETFD, 0);
		execl("/proc/self/exe", "member", folder ? folder : "",
		      uid_text, report_text, (char *)NULL);
		_exit(1);
	}
	close(report[1]);
	if (read(report[0], error, sizeof(*error)) != sizeof(*error))
		*error = EPIPE;
	close(report[0]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* The first member, of this uid; skips where others have the port. */
static pid_t spawn_first(const char *folder)
{
	int error;
	pid_t first = spawn(folder, 0, &error);

	if (error == EADDRINUSE) {
		end(first);
		skip();
	}
	assert_ok(error);
	return first;
}

static void killed_members_are_forgotten(void **state)
{
	struct two *two = *state;
	struct adev_function *a = two_function_of(&two->a);
	struct adev_function *b = two_function_of(&two->b);
	uint32_t qpns[2], round, i;
	uint64_t until = 0;
	pid_t first, second;
	int error;

	/* The order: two that will die, and two that stay. */
	first = spawn_first(NULL);
	second = spawn(NULL, 0, &error);
	assert_ok(error);
	assert_ok(adev_wire_open(a));
	assert_ok(adev_wire_open(b));
	assert_int_equal(place_of(a), 2);
	assert_int_equal(place_of(b), 3);
	qpns[0] = wire_qpn(a);
	qpns[1] = wire_qpn(b);
	adev_wire_leased(a);
	end(first);
	end(second);
	/* The first packets may stray, and set it right. */
	for (round = 0; !is_settled(a) || place_of(a) > 1 || place_of(b) > 1;
	     round++) {
		send_to(a, qpns, 2);
		for (i = 0; i < 20; i++)
			wire_wait(a, b, 0);
		(void)two_patience(&until);
		wire_forget_arrivals();
	}
	assert_true(place_of(a) != place_of(b));
}

/* A member that dies takes nobody's packets with it for long. */
static void who_comes_after_a_death_is_steered(void **state)
{
	struct two *two = *state;
	struct adev_function *a = two_function_of(&two->a);
	uint32_t qpn;
	pid_t first;

	first = spawn_first(NULL);
	end(first);
	assert_ok(adev_wire_open(a));
	qpn = wire_qpn(a);
	send_to(a, &qpn, 1);
	wire_wait(a, NULL, 1);
}

static void a_member_that_is_stopped_stops_nobody(void **state)
{
	struct two *two = *state;
	struct adev_function *a = two_function_of(&two->a);
	struct adev_function *b = two_function_of(&two->b);
	uint32_t qpn, i;
	uint64_t until = 0;
	pid_t first;

	first = spawn_first(NULL);
	kill(first, SIGSTOP);
	assert_ok(adev_wire_open(a));
	assert_ok(adev_wire_open(b));
	qpn = wire_qpn(b);
	adev_wire_leased(b);
	/* Until the agent has made the program anew, the stopped one may get
	 * some, and hands nothing on. */
	while (!wire_num_arrivals) {
		send_to(a, &qpn, 1);
		for (i = 0; i < 100 && !wire_num_arrivals; i++) {
			adev_wire_drain(a, 64);
			adev_wire_drain(b, 64);
		}
		(void)two_patience(&until);
	}
	assert_ptr_equal(receiver_of(0), b);
	end(first);
}

static void another_folder_is_kept_out(void **state)
{
	struct two *two = *state;
	char folder[] = "/tmp/arnica-test-XXXXXX";
	char command[64];
	pid_t other;
	int error;

	wire_open_or_skip(two_function_of(&two->a));
	assert_non_null(mkdtemp(folder));
	other = spawn(folder, 0, &error);
	assert_int_equal(error, EADDRINUSE);
	end(other);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	assert_ok(system(command));
}

/* And the other way round: its packets are not taken by this one. */
static void who_comes_second_stays_out(void **state)
{
	struct two *two = *state;
	char folder[] = "/tmp/arnica-test-XXXXXX";
	char command[64];
	pid_t other;

	assert_non_null(mkdtemp(folder));
	other = spawn_first(folder);
	assert_int_equal(adev_wire_open(two_function_of(&two->a)), EADDRINUSE);
	end(other);
	assert_ok(adev_wire_open(two_function_of(&two->a)));
	snprintf(command, sizeof(command), "rm -r %s", folder);
	assert_ok(system(command));
}

static void another_user_is_kept_out(void **state)
{
	struct two *two = *state;
	pid_t other;
	int error;

	if (geteuid() != 0 || !isolated) {
		puts("to become another user takes root");
		skip();
	}
	wire_open_or_skip(two_function_of(&two->a));
	unsetenv("ARNICA_RUNTIME_DIR");
	other = spawn("/tmp/arnica-test-nobody", 65534, &error);
	assert_int_equal(error, EADDRINUSE);
	end(other);
	assert_ok(system("rm -rf /tmp/arnica-test-nobody"));
}

static void a_forked_child_does_not_keep_the_port(void **state)
{
	struct two *two = *state;
	struct adev_function *a = two_function_of(&two->a);
	int ready[2];
	char byte;
	pid_t child;

	wire_open_or_skip(a);
	assert_ok(pipe2(ready, O_CLOEXEC));
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (write(ready[1], "", 1) < 0)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	two_function_close(&two->a);
	assert_ok(two_function_open(&two->a));
	assert_ok(adev_wire_open(two_function_of(&two->a)));
	assert_int_equal(place_of(two_function_of(&two->a)), 0);
	end(child);
	close(ready[0]);
	close(ready[1]);
}

static void the_lock_is_given_back_by_the_dead(void **state)
{
	int lock, held[2];
	char byte;
	pid_t child;

	(void)state;
	assert_ok(pipe2(held, O_CLOEXEC));
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (adev_group_lock(0, &lock) || write(held[1], "", 1) < 0)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(held[0], &byte, 1), 1);
	assert_int_equal(adev_group_lock(ADEV_MS_NS, &lock), EBUSY);
	end(child);
	assert_ok(adev_group_lock(0, &lock));
	adev_group_unlock(lock);
	close(held[0]);
	close(held[1]);
}

#define group_test(function)                                                   \
	cmocka_unit_test_setup_teardown(function, setup, two_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		group_test(each_function_gets_what_is_for_it),
		group_test(a_new_lease_is_steered),
		group_test(packets_that_strayed_are_handed_on),
		group_test(strangers_cannot_hand_on),
		group_test(strangers_cannot_answer_probes),
		group_test(the_last_member_takes_the_place_of_one_that_leaves),
		group_test(probes_find_the_places),
		group_test(killed_members_are_forgotten),
		group_test(who_comes_after_a_death_is_steered),
		group_test(a_member_that_is_stopped_stops_nobody),
		group_test(another_folder_is_kept_out),
		group_test(who_comes_second_stays_out),
		group_test(another_user_is_kept_out),
		group_test(a_forked_child_does_not_keep_the_port),
		group_test(the_lock_is_given_back_by_the_dead),
	};

	if (argc == 4)
		return be_member(argv + 1);
	isolated = wire_isolate();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
