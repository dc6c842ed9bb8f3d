/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Reads one descriptor: copies each field once, checks the copy. */
#include <string.h>

#include "exec/exec.h"
#include "transport/address_handle.h"
#include "trace.h"

static void read_control(struct adev_message *message, const char *descriptor)
{
	const struct arnica_hw_wqe_control *control = (const void *)descriptor;
	uint32_t operation = arnica_from_le32(control->operation);

	message->opcode = (uint32_t)arnica_field_get(operation,
						     ARNICA_HW_WQE_OPCODE_MASK);
	message->flags = (uint32_t)arnica_field_get(operation,
						    ARNICA_HW_WQE_FLAGS_MASK);
	message->immediate = control->immediate.raw;
	message->done = 0;
	message->inbox_slot = -1;
	message->bytes = 0;
	message->sends = false;
	message->registered = false;
	message->drains = false;
	message->refusal = 0;
}

static bool needs_remote(uint32_t opcode)
{
	return opcode == ARNICA_HW_OP_WRITE ||
	       opcode == ARNICA_HW_OP_WRITE_IMM ||
	       arnica_hw_opcode_responds(opcode);
}

static bool has_memory(uint32_t type)
{
	return type != ARNICA_HW_QP_UD && type != ARNICA_HW_QP_RAW_PACKET;
}

/* Does a service have this operation? (IBTA table 37) */
static bool known(const struct adev_qp *qp, uint32_t opcode)
{
	uint32_t type = qp->type;

	switch (opcode) {
	case ARNICA_HW_OP_SEND:
		return true;
	case ARNICA_HW_OP_SEND_IMM:
		return type != ARNICA_HW_QP_RAW_PACKET;
	case ARNICA_HW_OP_WRITE:
	case ARNICA_HW_OP_WRITE_IMM:
	case ARNICA_HW_OP_LOCAL_INV:
	case ARNICA_HW_OP_BIND_MW:
	case ARNICA_HW_OP_SET_MKEY:
		return has_memory(type);
	case ARNICA_HW_OP_SEND_INV:
		return adev_type_is_reliable(type);
	case ARNICA_HW_OP_REG_MR:
	case ARNICA_HW_OP_REG_SEND:
		return qp->registers;
	default:
		return adev_type_is_reliable(type) && needs_remote(opcode);
	}
}

/* Where a datagram goes. A handle of another protection domain is no handle
 * (IBTA 10.2.2.1). */
static bool read_datagram(struct adev_qp *qp, struct adev_message *message,
			  const char *descriptor)
{
	const struct arnica_hw_wqe_datagram *datagram =
		(const void *)(descriptor + ARNICA_HW_WQE_DATAGRAM_OFFSET);
	uint32_t dest_qpn = arnica_from_le32(datagram->dest_qpn);

	message->ah = adev_ah_find(qp->fn->ahs, arnica_from_le32(datagram->ah));
	message->dest_qpn = dest_qpn & ARNICA_HW_QPN_MASK;
	message->qkey = arnica_from_le32(datagram->qkey);
	if (message->qkey & ARNICA_HW_QKEY_CONTROLLED)
		message->qkey = arnica_from_le32(qp->attributes.qkey);
	return dest_qpn <= ARNICA_HW_QPN_MASK && message->ah &&
	       atomic_load_explicit(&message->ah->pd, memory_order_relaxed) ==
		       qp->pd + 1;
}

static void read_remote(struct adev_message *message, const char *descriptor)
{
	const struct arnica_hw_wqe_remote *remote =
		(const void *)(descriptor + ARNICA_HW_WQE_REMOTE_OFFSET);
	const struct arnica_hw_wqe_atomic *atomic =
		(const void *)(descriptor + ARNICA_HW_WQE_ATOMIC_OFFSET);

	message->remote_address = arnica_from_le64(remote->address);
	message->rkey = arnica_from_le32(remote->rkey);
	if (!arnica_hw_opcode_is_atomic(message->opcode))
		return;
	message->swap_or_add = arnica_from_le64(atomic->swap_or_add);
	message->compare = arnica_from_le64(atomic->compare);
}

/* Which SRQ the message is for: the responder says whether there is one. */
static void read_srq_number(struct adev_message *message,
			    const char *descriptor)
{
	const struct arnica_hw_wqe_remote *remote =
		(const void *)(descriptor + ARNICA_HW_WQE_REMOTE_OFFSET);

	message->xrc_srqn = arnica_from_le32(remote->xrc_srqn) &
			    ARNICA_HW_QPN_MASK;
}

static void read_bind(struct adev_message *message, const char *descriptor)
{
	const struct arnica_hw_wqe_bind *bind =
		(const void *)(descriptor + ARNICA_HW_WQE_BIND_OFFSET);

	message->bind.address = arnica_from_le64(bind->address);
	message->bind.length = arnica_from_le64(bind->length);
	message->bind.rkey = arnica_from_le32(bind->rkey);
	message->bind.lkey = arnica_from_le32(bind->lkey);
	message->bind.access = arnica_from_le32(bind->access);
}

