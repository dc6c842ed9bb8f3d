/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The host's mirror of the adapter's table: what it knows of every STag, by the
 * STag's index. It lies in the host's memory; the host tells the adapter where
 * (SET_MIRROR), for tools that compare the two. Numbers are in the host's own
 * byte order, and change while others look.
 */
#ifndef ARNICA_HW_MIRROR_H
#define ARNICA_HW_MIRROR_H

#include <stdint.h>

#include "format.h"

/* What an entry is, on both sides of the contract. */
enum arnica_hw_stag_kind {
	ARNICA_HW_STAG_NONE = 0, /* nobody's */
	ARNICA_HW_STAG_REGION = 1,
	ARNICA_HW_STAG_NULL = 2,
	ARNICA_HW_STAG_WINDOW_1 = 3,
	ARNICA_HW_STAG_WINDOW_2 = 4,
	ARNICA_HW_STAG_FAST = 6, /* registered by work requests */
	ARNICA_HW_STAG_IMPORTED = 7, /* another process's region */
	ARNICA_HW_STAG_MKEY = 8, /* indirect key */
};

enum arnica_hw_stag_state {
	ARNICA_HW_STAG_FREE = 0, /* no access succeeds */
	ARNICA_HW_STAG_VALID = 1,
	ARNICA_HW_STAG_PENDING = 2, /* its registration is under way */
};

struct arnica_hw_mirror_entry {
	uint32_t stag;   /* the last one that was valid, or will be */
	uint16_t kind;   /* enum arnica_hw_stag_kind */
	uint16_t state;  /* enum arnica_hw_stag_state */
	uint32_t pd;     /* handle */
	uint32_t access; /* enum arnica_hw_access */
	uint64_t iova;   /* VALID: first address, as requests name it */
	uint64_t length; /* VALID: bytes */
	uint32_t parent; /* windows, VALID: STag of the region */
	uint32_t qp;     /* windows of type 2, VALID: handle of the queue pair */
	uint32_t gone;   /* a key that a peer took back before we knew of it */
	uint32_t next;   /* windows: index of another one */
};
ARNICA_FORMAT_SIZE(struct arnica_hw_mirror_entry, 48);

#endif
