/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Ringing doorbells, and the priority area (BlueFlame): the only file of the
 * host side that writes to doorbell pages.
 *
 * One descriptor for an idle queue is copied into the area, so that the adapter
 * need not fetch it. The area has one owner at a time; who does not get it
 * rings the plain doorbell, which is always right.
 */
#ifndef ARNICA_DOORBELL_H
#define ARNICA_DOORBELL_H

#include <stdint.h>
#include <string.h>

#include "arnica/hw/bus.h"
#include "arnica/hw/doorbell.h"
#include "spinlock.h"

/* Beyond this the copy costs more than the fetch that it saves. */
#define ARNICA_AREA_LIMIT_BYTES 256u
_Static_assert(ARNICA_AREA_LIMIT_BYTES <= ARNICA_HW_AREA_DESCRIPTOR_BYTES,
	       "the limit must fit the area");

/* One doorbell page; several queues share one. */
struct arnica_doorbell_page {
	unsigned char *memory;
	uint32_t number;
	uint32_t area; /* buffer that is used next: 0 or 1; under `lock` */
	struct arnica_spinlock lock;
} __attribute__((aligned(64)));

/* What a queue needs to ring. */
struct arnica_doorbell {
	struct arnica_bus *bus;
	struct arnica_doorbell_page *page;
	uint64_t base; /* queue and QP number, encoded */
};

static inline uint64_t arnica_doorbell_value(
	const struct arnica_doorbell *doorbell, uint32_t producer)
{
	return doorbell->base |
	       ((uint64_t)(producer & 0xffffffu)
		<< __builtin_ctzll(ARNICA_HW_DOORBELL_PRODUCER_MASK));
}

static inline void arnica_doorbell_ring(const struct arnica_doorbell *doorbell,
					enum arnica_hw_doorbell_offset offset,
					uint32_t producer)
{
	arnica_bus_doorbell(doorbell->bus, doorbell->page->number, offset,
			    arnica_doorbell_value(doorbell, producer));
}

/* `bytes` is the descriptor's length, at most ARNICA_AREA_LIMIT_BYTES. */
static inline void arnica_doorbell_area(const struct arnica_doorbell *doorbell,
					uint32_t producer,
					const void *descriptor, uint32_t bytes)
{
	struct arnica_doorbell_page *page = doorbell->page;
	uint64_t value = arnica_doorbell_value(doorbell, producer);
	uint32_t rounded = (bytes + 15u) & ~15u;
	uint64_t seal = arnica_hw_area_seal_begin(value, rounded);
	const unsigned char *from = descriptor;
	unsigned char *buffer;
	uint32_t offset, i;
	arnica_le64 word;

	if (!arnica_spinlock_try_lock(&page->lock)) {
		arnica_doorbell_ring(doorbell, ARNICA_HW_DB_SQ, producer);
		return;
	}
	offset = page->area ? ARNICA_HW_DB_AREA1 : ARNICA_HW_DB_AREA0;
	page->area ^= 1u;
	buffer = page->memory + offset;
	word = arnica_to_le64(value);
	memcpy(buffer, &word, sizeof(word));
	buffer += sizeof(word);
	for (i = 0; i < rounded; i += (uint32_t)sizeof(word)) {
		memcpy(&word, from + i, sizeof(word));
		memcpy(buffer + i, &word, sizeof(word));
		seal = arnica_hw_area_seal_add(seal, arnica_from_le64(word));
	}
	word = arnica_to_le64(seal);
	memcpy(buffer + rounded, &word, sizeof(word));
	arnica_bus_area(doorbell->bus, page->number, offset, rounded, value);
	arnica_spinlock_unlock(&page->lock);
}

#endif
