/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * ibv_post_send(): a list of work requests into the send queue.
 *
 * Requests before a faulty one are posted. An inline request that is too long
 * is EINVAL, as the man page has it for bad values; ENOMEM is left to mean that
 * the queue is full and polling helps.
 */
#include "send.h"

#include <errno.h>

#include "mw.h"
#include "wqe_write.h"

/* Most are of a word, or two, which is no work for a function of its own. */
static inline void copy_part(unsigned char *to, const struct ibv_sge *part)
{
	const unsigned char *from =
		(const unsigned char *)(uintptr_t)part->addr;
	uint32_t bytes = part->length;

	if (__builtin_expect(bytes == 8, 1)) {
		memcpy(to, from, 8);
	} else if (bytes > 8 && bytes <= 16) {
		uint64_t first, last;

		memcpy(&first, from, 8);
		memcpy(&last, from + bytes - 8, 8);
		memcpy(to, &first, 8);
		memcpy(to + bytes - 8, &last, 8);
	} else if (bytes != 0) {
		memcpy(to, from, bytes);
	}
}

/* Gathers the payload into the entry; EINVAL when it is too long. */
static inline int write_inline(const struct arnica_send_queue *queue,
			       unsigned char *place,
			       const struct ibv_send_wr *wr, uint32_t *length)
{
	uint32_t total = 0;
	int i;

	for (i = 0; i < wr->num_sge; i++) {
		uint32_t part = wr->sg_list[i].length;

		if (part > queue->max_inline - total)
			return EINVAL;
		copy_part(place + total, &wr->sg_list[i]);
		total += part;
	}
	*length = total;
	return 0;
}

static inline bool carries_data(int opcode)
{
	return opcode <= ARNICA_HW_OP_WRITE_IMM ||
	       opcode == ARNICA_HW_OP_ATOMIC_WRITE;
}

static inline void write_target(const struct arnica_send_queue *queue,
				unsigned char *entry, int opcode,
				const struct ibv_send_wr *wr)
{
	if (queue->datagrams) {
		arnica_wqe_write_datagram(entry, wr->wr.ud.ah->handle,
					  wr->wr.ud.remote_qpn,
					  wr->wr.ud.remote_qkey);
		return;
	}
	switch (opcode) {
	case ARNICA_HW_OP_WRITE:
	case ARNICA_HW_OP_WRITE_IMM:
	case ARNICA_HW_OP_READ:
	case ARNICA_HW_OP_ATOMIC_WRITE:
		arnica_wqe_write_remote(entry, wr->wr.rdma.remote_addr,
					wr->wr.rdma.rkey);
		break;
	case ARNICA_HW_OP_CAS:
		arnica_wqe_write_remote(entry, wr->wr.atomic.remote_addr,
					wr->wr.atomic.rkey);
		arnica_wqe_write_atomic(entry, wr->wr.atomic.swap,
					wr->wr.atomic.compare_add);
		break;
	case ARNICA_HW_OP_FETCH_ADD:
		arnica_wqe_write_remote(entry, wr->wr.atomic.remote_addr,
					wr->wr.atomic.rkey);
		arnica_wqe_write_atomic(entry, wr->wr.atomic.compare_add, 0);
		break;
	default:
		arnica_wqe_write_remote(entry, 0, 0);
		break;
	}
}

/* What the adapter does by itself. */
static int write_local(unsigned char *entry, int opcode,
		       const struct ibv_send_wr *wr, enum ibv_mw_type windows)
{
	int error;

	if (opcode == ARNICA_HW_OP_LOCAL_INV) {
		arnica_wqe_write_remote(entry, 0, 0);
		return 0;
	}
	error = arnica_mw_check_bind(wr->bind_mw.mw, windows, wr->bind_mw.rkey,
				     &wr->bind_mw.bind_info);
	if (!error)
		arnica_wqe_write_bind(entry, wr->bind_mw.rkey,
				      &wr->bind_mw.bind_info);
	return error;
}

/* Writes one request at head; *bytes is the length of its entry. Windows of
 * which type may it bind? */
