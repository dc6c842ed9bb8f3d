/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The ibv_wr_* functions: requests are built in place, in the send queue, and
 * announced together by wr_complete. The queue's lock is held from wr_start to
 * wr_complete or wr_abort. The first error sticks, and then nothing of the
 * batch is posted.
 */
#include <errno.h>
#include <stddef.h>

#include "calibrate.h"
#include "context.h"
#include "mw.h"
#include "send.h"
#include "wqe_write.h"

#define RAW_OPS IBV_QP_EX_WITH_SEND
#define UD_OPS (IBV_QP_EX_WITH_SEND | IBV_QP_EX_WITH_SEND_WITH_IMM)
#define UC_OPS                                                                 \
	(UD_OPS | IBV_QP_EX_WITH_RDMA_WRITE |                                  \
	 IBV_QP_EX_WITH_RDMA_WRITE_WITH_IMM | IBV_QP_EX_WITH_LOCAL_INV |       \
	 IBV_QP_EX_WITH_BIND_MW)
#define RC_OPS                                                                 \
	(UC_OPS | IBV_QP_EX_WITH_SEND_WITH_INV | IBV_QP_EX_WITH_RDMA_READ |    \
	 IBV_QP_EX_WITH_ATOMIC_CMP_AND_SWP |                                   \
	 IBV_QP_EX_WITH_ATOMIC_FETCH_AND_ADD | IBV_QP_EX_WITH_ATOMIC_WRITE)

#define SEGMENT_BYTES ((uint32_t)sizeof(struct arnica_hw_data_segment))

static void fail(struct arnica_send_queue *queue, int error)
{
	if (!queue->error)
		queue->error = error;
	queue->built = NULL;
}

/* A datagram without a destination is not posted, nor an XRC request without an
 * SRQ; it is seen when the next one begins, or the batch ends. */
static inline void check_address(struct arnica_send_queue *queue)
{
	if (__builtin_expect((queue->datagrams || queue->xrc) &&
				     queue->built && !queue->built_address,
			     0))
		fail(queue, EINVAL);
}

/* Starts the next entry, without data so far; NULL after an error. */
static inline unsigned char *begin(struct ibv_qp_ex *ex, uint32_t opcode,
				   uint32_t immediate)
{
	struct arnica_qp *qp = arnica_qp_of_ex(ex);
	struct arnica_send_queue *queue = &qp->send;
	uint32_t flags = arnica_wqe_flags(ex->wr_flags);
	unsigned char *entry;

	check_address(queue);
	if (__builtin_expect(queue->error != 0, 0))
		return NULL;
	if (__builtin_expect(!(queue->opcodes >> opcode & 1), 0)) {
		fail(queue, EINVAL);
		return NULL;
	}
	if (__builtin_expect(arnica_send_full(qp), 0)) {
		fail(queue, ENOMEM);
		return NULL;
	}
	if (queue->signal_all)
		flags |= ARNICA_HW_WQE_SIGNALED;
	if (arnica_hw_opcode_is_about_keys(opcode))
		queue->built_about_keys++;
	entry = arnica_send_entry(queue, queue->head);
	queue->built_opcode = arnica_wqe_operation(opcode, flags, 0);
	queue->built = entry;
	queue->built_address = false;
	queue->built_bytes = arnica_hw_wqe_data_offset(opcode);
	arnica_wqe_write_control(entry, queue->built_opcode, queue->head,
				 immediate, 0);
	queue->wr_ids[queue->head & queue->mask] = ex->wr_id;
	queue->head++;
	return entry;
}

unsigned char *arnica_send_wr_begin(struct ibv_qp_ex *ex, uint32_t opcode)
{
	return begin(ex, opcode, 0);
}

void arnica_send_wr_fail(struct arnica_qp *qp, int error)
{
	fail(&qp->send, error);
}

static void wr_send(struct ibv_qp_ex *ex)
{
	unsigned char *entry = begin(ex, ARNICA_HW_OP_SEND, 0);

	if (entry)
		arnica_wqe_write_remote(entry, 0, 0);
}

static void wr_send_imm(struct ibv_qp_ex *ex, __be32 immediate)
{
	unsigned char *entry = begin(ex, ARNICA_HW_OP_SEND_IMM, immediate);

	if (entry)
		arnica_wqe_write_remote(entry, 0, 0);
}

