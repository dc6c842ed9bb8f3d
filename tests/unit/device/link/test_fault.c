/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "link/fault.h"

#define MAX_OUT 20000u
#define PACKETS 10000u
#define BYTES 64u
#define NEVER UINT64_MAX

/* What came out: number that the packet carries, and whether it is whole. */
static struct {
	uint32_t count;
	uint32_t number[MAX_OUT];
	bool damaged[MAX_OUT];
	uint64_t expected_ns;
} out;

static struct adev_counters counters;
static struct adev_fault *fault;
static struct adev_path path = { .source = { 1 }, .source_port = 50000 };
static uint32_t next_number;

/* The packet says its number all over. */
static void fill(uint32_t *words, uint32_t number)
{
	for (uint32_t i = 0; i < BYTES / 4; i++)
		words[i] = number;
}

static void record(void *owner, const struct adev_path *way, uint8_t *payload,
		   uint32_t bytes)
{
	uint32_t words[BYTES / 4], differ = 0, number;

	assert_ptr_equal(owner, &out);
	assert_int_equal(bytes, BYTES);
	assert_memory_equal(way, &path, sizeof(path));
	assert_true(out.count < MAX_OUT);
	memcpy(words, payload, sizeof(words));
	/* At most one word is damaged. */
	number = words[0] == words[1] ? words[0] : words[2];
	for (uint32_t i = 0; i < BYTES / 4; i++)
		differ += (uint32_t)__builtin_popcount(words[i] ^ number);
	assert_in_range(differ, 0, 1);
	out.damaged[out.count] = differ;
	out.number[out.count++] = number;
}

static void expect(void *owner, uint64_t when_ns)
{
	(void)owner;
	out.expected_ns = when_ns;
}

static const struct adev_fault_ops ops = { .emit = record, .expect = expect };

static void begin(const char *text, uint32_t number)
{
	struct arnica_fault_spec spec;
	char why[128];

	assert_int_equal(arnica_fault_spec_parse(text, &spec, why, sizeof(why)),
			 0);
	memset(&out, 0, sizeof(out));
	memset(&counters, 0, sizeof(counters));
	next_number = 0;
	assert_int_equal(
		adev_fault_create(&spec, number, &counters, &ops, &out, &fault),
		0);
}

static void send_one(uint64_t now_ns)
{
	uint32_t payload[BYTES / 4];

	fill(payload, next_number++);
	adev_fault_send(fault, &path, payload, BYTES, now_ns);
}

static void send_many(uint32_t count)
{
	while (count--)
		send_one(1000);
}

/* Between nine tenths and eleven tenths. */
static void assert_about(uint64_t count, uint64_t wanted)
{
	assert_in_range(count, wanted * 9 / 10, wanted * 11 / 10);
}

static void without_faults_everything_passes_in_order(void **state)
{
	(void)state;
	begin("drop=0%,seed=1", 0);
	send_many(PACKETS);
	assert_int_equal(out.count, PACKETS);
	for (uint32_t i = 0; i < PACKETS; i++) {
		assert_int_equal(out.number[i], i);
		assert_false(out.damaged[i]);
	}
	assert_true(adev_fault_deadline(fault) == NEVER);
	adev_fault_destroy(fault);
}

static void the_wanted_share_is_dropped(void **state)
{
	(void)state;
	begin("drop=10%,seed=1", 0);
	send_many(PACKETS);
	assert_about(PACKETS - out.count, PACKETS / 10);
	assert_int_equal(counters.fault_dropped, PACKETS - out.count);
	for (uint32_t i = 1; i < out.count; i++)
		assert_true(out.number[i] > out.number[i - 1]);
	adev_fault_destroy(fault);
	begin("drop=100%", 0);
	send_many(100);
	assert_int_equal(out.count, 0);
	adev_fault_destroy(fault);
}

