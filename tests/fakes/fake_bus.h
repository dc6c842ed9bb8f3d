/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A bus without an adapter, for tests of the host side: it implements
 * arnica_bus_*() over plain memory. Commands that create something get memory
 * from a bump allocator; everything else succeeds. Doorbells are recorded, and
 * the test plays the adapter by writing completions.
 */
#ifndef FAKE_BUS_H
#define FAKE_BUS_H

#include <stdbool.h>
#include <stdint.h>

#include "arnica/hw/bus.h"
#include "arnica/hw/cqe.h"
#include "arnica/hw/cqp.h"
#include "arnica/hw/records.h"

#define FAKE_BUS_MAX_DOORBELLS 256u

struct fake_doorbell {
	uint32_t page;
	uint32_t offset;
	uint32_t length; /* of the descriptor, when the area was written */
	uint64_t value;
};

/* Number and limit of every SRQ. */
#define FAKE_SRQ 0x123456u
#define FAKE_SRQ_LIMIT 3u
/* It may have so many times as many slots. */
#define FAKE_SRQ_ROOM 4u

struct arnica_bus {
	unsigned char *memory;
	uint64_t size;
	uint64_t used; /* bump allocator */
	uint32_t next_command;
	uint32_t next_handle;
	uint32_t srq_slots; /* of the last SRQ */
	uint32_t srq_capacity;
	bool alive;
	uint32_t num_polls; /* calls of arnica_bus_poll() */
	uint32_t num_vain;  /* ... of arnica_bus_polled_in_vain() */
	void (*on_poll)(struct arnica_bus *bus);

	/* Commands with this opcode get this status instead of an answer. */
	uint32_t fail_opcode;
	uint32_t fail_status;
	struct arnica_hw_command last; /* the command executed last */

	struct fake_doorbell doorbells[FAKE_BUS_MAX_DOORBELLS];
	uint32_t num_doorbells; /* SQ, RQ and area, not CQP */

	/* Memory that the adapter takes back, and clears, at DESTROY_QP. */
	void *wipe_on_destroy;
	uint32_t wipe_bytes;

	/* What is answered when an object is destroyed. */
	struct arnica_hw_res_events events_read;
};

/* The bus that the next arnica_bus_attach() hands out. */
struct arnica_bus *fake_bus_create(void);
void fake_bus_destroy(struct arnica_bus *bus);

struct arnica_hw_segment_header *fake_bus_header(struct arnica_bus *bus);

/* Offset of `bytes` of zeroed memory in the segment, line aligned. */
uint64_t fake_bus_alloc(struct arnica_bus *bus, uint64_t bytes);

/*
 * Publishes the entry `index` of a ring with `mask + 1` slots, as the adapter
 * does: everything in *entry but `sequence` first, then that.
 */
void fake_bus_publish(struct arnica_hw_cqe *ring, uint32_t mask, uint32_t index,
		      const struct arnica_hw_cqe *entry);

/* Pushes ring `number` on a CQ's ready stack, unless it is queued. */
void fake_bus_push(struct arnica_hw_cq_record *cq,
		   struct arnica_hw_queue_record *queue, uint32_t number);

#endif
