/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * One side of a connection, made with public verbs: see vt.h.
 */
#include <sched.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "vt.h"

#define VT_PORT 1
#define VT_WAIT_MS 60000u

/* $VT_GID, where the first will not do. */
static int gid_index(void)
{
	return (int)vt_setting("VT_GID", 0);
}

struct vt_wish vt_defaults(void)
{
	return (struct vt_wish){
		.type = IBV_QPT_RC,
		.qkey = 0x11111111,
		.send_depth = 64,
		.recv_depth = 64,
		.send_sge = 4,
		.recv_sge = 4,
		.inline_bytes = 64,
		.cqe = 256,
		.buffer_bytes = 1 << 20,
		.mr_access = VT_ALL_ACCESS,
		.qp_access = VT_ALL_ACCESS,
		.timeout = (uint8_t)vt_setting("VT_TIMEOUT", 14),
		.retry_cnt = 7,
		.rnr_retry = 7,
		.min_rnr_timer = 1,
		.rd_atomic = 4,
		.mtu = IBV_MTU_1024,
	};
}

struct ibv_context *vt_open(void)
{
	const char *wanted = getenv("VT_DEVICE");
	struct ibv_device **list = ibv_get_device_list(NULL);
	struct ibv_context *context = NULL;

	VT_CHECK(list);
	for (int i = 0; list[i] && !context; i++)
		if (!wanted || !strcmp(ibv_get_device_name(list[i]), wanted))
			context = ibv_open_device(list[i]);
	ibv_free_device_list(list);
	VT_CHECK(context);
	return context;
}

static uint64_t send_ops(enum ibv_qp_type type)
{
	uint64_t ops = IBV_QP_EX_WITH_SEND | IBV_QP_EX_WITH_SEND_WITH_IMM;

	if (type != IBV_QPT_UD)
		ops |= IBV_QP_EX_WITH_RDMA_WRITE |
		       IBV_QP_EX_WITH_RDMA_WRITE_WITH_IMM;
	if (type == IBV_QPT_RC)
		ops |= IBV_QP_EX_WITH_RDMA_READ |
		       IBV_QP_EX_WITH_ATOMIC_CMP_AND_SWP |
		       IBV_QP_EX_WITH_ATOMIC_FETCH_AND_ADD;
	return ops;
}

static struct ibv_qp *create_qp(struct vt_end *end)
{
	const struct vt_wish *wish = &end->wish;
	struct ibv_qp_init_attr_ex attr = {
		.send_cq = end->send_cq,
		.recv_cq = end->recv_cq,
		.srq = wish->srq,
		.cap = { .max_send_wr = wish->send_depth,
			 .max_recv_wr = wish->recv_depth,
			 .max_send_sge = wish->send_sge,
			 .max_recv_sge = wish->recv_sge,
			 .max_inline_data = wish->inline_bytes },
		.qp_type = wish->type,
		.sq_sig_all = wish->all_signaled,
		.pd = end->pd,
		.comp_mask = IBV_QP_INIT_ATTR_PD,
	};
	struct ibv_qp *qp;

	if (wish->extended) {
		attr.comp_mask |= IBV_QP_INIT_ATTR_SEND_OPS_FLAGS;
		attr.send_ops_flags = send_ops(wish->type) | wish->send_ops;
		qp = ibv_create_qp_ex(end->context, &attr);
	} else {
		/* The two structures begin alike by the library's promise. */
		qp = ibv_create_qp(end->pd, (struct ibv_qp_init_attr *)&attr);
	}
	end->cap = attr.cap;
	return qp;
}

