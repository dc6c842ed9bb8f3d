/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The messages of ioctl(RDMA_VERBS_IOCTL) that a provider cannot keep
 * libibverbs from sending. Everything else gets EPROTONOSUPPORT, as from a
 * kernel that does not know the message.
 */
#ifndef STANDIN_MESSAGE_H
#define STANDIN_MESSAGE_H

#include "adapter.h"

/* `header` is the address of a struct ib_uverbs_ioctl_hdr in the program's
 * memory; nothing of it is believed. */
int standin_message_handle(const struct standin_adapter *adapter, int fd,
			   uint64_t header) ARNICA_MUST_CHECK;

#endif