static void wr_rdma_write(struct ibv_qp_ex *ex, uint32_t rkey, uint64_t address)
{
	unsigned char *entry = begin(ex, ARNICA_HW_OP_WRITE, 0);

	if (entry)
		arnica_wqe_write_remote(entry, address, rkey);
}

static void wr_rdma_write_imm(struct ibv_qp_ex *ex, uint32_t rkey,
			      uint64_t address, __be32 immediate)
{
	unsigned char *entry = begin(ex, ARNICA_HW_OP_WRITE_IMM, immediate);

	if (entry)
		arnica_wqe_write_remote(entry, address, rkey);
}

static void wr_rdma_read(struct ibv_qp_ex *ex, uint32_t rkey, uint64_t address)
{
	unsigned char *entry = begin(ex, ARNICA_HW_OP_READ, 0);

	if (entry)
		arnica_wqe_write_remote(entry, address, rkey);
}

static void wr_atomic_cmp_swp(struct ibv_qp_ex *ex, uint32_t rkey,
			      uint64_t address, uint64_t compare, uint64_t swap)
{
	unsigned char *entry = begin(ex, ARNICA_HW_OP_CAS, 0);

	if (entry) {
		arnica_wqe_write_remote(entry, address, rkey);
		arnica_wqe_write_atomic(entry, swap, compare);
	}
}

static void wr_atomic_fetch_add(struct ibv_qp_ex *ex, uint32_t rkey,
				uint64_t address, uint64_t addend)
{
	unsigned char *entry = begin(ex, ARNICA_HW_OP_FETCH_ADD, 0);

	if (entry) {
		arnica_wqe_write_remote(entry, address, rkey);
		arnica_wqe_write_atomic(entry, addend, 0);
	}
}

static void wr_send_inv(struct ibv_qp_ex *ex, uint32_t rkey)
{
	unsigned char *entry = begin(ex, ARNICA_HW_OP_SEND_INV,
				     arnica_to_be32(rkey).raw);

	if (entry)
		arnica_wqe_write_remote(entry, 0, 0);
}

/* Takes no data: what is set afterwards is for no request. */
static void end_local(struct ibv_qp_ex *ex)
{
	arnica_qp_of_ex(ex)->send.built = NULL;
}

static void wr_local_inv(struct ibv_qp_ex *ex, uint32_t rkey)
{
	unsigned char *entry = begin(ex, ARNICA_HW_OP_LOCAL_INV,
				     arnica_to_be32(rkey).raw);

	if (entry)
		arnica_wqe_write_remote(entry, 0, 0);
	end_local(ex);
}

static void wr_bind_mw(struct ibv_qp_ex *ex, struct ibv_mw *mw, uint32_t rkey,
		       const struct ibv_mw_bind_info *info)
{
	unsigned char *entry = begin(ex, ARNICA_HW_OP_BIND_MW, 0);
	int error = arnica_mw_check_bind(mw, IBV_MW_TYPE_2, rkey, info);

	if (error)
		fail(&arnica_qp_of_ex(ex)->send, error);
	else if (entry)
		arnica_wqe_write_bind(entry, rkey, info);
	end_local(ex);
}

static void wr_set_ud_addr(struct ibv_qp_ex *ex, struct ibv_ah *ah,
			   uint32_t remote_qpn, uint32_t remote_qkey)
{
	struct arnica_send_queue *queue = &arnica_qp_of_ex(ex)->send;

	if (!queue->built)
		return;
	if (!queue->datagrams || !ah) {
		fail(queue, EINVAL);
		return;
	}
	arnica_wqe_write_datagram(queue->built, ah->handle, remote_qpn,
				  remote_qkey);
	queue->built_address = true;
}

static void wr_set_xrc_srqn(struct ibv_qp_ex *ex, uint32_t number)
{
	struct arnica_send_queue *queue = &arnica_qp_of_ex(ex)->send;

	if (!queue->built)
		return;
	if (!queue->xrc) {
		fail(queue, EINVAL);
		return;
	}
	arnica_wqe_write_srqn(queue->built, number);
	queue->built_address = true;
}

static inline uint32_t opcode_of(uint32_t operation)
{
	return operation & ARNICA_HW_WQE_OPCODE_MASK;
}

