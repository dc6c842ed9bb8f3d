/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Which libibverbs is this? One binary of the provider serves every release:
 * it links no private symbol, but finds the library in the process, looks four
 * private functions up by name, and measures the layouts that differ.
 *
 * A layout that is not recognised is refused with one line that says what did
 * not fit. Nothing is ever guessed.
 */
#ifndef ARNICA_CALIBRATE_H
#define ARNICA_CALIBRATE_H

#include <infiniband/verbs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arnica/hw/format.h"

/* Releases that inserted operations into the middle of the table. */
enum arnica_ops_generation {
	ARNICA_OPS_V36 = 1,
	ARNICA_OPS_V59 = 2,
	ARNICA_OPS_V62 = 3,
	ARNICA_OPS_V64 = 4,
	ARNICA_OPS_V65 = 5,
};

struct arnica_abi_device_ops;

struct arnica_calibration {
	void (*register_driver)(const struct arnica_abi_device_ops *ops);
	void (*set_ops)(void *verbs_context, void *const *ops);
	void *(*init_context)(struct ibv_device *device, int cmd_fd,
			      size_t bytes, void *offset, uint32_t driver_id);
	void (*uninit_context)(void *verbs_context);
	void *(*qp_to_qp_ex)(void *qp);
	int abi; /* number of the private interface, 34 and up */
	enum arnica_ops_generation generation;
	size_t context_bytes;  /* size of the library's verbs_context */
	size_t qp_mask_offset; /* of the word that says "has ibv_wr_*" */
};

/* The result of arnica_calibrate(); zero before. */
extern struct arnica_calibration arnica_calibration;

/* Finds the library and its functions. Returns a text that says what is
 * missing, or NULL. */
const char *arnica_calibrate_library(struct arnica_calibration *calibration)
	ARNICA_MUST_CHECK;

/* Measures the layouts of the library that was found; likewise. */
const char *arnica_calibrate_layout(struct arnica_calibration *calibration)
	ARNICA_MUST_CHECK;

/* The library's verbs_context of a context: its start in memory. */
static inline void *arnica_calibrate_base(
	const struct arnica_calibration *calibration,
	struct ibv_context *context)
{
	return (char *)context -
	       (calibration->context_bytes - sizeof(struct ibv_context));
}

#endif