static void the_wanted_share_is_doubled(void **state)
{
	(void)state;
	begin("dup=10%,seed=1", 0);
	send_many(PACKETS);
	assert_about(out.count - PACKETS, PACKETS / 10);
	assert_int_equal(counters.fault_duplicated, out.count - PACKETS);
	for (uint32_t i = 1; i < out.count; i++)
		assert_in_range(out.number[i] - out.number[i - 1], 0, 1);
	adev_fault_destroy(fault);
}

static void one_bit_of_the_wanted_share_is_turned(void **state)
{
	uint32_t damaged = 0;

	(void)state;
	begin("corrupt=10%,seed=1", 0);
	send_many(PACKETS);
	assert_int_equal(out.count, PACKETS);
	for (uint32_t i = 0; i < out.count; i++) {
		assert_int_equal(out.number[i], i);
		damaged += out.damaged[i];
	}
	assert_about(damaged, PACKETS / 10);
	assert_int_equal(counters.fault_corrupted, damaged);
	adev_fault_destroy(fault);
}

static void held_packets_come_a_little_later_and_all_of_them(void **state)
{
	static uint8_t seen[PACKETS];
	uint32_t late = 0, highest = 0;

	(void)state;
	memset(seen, 0, sizeof(seen));
	begin("reorder=10%,seed=1", 0);
	send_many(PACKETS);
	adev_fault_release(fault, adev_fault_deadline(fault));
	assert_int_equal(out.count, PACKETS);
	for (uint32_t i = 0; i < out.count; i++) {
		assert_false(seen[out.number[i]]++);
		if (out.number[i] > highest)
			highest = out.number[i];
		else if (i)
			late++;
		/* Not by more than some tens of packets. */
		assert_true(highest - out.number[i] < 64);
	}
	assert_about(counters.fault_reordered, PACKETS / 10);
	assert_in_range(late, PACKETS / 20, counters.fault_reordered);
	adev_fault_destroy(fault);
}

static void a_held_packet_leaves_when_no_other_comes(void **state)
{
	uint64_t deadline;

	(void)state;
	begin("reorder=100%", 0);
	send_one(5000);
	assert_int_equal(out.count, 0);
	deadline = adev_fault_deadline(fault);
	assert_true(deadline > 5000 && deadline != NEVER);
	assert_int_equal(out.expected_ns, deadline);
	adev_fault_release(fault, deadline - 1);
	assert_int_equal(out.count, 0);
	adev_fault_release(fault, deadline);
	assert_int_equal(out.count, 1);
	assert_true(adev_fault_deadline(fault) == NEVER);
	adev_fault_destroy(fault);
}

static void a_delay_keeps_the_order_and_the_time(void **state)
{
	(void)state;
	begin("delay=50us", 0);
	send_one(1000);
	send_one(2000);
	assert_int_equal(out.count, 0);
	assert_int_equal(adev_fault_deadline(fault), 51000);
	assert_int_equal(out.expected_ns, 51000);
	adev_fault_release(fault, 50999);
	assert_int_equal(out.count, 0);
	adev_fault_release(fault, 51000);
	assert_int_equal(out.count, 1);
	assert_int_equal(adev_fault_deadline(fault), 52000);
	adev_fault_release(fault, 60000);
	assert_int_equal(out.count, 2);
	assert_int_equal(out.number[0], 0);
	assert_int_equal(out.number[1], 1);
	assert_int_equal(counters.fault_delayed, 2);
	adev_fault_destroy(fault);
}

static void a_full_queue_loses_and_counts(void **state)
{
	(void)state;
	begin("delay=1s", 0);
	send_many(PACKETS);
	assert_int_equal(out.count, 0);
	adev_fault_release(fault, NEVER - 1);
	assert_in_range(out.count, 1000, PACKETS - 1);
	assert_int_equal(counters.fault_dropped, PACKETS - out.count);
	adev_fault_destroy(fault);
}

static void what_is_under_way_at_the_end_still_leaves(void **state)
{
	(void)state;
	begin("delay=1s,reorder=50%,seed=3", 0);
	send_many(100);
	assert_int_equal(out.count, 0);
	adev_fault_destroy(fault);
	assert_int_equal(out.count, 100);
}