static void read_registration(struct adev_message *message,
			      const char *descriptor)
{
	const struct arnica_hw_wqe_registration *wish =
		(const void *)(descriptor + ARNICA_HW_WQE_REGISTRATION_OFFSET);

	message->registration = (struct adev_registration){
		.iova = arnica_from_le64(wish->iova),
		.length = arnica_from_le64(wish->length),
		.memory = arnica_from_le64(wish->memory),
		.count = arnica_from_le32(wish->count),
		.page_log = arnica_from_le32(wish->page_log),
		.key = arnica_from_le32(wish->key),
		.access = arnica_from_le32(wish->access),
	};
}

/* What the key shall be is read when its turn comes (adev_exec_mkey_items). */
static void read_mkey(struct adev_message *message, const char *descriptor)
{
	const struct arnica_hw_wqe_control *control = (const void *)descriptor;
	const struct arnica_hw_wqe_mkey *mkey =
		(const void *)(descriptor + ARNICA_HW_WQE_MKEY_OFFSET);

	message->mkey.key = arnica_from_le32(mkey->key);
	message->mkey.access = arnica_from_le32(mkey->access);
	message->mkey.rows = arnica_from_le64(mkey->rows);
	message->mkey.count = (uint32_t)arnica_field_get(
		arnica_from_le32(control->operation),
		ARNICA_HW_WQE_NUM_SGE_MASK);
}

/* Inline data becomes a gather list of one piece that lies in the message. */
static enum arnica_hw_status read_inline(struct adev_qp *qp,
					 struct adev_message *message,
					 const char *data, uint32_t bytes,
					 uint32_t offset)
{
	struct adev_piece *piece = &message->gather.pieces[0];

	if (bytes > sizeof(message->inline_data) ||
	    bytes > qp->sq_stride - offset)
		return ARNICA_HW_STATUS_LOC_QP_OP_ERR;
	memcpy(message->inline_data, data, bytes);
	message->gather.num_pieces = bytes ? 1 : 0;
	message->gather.num_lists = 0;
	message->gather.bytes = bytes;
	piece->address = (uint64_t)(uintptr_t)message->inline_data;
	piece->bytes = bytes;
	piece->iova = 0;
	piece->stag = 0;
	piece->list = 0;
	message->bytes = bytes;
	return ARNICA_HW_STATUS_SUCCESS;
}

static enum arnica_hw_status read_segments(struct adev_qp *qp,
					   struct adev_message *message,
					   const char *data, uint32_t count,
					   uint32_t offset)
{
	bool is_atomic = arnica_hw_opcode_is_atomic(message->opcode);
	uint32_t access =
		is_atomic || message->opcode == ARNICA_HW_OP_READ ?
			ARNICA_HW_ACCESS_LOCAL_WRITE :
			0;
	enum arnica_hw_status status;

	message->local_access = access;
	if (count > ARNICA_HW_MAX_SGE || offset + count * 16 > qp->sq_stride)
		return ARNICA_HW_STATUS_LOC_QP_OP_ERR;
	status = adev_gather_segments(&qp->fn->view, qp->pd, (const void *)data,
				      count, access, &message->gather);
	if (status == ADEV_STATUS_PENDING)
		return status;
	if (status) {
		adev_count(&qp->fn->counters, local_protection);
		arnica_trace_local_protection(qp->qpn, message->index);
		return status;
	}
	message->bytes = message->gather.bytes;
	if (message->bytes > ARNICA_HW_MAX_MESSAGE ||
	    (is_atomic && message->bytes != 8))
		return ARNICA_HW_STATUS_LOC_LEN_ERR;
	return ARNICA_HW_STATUS_SUCCESS;
}

static enum arnica_hw_status refuse(struct adev_qp *qp, uint32_t operation)
{
	adev_count(&qp->fn->counters, wqe_invalid);
	arnica_trace_wqe_invalid(qp->qpn, operation);
	return ARNICA_HW_STATUS_LOC_QP_OP_ERR;
}

/* What follows the control segment. */
static enum arnica_hw_status read_rest(struct adev_qp *qp,
				       const char *descriptor,
				       struct adev_message *message)
{
	const struct arnica_hw_wqe_control *control = (const void *)descriptor;
	uint32_t opcode = arnica_from_le32(control->operation) &
			  ARNICA_HW_WQE_OPCODE_MASK;
	uint32_t offset = arnica_hw_wqe_data_offset(opcode);
	uint32_t count = (uint32_t)arnica_field_get(
		arnica_from_le32(control->operation),
		ARNICA_HW_WQE_NUM_SGE_MASK);

