/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* QUERY_GID_ENTRY and QUERY_GID_TABLE, answered from the adapter's identity. */
#ifndef STANDIN_MESSAGE_GID_H
#define STANDIN_MESSAGE_GID_H

#include "adapter.h"
#include "message_attr.h"

extern const struct standin_attr_rule standin_gid_entry_rules[4];
extern const struct standin_attr_rule standin_gid_table_rules[4];

/* EINVAL: no such port, flag or index; ENODATA: the slot is empty. */
int standin_gid_entry(const struct standin_adapter *adapter, int fd,
		      const struct standin_attrs *attrs) ARNICA_MUST_CHECK;

/* All slots that are not empty. EINVAL: unknown flag, room for no entry or not
 * for all, or the room is not a multiple of the entry size. */
int standin_gid_table(const struct standin_adapter *adapter, int fd,
		      const struct standin_attrs *attrs) ARNICA_MUST_CHECK;

#endif
