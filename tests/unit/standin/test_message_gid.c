/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* standin/message_gid.c: answers about GIDs, with a kernel's error numbers. */
#include <cmocka.h>
#include <errno.h>
#include <rdma/ib_user_ioctl_verbs.h>

#include "message_fixture.h"

static const struct arnica_bus_port present = {
	.version = 3,
	.num_gids = 4,
	.gids = { { .raw = { 0xfe, 0x80, [15] = 1 }, .interface_index = 5 },
		  { .raw = { 0 } },
		  { .raw = { [10] = 0xff, [11] = 0xff, [12] = 10, [15] = 7 },
		    .interface_index = 6 },
		  { .raw = { 0 } } },
};

static bool give_port(struct arnica_bus_port *now)
{
	assert_true(now->version != present.version);
	*now = present;
	return true;
}

/* What it was at the beginning says nothing of the present. */
static const struct standin_adapter adapter = {
	.port_changed = give_port,
	.identity.port = { .version = 1,
			   .num_gids = 1,
			   .gids = { { .raw = { 0xfe, [15] = 9 } } } },
};

static int query_entry(uint32_t port, uint32_t index, uint32_t flags,
		       void *entry, size_t bytes)
{
	struct message message;

	message_start(&message, UVERBS_OBJECT_DEVICE,
		      UVERBS_METHOD_QUERY_GID_ENTRY);
	/* Port and index as wide as libibverbs sends them, flags narrower. */
	message_add(&message, UVERBS_ATTR_QUERY_GID_ENTRY_PORT, 8, port);
	message_add(&message, UVERBS_ATTR_QUERY_GID_ENTRY_GID_INDEX, 8, index);
	message_add(&message, UVERBS_ATTR_QUERY_GID_ENTRY_FLAGS, 4, flags);
	message_add_output(&message, UVERBS_ATTR_QUERY_GID_ENTRY_RESP_ENTRY,
			   entry, bytes);
	return message_send(&adapter, 0, &message);
}

static int query_table(uint64_t entry_bytes, void *entries, size_t bytes,
		       uint64_t *count)
{
	struct message message;

	message_start(&message, UVERBS_OBJECT_DEVICE,
		      UVERBS_METHOD_QUERY_GID_TABLE);
	message_add(&message, UVERBS_ATTR_QUERY_GID_TABLE_ENTRY_SIZE, 8,
		    entry_bytes);
	message_add(&message, UVERBS_ATTR_QUERY_GID_TABLE_FLAGS, 4, 0);
	message_add_output(&message, UVERBS_ATTR_QUERY_GID_TABLE_RESP_ENTRIES,
			   entries, bytes);
	message_add_output(&message,
			   UVERBS_ATTR_QUERY_GID_TABLE_RESP_NUM_ENTRIES, count,
			   sizeof(*count));
	return message_send(&adapter, 0, &message);
}

static void an_entry_is_the_adapters(void **state)
{
	struct ib_uverbs_gid_entry entry;

	(void)state;
	memset(&entry, 0xee, sizeof(entry));
	assert_int_equal(query_entry(1, 2, 0, &entry, sizeof(entry)), 0);
	assert_memory_equal(entry.gid, present.gids[2].raw, 16);
	assert_int_equal(entry.gid_index, 2);
	assert_int_equal(entry.port_num, 1);
	assert_int_equal(entry.gid_type, IB_UVERBS_GID_TYPE_ROCE_V2);
	assert_int_equal(entry.netdev_ifindex, 6);
}

static void an_empty_slot_has_no_data(void **state)
{
	struct ib_uverbs_gid_entry entry;

	(void)state;
	assert_int_equal(query_entry(1, 1, 0, &entry, sizeof(entry)), ENODATA);
	assert_int_equal(query_entry(1, 15, 0, &entry, sizeof(entry)), ENODATA);
}

static void no_such_port_index_or_flag(void **state)
{
	struct ib_uverbs_gid_entry entry;

	(void)state;
	assert_int_equal(query_entry(1, 16, 0, &entry, sizeof(entry)), EINVAL);
	assert_int_equal(query_entry(1, UINT32_MAX, 0, &entry, sizeof(entry)),
			 EINVAL);
	assert_int_equal(query_entry(0, 0, 0, &entry, sizeof(entry)), EINVAL);
	assert_int_equal(query_entry(2, 0, 0, &entry, sizeof(entry)), EINVAL);
	assert_int_equal(query_entry(1, 0, 1, &entry, sizeof(entry)), EINVAL);
	assert_int_equal(query_entry(1, 0, 0, &entry, 16), EINVAL);
	assert_int_equal(query_entry(1, 0, 0, NULL, sizeof(entry)), EFAULT);
}

static void a_larger_entry_is_filled_with_zeros(void **state)
{
	uint8_t room[200];
	uint8_t zeros[200] = { 0 };

	(void)state;
	memset(room, 0xee, sizeof(room));
	assert_int_equal(query_entry(1, 0, 0, room, 180), 0);
	assert_memory_equal(room, present.gids[0].raw, 16);
	assert_memory_equal(room + sizeof(struct ib_uverbs_gid_entry), zeros,
			    180 - sizeof(struct ib_uverbs_gid_entry));
	assert_int_equal(room[180], 0xee);
}

static void the_table_has_the_slots_that_are_used(void **state)
{
	struct ib_uverbs_gid_entry entries[16];
	uint64_t count = 99;

	(void)state;
	assert_int_equal(query_table(sizeof(entries[0]), entries,
				     sizeof(entries), &count),
			 0);
	assert_int_equal(count, 2);
	assert_int_equal(entries[0].gid_index, 0);
	assert_int_equal(entries[1].gid_index, 2);
	assert_int_equal(entries[1].netdev_ifindex, 6);
}

static void a_table_that_is_too_small_is_refused(void **state)
{
	struct ib_uverbs_gid_entry entries[2];
	uint64_t count;

	(void)state;
	assert_int_equal(query_table(sizeof(entries[0]), entries,
				     sizeof(entries), &count),
			 0);
	assert_int_equal(query_table(sizeof(entries[0]), entries,
				     sizeof(entries[0]), &count),
			 EINVAL);
	assert_int_equal(query_table(sizeof(entries[0]), entries, 0, &count),
			 EINVAL);
	assert_int_equal(query_table(0, entries, sizeof(entries), &count),
			 EINVAL);
	assert_int_equal(query_table(sizeof(entries[0]), entries,
				     sizeof(entries) - 1, &count),
			 EINVAL);
}

static void entries_have_the_size_that_was_asked_for(void **state)
{
	uint8_t large[2][100];
	uint8_t small[4][16];
	uint8_t zeros[100] = { 0 };
	uint64_t count;

	(void)state;
	memset(large, 0xee, sizeof(large));
	assert_int_equal(query_table(100, large, sizeof(large), &count), 0);
	assert_memory_equal(large[1], present.gids[2].raw, 16);
	assert_memory_equal(large[1] + 32, zeros, 68);
	assert_int_equal(query_table(16, small, sizeof(small), &count), 0);
	assert_memory_equal(small[1], present.gids[2].raw, 16);
	assert_int_equal(count, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_is_the_adapters),
		cmocka_unit_test(an_empty_slot_has_no_data),
		cmocka_unit_test(no_such_port_index_or_flag),
		cmocka_unit_test(a_larger_entry_is_filled_with_zeros),
		cmocka_unit_test(the_table_has_the_slots_that_are_used),
		cmocka_unit_test(a_table_that_is_too_small_is_refused),
		cmocka_unit_test(entries_have_the_size_that_was_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
