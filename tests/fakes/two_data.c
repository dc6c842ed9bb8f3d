/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The data path of the host side: posting, ringing, polling, scattering. */
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <arnica/hw/event.h>
#include <infiniband/verbs.h>

#include "two_functions.h"

struct arnica_hw_data_segment two_segment(const struct two_function *function,
					  uint32_t offset, uint32_t length)
{
	return (struct arnica_hw_data_segment){
		.address = arnica_to_le64((uintptr_t)function->buffer + offset),
		.length = arnica_to_le32(length),
		.lkey = arnica_to_le32(function->stag),
	};
}

struct two_request two_request(enum arnica_hw_opcode opcode,
			       const struct two_function *own, uint32_t offset,
			       uint32_t length, const struct two_function *peer,
			       uint32_t remote)
{
	return (struct two_request){
		.opcode = opcode,
		.flags = ARNICA_HW_WQE_SIGNALED,
		.remote_address = (uintptr_t)peer->buffer + remote,
		.rkey = peer->stag,
		.num_sge = 1,
		.sge = { two_segment(own, offset, length) },
	};
}

void *two_entry(struct two_qp *qp, enum two_which which, uint32_t index)
{
	struct two_queue *queue = &qp->queue[which];

	return queue->entries +
	       (size_t)(index & (queue->slots - 1)) * queue->stride;
}

struct two_request two_datagram(const struct two_function *own, uint32_t offset,
				uint32_t length, uint32_t ah,
				const struct two_qp *to, uint32_t qkey)
{
	return (struct two_request){
		.opcode = ARNICA_HW_OP_SEND,
		.flags = ARNICA_HW_WQE_SIGNALED,
		.ah = ah,
		.dest_qpn = to->qpn,
		.qkey = qkey,
		.num_sge = 1,
		.sge = { two_segment(own, offset, length) },
	};
}

uint32_t two_post(struct two_qp *qp, const struct two_request *request)
{
	struct two_queue *queue = &qp->queue[TWO_SEND];
	uint32_t index = queue->posted++;
	char *entry = two_entry(qp, TWO_SEND, index);
	const struct arnica_hw_wqe_control control = {
		.operation = arnica_to_le32((uint32_t)request->opcode |
					    request->flags << 8 |
					    request->num_sge << 16),
		.index = arnica_to_le32(index),
		.immediate = arnica_to_be32(request->immediate),
		.inline_bytes = arnica_to_le32(request->inline_bytes),
	};
	const struct arnica_hw_wqe_remote remote = {
		.address = arnica_to_le64(request->remote_address),
		.rkey = arnica_to_le32(request->rkey),
	};
	const struct arnica_hw_wqe_datagram datagram = {
		.ah = arnica_to_le32(request->ah),
		.dest_qpn = arnica_to_le32(request->dest_qpn),
		.qkey = arnica_to_le32(request->qkey),
	};
	const struct arnica_hw_wqe_atomic atomic = {
		.swap_or_add = arnica_to_le64(request->swap_or_add),
		.compare = arnica_to_le64(request->compare),
	};
	uint32_t offset = arnica_hw_wqe_data_offset(request->opcode);

	memcpy(entry, &control, sizeof(control));
	if (qp->type == ARNICA_HW_QP_UD)
		memcpy(entry + ARNICA_HW_WQE_DATAGRAM_OFFSET, &datagram,
		       sizeof(datagram));
	else
		memcpy(entry + ARNICA_HW_WQE_REMOTE_OFFSET, &remote,
		       sizeof(remote));
	if (arnica_hw_opcode_is_atomic(request->opcode))
		memcpy(entry + ARNICA_HW_WQE_ATOMIC_OFFSET, &atomic,
		       sizeof(atomic));
	if (request->data)
		memcpy(entry + offset, request->data, request->inline_bytes);
	else if (request->num_sge <= 4)
		memcpy(entry + offset, request->sge,
		       request->num_sge * sizeof(request->sge[0]));
	return index;
}

uint64_t two_doorbell_value(const struct two_qp *qp)
{
	return arnica_hw_doorbell_encode(qp->handle, qp->qpn,
					 qp->queue[TWO_SEND].posted);
}

void two_ring(struct two_qp *qp)
{
	arnica_bus_doorbell(qp->function->bus, 0, ARNICA_HW_DB_SQ,
			    two_doorbell_value(qp));
}

uint32_t two_send(struct two_qp *qp, const struct two_request *request)
{
	uint32_t index = two_post(qp, request);

	two_ring(qp);
	return index;
}

uint32_t two_receive_list(struct two_qp *qp,
			  const struct arnica_hw_data_segment *segments,
			  uint32_t count)
{
	struct two_queue *queue = &qp->queue[TWO_RECEIVE];
	uint32_t index = queue->posted++;
	struct arnica_hw_data_segment *entry = two_entry(qp, TWO_RECEIVE,
							 index);

	memcpy(entry, segments, count * sizeof(*entry));
	if (count < queue->stride / sizeof(*entry))
		entry[count] = (struct arnica_hw_data_segment){
			.lkey = arnica_to_le32(ARNICA_HW_LKEY_END),
		};
	arnica_store32(&queue->record->producer, queue->posted,
		       memory_order_seq_cst);
	if (arnica_load32(&queue->record->waiting, memory_order_seq_cst))
		arnica_bus_doorbell(qp->function->bus, 0, ARNICA_HW_DB_RQ,
				    arnica_hw_doorbell_encode(qp->handle,
							      qp->qpn,
							      queue->posted));
	return index;
}