/* The entry gets its number of segments, or of inline bytes. */
static inline void set_data(struct arnica_send_queue *queue, uint32_t num_sge,
			    uint32_t flags, uint32_t inline_bytes)
{
	uint32_t operation = queue->built_opcode |
			     arnica_wqe_operation(0, flags, num_sge);
	arnica_le32 word = arnica_to_le32(operation);
	arnica_le32 length = arnica_to_le32(inline_bytes);

	memcpy(queue->built + offsetof(struct arnica_hw_wqe_control, operation),
	       &word, sizeof(word));
	memcpy(queue->built +
		       offsetof(struct arnica_hw_wqe_control, inline_bytes),
	       &length, sizeof(length));
	queue->built_bytes = arnica_hw_wqe_data_offset(opcode_of(operation)) +
			     num_sge * SEGMENT_BYTES + inline_bytes;
}

/* The only one that gets its data at once. An entry has room for it, whatever
 * inline data the queue has. */
static void wr_atomic_write(struct ibv_qp_ex *ex, uint32_t rkey,
			    uint64_t address, const void *value)
{
	unsigned char *entry = begin(ex, ARNICA_HW_OP_ATOMIC_WRITE, 0);

	if (entry) {
		arnica_wqe_write_remote(entry, address, rkey);
		memcpy(entry + ARNICA_HW_WQE_HEADER_BYTES, value,
		       sizeof(uint64_t));
		set_data(&arnica_qp_of_ex(ex)->send, 0, ARNICA_HW_WQE_INLINE,
			 sizeof(uint64_t));
	}
	end_local(ex);
}

void arnica_send_wr_end_entries(struct ibv_qp_ex *ex, uint32_t count)
{
	struct arnica_send_queue *queue = &arnica_qp_of_ex(ex)->send;

	set_data(queue, count, 0, 0);
	queue->built_bytes =
		ARNICA_HW_WQE_MKEY_HEADER_BYTES +
		count * (uint32_t)sizeof(struct arnica_hw_mkey_entry);
	end_local(ex);
}

static void wr_set_sge(struct ibv_qp_ex *ex, uint32_t lkey, uint64_t address,
		       uint32_t length)
{
	struct arnica_send_queue *queue = &arnica_qp_of_ex(ex)->send;

	if (!queue->built)
		return;
	if (queue->max_sge == 0) {
		fail(queue, EINVAL);
		return;
	}
	arnica_wqe_write_segment(
		queue->built + arnica_hw_wqe_data_offset(
				       opcode_of(queue->built_opcode)),
		address, length, lkey);
	set_data(queue, 1, 0, 0);
}

static void wr_set_sge_list(struct ibv_qp_ex *ex, size_t num_sge,
			    const struct ibv_sge *list)
{
	struct arnica_send_queue *queue = &arnica_qp_of_ex(ex)->send;
	uint32_t opcode;

	if (!queue->built)
		return;
	opcode = opcode_of(queue->built_opcode);
	if (num_sge > (arnica_hw_opcode_is_atomic(opcode) ?
			       queue->max_atomic_sge :
			       queue->max_sge)) {
		fail(queue, EINVAL);
		return;
	}
	arnica_wqe_write_segments(queue->built +
					  arnica_hw_wqe_data_offset(opcode),
				  list, (uint32_t)num_sge);
	set_data(queue, (uint32_t)num_sge, 0, 0);
}

static void wr_set_inline_data_list(struct ibv_qp_ex *ex, size_t num_buf,
				    const struct ibv_data_buf *list)
{
	struct arnica_send_queue *queue = &arnica_qp_of_ex(ex)->send;
	unsigned char *place;
	uint32_t total = 0, opcode;
	size_t i;

	if (!queue->built)
		return;
	opcode = opcode_of(queue->built_opcode);
	if (opcode > ARNICA_HW_OP_WRITE_IMM &&
	    opcode != ARNICA_HW_OP_REG_SEND) {
		fail(queue, EINVAL);
		return;
	}
	place = queue->built + arnica_hw_wqe_data_offset(opcode);
	for (i = 0; i < num_buf; i++) {
		if (list[i].length > queue->max_inline - total) {
			fail(queue, EINVAL);
			return;
		}
		if (list[i].length != 0)
			memcpy(place + total, list[i].addr, list[i].length);
		total += (uint32_t)list[i].length;
	}
	set_data(queue, 0, ARNICA_HW_WQE_INLINE, total);
}

