/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Attributes of a uverbs message: copied once, checked against the method's
 * rules, then used by their place in the rules. The error numbers are the
 * kernel's.
 */
#ifndef STANDIN_MESSAGE_ATTR_H
#define STANDIN_MESSAGE_ATTR_H

#include <rdma/rdma_user_ioctl_cmds.h>
#include <stdbool.h>

#include "user_memory.h"

#define STANDIN_MESSAGE_MAX_BYTES 4096u
#define STANDIN_MESSAGE_MAX_ATTRS                                              \
	((STANDIN_MESSAGE_MAX_BYTES - sizeof(struct ib_uverbs_ioctl_hdr)) /    \
	 sizeof(struct ib_uverbs_attr))
#define STANDIN_ATTR_MAX_RULES 8u
#define STANDIN_ATTR_NO_LENGTH UINT16_MAX /* as max_length: must be zero */

struct standin_attr_rule {
	uint16_t id;
	uint16_t min_length; /* bytes */
	uint16_t max_length; /* bytes; 0: any; STANDIN_ATTR_NO_LENGTH: none */
	bool required;
	bool output; /* data is an address, whatever the length */
};

struct standin_attrs {
	uint64_t address; /* of the attributes in the program's memory */
	struct ib_uverbs_attr all[STANDIN_MESSAGE_MAX_ATTRS];
	/* One for each rule; NULL where the message has none. */
	const struct ib_uverbs_attr *found[STANDIN_ATTR_MAX_RULES];
};

/* EFAULT; EPROTONOSUPPORT: a mandatory attribute that no rule knows; EINVAL:
 * one that is required is missing, comes twice, or has a wrong length. */
int standin_attrs_parse(struct standin_attrs *attrs, uint64_t address,
			size_t num_attrs, const struct standin_attr_rule *rules,
			size_t num_rules) ARNICA_MUST_CHECK;

/* Reads an input attribute of exactly `length` bytes: up to 8 are in the
 * attribute itself. EINVAL when it is not there. */
int standin_attrs_get(const struct standin_attrs *attrs, size_t rule,
		      void *value, size_t length) ARNICA_MUST_CHECK;

/* An input that is a number of 4 or 8 bytes: libraries differ in how wide they
 * send the constants that the kernel takes as 64 bits. */
int standin_attrs_get_number(const struct standin_attrs *attrs, size_t rule,
			     uint64_t *value);

/* Writes an output attribute: at most what it has room for, the rest of its
 * room zero. */
int standin_attrs_put(const struct standin_attrs *attrs, size_t rule,
		      const void *value, size_t length) ARNICA_MUST_CHECK;

/* Writes a new descriptor into the attribute itself. */
int standin_attrs_put_fd(const struct standin_attrs *attrs, size_t rule,
			 int fd) ARNICA_MUST_CHECK;

#endif
