/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "two_functions.h"

#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <arnica/hw/event.h>

#include "core/clock.h"
#include "domain/directory.h"
#include "domain/life.h"
#include "domain/port.h"
#include "fixture.h"

/* How long a test waits for what must come; no result depends on it. */
#define PATIENCE_NS (20000 * ADEV_MS_NS)

bool two_patience(uint64_t *until_ns)
{
	if (!*until_ns)
		*until_ns = adev_now_ns() + PATIENCE_NS;
	if (adev_now_ns() > *until_ns)
		fail_msg("what the test waits for did not come");
	sched_yield();
	return true;
}

uint32_t two_nobody(struct two_function *function)
{
	struct adev_directory *directory = two_function_of(function)->directory;
	uint32_t number = 0;

	while (!adev_life_is_free(
		atomic_load(&directory->table->slots[number].life)))
		number++;
	return number;
}

uint32_t two_command(struct two_function *function,
		     const struct arnica_hw_command *command,
		     struct arnica_hw_completion *completion)
{
	uint32_t index = function->cqp_index++;
	struct arnica_hw_cqp_slot *slots = arnica_bus_map(
		function->bus, arnica_bus_cqp_offset(function->bus),
		ARNICA_HW_CQP_DEPTH * sizeof(*slots));
	struct arnica_hw_cqp_slot *slot = &slots[index % ARNICA_HW_CQP_DEPTH];
	uint64_t until = 0;

	memcpy(slot->command.bytes, command->bytes, sizeof(command->bytes));
	slot->command.reserved0 = command->reserved0;
	__atomic_store_n(&slot->command.opcode.raw, command->opcode.raw,
			 __ATOMIC_RELEASE);
	arnica_bus_doorbell(function->bus, 0, ARNICA_HW_DB_CQP, 0);
	while (arnica_load32(&slot->completion.sequence,
			     memory_order_acquire) != index + 1)
		(void)two_patience(&until);
	if (completion)
		memcpy(completion->bytes, slot->completion.bytes,
		       sizeof(completion->bytes));
	return arnica_from_le32(slot->completion.status);
}

uint32_t two_object(struct two_function *function,
		    enum arnica_hw_command_opcode opcode, uint32_t handle)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(opcode),
		.object = { .handle = arnica_to_le32(handle) },
	};

	return two_command(function, &command, NULL);
}

uint32_t two_register(struct two_function *function, void *address,
		      uint64_t length, uint32_t access, uint32_t *handle,
		      uint32_t *stag)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_REG_MR),
		.reg_mr = {
			.pd = arnica_to_le32(function->pd),
			.access = arnica_to_le32(access),
			.address = arnica_to_le64((uintptr_t)address),
			.length = arnica_to_le64(length),
			.iova = arnica_to_le64((uintptr_t)address),
		},
	};
	struct arnica_hw_completion completion;
	uint32_t status = two_command(function, &command, &completion);

	*handle = arnica_from_le32(completion.mr.handle);
	*stag = arnica_from_le32(completion.mr.stag);
	return status;
}

static uint32_t make_cq(struct two_function *function, enum two_which which)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_CREATE_CQ),
		.create_cq = {
			.cqe = arnica_to_le32(4096),
			.channel = arnica_to_le32(ARNICA_HW_NO_CHANNEL),
		},
	};
	struct arnica_hw_completion completion;
	uint32_t status = two_command(function, &command, &completion);

	function->cq[which] = arnica_from_le32(completion.cq.handle);
	function->cq_record[which] = arnica_bus_map(
		function->bus, arnica_from_le64(completion.cq.record_offset),
		sizeof(struct arnica_hw_cq_record));
	return status;
}

static int attach(struct two_function *function,
		  const struct two_function *from)
{
	memset(function, 0, sizeof(*function));
	function->device_fd = fixture_device_file();
	if (function->device_fd < 0)
		return -1;
	return from ? arnica_bus_import(function->device_fd, from->device_fd,
					&function->bus) :
		      arnica_bus_attach(function->device_fd, &function->bus);
}

