/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Polling one completion at a time (ibv_start_poll and what follows). The
 * completion is copied out of its ring, so read_* touch no shared memory.
 */
#include <errno.h>
#include <time.h>

#include "cq.h"

#define NS_PER_S 1000000000ull
#define WALL_CLOCK_NS 2000u /* three readings, undisturbed */
#define WALL_CLOCK_TRIES 4

static void end_session(struct arnica_cq *cq)
{
	arnica_cq_settle(cq, cq->num_current);
	cq->num_current = 0;
	cq->in_session = false;
}

static void show_current(struct arnica_cq *cq)
{
	cq->num_current++;
	cq->verbs.wr_id = cq->current.wr_id;
	cq->verbs.status = cq->current.status;
}

/* Opens a session with the first completion, if there is one. */
static bool begin_session(struct arnica_cq *cq)
{
	bool taken;

	arnica_cq_lock_to_poll(cq);
	taken = arnica_cq_take(cq, &cq->current);
	if (taken) {
		cq->in_session = true;
		show_current(cq);
	} else {
		/* Without a completion there is nothing to end. */
		end_session(cq);
	}
	arnica_spinlock_unlock(&cq->lock);
	return taken;
}

static int start_poll(struct ibv_cq_ex *ibv_cq, struct ibv_poll_cq_attr *attr)
{
	struct arnica_cq *cq = arnica_cq_of_ex(ibv_cq);
	bool taken;

	if (attr->comp_mask)
		return EINVAL;
	if (atomic_load_explicit(&cq->context->dead, memory_order_relaxed))
		return EIO;
	taken = begin_session(cq);
	/* Not from within a session: another thread's poll waits for its end. */
	if (!taken && arnica_cq_attend(cq, false))
		taken = begin_session(cq);
	arnica_cq_note_poll(cq, taken);
	return taken ? 0 : ENOENT;
}

static int next_poll(struct ibv_cq_ex *ibv_cq)
{
	struct arnica_cq *cq = arnica_cq_of_ex(ibv_cq);
	bool taken;

	arnica_spinlock_lock(&cq->lock);
	taken = arnica_cq_take(cq, &cq->current);
	if (taken)
		show_current(cq);
	arnica_spinlock_unlock(&cq->lock);
	return taken ? 0 : ENOENT;
}

static void end_poll(struct ibv_cq_ex *ibv_cq)
{
	struct arnica_cq *cq = arnica_cq_of_ex(ibv_cq);

	arnica_spinlock_lock(&cq->lock);
	end_session(cq);
	arnica_spinlock_unlock(&cq->lock);
	(void)arnica_cq_attend(cq, true);
}

static enum ibv_wc_opcode read_opcode(struct ibv_cq_ex *cq)
{
	return arnica_cq_of_ex(cq)->current.opcode;
}

static uint32_t read_vendor_err(struct ibv_cq_ex *cq)
{
	return arnica_cq_of_ex(cq)->current.vendor_error;
}

static uint32_t read_byte_len(struct ibv_cq_ex *cq)
{
	return arnica_cq_of_ex(cq)->current.byte_len;
}

/* Immediate data in network order; an invalidated key in the host's. */
static __be32 read_imm_data(struct ibv_cq_ex *ibv_cq)
{
	const struct arnica_completion *current =
		&arnica_cq_of_ex(ibv_cq)->current;

	if (current->wc_flags & IBV_WC_WITH_INV)
		return arnica_from_be32((arnica_be32){ current->immediate });
	return current->immediate;
}

static uint32_t read_qp_num(struct ibv_cq_ex *cq)
{
	return arnica_cq_of_ex(cq)->current.qp_num;
}

static unsigned int read_wc_flags(struct ibv_cq_ex *cq)
{
	return arnica_cq_of_ex(cq)->current.wc_flags;
}

/* Where a datagram came from; zero for connections. */
static uint32_t read_src_qp(struct ibv_cq_ex *cq)
{
	return arnica_cq_of_ex(cq)->current.source &
	       ARNICA_HW_CQE_SOURCE_QPN_MASK;
}

static uint8_t read_sl(struct ibv_cq_ex *cq)
{
	return (uint8_t)arnica_field_get(arnica_cq_of_ex(cq)->current.source,
					 ARNICA_HW_CQE_SOURCE_KIND_MASK);
}

/* Addresses of the local network: RoCE ports have none. */
static uint32_t read_zero32(struct ibv_cq_ex *cq)
{
	(void)cq;
	return 0;
}

static uint8_t read_zero8(struct ibv_cq_ex *cq)
{
	(void)cq;
	return 0;
}

static uint64_t read_completion_ts(struct ibv_cq_ex *cq)
{
	return arnica_cq_of_ex(cq)->current.timestamp_ns;
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* How far the wall clock is ahead of the monotonic one. A thread that is
 * interrupted between the two readings tries again. */
static uint64_t wall_clock_lead(void)
{
	uint64_t before, wall;
	int tries = WALL_CLOCK_TRIES;

	do {
		before = now_ns(CLOCK_MONOTONIC);
		wall = now_ns(CLOCK_REALTIME);
	} while (--tries &&
		 now_ns(CLOCK_MONOTONIC) - before > WALL_CLOCK_NS);
	return wall - before;
}

/* The adapter's clock is CLOCK_MONOTONIC; the distance to wall-clock time is
 * taken now, so that steps of the wall clock are followed. */
static uint64_t read_completion_wallclock_ns(struct ibv_cq_ex *cq)
{
	return arnica_cq_of_ex(cq)->current.timestamp_ns + wall_clock_lead();
}

void arnica_cq_ex_init(struct arnica_cq *cq, uint64_t wc_flags)
{
	struct ibv_cq_ex *ex = &cq->verbs;

	ex->start_poll = start_poll;
	ex->next_poll = next_poll;
	ex->end_poll = end_poll;
	ex->read_opcode = read_opcode;
	ex->read_vendor_err = read_vendor_err;
	ex->read_wc_flags = read_wc_flags;
	if (wc_flags & IBV_WC_EX_WITH_BYTE_LEN)
		ex->read_byte_len = read_byte_len;
	if (wc_flags & IBV_WC_EX_WITH_IMM)
		ex->read_imm_data = read_imm_data;
	if (wc_flags & IBV_WC_EX_WITH_QP_NUM)
		ex->read_qp_num = read_qp_num;
	if (wc_flags & IBV_WC_EX_WITH_SRC_QP)
		ex->read_src_qp = read_src_qp;
	if (wc_flags & IBV_WC_EX_WITH_SLID)
		ex->read_slid = read_zero32;
	if (wc_flags & IBV_WC_EX_WITH_SL)
		ex->read_sl = read_sl;
	if (wc_flags & IBV_WC_EX_WITH_DLID_PATH_BITS)
		ex->read_dlid_path_bits = read_zero8;
	if (wc_flags & IBV_WC_EX_WITH_COMPLETION_TIMESTAMP)
		ex->read_completion_ts = read_completion_ts;
	if (wc_flags & IBV_WC_EX_WITH_COMPLETION_TIMESTAMP_WALLCLOCK)
		ex->read_completion_wallclock_ns = read_completion_wallclock_ns;
}
