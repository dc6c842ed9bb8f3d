/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "fake_function.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comp/channel.h"
#include "core/agent.h"
#include "core/attach.h"
#include "core/qp_lock.h"
#include "domain/segment.h"
#include "domain/wake.h"
#include "exec/exec.h"
#include "fixture.h"
#include "front/begun.h"
#include "front/command.h"
#include "front/exports.h"
#include "front/imports.h"
#include "front/objects.h"
#include "link/wire.h"

int fake_quiesce_error;
unsigned int fake_num_quiesces;

#define HEAP_QUOTA_BYTES (8u << 20)

int fake_wire_error;
unsigned int fake_num_wires;
uint64_t fake_nudged;

static int wake_read_fd;

int adev_qp_lock_quiesce(struct adev_function *fn, uint32_t index,
			 uint32_t timeout_ms)
{
	(void)fn;
	(void)index;
	(void)timeout_ms;
	fake_num_quiesces++;
	return fake_quiesce_error;
}

int adev_wire_open(struct adev_function *fn)
{
	(void)fn;
	fake_num_wires++;
	return fake_wire_error;
}

void adev_function_left_work(struct adev_function *fn, uint64_t when_ns)
{
	(void)fn;
	(void)when_ns;
}

void adev_function_nudge_peer(struct adev_function *fn, uint32_t function)
{
	(void)fn;
	fake_nudged |= 1ull << function % 64;
}

bool fake_other_function_overlaps;

bool adev_functions_overlap(const struct adev_function *but, uint64_t start,
			    uint64_t bytes)
{
	(void)but;
	(void)start;
	(void)bytes;
	return fake_other_function_overlaps;
}

/* There are no queue pairs whose work could be waited for. */
void adev_qp_lock_send(struct adev_qp *qp)
{
	(void)qp;
	abort();
}

void adev_exec_release(struct adev_qp *qp)
{
	(void)qp;
	abort();
}

#define NO_QP(name)                                                            \
	ADEV_COMMAND_HANDLER(name)                                             \
	{                                                                      \
		(void)fn;                                                      \
		(void)command;                                                 \
		(void)completion;                                              \
		return ARNICA_HW_COMMAND_NOT_SUPPORTED;                        \
	}

NO_QP(create_qp)
NO_QP(modify_qp)
NO_QP(query_qp)
NO_QP(destroy_qp)
NO_QP(open_qp)
NO_QP(close_qp)
NO_QP(grow_ring)
NO_QP(attach_mcast)
NO_QP(detach_mcast)
NO_QP(import_pd)
NO_QP(import_mr)
NO_QP(import_dm)
NO_QP(unimport_mr)
NO_QP(unimport_dm)

bool adev_agent_is_self(void)
{
	return false;
}

bool adev_import_has_region(const struct adev_function *fn, uint32_t index)
{
	(void)fn;
	(void)index;
	return false;
}

int fake_revoke_error;

int adev_exports_revoke(struct adev_function *fn, uint32_t index)
{
	(void)fn;
	(void)index;
	return fake_revoke_error;
}
NO_QP(create_flow)
NO_QP(destroy_flow)
NO_QP(query_flow)
NO_QP(create_rwq_table)
NO_QP(destroy_rwq_table)

static int lay_out(struct adev_function *fn)
{
	struct adev_layout layout;
	uint64_t size;
	void *base;
	int error = adev_segment_reserve(fn->segment_fd, 64u << 20, &base,
					 &size);

	if (error)
		return error;
	adev_layout_compute(size, &layout);
	adev_view_init(&fn->view, base, size, &layout);
	fn->view.function = 3;
	/* Registers to control queue: what an attach populates. */
	return adev_segment_populate(fn->segment_fd, 0, layout.records_offset);
}

int fake_function_setup(void **state)
{
	struct adev_function *fn = calloc(1, sizeof(*fn));

	if (!fn || fixture_setup(state))
		return -1;
	fake_quiesce_error = 0;
	fake_num_quiesces = 0;
	fake_revoke_error = 0;
	fake_wire_error = 0;
	fake_num_wires = 0;
	fake_other_function_overlaps = false;
	fn->segment_fd = fixture_device_file();
	if (fn->segment_fd < 0 || lay_out(fn) ||
	    adev_wake_create(&wake_read_fd, &fn->view.wake_fd) ||
	    adev_channels_init(fn) || adev_objects_init(fn) ||
	    adev_heap_init(&fn->heap, fn->segment_fd,
			   fn->view.layout.heap_offset,
			   fn->view.size - fn->view.layout.heap_offset,
			   HEAP_QUOTA_BYTES) ||
	    pthread_mutex_init(&fn->command_lock, NULL))
		return -1;
	*state = fn;
	return 0;
}

int fake_function_teardown(void **state)
{
	struct adev_function *fn = *state;

	adev_begun_stop(fn);
	adev_channels_fini(fn);
	adev_objects_fini(fn);
	adev_heap_fini(&fn->heap);
	pthread_mutex_destroy(&fn->command_lock);
	adev_segment_release(fn->view.base, fn->view.size);
	close(fn->view.wake_fd);
	close(wake_read_fd);
	close(fn->segment_fd);
	free(fn);
	return fixture_teardown(state);
}

uint32_t fake_command(struct adev_function *fn,
		      const struct arnica_hw_command *command,
		      struct arnica_hw_completion *completion)
{
	uint32_t index = fn->cqp_index;
	struct arnica_hw_cqp_slot *slot =
		(struct arnica_hw_cqp_slot *)(void *)(fn->view.base +
						      fn->view.layout
							      .cqp_offset) +
		index % ARNICA_HW_CQP_DEPTH;

	slot->command = *command;
	adev_cqp_run(fn);
	assert_int_equal(
		arnica_load32(&slot->completion.sequence, memory_order_acquire),
		index + 1);
	assert_int_equal(slot->command.opcode.raw, 0);
	if (completion)
		memcpy(completion->bytes, slot->completion.bytes,
		       sizeof(completion->bytes));
	return arnica_from_le32(slot->completion.status);
}

uint32_t fake_command_object(struct adev_function *fn,
			     enum arnica_hw_command_opcode opcode,
			     uint32_t handle)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(opcode),
		.object = { .handle = arnica_to_le32(handle) },
	};

	return fake_command(fn, &command, NULL);
}

uint32_t fake_alloc_pd(struct adev_function *fn)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_ALLOC_PD),
	};
	struct arnica_hw_completion completion;

	assert_ok(fake_command(fn, &command, &completion));
	return arnica_from_le32(completion.object.handle);
}

uint32_t fake_create_cq(struct adev_function *fn, uint32_t cqe,
			uint32_t channel, uint64_t user_data)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_CREATE_CQ),
		.create_cq = {
			.cqe = arnica_to_le32(cqe),
			.channel = arnica_to_le32(channel),
			.user_data = arnica_to_le64(user_data),
		},
	};
	struct arnica_hw_completion completion;

	assert_ok(fake_command(fn, &command, &completion));
	return arnica_from_le32(completion.cq.handle);
}

void fake_fire(struct adev_function *fn, uint32_t cq)
{
	struct arnica_hw_cq_record *record = &fn->view.cqs[cq].record;

	arnica_store32(&record->armed,
		       arnica_load32(&record->armed, memory_order_relaxed) +
			       ARNICA_HW_ARMED_FIRED_ONE,
		       memory_order_release);
	atomic_fetch_or(&fn->view.shared->cq_events[cq / 64], 1ull << cq % 64);
	atomic_fetch_or(&fn->view.shared->cq_events_summary[cq / 4096],
			1ull << cq / 64 % 64);
}