uint32_t two_receive(struct two_qp *qp, uint32_t offset, uint32_t length)
{
	const struct arnica_hw_data_segment segment = two_segment(
		qp->function, offset, length);

	return two_receive_list(qp, &segment, 1);
}

void two_srq_receive(struct two_srq *srq, uint32_t slot, uint32_t offset,
		     uint32_t length)
{
	struct arnica_hw_data_segment *entry =
		(void *)(srq->entries + (size_t)slot * srq->stride);

	*entry = two_segment(srq->function, offset, length);
	arnica_store64(&srq->words[slot], arnica_hw_srq_word(srq->posted, 0),
		       memory_order_release);
	arnica_store32(&srq->ring[srq->posted & (srq->slots - 1)], slot,
		       memory_order_relaxed);
	arnica_store32(&srq->record->producer, ++srq->posted,
		       memory_order_seq_cst);
	if (arnica_load32(&srq->record->waiting, memory_order_seq_cst))
		arnica_bus_doorbell(srq->function->bus, 0, ARNICA_HW_DB_SRQ,
				    arnica_hw_doorbell_encode(srq->handle,
							      srq->number,
							      srq->posted));
}

/* Payload that travelled in the entry or the eager ring. */
static void scatter(struct two_qp *qp, const struct arnica_hw_cqe *cqe,
		    const struct two_completion *completion)
{
	struct two_queue *queue = &qp->queue[TWO_RECEIVE];
	const struct arnica_hw_data_segment *segment = two_entry(
		qp, TWO_RECEIVE, completion->wqe_index);
	bool eager = completion->flags & ARNICA_HW_CQE_EAGER;
	const char *from = eager ? queue->eager +
					   arnica_from_le32(cqe->eager_offset) :
				   (const char *)cqe->data;
	uint32_t left = completion->byte_len;

	for (; left; segment++) {
		uint32_t part = arnica_from_le32(segment->length);

		if (part > left)
			part = left;
		memcpy((void *)(uintptr_t)arnica_from_le64(segment->address),
		       from, part);
		from += part;
		left -= part;
	}
	if (eager)
		arnica_store32(&queue->record->eager_tail,
			       arnica_from_le32(cqe->eager_end),
			       memory_order_release);
}

void two_work(struct two_function *function)
{
	struct arnica_hw_segment_header *header = arnica_bus_map(
		function->bus, 0, sizeof(*header));

	if (arnica_load32(&header->attention, memory_order_relaxed))
		arnica_bus_poll(function->bus);
}

bool two_poll(struct two_qp *qp, enum two_which which,
	      struct two_completion *completion)
{
	struct two_queue *queue = &qp->queue[which];
	struct arnica_hw_cqe *cqe =
		&queue->ring[queue->polled & (queue->slots - 1)];
	uint32_t info;

	two_work(qp->function);
	if (arnica_load32(&cqe->sequence, memory_order_acquire) !=
	    queue->polled + 1)
		return false;
	info = arnica_from_le32(cqe->info);
	completion->status = info & 0xff;
	completion->opcode = info >> 8 & 0xff;
	completion->flags = info >> 16;
	completion->byte_len = arnica_from_le32(cqe->byte_len);
	completion->immediate = arnica_from_be32(cqe->immediate);
	completion->wqe_index = arnica_from_le32(cqe->wqe_index);
	completion->source = arnica_from_le32(cqe->source);
	if (completion->flags & (ARNICA_HW_CQE_DATA | ARNICA_HW_CQE_EAGER))
		scatter(qp, cqe, completion);
	queue->polled++;
	return true;
}

struct two_completion two_expect(struct two_qp *qp, enum two_which which,
				 enum arnica_hw_status status)
{
	struct two_completion completion;
	uint64_t until = 0;

	while (!two_poll(qp, which, &completion))
		(void)two_patience(&until);
	assert_int_equal(completion.status, status);
	return completion;
}

void two_expect_none(struct two_qp *qp, enum two_which which)
{
	struct two_completion completion;

	assert_false(two_poll(qp, which, &completion));
}

void two_expect_state(struct two_qp *qp, enum arnica_hw_qp_state state)
{
	uint64_t until = 0;

	while (two_state(qp) != state) {
		two_work(qp->function);
		(void)two_patience(&until);
	}
}

/* This machine's addresses may change while a test runs. */
static bool is_of_port(uint32_t type)
{
	return type == IBV_EVENT_GID_CHANGE || type == IBV_EVENT_PORT_ACTIVE ||
	       type == IBV_EVENT_PORT_ERR;
}

int two_async(struct two_function *function, bool wait)
{
	struct pollfd readable = { function->async_fd, POLLIN, 0 };
	struct arnica_hw_async_event event;
	uint64_t until = 0;

	for (;;) {
		if (poll(&readable, 1, 0) == 1) {
			assert_int_equal(read(function->async_fd, &event,
					      sizeof(event)),
					 sizeof(event));
			if (!is_of_port(event.type))
				return (int)event.type;
			continue;
		}
		if (!wait)
			return -1;
		two_work(function);
		(void)two_patience(&until);
	}
}

void two_fill(void *memory, size_t bytes, uint32_t seed)
{
	unsigned char *byte = memory;
	size_t i;

	for (i = 0; i < bytes; i++)
		byte[i] = (unsigned char)((i * 31 + seed * 7 + i / 251) | 1);
}

void two_check(const void *memory, size_t bytes, uint32_t seed)
{
	const unsigned char *byte = memory;
	size_t i;

	for (i = 0; i < bytes; i++)
		if (byte[i] !=
		    (unsigned char)((i * 31 + seed * 7 + i / 251) | 1))
			fail_msg("byte %zu of %zu is wrong", i, bytes);
}
