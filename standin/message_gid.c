/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "message_gid.h"

#include <errno.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <string.h>

#define STANDIN_GID_PORT 1u

enum {
	STANDIN_ENTRY_PORT,
	STANDIN_ENTRY_INDEX,
	STANDIN_ENTRY_FLAGS,
	STANDIN_ENTRY_ANSWER
};

const struct standin_attr_rule standin_gid_entry_rules[4] = {
	[STANDIN_ENTRY_PORT] = { .id = UVERBS_ATTR_QUERY_GID_ENTRY_PORT,
				 .min_length = 4,
				 .max_length = 8,
				 .required = true },
	[STANDIN_ENTRY_INDEX] = { .id = UVERBS_ATTR_QUERY_GID_ENTRY_GID_INDEX,
				  .min_length = 4,
				  .max_length = 8,
				  .required = true },
	[STANDIN_ENTRY_FLAGS] = { .id = UVERBS_ATTR_QUERY_GID_ENTRY_FLAGS,
				  .min_length = 4,
				  .max_length = 8 },
	[STANDIN_ENTRY_ANSWER] = { .id = UVERBS_ATTR_QUERY_GID_ENTRY_RESP_ENTRY,
				   .min_length = sizeof(
					   struct ib_uverbs_gid_entry),
				   .required = true,
				   .output = true },
};

enum {
	STANDIN_TABLE_SIZE,
	STANDIN_TABLE_FLAGS,
	STANDIN_TABLE_ANSWER,
	STANDIN_TABLE_COUNT
};

const struct standin_attr_rule standin_gid_table_rules[4] = {
	[STANDIN_TABLE_SIZE] = { .id = UVERBS_ATTR_QUERY_GID_TABLE_ENTRY_SIZE,
				 .min_length = 8,
				 .max_length = 8,
				 .required = true },
	[STANDIN_TABLE_FLAGS] = { .id = UVERBS_ATTR_QUERY_GID_TABLE_FLAGS,
				  .min_length = 4,
				  .max_length = 8 },
	[STANDIN_TABLE_ANSWER] = { .id = UVERBS_ATTR_QUERY_GID_TABLE_RESP_ENTRIES,
				   .required = true,
				   .output = true },
	[STANDIN_TABLE_COUNT] = { .id = UVERBS_ATTR_QUERY_GID_TABLE_RESP_NUM_ENTRIES,
				  .min_length = 8,
				  .required = true,
				  .output = true },
};

/* No port has version zero, so this one is always another. */
static void standin_gid_read(const struct standin_adapter *adapter,
			     struct arnica_bus_port *now)
{
	memset(now, 0, sizeof(*now));
	(void)adapter->port_changed(now);
}

static bool standin_gid_is_empty(const struct arnica_bus_port *now,
				 uint32_t index)
{
	static const uint8_t zeros[16];

	return index >= now->num_gids ||
	       !memcmp(now->gids[index].raw, zeros, sizeof(zeros));
}

static void standin_gid_fill(const struct arnica_bus_port *now,
			     uint32_t index, struct ib_uverbs_gid_entry *entry)
{
	const struct arnica_bus_gid *gid = &now->gids[index];

	memset(entry, 0, sizeof(*entry));
	memcpy(entry->gid, gid->raw, sizeof(entry->gid));
	entry->gid_index = index;
	entry->port_num = STANDIN_GID_PORT;
	entry->gid_type = IB_UVERBS_GID_TYPE_ROCE_V2;
	entry->netdev_ifindex = gid->interface_index;
}

/* No flag is defined for either message. */
static int standin_gid_check_flags(const struct standin_attrs *attrs,
				   size_t rule)
{
	uint64_t flags;
	int error;

	if (!attrs->found[rule])
		return 0;
	error = standin_attrs_get_number(attrs, rule, &flags);
	return error || !flags ? error : EINVAL;
}

int standin_gid_entry(const struct standin_adapter *adapter, int fd,
		      const struct standin_attrs *attrs)
{
	struct arnica_bus_port now;
	struct ib_uverbs_gid_entry entry;
	uint64_t port;
	uint64_t index;
	int error;

	(void)fd;
	error = standin_gid_check_flags(attrs, STANDIN_ENTRY_FLAGS);
	if (!error)
		error = standin_attrs_get_number(attrs, STANDIN_ENTRY_PORT,
						 &port);
	if (!error)
		error = standin_attrs_get_number(attrs, STANDIN_ENTRY_INDEX,
						 &index);
	if (error)
		return error;
	if (port != STANDIN_GID_PORT || index >= ARNICA_HW_GID_TABLE_LEN)
		return EINVAL;
	standin_gid_read(adapter, &now);
	if (standin_gid_is_empty(&now, (uint32_t)index))
		return ENODATA;
	standin_gid_fill(&now, (uint32_t)index, &entry);
	return standin_attrs_put(attrs, STANDIN_ENTRY_ANSWER, &entry,
				 sizeof(entry));
}

/* One entry of the table, of the size that the program's entries have. */
static int standin_gid_put_entry(uint64_t to, uint64_t entry_bytes,
				 const struct ib_uverbs_gid_entry *entry)
{
	static const uint8_t zeros[64];
	size_t done = entry_bytes < sizeof(*entry) ? (size_t)entry_bytes :
						     sizeof(*entry);
	int error = standin_user_write(to, entry, done);

	while (!error && done < entry_bytes) {
		size_t step = entry_bytes - done < sizeof(zeros) ?
				      (size_t)(entry_bytes - done) :
				      sizeof(zeros);

		error = standin_user_write(to + done, zeros, step);
		done += step;
	}
	return error;
}

int standin_gid_table(const struct standin_adapter *adapter, int fd,
		      const struct standin_attrs *attrs)
{
	struct arnica_bus_port now;
	const struct ib_uverbs_attr *answer =
		attrs->found[STANDIN_TABLE_ANSWER];
	uint64_t entry_bytes;
	uint64_t count = 0;
	uint32_t index;
	int error;

	(void)fd;
	error = standin_gid_check_flags(attrs, STANDIN_TABLE_FLAGS);
	if (!error)
		error = standin_attrs_get(attrs, STANDIN_TABLE_SIZE,
					  &entry_bytes, sizeof(entry_bytes));
	if (error)
		return error;
	if (!entry_bytes || answer->len < entry_bytes ||
	    answer->len % entry_bytes)
		return EINVAL;
	standin_gid_read(adapter, &now);
	for (index = 0; index < ARNICA_HW_GID_TABLE_LEN && !error; index++) {
		struct ib_uverbs_gid_entry entry;

		if (standin_gid_is_empty(&now, index))
			continue;
		if (count == answer->len / entry_bytes)
			return EINVAL;
		standin_gid_fill(&now, index, &entry);
		error = standin_gid_put_entry(answer->data +
						      count * entry_bytes,
					      entry_bytes, &entry);
		count++;
	}
	if (error)
		return error;
	return standin_attrs_put(attrs, STANDIN_TABLE_COUNT, &count,
				 sizeof(count));
}