	if (message->flags & ARNICA_HW_WQE_INLINE)
		return read_inline(qp, message, descriptor + offset,
				   arnica_from_le32(control->inline_bytes),
				   offset);
	return read_segments(qp, message, descriptor + offset, count, offset);
}

enum arnica_hw_status adev_exec_fetch(struct adev_qp *qp, uint32_t index,
				      const void *descriptor,
				      struct adev_message *message)
{
	const struct arnica_hw_wqe_control *control = descriptor;
	uint32_t operation = arnica_from_le32(control->operation);
	enum arnica_hw_status status;

	read_control(message, descriptor);
	message->index = index;
	if (arnica_from_le32(control->index) != index || operation >> 24 ||
	    !known(qp, message->opcode))
		return refuse(qp, operation);
	if (arnica_hw_opcode_is_local(message->opcode)) {
		if (message->flags & ARNICA_HW_WQE_INLINE)
			return refuse(qp, operation);
		message->gather.num_pieces = 0;
		if (message->opcode == ARNICA_HW_OP_BIND_MW)
			read_bind(message, descriptor);
		else if (message->opcode == ARNICA_HW_OP_SET_MKEY)
			read_mkey(message, descriptor);
		else if (message->opcode == ARNICA_HW_OP_REG_MR)
			read_registration(message, descriptor);
		return ARNICA_HW_STATUS_SUCCESS;
	}
	if (message->opcode == ARNICA_HW_OP_REG_SEND)
		message->opcode = ARNICA_HW_OP_SEND;
	if (needs_remote(message->opcode))
		read_remote(message, descriptor);
	if (qp->type == ARNICA_HW_QP_XRC_SEND)
		read_srq_number(message, descriptor);
	if (qp->type == ARNICA_HW_QP_UD &&
	    !read_datagram(qp, message, descriptor))
		return refuse(qp, operation);
	if (arnica_hw_opcode_responds(message->opcode) &&
	    ((message->flags & ARNICA_HW_WQE_INLINE &&
	      message->opcode != ARNICA_HW_OP_ATOMIC_WRITE) ||
	     !arnica_from_le32(qp->attributes.max_rd_atomic)))
		return ARNICA_HW_STATUS_LOC_QP_OP_ERR;
	status = read_rest(qp, descriptor, message);
	if (!status && message->opcode == ARNICA_HW_OP_ATOMIC_WRITE &&
	    message->bytes != 8)
		return ARNICA_HW_STATUS_LOC_LEN_ERR;
	/* A datagram is one packet. */
	if (!status && qp->type == ARNICA_HW_QP_UD &&
	    message->bytes > message->ah->way.mtu_bytes)
		return ARNICA_HW_STATUS_LOC_LEN_ERR;
	return status;
}

enum arnica_hw_status adev_exec_fetch_first(struct adev_qp *qp, uint32_t index,
					    const void *descriptor,
					    struct adev_message *message)
{
	const struct arnica_hw_wqe_control *control = descriptor;
	uint32_t operation = arnica_from_le32(control->operation);

	if (__builtin_expect((operation & ARNICA_HW_WQE_OPCODE_MASK) !=
				     ARNICA_HW_OP_REG_SEND,
			     1))
		return adev_exec_fetch(qp, index, descriptor, message);
	read_control(message, descriptor);
	message->index = index;
	if (arnica_from_le32(control->index) != index || operation >> 24 ||
	    !known(qp, message->opcode))
		return refuse(qp, operation);
	message->opcode = ARNICA_HW_OP_REG_MR;
	message->sends = true;
	message->gather.num_pieces = 0;
	read_registration(message, descriptor);
	return ARNICA_HW_STATUS_SUCCESS;
}

uint64_t adev_exec_bytes(const void *descriptor, size_t room)
{
	const struct arnica_hw_wqe_control *control = descriptor;
	uint32_t operation = arnica_from_le32(control->operation);
	uint32_t offset = arnica_hw_wqe_data_offset((uint32_t)arnica_field_get(
		operation, ARNICA_HW_WQE_OPCODE_MASK));
	uint32_t count = (uint32_t)arnica_field_get(operation,
						    ARNICA_HW_WQE_NUM_SGE_MASK);
	const struct arnica_hw_data_segment *segments =
		(const void *)((const char *)descriptor + offset);
	uint64_t bytes = 0;
	uint32_t i;

	if (arnica_field_get(operation, ARNICA_HW_WQE_FLAGS_MASK) &
	    ARNICA_HW_WQE_INLINE)
		return arnica_from_le32(control->inline_bytes);
	if (offset + count * sizeof(*segments) > room)
		return UINT64_MAX;
	for (i = 0; i < count; i++)
		bytes += arnica_from_le32(segments[i].length);
	return bytes;
}