int two_function_open_from(struct two_function *function,
			   const struct two_function *from)
{
	const struct arnica_hw_command alloc_pd = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_ALLOC_PD),
	};
	struct arnica_hw_completion completion;

	if (attach(function, from) ||
	    arnica_bus_async_open(function->device_fd, &function->async_fd))
		return -1;
	function->buffer = mmap(NULL, TWO_BUFFER_BYTES, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (function->buffer == MAP_FAILED ||
	    two_command(function, &alloc_pd, &completion))
		return -1;
	function->pd = arnica_from_le32(completion.object.handle);
	if (make_cq(function, TWO_SEND) || make_cq(function, TWO_RECEIVE))
		return -1;
	return two_register(function, function->buffer, TWO_BUFFER_BYTES,
			    TWO_ALL_RIGHTS, &function->mr, &function->stag) ?
		       -1 :
		       0;
}

int two_function_open(struct two_function *function)
{
	return two_function_open_from(function, NULL);
}

void two_function_close(struct two_function *function)
{
	arnica_bus_detach(function->bus);
	munmap(function->buffer, TWO_BUFFER_BYTES);
	close(function->async_fd);
	close(function->device_fd);
}

int two_setup(void **state)
{
	struct two *two = calloc(1, sizeof(*two));

	if (!two || fixture_setup(state) ||
	    setenv("ARNICA_SEGMENT_MAX", "268435456", 1) ||
	    two_function_open(&two->a) || two_function_open(&two->b))
		return -1;
	*state = two;
	return 0;
}

int two_connected_setup(void **state)
{
	const struct two_wish wish = two_defaults();
	struct two *two;

	if (two_setup(state))
		return -1;
	two = *state;
	two_create(&two->qp_a, &two->a, &wish);
	two_create(&two->qp_b, &two->b, &wish);
	two_connect(&two->qp_a, &two->qp_b, &wish);
	return 0;
}

int two_teardown(void **state)
{
	struct two *two = *state;

	two_function_close(&two->a);
	two_function_close(&two->b);
	free(two);
	return fixture_teardown(state);
}

struct two_wish two_defaults(void)
{
	return (struct two_wish){
		.send_depth = 16,
		.recv_depth = 16,
		.sge = 4,
		.inline_bytes = 128,
		.access = TWO_ALL_RIGHTS,
		.mtu = 3,
		.timeout = 14,
		.retry_cnt = 7,
		.rnr_retry = 7,
		.min_rnr_timer = 1,
		.rd_atomic = 16,
	};
}

static void map_queue(struct two_queue *queue, struct arnica_bus *bus,
		      const struct arnica_hw_res_queue *from)
{
	memset(queue, 0, sizeof(*queue));
	queue->stride = arnica_from_le32(from->entry_bytes);
	queue->slots = arnica_from_le32(from->slots);
	queue->depth = arnica_from_le32(from->depth);
	queue->record = arnica_bus_map(bus,
				       arnica_from_le64(from->record_offset),
				       sizeof(*queue->record));
	if (!queue->slots)
		return;
	queue->entries = arnica_bus_map(bus,
					arnica_from_le64(from->entries_offset),
					queue->slots * queue->stride);
	queue->ring = arnica_bus_map(bus, arnica_from_le64(from->ring_offset),
				     queue->slots * sizeof(*queue->ring));
	if (arnica_from_le32(from->eager_bytes))
		queue->eager = arnica_bus_map(
			bus, arnica_from_le64(from->eager_offset),
			arnica_from_le32(from->eager_bytes));
}

