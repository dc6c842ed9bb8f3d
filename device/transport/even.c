/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* WRITEs as packets of equal length: where the peer is known to accept them. */
#include "transport/even.h"

#include <string.h>

#include "transport/remote.h"

/* A longer one fills its datagrams by itself. */
#define MOST_PACKETS 64u

void adev_even_init(struct adev_even *even)
{
	memset(even, 0, sizeof(*even));
}

void adev_even_forget(struct adev_even *even)
{
	even->trying = false;
}

static struct adev_even_range *known_of(struct adev_even *even, uint32_t rkey)
{
	/* The low byte of a key is its owner's; the rest is an index. */
	return &even->known[(rkey >> 8) % ADEV_EVEN_KEYS];
}

static bool is_known(struct adev_even *even, const struct adev_message *message)
{
	const struct adev_even_range *known = known_of(even, message->rkey);
	uint64_t begin = message->remote_address;

	return known->rkey == message->rkey && begin >= known->begin &&
	       begin < known->end && message->bytes <= known->end - begin;
}

static void try(struct adev_even *even, const struct adev_message *message,
		uint64_t last)
{
	uint64_t begin = message->remote_address;

	if (even->trying || begin + message->bytes < begin)
		return;
	even->tried = (struct adev_even_range){
		.rkey = message->rkey,
		.begin = begin,
		.end = begin + message->bytes,
	};
	even->tried_last = last;
	even->trying = true;
}

bool adev_even_begin(struct adev_even *even, const struct adev_message *message,
		     uint64_t first, uint64_t count)
{
	if (count < 2 || message->opcode != ARNICA_HW_OP_WRITE)
		return false;
	if (is_known(even, message))
		return count <= MOST_PACKETS && adev_remote_evens();
	try(even, message, first + count - 1);
	return false;
}

/* A key's memory is one range of addresses: what lies between two parts of it
 * belongs to it. */
static void learn(struct adev_even *even)
{
	const struct adev_even_range *tried = &even->tried;
	struct adev_even_range *known = known_of(even, tried->rkey);

	if (known->rkey != tried->rkey || !known->end) {
		*known = *tried;
		return;
	}
	if (tried->begin < known->begin)
		known->begin = tried->begin;
	if (tried->end > known->end)
		known->end = tried->end;
}

void adev_even_acknowledge(struct adev_even *even, uint64_t oldest)
{
	if (__builtin_expect(!even->trying, 1) || oldest <= even->tried_last)
		return;
	even->trying = false;
	learn(even);
}
