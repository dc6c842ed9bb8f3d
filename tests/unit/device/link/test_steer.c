/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The steering program, run by a small interpreter, and taken by the kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link/steer.h"

#define NOBODY 0xffffffffu

static struct sock_filter code[ADEV_STEER_MAX];

static uint32_t load(const uint8_t *packet, uint32_t at, uint32_t bytes)
{
	uint32_t value = 0;

	while (bytes--)
		value = value << 8 | packet[at++];
	return value;
}

/* As the kernel does; only what the program uses is known. */
static uint32_t run(uint32_t length, const uint8_t *packet)
{
	uint32_t accumulator = 0;
	uint32_t at = 0;

	for (;;) {
		const struct sock_filter *now = &code[at++];

		assert_true(at <= length);
		switch (now->code) {
		case BPF_LD | BPF_B | BPF_ABS:
			accumulator = load(packet, now->k, 1);
			break;
		case BPF_LD | BPF_H | BPF_ABS:
			accumulator = load(packet, now->k, 2);
			break;
		case BPF_LD | BPF_W | BPF_ABS:
			accumulator = load(packet, now->k, 4);
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			accumulator &= now->k;
			break;
		case BPF_ALU | BPF_RSH | BPF_K:
			accumulator >>= now->k;
			break;
		case BPF_JMP | BPF_JA:
			at += now->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			at += accumulator == now->k ? now->jt : now->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			at += accumulator >= now->k ? now->jt : now->jf;
			break;
		case BPF_RET | BPF_K:
			return now->k;
		case BPF_RET | BPF_A:
			return accumulator;
		default:
			fail_msg("unknown instruction %x", now->code);
		}
	}
}

static uint32_t place_of(uint32_t length, uint32_t qpn)
{
	const uint8_t packet[12] = { 0x04,
				     0,
				     0xff,
				     0xff,
				     0x55, /* reserved: not part of the QPN */
				     (uint8_t)(qpn >> 16),
				     (uint8_t)(qpn >> 8),
				     (uint8_t)qpn };

	return run(length, packet);
}

static void each_block_leads_to_its_socket(void **state)
{
	struct adev_steer_entry entries[] = {
		{ 0x9000, 2 },
		{ 0x0001, 0 },
		{ 0x8fff, 1 },
		{ 0xffff, 3 },
	};
	uint32_t length;

	(void)state;
	assert_int_equal(adev_steer_sort(entries, 4), 4);
	length = adev_steer_build(entries, 4, code, ADEV_STEER_MAX);
	assert_int_equal(place_of(length, 0x000100), 0);
	assert_int_equal(place_of(length, 0x0001ff), 0);
	assert_int_equal(place_of(length, 0x8fff00), 1);
	assert_int_equal(place_of(length, 0x8fffff), 1);
	assert_int_equal(place_of(length, 0x900012), 2);
	assert_int_equal(place_of(length, 0xffffff), 3);
}

static void neighbours_of_one_socket_are_one_entry(void **state)
{
	struct adev_steer_entry entries[] = {
		{ 7, 1 }, { 5, 1 }, { 6, 1 }, { 9, 0 }, { 8, 1 },
	};

	(void)state;
	assert_int_equal(adev_steer_sort(entries, 5), 2);
	assert_int_equal(entries[0].block, 5);
	assert_int_equal(entries[1].block, 9);
}

static void without_entries_the_kernel_decides(void **state)
{
	uint32_t length = adev_steer_build(NULL, 0, code, ADEV_STEER_MAX);

	(void)state;
	assert_int_equal(place_of(length, 0x123456), NOBODY);
}

static void a_probe_is_for_the_place_that_it_names(void **state)
{
	struct adev_steer_entry entry = { 5, 0 };
	uint32_t length = adev_steer_build(&entry, 1, code, ADEV_STEER_MAX);
	const uint8_t probe[12] = { ADEV_STEER_PROBE, 0, 0x01, 0x02 };

	(void)state;
	assert_int_equal(run(length, probe), 0x0102);
}

/* Random blocks of a hundred sockets, as many as there is room for. */
static void many_blocks_are_found(void **state)
{
	static struct adev_steer_entry entries[2000];
	uint32_t length, count, i;
	const uint32_t room = sizeof(entries) / sizeof(entries[0]);

	(void)state;
	srandom(4096);
	for (i = 0; i < room; i++)
		entries[i] = (struct adev_steer_entry){
			1 + i * 32 + (uint32_t)random() % 32,
			(uint32_t)random() % 100,
		};
	count = adev_steer_sort(entries, room);
	length = adev_steer_build(entries, count, code, ADEV_STEER_MAX);
	assert_true(length <= ADEV_STEER_MAX);
	for (i = 0; i < count; i++)
		assert_int_equal(place_of(length, entries[i].block << 8 | 77),
				 entries[i].index);
}

/* Those that do not fit are for somebody, who hands them on. */
static void a_short_program_knows_the_first_blocks(void **state)
{
	static struct adev_steer_entry entries[3000];
	uint32_t length, i;

	(void)state;
	for (i = 0; i < 3000; i++)
		entries[i] = (struct adev_steer_entry){ 1 + i * 20, i % 7 };
	length = adev_steer_build(entries, 3000, code, 500);
	assert_true(length <= 500 && length > 300);
	for (i = 0; i < 150; i++)
		assert_int_equal(place_of(length, entries[i].block << 8),
				 entries[i].index);
	assert_true(place_of(length, 0xffffff) < 7);
}

static void the_kernel_takes_the_longest_program(void **state)
{
	static struct adev_steer_entry entries[2000];
	const int one = 1;
	const struct sockaddr_in any = { .sin_family = AF_INET };
	struct sock_fprog program = { .filter = code };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint32_t i;

	(void)state;
	for (i = 0; i < 2000; i++)
		entries[i] = (struct adev_steer_entry){ 1 + i * 30, i % 7 };
	program.len = (unsigned short)adev_steer_build(entries, 2000, code,
						       ADEV_STEER_MAX);
	assert_int_equal(
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)), 0);
	assert_int_equal(bind(fd, (const void *)&any, sizeof(any)), 0);
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program,
		       sizeof(program))) {
		/* Older kernels give a socket less memory for options, and
		 * emulated ones know no programs. */
		assert_true(errno == ENOMEM || errno == ENOPROTOOPT);
		print_message("the kernel has no room: %s\n", strerror(errno));
	}
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_block_leads_to_its_socket),
		cmocka_unit_test(neighbours_of_one_socket_are_one_entry),
		cmocka_unit_test(without_entries_the_kernel_decides),
		cmocka_unit_test(a_probe_is_for_the_place_that_it_names),
		cmocka_unit_test(many_blocks_are_found),
		cmocka_unit_test(a_short_program_knows_the_first_blocks),
		cmocka_unit_test(the_kernel_takes_the_longest_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