static __attribute__((noinline)) int
write_request(struct arnica_qp *qp, const struct ibv_send_wr *wr,
	      enum ibv_mw_type windows, uint32_t *bytes)
{
	struct arnica_send_queue *queue = &qp->send;
	int opcode = arnica_wqe_opcode(wr->opcode);
	uint32_t flags = arnica_wqe_flags(wr->send_flags);
	uint32_t num_sge = (uint32_t)wr->num_sge;
	uint32_t inline_bytes = 0;
	uint32_t data_offset;
	unsigned char *entry;
	int error;

	if (__builtin_expect(opcode < 0 || !(queue->opcodes >> opcode & 1), 0))
		return EINVAL;
	if (__builtin_expect(queue->datagrams && !wr->wr.ud.ah, 0))
		return EINVAL;
	if (arnica_hw_opcode_is_local((uint32_t)opcode))
		num_sge = 0;
	if (__builtin_expect(
		    num_sge > (arnica_hw_opcode_is_atomic((uint32_t)opcode) ?
				       queue->max_atomic_sge :
				       queue->max_sge),
		    0))
		return EINVAL;
	if (__builtin_expect(arnica_send_full(qp), 0))
		return ENOMEM;
	entry = arnica_send_entry(queue, queue->head);
	data_offset = arnica_hw_wqe_data_offset((uint32_t)opcode);
	if (queue->signal_all)
		flags |= ARNICA_HW_WQE_SIGNALED;
	if (wr->send_flags & IBV_SEND_INLINE) {
		if (!carries_data(opcode))
			return EINVAL;
		error = write_inline(queue, entry + data_offset, wr,
				     &inline_bytes);
		if (error)
			return error;
		flags |= ARNICA_HW_WQE_INLINE;
		num_sge = 0;
		*bytes = data_offset + inline_bytes;
	} else {
		arnica_wqe_write_segments(entry + data_offset, wr->sg_list,
					  num_sge);
		*bytes = data_offset +
			 num_sge * (uint32_t)sizeof(
					   struct arnica_hw_data_segment);
	}
	if (__builtin_expect(arnica_hw_opcode_is_local((uint32_t)opcode), 0)) {
		error = write_local(entry, opcode, wr, windows);
		if (error)
			return error;
		atomic_fetch_add_explicit(&qp->send_ring.memory_ops, 1,
					  memory_order_relaxed);
	} else {
		write_target(queue, entry, opcode, wr);
		if (__builtin_expect(queue->xrc, 0))
			arnica_wqe_write_srqn(entry,
					      wr->qp_type.xrc.remote_srqn);
	}
	arnica_wqe_write_control(
		entry, arnica_wqe_operation((uint32_t)opcode, flags, num_sge),
		queue->head, arnica_wqe_immediate(opcode, wr), inline_bytes);
	queue->wr_ids[queue->head & queue->mask] = wr->wr_id;
	queue->head++;
	return 0;
}

/*
 * The same for what most requests are: a SEND or RDMA WRITE of one part on a
 * connection, with nothing wrong. False: it is not that, and nothing was done.
 */