static void open_rest(struct vt_end *end)
{
	const struct vt_wish *wish = &end->wish;

	end->psn = (uint32_t)(vt_now_ms() * 7919 + (uintptr_t)end) & 0xffffff;
	end->pd = ibv_alloc_pd(end->context);
	VT_CHECK(end->pd);
	if (wish->channel) {
		end->channel = ibv_create_comp_channel(end->context);
		VT_CHECK(end->channel);
	}
	end->send_cq = ibv_create_cq(end->context, (int)wish->cqe, end,
				     end->channel, 0);
	VT_CHECK(end->send_cq);
	end->recv_cq = wish->common_cq ? end->send_cq :
		       ibv_create_cq(end->context, (int)wish->cqe, end,
				     end->channel, 0);
	VT_CHECK(end->recv_cq);
	end->buffer = mmap(NULL, wish->buffer_bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	VT_CHECK(end->buffer != MAP_FAILED);
	end->mr = ibv_reg_mr(end->pd, end->buffer, wish->buffer_bytes,
			     wish->mr_access);
	VT_CHECK(end->mr);
	end->qp = create_qp(end);
	VT_CHECK(end->qp);
}

void vt_end_open(struct vt_end *end, const struct vt_wish *wish)
{
	*end = (struct vt_end){ .wish = *wish };
	end->context = vt_open();
	open_rest(end);
}

void vt_end_open_in(struct vt_end *end, const struct vt_end *other,
		    const struct vt_wish *wish)
{
	*end = (struct vt_end){ .wish = *wish,
				.context = other->context,
				.context_shared = true };
	open_rest(end);
}

void vt_end_close(struct vt_end *end)
{
	if (end->qp)
		VT_EQUAL(ibv_destroy_qp(end->qp), 0);
	if (end->mr)
		VT_EQUAL(ibv_dereg_mr(end->mr), 0);
	if (end->recv_cq != end->send_cq)
		VT_EQUAL(ibv_destroy_cq(end->recv_cq), 0);
	VT_EQUAL(ibv_destroy_cq(end->send_cq), 0);
	if (end->channel)
		VT_EQUAL(ibv_destroy_comp_channel(end->channel), 0);
	VT_EQUAL(ibv_dealloc_pd(end->pd), 0);
	if (!end->context_shared)
		VT_EQUAL(ibv_close_device(end->context), 0);
	if (end->buffer)
		munmap(end->buffer, end->wish.buffer_bytes);
}

struct vt_address vt_address_of(const struct vt_end *end)
{
	struct vt_address address = {
		.qpn = end->qp->qp_num,
		.psn = end->psn,
		.rkey = end->mr->rkey,
		.buffer = (uintptr_t)end->buffer,
	};

	VT_EQUAL(ibv_query_gid(end->context, VT_PORT, gid_index(),
			       &address.gid), 0);
	return address;
}

int vt_to_init(struct vt_end *end)
{
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_INIT,
		.port_num = VT_PORT,
		.qp_access_flags = (unsigned int)end->wish.qp_access,
		.qkey = end->wish.qkey,
	};

	return ibv_modify_qp(end->qp, &attr,
			     IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
				     (end->wish.type == IBV_QPT_UD ?
					      IBV_QP_QKEY :
					      IBV_QP_ACCESS_FLAGS));
}

/* What was wished, where the port lets it through. */
static enum ibv_mtu path_mtu(const struct vt_end *end)
{
	struct ibv_port_attr port;

	VT_EQUAL(ibv_query_port(end->context, VT_PORT, &port), 0);
	return end->wish.mtu < port.active_mtu ? end->wish.mtu :
						 port.active_mtu;
}

int vt_to_rtr(struct vt_end *end, const struct vt_address *peer)
{
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_RTR,
		.path_mtu = path_mtu(end),
		.dest_qp_num = peer->qpn,
		.rq_psn = peer->psn,
		.max_dest_rd_atomic = end->wish.rd_atomic,
		.min_rnr_timer = end->wish.min_rnr_timer,
		.ah_attr = { .is_global = 1,
			     .port_num = VT_PORT,
			     .sl = end->wish.sl,
			     .grh = { .dgid = peer->gid,
				      .sgid_index = (uint8_t)gid_index(),
				      .hop_limit = 1 } },
	};

	int mask = IBV_QP_STATE;

	if (end->wish.type != IBV_QPT_UD)
		mask |= IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
			IBV_QP_RQ_PSN;
	if (end->wish.type == IBV_QPT_RC)
		mask |= IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER;
	return ibv_modify_qp(end->qp, &attr, mask);
}

