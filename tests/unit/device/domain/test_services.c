/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Services in the directory: who gets one, who is found, and when it ends. */
#include "test.h"

#include <errno.h>
#include <string.h>

#include "domain/services.h"

#define TCP 0x01060000ull

static const uint8_t any[16];
static const uint8_t any_ipv4[16] = { [10] = 0xff, [11] = 0xff };
static const uint8_t ipv4_1[16] = { [10] = 0xff, 0xff, 10, 0, 0, 1 };
static const uint8_t ipv4_2[16] = { [10] = 0xff, 0xff, 10, 0, 0, 2 };
static const uint8_t ipv6_1[16] = { 0xfe, 0x80, [15] = 1 };

static struct arnica_bus_service wish(uint32_t port, const uint8_t address[16],
				      uint32_t flags)
{
	struct arnica_bus_service service = {
		.id = TCP | port,
		.mask = UINT64_MAX,
		.flags = flags,
	};

	memcpy(service.address, address, 16);
	return service;
}

static int take(const struct fixture_function *f, uint32_t port,
		const uint8_t address[16], uint32_t flags, uint32_t *index)
{
	const struct arnica_bus_service service = wish(port, address, flags);

	return adev_service_take(f->directory, f->function, f->generation,
				 &service, index);
}

static int listen_at(const struct fixture_function *f, uint32_t index)
{
	return adev_service_listen(f->directory, f->function, f->generation,
				   index);
}

static int give(const struct fixture_function *f, uint32_t index)
{
	return adev_service_give(f->directory, f->function, f->generation,
				 index);
}

/* The function that listens; ADEV_FUNCTIONS: nobody. */
static uint32_t listener(const struct fixture_function *f, uint32_t port,
			 const uint8_t address[16])
{
	uint64_t generation;
	uint32_t function;

	return adev_service_find(f->directory, TCP | port, address, &function,
				 &generation) ?
		       function :
		       ADEV_FUNCTIONS;
}

static void one_at_a_time_has_a_service(void **state)
{
	struct fixture_function f[2];
	uint32_t index, other;

	(void)state;
	assert_true(fixture_enter(&f[0]) && fixture_enter(&f[1]));
	assert_ok(take(&f[0], 1, ipv4_1, 0, &index));
	assert_int_equal(take(&f[1], 1, ipv4_1, 0, &other), EADDRINUSE);
	assert_int_equal(take(&f[0], 1, ipv4_1, 0, &other), EADDRINUSE);
	assert_int_equal(take(&f[1], 1, any, 0, &other), EADDRNOTAVAIL);
	assert_ok(take(&f[1], 1, ipv4_2, 0, &other));
	assert_int_equal(listener(&f[0], 1, ipv4_1), ADEV_FUNCTIONS);
	assert_ok(listen_at(&f[0], index));
	assert_ok(listen_at(&f[1], other));
	assert_int_equal(listener(&f[1], 1, ipv4_1), f[0].function);
	assert_int_equal(listener(&f[1], 1, ipv4_2), f[1].function);
	assert_int_equal(listener(&f[1], 2, ipv4_2), ADEV_FUNCTIONS);
	/* Not another's to give, and not twice. */
	assert_int_equal(give(&f[1], index), ENOENT);
	assert_ok(give(&f[0], index));
	assert_int_equal(give(&f[0], index), ENOENT);
	assert_int_equal(listen_at(&f[0], index), ENOENT);
	assert_int_equal(listener(&f[1], 1, ipv4_1), ADEV_FUNCTIONS);
	assert_ok(take(&f[1], 1, ipv4_1, ARNICA_BUS_SERVICE_LISTENS, &index));
	assert_int_equal(listener(&f[0], 1, ipv4_1), f[1].function);
	fixture_leave(&f[0]);
	fixture_leave(&f[1]);
}

static void who_shares_may_not_listen_beside_others(void **state)
{
	const uint32_t shares = ARNICA_BUS_SERVICE_SHARES;
	struct fixture_function f[2];
	uint32_t first, second, third;

	(void)state;
	assert_true(fixture_enter(&f[0]) && fixture_enter(&f[1]));
	assert_ok(take(&f[0], 1, any, shares, &first));
	assert_ok(take(&f[1], 1, any, shares, &second));
	assert_int_equal(take(&f[1], 1, any, 0, &third), EADDRNOTAVAIL);
	assert_int_equal(listen_at(&f[0], first), EADDRNOTAVAIL);
	assert_ok(give(&f[1], second));
	assert_ok(listen_at(&f[0], first));
	fixture_leave(&f[0]);
	fixture_leave(&f[1]);
}