void two_srq_create(struct two_srq *srq, struct two_function *function,
		    uint32_t depth)
{
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_CREATE_SRQ),
		.create_srq = {
			.pd = arnica_to_le32(function->pd),
			.depth = arnica_to_le32(depth),
			.sge = arnica_to_le32(1),
		},
	};
	struct arnica_hw_completion completion;
	struct arnica_hw_res_srq *granted = &completion.srq;
	struct arnica_bus *bus = function->bus;

	assert_ok(two_command(function, &command, &completion));
	memset(srq, 0, sizeof(*srq));
	srq->function = function;
	srq->handle = arnica_from_le32(granted->handle);
	srq->number = arnica_from_le32(granted->number);
	srq->stride = arnica_from_le32(granted->entry_bytes);
	srq->slots = arnica_from_le32(granted->slots);
	srq->entries = arnica_bus_map(bus,
				      arnica_from_le64(granted->entries_offset),
				      srq->slots * srq->stride);
	srq->words = arnica_bus_map(bus,
				    arnica_from_le64(granted->words_offset),
				    srq->slots * sizeof(*srq->words));
	srq->ring = arnica_bus_map(bus, arnica_from_le64(granted->ring_offset),
				   srq->slots * sizeof(*srq->ring));
	srq->record = arnica_bus_map(bus,
				     arnica_from_le64(granted->record_offset),
				     sizeof(*srq->record));
}

void two_create(struct two_qp *qp, struct two_function *function,
		const struct two_wish *wish)
{
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_CREATE_QP),
		.create_qp = {
			.pd = arnica_to_le32(function->pd),
			.send_cq = arnica_to_le32(function->cq[TWO_SEND]),
			.recv_cq = arnica_to_le32(function->cq[TWO_RECEIVE]),
			.send_depth = arnica_to_le32(wish->send_depth),
			.recv_depth = arnica_to_le32(wish->recv_depth),
			.send_sge = arnica_to_le32(wish->sge),
			.recv_sge = arnica_to_le32(wish->sge),
			.inline_bytes = arnica_to_le32(wish->inline_bytes),
		},
	};
	struct arnica_hw_completion completion;

	if (wish->srq) {
		command.create_qp.recv_depth = arnica_to_le32(0);
		command.create_qp.srq = arnica_to_le32(wish->srq->handle + 1);
	}
	qp->type = wish->type ? wish->type : ARNICA_HW_QP_RC;
	command.create_qp.type = arnica_to_le32(qp->type);
	assert_ok(two_command(function, &command, &completion));
	qp->function = function;
	qp->handle = arnica_from_le32(completion.qp.handle);
	qp->qpn = arnica_from_le32(completion.qp.qpn);
	map_queue(&qp->queue[TWO_SEND], function->bus, &completion.qp.send);
	map_queue(&qp->queue[TWO_RECEIVE], function->bus,
		  &completion.qp.receive);
	if (wish->srq)
		qp->queue[TWO_RECEIVE].entries = wish->srq->entries;
}

uint32_t two_destroy(struct two_qp *qp)
{
	return two_object(qp->function, ARNICA_HW_CMD_DESTROY_QP, qp->handle);
}

uint32_t two_address(struct two_function *function, uint32_t pd,
		     uint32_t gid_index, uint32_t *handle)
{
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_CREATE_AH),
		.create_ah = {
			.pd = arnica_to_le32(pd),
			.port = arnica_to_le32(1),
			.attributes = {
				.is_global = arnica_to_le32(1),
				.sgid_index = arnica_to_le32(gid_index),
				.sl = arnica_to_le32(5),
				.traffic_class = arnica_to_le32(0x68),
				.flow_label = arnica_to_le32(0x12345),
				.hop_limit = arnica_to_le32(9),
			},
		},
	};
	struct arnica_hw_completion completion;
	struct arnica_bus_gid gid;
	uint32_t status;

	assert_ok(adev_port_gid(gid_index, &gid));
	memcpy(command.create_ah.attributes.dgid, gid.raw, sizeof(gid.raw));
	status = two_command(function, &command, &completion);
	*handle = arnica_from_le32(completion.object.handle);
	return status;
}