int vt_to_rts(struct vt_end *end)
{
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_RTS,
		.sq_psn = end->psn,
		.timeout = end->wish.timeout,
		.retry_cnt = end->wish.retry_cnt,
		.rnr_retry = end->wish.rnr_retry,
		.max_rd_atomic = end->wish.rd_atomic,
	};

	int mask = IBV_QP_STATE | IBV_QP_SQ_PSN;

	if (end->wish.type == IBV_QPT_RC || end->wish.type == IBV_QPT_XRC_SEND)
		mask |= IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY |
			IBV_QP_MAX_QP_RD_ATOMIC;
	return ibv_modify_qp(end->qp, &attr, mask);
}

void vt_connect(struct vt_end *end, const struct vt_address *peer)
{
	VT_EQUAL(vt_to_init(end), 0);
	VT_EQUAL(vt_to_rtr(end, peer), 0);
	VT_EQUAL(vt_to_rts(end), 0);
}

static void connect_pair(struct vt_end *a, struct vt_end *b)
{
	struct vt_address to_a = vt_address_of(a), to_b = vt_address_of(b);

	vt_connect(a, &to_b);
	vt_connect(b, &to_a);
}

void vt_pair_open(struct vt_end *a, struct vt_end *b,
		  const struct vt_wish *wish, bool one_context)
{
	vt_end_open(a, wish);
	if (one_context)
		vt_end_open_in(b, a, wish);
	else
		vt_end_open(b, wish);
	connect_pair(a, b);
}

void vt_pair_open_srq(struct vt_end *a, struct vt_end *b,
		      const struct vt_end *owner, struct ibv_srq *srq,
		      const struct vt_wish *wish)
{
	struct vt_wish with_srq = *wish;

	with_srq.srq = srq;
	vt_end_open(a, wish);
	vt_end_open_in(b, owner, &with_srq);
	connect_pair(a, b);
}

void vt_pair_close(struct vt_end *a, struct vt_end *b)
{
	vt_end_close(b);
	vt_end_close(a);
}

int vt_set_state(struct ibv_qp *qp, enum ibv_qp_state state)
{
	struct ibv_qp_attr attr = { .qp_state = state };

	return ibv_modify_qp(qp, &attr, IBV_QP_STATE);
}

enum ibv_qp_state vt_state(struct ibv_qp *qp)
{
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr attr;

	VT_EQUAL(ibv_query_qp(qp, &attr, IBV_QP_STATE, &init), 0);
	return attr.qp_state;
}

void vt_wait_state(struct ibv_qp *qp, enum ibv_qp_state state)
{
	struct vt_patience patience = vt_patience(VT_WAIT_MS);

	while (vt_state(qp) != state) {
		VT_CHECK(!vt_patience_ends(&patience));
		usleep(1000);
	}
}

struct ibv_sge vt_sge(const struct vt_end *end, size_t offset, size_t length)
{
	return (struct ibv_sge){ .addr = (uintptr_t)end->buffer + offset,
				 .length = (uint32_t)length,
				 .lkey = end->mr->lkey };
}

struct ibv_send_wr vt_send_wr(uint64_t id, enum ibv_wr_opcode opcode,
			      struct ibv_sge *sge)
{
	return (struct ibv_send_wr){ .wr_id = id,
				     .opcode = opcode,
				     .sg_list = sge,
				     .num_sge = sge ? 1 : 0,
				     .send_flags = IBV_SEND_SIGNALED };
}

int vt_post_send(struct vt_end *end, struct ibv_send_wr *wr)
{
	struct ibv_send_wr *bad = NULL;
	int status = ibv_post_send(end->qp, wr, &bad);

	if (status)
		VT_CHECK(bad == wr);
	return status;
}

void vt_send(struct vt_end *end, uint64_t id, size_t offset, size_t length)
{
	struct ibv_sge sge = vt_sge(end, offset, length);
	struct ibv_send_wr wr = vt_send_wr(id, IBV_WR_SEND, &sge);

	VT_EQUAL(vt_post_send(end, &wr), 0);
}