/* Number of the packets that come out, as a string to compare. */
static void fates(const char *text, uint32_t number, uint32_t *numbers,
		  uint32_t *count)
{
	begin(text, number);
	send_many(1000);
	adev_fault_destroy(fault);
	memcpy(numbers, out.number, sizeof(out.number));
	*count = out.count;
}

#define ALL "drop=5%,reorder=5%,dup=2%,corrupt=1%"

static void seeded_runs_repeat(void **state)
{
	static uint32_t first[MAX_OUT], again[MAX_OUT];
	uint32_t count, count_again;

	(void)state;
	fates(ALL ",seed=7", 0, first, &count);
	fates(ALL ",seed=7", 0, again, &count_again);
	assert_int_equal(count, count_again);
	assert_memory_equal(first, again, count * sizeof(*first));
}

static void seeds_functions_and_addresses_differ(void **state)
{
	static uint32_t first[MAX_OUT], other[MAX_OUT];
	uint32_t count, count_other;

	(void)state;
	fates(ALL ",seed=7", 0, first, &count);
	fates(ALL ",seed=8", 0, other, &count_other);
	assert_memory_not_equal(first, other, sizeof(first));
	fates(ALL ",seed=7", 1, other, &count_other);
	assert_memory_not_equal(first, other, sizeof(first));
	path.source[15] = 9;
	fates(ALL ",seed=7", 0, other, &count_other);
	path.source[15] = 0;
	assert_memory_not_equal(first, other, sizeof(first));
	fates(ALL, 0, first, &count);
	fates(ALL, 0, other, &count_other);
	assert_memory_not_equal(first, other, sizeof(first));
}

/* More faults of one kind do not move those of another. */
static void kinds_do_not_move_each_other(void **state)
{
	static uint32_t first[MAX_OUT], other[MAX_OUT];
	uint32_t count, count_other;

	(void)state;
	fates("drop=5%,seed=7", 0, first, &count);
	fates("drop=5%,corrupt=50%,seed=7", 0, other, &count_other);
	assert_int_equal(count, count_other);
	assert_memory_equal(first, other, count * sizeof(*first));
}

static void settings_come_from_the_environment(void **state)
{
	struct arnica_fault_spec spec;
	bool wanted = true;

	(void)state;
	unsetenv("ARNICA_FAULT");
	assert_int_equal(adev_fault_settings(&spec, &wanted), 0);
	assert_false(wanted);
	setenv("ARNICA_FAULT", "", 1);
	assert_int_equal(adev_fault_settings(&spec, &wanted), 0);
	assert_false(wanted);
	setenv("ARNICA_FAULT", "drop=1%", 1);
	assert_int_equal(adev_fault_settings(&spec, &wanted), 0);
	assert_true(wanted);
	assert_int_equal(spec.drop, 10000);
	setenv("ARNICA_FAULT", "drop=1", 1);
	assert_int_equal(adev_fault_settings(&spec, &wanted), EINVAL);
	unsetenv("ARNICA_FAULT");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_faults_everything_passes_in_order),
		cmocka_unit_test(the_wanted_share_is_dropped),
		cmocka_unit_test(the_wanted_share_is_doubled),
		cmocka_unit_test(one_bit_of_the_wanted_share_is_turned),
		cmocka_unit_test(
			held_packets_come_a_little_later_and_all_of_them),
		cmocka_unit_test(a_held_packet_leaves_when_no_other_comes),
		cmocka_unit_test(a_delay_keeps_the_order_and_the_time),
		cmocka_unit_test(a_full_queue_loses_and_counts),
		cmocka_unit_test(what_is_under_way_at_the_end_still_leaves),
		cmocka_unit_test(seeded_runs_repeat),
		cmocka_unit_test(seeds_functions_and_addresses_differ),
		cmocka_unit_test(kinds_do_not_move_each_other),
		cmocka_unit_test(settings_come_from_the_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
