/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The private side of libibverbs, as far as this provider touches it: what a
 * provider registers, what a device, a region and a queue pair look like to
 * the library. These layouts are the same in every release from v36 on; what
 * does change between releases is found at run time (calibrate.h).
 */
#ifndef ARNICA_ABI_H
#define ARNICA_ABI_H

#include <infiniband/verbs.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ways to match a device; only the name is used here. */
enum arnica_abi_match_kind {
	ARNICA_ABI_MATCH_END = 0,
	ARNICA_ABI_MATCH_MODALIAS = 2,
};

struct arnica_abi_match {
	void *driver_data;
	const char *modalias; /* pattern, when kind says so */
	uint16_t vendor;
	uint16_t device;
	uint8_t kind; /* enum arnica_abi_match_kind */
};

struct arnica_abi_device;

struct arnica_abi_device_ops {
	const char *name;
	uint32_t match_min_abi_version;
	uint32_t match_max_abi_version;
	const struct arnica_abi_match *match_table;
	const void **static_providers;
	bool (*match_device)(void *sysfs_dev);
	void *(*alloc_context)(struct ibv_device *device, int cmd_fd,
			       void *private_data);
	void *(*import_context)(struct ibv_device *device, int cmd_fd);
	struct arnica_abi_device *(*alloc_device)(void *sysfs_dev);
	void (*uninit_device)(struct arnica_abi_device *device);
};

/* Bit of core_support: the library passes optional access flags through. */
#define ARNICA_ABI_CORE_OPTIONAL_MR_ACCESS 1u

struct arnica_abi_device {
	struct ibv_device device;
	const struct arnica_abi_device_ops *ops;
	long refcount; /* an atomic int in a slot of eight bytes */
	void *entry[2];
	void *sysfs;
	uint64_t core_support;
};

enum arnica_abi_mr_type {
	ARNICA_ABI_MR_ORDINARY = 0,
	ARNICA_ABI_MR_NULL = 1,
	ARNICA_ABI_MR_IMPORTED = 2,
	ARNICA_ABI_MR_DMABUF = 3,
};

struct arnica_abi_mr {
	struct ibv_mr mr;
	int type; /* enum arnica_abi_mr_type */
	int access;
};

#if UINTPTR_MAX == UINT64_MAX
_Static_assert(sizeof(struct arnica_abi_match) == 24, "match entry");
_Static_assert(sizeof(struct arnica_abi_device_ops) == 72, "device ops");
_Static_assert(offsetof(struct arnica_abi_device_ops, alloc_context) == 40,
	       "device ops");
_Static_assert(offsetof(struct arnica_abi_device, ops) == 664, "device");
_Static_assert(offsetof(struct arnica_abi_device, core_support) == 704,
	       "device");
_Static_assert(sizeof(struct arnica_abi_mr) == 56, "region");
/* The C library's mutex is larger on some machines (aarch64: 48 bytes). */
_Static_assert(sizeof(struct ibv_context) == 288 + sizeof(pthread_mutex_t),
	       "context");
_Static_assert(sizeof(struct ibv_cq_ex) == 248 + sizeof(pthread_mutex_t),
	       "completion queue");
#endif

/*
 * Room for the library's own view of a queue pair and of a shared receive queue, larger than that of any
 * release, and for a table of operations.
 */
#define ARNICA_ABI_QP_BYTES 512u
#define ARNICA_ABI_SRQ_BYTES 256u
#define ARNICA_ABI_OPS_SLOTS 256u

/* Of the word at calibration.qp_mask_offset. */
#define ARNICA_ABI_QP_EX_BIT 2u

#endif
