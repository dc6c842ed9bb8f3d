/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Fuzzing of what a raw packet queue pair is given: an Ethernet frame is read
 * within its bounds, a rule made of what was read matches it, and the hash takes
 * it somewhere into the table.
 */
#undef NDEBUG /* it is by them that a target fails */
#include <assert.h>
#include <string.h>

#include <arnica/hw/limits.h>

#include "transport/flow.h"
#include "transport/qp.h"
#include "transport/rss.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void count(struct adev_flow_target *target, void *argument)
{
	assert(target->qp);
	++*(uint32_t *)argument;
}

static void check_rule(const struct adev_frame_fields *frame, uint32_t size)
{
	static struct adev_qp qp;
	struct adev_flows flows = { .rules = NULL };
	struct arnica_hw_cmd_create_flow cmd = {
		.headers = arnica_to_le32(frame->headers),
		.value = frame->fields,
	};
	struct adev_flow_rule *rule;
	uint32_t given = 0;

	memset(cmd.mask.destination_mac, 0xff, 6);
	if (frame->headers & (ARNICA_HW_FLOW_TCP | ARNICA_HW_FLOW_UDP))
		memset(cmd.mask.source_port, 0xff, 2);
	if (frame->headers & (ARNICA_HW_FLOW_IPV4 | ARNICA_HW_FLOW_IPV6)) {
		memset(cmd.mask.source, 0xff, 4);
		cmd.mask.protocol = 0xff;
	}
	assert(!adev_flow_check(&cmd));
	rule = adev_flow_add(&flows, &qp, &cmd);
	assert(rule);
	assert(adev_flow_steer(&flows, frame, size, count, &given) == 1);
	assert(given == 1);
	assert(rule->packets == 1 && rule->bytes == size);
	adev_flow_remove_all(&flows);
}

/* The first bytes are the key as well. */
static void check_hash(const uint8_t *bytes, size_t size,
		       const struct adev_frame_fields *frame)
{
	static struct {
		struct adev_rwq_table table;
		struct adev_flow_target *queues[16];
	} room = { .table = { .count = 16 } };
	static struct adev_flow_target targets[16];
	struct adev_rss rss = { .table = &room.table,
				.fields = ARNICA_HW_HASH_FIELDS };
	struct adev_flow_target *picked;
	uint32_t i;

	for (i = 0; i < 16; i++)
		room.table.queues[i] = &targets[i];
	memcpy(rss.key, bytes, size < sizeof(rss.key) ? size : sizeof(rss.key));
	picked = adev_rss_pick(&rss, frame);
	assert(picked >= targets && picked < targets + 16);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct adev_frame_fields frame;

	if (!adev_frame_parse(bytes, (uint32_t)size, &frame)) {
		assert(size < ADEV_FRAME_HEADER_BYTES);
		return 0;
	}
	check_rule(&frame, (uint32_t)size);
	check_hash(bytes, size, &frame);
	return 0;
}