static void wr_set_inline_data(struct ibv_qp_ex *ex, void *address,
			       size_t length)
{
	struct ibv_data_buf buffer = { .addr = address, .length = length };

	wr_set_inline_data_list(ex, 1, &buffer);
}

static void wr_start(struct ibv_qp_ex *ex)
{
	struct arnica_qp *qp = arnica_qp_of_ex(ex);
	struct arnica_send_queue *queue = &qp->send;

	if (__builtin_expect(
		    !atomic_load_explicit(&queue->open, memory_order_relaxed),
		    0))
		(void)arnica_qp_ask_open(qp);
	arnica_spinlock_lock(&queue->lock);
	queue->start_head = queue->head;
	queue->built_about_keys = 0;
	queue->built = NULL;
	queue->error = 0;
	if (!atomic_load_explicit(&queue->open, memory_order_relaxed))
		queue->error = EINVAL;
	if (atomic_load_explicit(&qp->context->dead, memory_order_relaxed))
		queue->error = EIO;
}

static int wr_complete(struct ibv_qp_ex *ex)
{
	struct arnica_qp *qp = arnica_qp_of_ex(ex);
	struct arnica_send_queue *queue = &qp->send;
	int error;

	check_address(queue);
	error = queue->error;
	if (__builtin_expect(queue->built_about_keys != 0, 0) && !error)
		atomic_fetch_add_explicit(&qp->send_ring.memory_ops,
					  queue->built_about_keys,
					  memory_order_relaxed);
	if (__builtin_expect(error != 0, 0))
		queue->head = queue->start_head;
	else if (queue->head != queue->start_head)
		arnica_send_announce(qp, queue->start_head, queue->built_bytes);
	arnica_spinlock_unlock(&queue->lock);
	return error;
}

static void wr_abort(struct ibv_qp_ex *ex)
{
	struct arnica_send_queue *queue = &arnica_qp_of_ex(ex)->send;

	queue->head = queue->start_head;
	arnica_spinlock_unlock(&queue->lock);
}

/* The loaded library may be older than the header, and have other things where
 * the header has this call. */
static bool has_atomic_write(void)
{
	return arnica_calibration.qp_mask_offset >=
	       offsetof(struct ibv_qp_ex, wr_atomic_write) + sizeof(void *);
}

bool arnica_send_wr_supported(enum ibv_qp_type type, uint64_t ops)
{
	uint64_t supported = type == IBV_QPT_UD	      ? UD_OPS :
			     type == IBV_QPT_RAW_PACKET ? RAW_OPS :
			     type == IBV_QPT_UC	      ? UC_OPS :
			     type == IBV_QPT_XRC_RECV ? 0 :
							RC_OPS;

	if (!has_atomic_write())
		supported &= ~(uint64_t)IBV_QP_EX_WITH_ATOMIC_WRITE;
	return (ops & ~supported) == 0;
}

void arnica_send_wr_init(struct arnica_qp *qp)
{
	struct ibv_qp_ex *ex = &qp->verbs.ex;

	ex->wr_send = wr_send;
	ex->wr_send_imm = wr_send_imm;
	ex->wr_rdma_write = wr_rdma_write;
	ex->wr_rdma_write_imm = wr_rdma_write_imm;
	ex->wr_rdma_read = wr_rdma_read;
	ex->wr_atomic_cmp_swp = wr_atomic_cmp_swp;
	ex->wr_atomic_fetch_add = wr_atomic_fetch_add;
	if (has_atomic_write())
		ex->wr_atomic_write = wr_atomic_write;
	ex->wr_send_inv = wr_send_inv;
	ex->wr_local_inv = wr_local_inv;
	ex->wr_bind_mw = wr_bind_mw;
	ex->wr_set_ud_addr = wr_set_ud_addr;
	ex->wr_set_xrc_srqn = wr_set_xrc_srqn;
	ex->wr_set_sge = wr_set_sge;
	ex->wr_set_sge_list = wr_set_sge_list;
	ex->wr_set_inline_data = wr_set_inline_data;
	ex->wr_set_inline_data_list = wr_set_inline_data_list;
	ex->wr_start = wr_start;
	ex->wr_complete = wr_complete;
	ex->wr_abort = wr_abort;
}
