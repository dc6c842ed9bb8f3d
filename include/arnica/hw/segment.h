/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * First page of a function's segment, and the map of its BAR.
 *
 * A device file is a memfd. It starts with this header, by which any process
 * recognises it (after dup, fork, exec or SCM_RIGHTS) without a table of file
 * descriptors. Opening the device writes the header with state OPENED;
 * attaching the function lays out the rest and moves it to RUNNING.
 *
 *  offset     what                                     host    device
 *  0x00000    segment header (this structure)          read    write
 *  0x01000    registers                                read    write
 *  0x02000    doorbell pages, ARNICA_HW_DOORBELL_PAGES  write   read
 *  0x0a000    the adapter's own tables; the host learns of its parts (rings,
 *             records) by the answers to commands and maps these only
 *
 * Only `attention` changes while the function runs.
 */
#ifndef ARNICA_HW_SEGMENT_H
#define ARNICA_HW_SEGMENT_H

#include "endian.h"
#include "format.h"
#include "limits.h"

#define ARNICA_HW_SEGMENT_MAGIC 0x574843494e5241ffull /* 0xff "ARNICHW" */

enum arnica_hw_segment_state {
	ARNICA_HW_SEGMENT_OPENED = 1,  /* device file open, no function yet */
	ARNICA_HW_SEGMENT_RUNNING = 2, /* a function; may be attached */
	ARNICA_HW_SEGMENT_CLOSED = 3,  /* orderly closed; peers let go of it */
};

enum arnica_hw_attention {
	ARNICA_HW_ATTENTION_NONE = 0,
	ARNICA_HW_ATTENTION_WORK = 1, /* every poll enters the adapter */
	ARNICA_HW_ATTENTION_WIRE = 2, /* some do: packets may have come */
	ARNICA_HW_ATTENTION_WIRE_BUSY = 3, /* every poll: some came lately */
	ARNICA_HW_ATTENTION_HELD = 4, /* also those that found something */
};

struct arnica_hw_segment_header {
	arnica_le64 magic;         /* ARNICA_HW_SEGMENT_MAGIC */
	arnica_le32 version;       /* ARNICA_HW_VERSION */
	arnica_le32 device_index;  /* N of uverbsN that was opened */
	arnica_atomic_le32 state;  /* enum arnica_hw_segment_state */
	arnica_le32 function;      /* slot in the directory, when RUNNING */
	arnica_le64 generation;    /* random, unique to this function */
	arnica_le64 size_bytes;    /* of the address range, sparse */
	uint8_t reserved0[24];     /* zero */
	/*
	 * Own line. Non-zero when poll_cq must enter the adapter: work that
	 * is left, or that a peer left here. Written by the device and peers.
	 */
	arnica_atomic_le32 attention; /* enum arnica_hw_attention */
	uint8_t reserved1[60]; /* zero */
};
ARNICA_FORMAT_SIZE(struct arnica_hw_segment_header, 128);
ARNICA_FORMAT_FIELD(struct arnica_hw_segment_header, state, 16);
ARNICA_FORMAT_FIELD(struct arnica_hw_segment_header, generation, 24);
ARNICA_FORMAT_FIELD(struct arnica_hw_segment_header, attention, 64);

#define ARNICA_HW_BAR_REGISTERS 0x1000u
#define ARNICA_HW_BAR_DOORBELLS 0x2000u
#define ARNICA_HW_DOORBELL_PAGES 8u
#define ARNICA_HW_BAR_END                                                      \
	(ARNICA_HW_BAR_DOORBELLS +                                             \
	 ARNICA_HW_DOORBELL_PAGES * ARNICA_HW_PAGE_BYTES)

#endif
