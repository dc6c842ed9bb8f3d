/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Doorbell values and the priority area.
 *
 *  63                 40 39                 16 15            0
 *  +--------------------+---------------------+--------------+
 *  | producer (24)      | QP number (24)      | queue (16)   |
 *  +--------------------+---------------------+--------------+
 *
 * `queue` is the function's own index of the QP, `QP number` must be the number
 * of that QP, or the doorbell is refused: a doorbell for a queue of somebody
 * else does nothing. `producer` is the free-running index of the entry that
 * will be written next, modulo 2^24.
 *
 * Priority area: the host writes one descriptor into a buffer of the area:
 *
 *  0            8                       8 + length       16 + length
 *  +------------+-----------------------+----------------+
 *  | doorbell   | descriptor, as in the | seal           |
 *  | value      | send queue            |                |
 *  +------------+-----------------------+----------------+
 *
 * `doorbell value` announces the descriptor as its doorbell would. The seal is
 * arnica_hw_area_seal() over value and descriptor. A buffer whose seal does not
 * match was not written whole (interrupted, or by several threads at once); the
 * device then treats the transaction as the doorbell alone and reads the
 * descriptor from the send queue, where it stands as well.
 */
#ifndef ARNICA_HW_DOORBELL_H
#define ARNICA_HW_DOORBELL_H

#include <string.h>

#include "endian.h"
#include "format.h"
#include "registers.h"

#define ARNICA_HW_DOORBELL_QUEUE_MASK ARNICA_GENMASK64(15, 0)
#define ARNICA_HW_DOORBELL_QPN_MASK ARNICA_GENMASK64(39, 16)
#define ARNICA_HW_DOORBELL_PRODUCER_MASK ARNICA_GENMASK64(63, 40)

/* Bytes of descriptor that fit a buffer of the area beside value and seal. */
#define ARNICA_HW_AREA_DESCRIPTOR_BYTES (ARNICA_HW_AREA_BYTES - 64u)

static inline uint64_t arnica_hw_doorbell_encode(uint32_t queue, uint32_t qpn,
						 uint32_t producer)
{
	return arnica_field_put(ARNICA_HW_DOORBELL_QUEUE_MASK, queue) |
	       arnica_field_put(ARNICA_HW_DOORBELL_QPN_MASK, qpn) |
	       arnica_field_put(ARNICA_HW_DOORBELL_PRODUCER_MASK,
				producer & 0xffffffu);
}

static inline void arnica_hw_doorbell_decode(uint64_t value, uint32_t *queue,
					     uint32_t *qpn, uint32_t *producer)
{
	*queue = (uint32_t)arnica_field_get(value,
					    ARNICA_HW_DOORBELL_QUEUE_MASK);
	*qpn = (uint32_t)arnica_field_get(value, ARNICA_HW_DOORBELL_QPN_MASK);
	*producer = (uint32_t)arnica_field_get(
		value, ARNICA_HW_DOORBELL_PRODUCER_MASK);
}

/*
 * Seal of a descriptor of `length` bytes (a multiple of 16). Not
 * cryptographic: it tells a whole descriptor from a torn or mixed one. The words
 * do not wait for each other's multiplication, for both sides of the contract
 * pass here with each short message.
 */
static inline uint64_t arnica_hw_area_seal_begin(uint64_t value,
						 uint32_t length)
{
	return value * 0x9e3779b97f4a7c15ull + length;
}

static inline uint64_t arnica_hw_area_seal_add(uint64_t seal, uint64_t word)
{
	return (seal << 23 | seal >> 41) +
	       (word ^ word >> 32) * 0xff51afd7ed558ccdull;
}

static inline uint64_t arnica_hw_area_seal(uint64_t value,
					   const void *descriptor,
					   uint32_t length)
{
	const unsigned char *bytes = descriptor;
	uint64_t seal = arnica_hw_area_seal_begin(value, length);
	uint32_t i;

	for (i = 0; i + 8 <= length; i += 8) {
		arnica_le64 word;

		memcpy(&word, bytes + i, sizeof(word));
		seal = arnica_hw_area_seal_add(seal, arnica_from_le64(word));
	}
	return seal;
}

#endif