static void any_address_is_of_both_families_unless_told(void **state)
{
	const uint32_t listens = ARNICA_BUS_SERVICE_LISTENS;
	struct fixture_function f;
	uint32_t both, ipv4, ipv6;

	(void)state;
	assert_true(fixture_enter(&f));
	assert_ok(take(&f, 1, any, listens, &both));
	assert_int_equal(listener(&f, 1, ipv4_1), f.function);
	assert_int_equal(listener(&f, 1, ipv6_1), f.function);
	assert_int_equal(take(&f, 1, any_ipv4, listens, &ipv4), EADDRNOTAVAIL);
	assert_ok(give(&f, both));
	assert_ok(take(&f, 1, any_ipv4, listens, &ipv4));
	assert_int_equal(listener(&f, 1, ipv4_1), f.function);
	assert_int_equal(listener(&f, 1, ipv6_1), ADEV_FUNCTIONS);
	assert_ok(take(&f, 1, any, listens | ARNICA_BUS_SERVICE_IPV6_ONLY,
		       &ipv6));
	assert_ok(give(&f, ipv4));
	assert_int_equal(listener(&f, 1, ipv4_1), ADEV_FUNCTIONS);
	assert_int_equal(listener(&f, 1, ipv6_1), f.function);
	fixture_leave(&f);
}

static void masks_take_many_at_once(void **state)
{
	struct arnica_bus_service service = wish(0x10, any,
						 ARNICA_BUS_SERVICE_LISTENS);
	struct fixture_function f;
	uint32_t index, other;

	(void)state;
	service.mask = ~0xfull;
	assert_true(fixture_enter(&f));
	assert_ok(adev_service_take(f.directory, f.function, f.generation,
				    &service, &index));
	assert_int_equal(listener(&f, 0x10, ipv4_1), f.function);
	assert_int_equal(listener(&f, 0x1f, ipv4_1), f.function);
	assert_int_equal(listener(&f, 0x20, ipv4_1), ADEV_FUNCTIONS);
	assert_int_equal(take(&f, 0x1f, any, 0, &other), EADDRNOTAVAIL);
	assert_ok(take(&f, 0x20, any, 0, &other));
	/* Bits that do not count are zero. */
	service.id |= 1;
	assert_int_equal(adev_service_take(f.directory, f.function,
					   f.generation, &service, &index),
			 EINVAL);
	fixture_leave(&f);
}

static void the_dead_listen_no_more(void **state)
{
	const uint32_t listens = ARNICA_BUS_SERVICE_LISTENS;
	struct fixture_function own, remote;
	uint32_t index, other;
	pid_t pid;

	(void)state;
	assert_true(fixture_enter(&own));
	pid = fixture_spawn(&remote, FIXTURE_PAUSE);
	assert_true(pid > 0);
	remote.directory = own.directory;
	assert_ok(take(&remote, 1, any, listens, &index));
	assert_int_equal(listener(&own, 1, ipv4_1), remote.function);
	assert_int_equal(take(&own, 1, any, listens, &other), EADDRNOTAVAIL);
	fixture_kill(pid);
	assert_true(fixture_wait_life(&remote, ADEV_LIFE_DEAD));
	assert_int_equal(listener(&own, 1, ipv4_1), ADEV_FUNCTIONS);
	assert_ok(take(&own, 1, any, listens, &other));
	/* Its entry was the first one that was free. */
	assert_int_equal(other, index);
	assert_int_equal(listener(&own, 1, ipv4_1), own.function);
	fixture_leave(&own);
}

/* Killed between claiming an entry and filling it in. */
static void half_written_entries_are_nobody_s(void **state)
{
	struct fixture_function f;
	struct adev_service *entry;
	uint32_t index;

	(void)state;
	assert_true(fixture_enter(&f));
	entry = &f.directory->table->services[0];
	atomic_store(&entry->id, TCP | 1);
	atomic_store(&entry->mask, UINT64_MAX);
	atomic_store(&entry->owner, adev_block_encode(f.generation, f.function,
						      ADEV_SERVICE_WRITING));
	assert_int_equal(listener(&f, 1, ipv4_1), ADEV_FUNCTIONS);
	/* While its writer lives it stays his. */
	assert_ok(take(&f, 1, any, 0, &index));
	assert_int_equal(index, 1);
	atomic_store(&entry->owner,
		     adev_block_encode(f.generation + 1, f.function,
				       ADEV_SERVICE_WRITING));
	assert_ok(take(&f, 2, any, 0, &index));
	assert_int_equal(index, 0);
	fixture_leave(&f);
}

static void the_table_has_an_end(void **state)
{
	struct fixture_function f;
	uint32_t index, i;

	(void)state;
	assert_true(fixture_enter(&f));
	for (i = 0; i < ADEV_SERVICES; i++)
		assert_ok(take(&f, i, any, 0, &index));
	assert_int_equal(take(&f, i, any, 0, &index), ENOMEM);
	assert_ok(give(&f, 7));
	assert_ok(take(&f, i, any, 0, &index));
	assert_int_equal(index, 7);
	fixture_leave(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		domain_test(one_at_a_time_has_a_service),
		domain_test(who_shares_may_not_listen_beside_others),
		domain_test(any_address_is_of_both_families_unless_told),
		domain_test(masks_take_many_at_once),
		domain_test(the_dead_listen_no_more),
		domain_test(half_written_entries_are_nobody_s),
		domain_test(the_table_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
