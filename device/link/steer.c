/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "link/steer.h"

#include <stdlib.h>

/* Beyond every group: the kernel takes its hash then. */
#define NOBODY 0xffffffffu

/* A conditional jump reaches so far. */
#define REACH 255u

struct builder {
	struct sock_filter *code;
	uint32_t length;
	const struct adev_steer_entry *entries;
};

static void emit(struct builder *builder, uint16_t code, uint8_t if_true,
		 uint8_t if_false, uint32_t operand)
{
	builder->code[builder->length++] =
		(struct sock_filter){ code, if_true, if_false, operand };
}

/* Instructions of the search among so many entries. */
static uint32_t search_length(uint32_t count)
{
	uint32_t left = count / 2;
	uint32_t left_length;

	if (count == 1)
		return 1;
	left_length = search_length(left);
	return (left_length > REACH ? 2 : 1) + left_length +
	       search_length(count - left);
}

/* The accumulator is the block. */
static void emit_search(struct builder *builder, uint32_t first, uint32_t count)
{
	const struct adev_steer_entry *entries = builder->entries;
	uint32_t left = count / 2;
	uint32_t left_length;

	if (count == 1) {
		emit(builder, BPF_RET | BPF_K, 0, 0, entries[first].index);
		return;
	}
	left_length = search_length(left);
	if (left_length > REACH) {
		emit(builder, BPF_JMP | BPF_JGE | BPF_K, 0, 1,
		     entries[first + left].block);
		emit(builder, BPF_JMP | BPF_JA, 0, 0, left_length);
	} else {
		emit(builder, BPF_JMP | BPF_JGE | BPF_K, (uint8_t)left_length,
		     0, entries[first + left].block);
	}
	emit_search(builder, first, left);
	emit_search(builder, first + left, count - left);
}

static int compare(const void *a, const void *b)
{
	const struct adev_steer_entry *left = a, *right = b;

	return left->block < right->block ? -1 : left->block > right->block;
}

uint32_t adev_steer_sort(struct adev_steer_entry *entries, uint32_t count)
{
	uint32_t kept = 0;
	uint32_t i;

	qsort(entries, count, sizeof(*entries), compare);
	for (i = 0; i < count; i++)
		if (!kept || entries[kept - 1].index != entries[i].index)
			entries[kept++] = entries[i];
	return kept;
}

uint32_t adev_steer_build(const struct adev_steer_entry *entries,
			  uint32_t count, struct sock_filter *code,
			  uint32_t max)
{
	struct builder builder = { .code = code, .entries = entries };

	emit(&builder, BPF_LD | BPF_B | BPF_ABS, 0, 0, 0);
	emit(&builder, BPF_JMP | BPF_JEQ | BPF_K, 0, 2, ADEV_STEER_PROBE);
	emit(&builder, BPF_LD | BPF_H | BPF_ABS, 0, 0, 2);
	emit(&builder, BPF_RET | BPF_A, 0, 0, 0);
	/* The BTH's second word: eight reserved bits, the destination QP. */
	emit(&builder, BPF_LD | BPF_W | BPF_ABS, 0, 0, 4);
	emit(&builder, BPF_ALU | BPF_AND | BPF_K, 0, 0, 0xffffff);
	emit(&builder, BPF_ALU | BPF_RSH | BPF_K, 0, 0, 8);
	while (count && builder.length + search_length(count) > max)
		count -= (count + 15) / 16;
	if (count)
		emit_search(&builder, 0, count);
	else
		emit(&builder, BPF_RET | BPF_K, 0, 0, NOBODY);
	return builder.length;
}
