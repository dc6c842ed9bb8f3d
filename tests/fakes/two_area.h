/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The host's side of the priority area, word by word, so that a test can leave
 * a buffer in any state in which threads and interruptions may leave it. The
 * stores are atomic words, for several threads may be at one buffer.
 */
#ifndef TESTS_TWO_AREA_H
#define TESTS_TWO_AREA_H

#include <string.h>

#include "two_functions.h"

#define TWO_AREA_WORDS (ARNICA_HW_AREA_BYTES / 8)

/* What the host stores for one descriptor. */
struct two_image {
	uint64_t value;  /* of its doorbell */
	uint32_t length; /* bytes of the descriptor */
	uint32_t words;  /* of the whole */
	arnica_le64 word[TWO_AREA_WORDS];
};

static inline arnica_atomic_le64 *two_area(struct two_function *function,
					   uint32_t page, uint32_t offset)
{
	return arnica_bus_map(function->bus,
			      ARNICA_HW_BAR_DOORBELLS +
				      page * ARNICA_HW_PAGE_BYTES + offset,
			      ARNICA_HW_AREA_BYTES);
}

/* Of entry `index`, which was posted. */
static inline struct two_image two_image(struct two_qp *qp, uint32_t index,
					 uint32_t length)
{
	const void *descriptor = two_entry(qp, TWO_SEND, index);
	struct two_image image = {
		.value = arnica_hw_doorbell_encode(qp->handle, qp->qpn,
						   index + 1),
		.length = length,
		.words = 2 + length / 8,
	};

	image.word[0] = arnica_to_le64(image.value);
	memcpy(&image.word[1], descriptor, length);
	image.word[1 + length / 8] = arnica_to_le64(
		arnica_hw_area_seal(image.value, descriptor, length));
	return image;
}

/* Stores the words from `first` up to `end`. */
static inline void two_area_store(arnica_atomic_le64 *area,
				  const struct two_image *image, uint32_t first,
				  uint32_t end)
{
	uint32_t i;

	for (i = first; i < end && i < image->words; i++)
		arnica_store64(&area[i], arnica_from_le64(image->word[i]),
			       memory_order_relaxed);
}

static inline void two_area_ring(struct two_qp *qp, uint32_t page,
				 uint32_t offset, const struct two_image *image)
{
	arnica_bus_area(qp->function->bus, page, offset, image->length,
			image->value);
}

#endif