void vt_rdma(struct vt_end *end, uint64_t id, enum ibv_wr_opcode opcode,
	     size_t offset, size_t length, uint64_t remote, uint32_t rkey)
{
	struct ibv_sge sge = vt_sge(end, offset, length);
	struct ibv_send_wr wr = vt_send_wr(id, opcode, &sge);

	if (opcode == IBV_WR_ATOMIC_CMP_AND_SWP ||
	    opcode == IBV_WR_ATOMIC_FETCH_AND_ADD) {
		wr.wr.atomic.remote_addr = remote;
		wr.wr.atomic.rkey = rkey;
		wr.wr.atomic.compare_add = 1;
		wr.wr.atomic.swap = 2;
	} else {
		wr.wr.rdma.remote_addr = remote;
		wr.wr.rdma.rkey = rkey;
	}
	VT_EQUAL(vt_post_send(end, &wr), 0);
}

void vt_recv(struct vt_end *end, uint64_t id, size_t offset, size_t length)
{
	struct ibv_sge sge = vt_sge(end, offset, length);
	struct ibv_recv_wr wr = { .wr_id = id, .sg_list = &sge, .num_sge = 1 };
	struct ibv_recv_wr *bad;

	VT_EQUAL(ibv_post_recv(end->qp, &wr, &bad), 0);
}

struct ibv_wc vt_poll_of(struct ibv_cq *cq, struct ibv_cq *other)
{
	struct vt_patience patience = vt_patience(VT_WAIT_MS);
	struct ibv_wc wc;

	for (uint32_t turn = 0;; turn++) {
		int got = ibv_poll_cq(cq, 1, &wc);

		if (got == 0 && other)
			got = ibv_poll_cq(other, 1, &wc);
		VT_CHECK(got >= 0);
		if (got == 1)
			return wc;
		/* There may be fewer processors than processes. */
		if (turn % 64 == 63)
			sched_yield();
		if (turn % 1024 == 0 && vt_patience_ends(&patience))
			vt_fail(__FILE__, __LINE__, "no completion came");
	}
}

struct ibv_wc vt_poll(struct ibv_cq *cq)
{
	return vt_poll_of(cq, NULL);
}

void vt_poll_nothing(struct ibv_cq *cq, unsigned int ms)
{
	uint64_t end = vt_now_ms() + ms;
	struct ibv_wc wc;

	do {
		int got = ibv_poll_cq(cq, 1, &wc);

		if (got)
			vt_fail(__FILE__, __LINE__,
				"unexpected completion of wr %llu: %s",
				(unsigned long long)wc.wr_id,
				got < 0 ? "poll failed" :
					  ibv_wc_status_str(wc.status));
	} while (vt_now_ms() < end);
}

void vt_expect(struct ibv_cq *cq, uint64_t id, enum ibv_wc_status status)
{
	struct ibv_wc wc = vt_poll(cq);

	if (wc.wr_id != id || wc.status != status)
		vt_fail(__FILE__, __LINE__,
			"completion of wr %llu: \"%s\", expected wr %llu: "
			"\"%s\"", (unsigned long long)wc.wr_id,
			ibv_wc_status_str(wc.status), (unsigned long long)id,
			ibv_wc_status_str(status));
}

struct ibv_async_event vt_event(struct ibv_context *context,
				enum ibv_event_type type)
{
	struct ibv_async_event event;

	if (!vt_readable(context->async_fd, VT_WAIT_MS))
		vt_fail(__FILE__, __LINE__, "no event came, expected \"%s\"",
			ibv_event_type_str(type));
	VT_EQUAL(ibv_get_async_event(context, &event), 0);
	ibv_ack_async_event(&event);
	if (event.event_type != type)
		vt_fail(__FILE__, __LINE__, "event \"%s\", expected \"%s\"",
			ibv_event_type_str(event.event_type),
			ibv_event_type_str(type));
	return event;
}

struct vt_address vt_meet(int fd, struct vt_end *end)
{
	struct vt_address mine = vt_address_of(end), peer;

	VT_EQUAL(vt_to_init(end), 0);
	vt_tell(fd, &mine, sizeof(mine));
	vt_hear(fd, &peer, sizeof(peer));
	VT_EQUAL(vt_to_rtr(end, &peer), 0);
	VT_EQUAL(vt_to_rts(end), 0);
	vt_sync(fd);
	return peer;
}