static inline bool write_plain(struct arnica_qp *qp,
			       const struct ibv_send_wr *wr, uint32_t *bytes)
{
	const uint32_t offset = ARNICA_HW_WQE_HEADER_BYTES;
	struct arnica_send_queue *queue = &qp->send;
	const struct ibv_sge *part = wr->sg_list;
	bool is_write = wr->opcode == IBV_WR_RDMA_WRITE;
	bool is_inline = wr->send_flags & IBV_SEND_INLINE;
	uint32_t flags = arnica_wqe_flags(wr->send_flags) |
			 (queue->signal_all ? ARNICA_HW_WQE_SIGNALED : 0) |
			 (is_inline ? ARNICA_HW_WQE_INLINE : 0);
	uint32_t head = queue->head;
	unsigned char *entry;

	if (!(is_write || wr->opcode == IBV_WR_SEND) || wr->num_sge != 1 ||
	    !queue->connected || queue->max_sge == 0 || arnica_send_full(qp))
		return false;
	entry = arnica_send_entry(queue, head);
	if (is_inline) {
		if (part->length > queue->max_inline)
			return false;
		copy_part(entry + offset, part);
		*bytes = offset + part->length;
	} else {
		arnica_wqe_write_segment(entry + offset, part->addr,
					 part->length, part->lkey);
		*bytes = offset +
			 (uint32_t)sizeof(struct arnica_hw_data_segment);
	}
	arnica_wqe_write_remote(entry, is_write ? wr->wr.rdma.remote_addr : 0,
				is_write ? wr->wr.rdma.rkey : 0);
	arnica_wqe_write_control(
		entry,
		arnica_wqe_operation(is_write ? ARNICA_HW_OP_WRITE :
						ARNICA_HW_OP_SEND,
				     flags, !is_inline),
		head, wr->imm_data, is_inline ? part->length : 0);
	queue->wr_ids[head & queue->mask] = wr->wr_id;
	queue->head = head + 1;
	return true;
}

uint32_t arnica_send_opcodes(enum ibv_qp_type type)
{
	uint32_t opcodes = 0;

	switch ((int)type) {
	case IBV_QPT_RC:
	case IBV_QPT_XRC_SEND:
		opcodes |= 1u << ARNICA_HW_OP_READ | 1u << ARNICA_HW_OP_CAS |
			   1u << ARNICA_HW_OP_FETCH_ADD |
			   1u << ARNICA_HW_OP_ATOMIC_WRITE |
			   1u << ARNICA_HW_OP_SEND_INV;
		/* fall through */
	case IBV_QPT_UC:
		opcodes |= 1u << ARNICA_HW_OP_WRITE |
			   1u << ARNICA_HW_OP_WRITE_IMM |
			   1u << ARNICA_HW_OP_LOCAL_INV |
			   1u << ARNICA_HW_OP_BIND_MW |
			   1u << ARNICA_HW_OP_SET_MKEY;
		/* fall through */
	case IBV_QPT_UD:
		opcodes |= 1u << ARNICA_HW_OP_SEND_IMM;
		/* fall through */
	case IBV_QPT_RAW_PACKET:
		opcodes |= 1u << ARNICA_HW_OP_SEND;
		break;
	default:
		break;
	}
	return opcodes;
}

static inline int post_list(struct ibv_qp *ibv_qp, struct ibv_send_wr *wr,
			    enum ibv_mw_type windows,
			    struct ibv_send_wr **bad_wr)
{
	struct arnica_qp *qp = arnica_qp_of(ibv_qp);
	struct arnica_send_queue *queue = &qp->send;
	uint32_t bytes = 0;
	uint32_t first;
	int error = 0;

	if (__builtin_expect(
		    !atomic_load_explicit(&queue->open, memory_order_relaxed) &&
			    !arnica_qp_ask_open(qp),
		    0)) {
		*bad_wr = wr;
		return EINVAL;
	}
	arnica_spinlock_lock(&queue->lock);
	first = queue->head;
	for (; wr; wr = wr->next) {
		if (__builtin_expect(write_plain(qp, wr, &bytes), 1))
			continue;
		error = write_request(qp, wr, windows, &bytes);
		if (__builtin_expect(error != 0, 0)) {
			*bad_wr = wr;
			break;
		}
	}
	if (queue->head != first)
		arnica_send_announce(qp, first, bytes);
	arnica_spinlock_unlock(&queue->lock);
	return error;
}

int arnica_send_post(struct ibv_qp *qp, struct ibv_send_wr *wr,
		     struct ibv_send_wr **bad_wr)
{
	return post_list(qp, wr, IBV_MW_TYPE_2, bad_wr);
}

int arnica_send_bind(struct ibv_qp *qp, struct ibv_send_wr *wr)
{
	struct ibv_send_wr *bad_wr;

	return post_list(qp, wr, IBV_MW_TYPE_1, &bad_wr);
}
