/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Two reliable queue pairs of one process that are connected to each other, and
 * what they need. Nothing here is special to arnica but the choice of the
 * device; a real program would check each call as it sees fit.
 */
#ifndef EXAMPLES_PAIR_H
#define EXAMPLES_PAIR_H

#include <infiniband/arnicadv.h>
#include <infiniband/verbs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_BYTES 65536

#define REQUIRE(condition)                                                     \
	do {                                                                   \
		if (!(condition)) {                                            \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__,     \
				#condition);                                   \
			exit(1);                                               \
		}                                                              \
	} while (0)

struct side {
	struct ibv_qp *qp;
	struct ibv_cq *cq;
	struct ibv_mr *mr;
	char *buffer;
};

static struct ibv_context *context;
static struct ibv_pd *pd;
static struct side owner, peer;

static inline void open_device(void)
{
	struct ibv_device **list = ibv_get_device_list(NULL);
	int i;

	REQUIRE(list);
	for (i = 0; list[i] && !arnicadv_is_supported(list[i]); i++)
		;
	REQUIRE(list[i]);
	context = ibv_open_device(list[i]);
	REQUIRE(context);
	ibv_free_device_list(list);
	pd = ibv_alloc_pd(context);
	REQUIRE(pd);
}

/* `attr` says what is special about its queue pair; NULL: nothing. */
static inline void make_side(struct side *side,
			     struct arnicadv_qp_init_attr *attr)
{
	struct arnicadv_qp_init_attr plain = { .comp_mask = 0 };
	struct ibv_qp_init_attr_ex init = {
		.qp_type = IBV_QPT_RC,
		.cap = { .max_send_wr = 16, .max_recv_wr = 16,
			 .max_send_sge = 1, .max_recv_sge = 1 },
		.comp_mask = IBV_QP_INIT_ATTR_PD |
			     IBV_QP_INIT_ATTR_SEND_OPS_FLAGS,
		.pd = pd,
		.send_ops_flags = IBV_QP_EX_WITH_SEND |
				  IBV_QP_EX_WITH_SEND_WITH_INV |
				  IBV_QP_EX_WITH_RDMA_WRITE |
				  IBV_QP_EX_WITH_RDMA_READ |
				  IBV_QP_EX_WITH_BIND_MW,
	};

	side->cq = ibv_create_cq(context, 32, NULL, NULL, 0);
	REQUIRE(side->cq);
	init.send_cq = init.recv_cq = side->cq;
	side->qp = arnicadv_create_qp(context, &init, attr ? attr : &plain);
	REQUIRE(side->qp);
	side->buffer = calloc(1, BUFFER_BYTES);
	REQUIRE(side->buffer);
	side->mr = ibv_reg_mr(pd, side->buffer, BUFFER_BYTES,
			      IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE |
				      IBV_ACCESS_REMOTE_READ |
				      IBV_ACCESS_MW_BIND);
	REQUIRE(side->mr);
}

static inline void connect_to(struct side *side, uint32_t qpn)
{
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_INIT,
		.port_num = 1,
		.qp_access_flags = IBV_ACCESS_REMOTE_WRITE |
				   IBV_ACCESS_REMOTE_READ,
	};

	REQUIRE(!ibv_modify_qp(side->qp, &attr,
			       IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
				       IBV_QP_ACCESS_FLAGS));
	attr.qp_state = IBV_QPS_RTR;
	attr.path_mtu = IBV_MTU_1024;
	attr.dest_qp_num = qpn;
	attr.max_dest_rd_atomic = 1;
	attr.min_rnr_timer = 12;
	attr.ah_attr.is_global = 1;
	attr.ah_attr.port_num = 1;
	REQUIRE(!ibv_query_gid(context, 1, 0, &attr.ah_attr.grh.dgid));
	REQUIRE(!ibv_modify_qp(side->qp, &attr,
			       IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU |
				       IBV_QP_DEST_QPN | IBV_QP_RQ_PSN |
				       IBV_QP_MAX_DEST_RD_ATOMIC |
				       IBV_QP_MIN_RNR_TIMER));
	attr.qp_state = IBV_QPS_RTS;
	attr.timeout = 14;
	attr.retry_cnt = 7;
	attr.rnr_retry = 7;
	attr.max_rd_atomic = 1;
	REQUIRE(!ibv_modify_qp(side->qp, &attr,
			       IBV_QP_STATE | IBV_QP_TIMEOUT |
				       IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY |
				       IBV_QP_SQ_PSN |
				       IBV_QP_MAX_QP_RD_ATOMIC));
}

static inline void open_pair(struct arnicadv_qp_init_attr *of_owner)
{
	open_device();
	make_side(&owner, of_owner);
	make_side(&peer, NULL);
	connect_to(&owner, peer.qp->qp_num);
	connect_to(&peer, owner.qp->qp_num);
}

static inline void close_side(struct side *side)
{
	REQUIRE(!ibv_destroy_qp(side->qp));
	REQUIRE(!ibv_dereg_mr(side->mr));
	REQUIRE(!ibv_destroy_cq(side->cq));
	free(side->buffer);
}

static inline void close_pair(void)
{
	close_side(&owner);
	close_side(&peer);
	REQUIRE(!ibv_dealloc_pd(pd));
	REQUIRE(!ibv_close_device(context));
}

static inline struct ibv_wc wait_for(struct side *side)
{
	struct ibv_wc wc;
	int num;

	do {
		num = ibv_poll_cq(side->cq, 1, &wc);
	} while (!num);
	REQUIRE(num == 1);
	return wc;
}

static inline void succeeds(struct side *side)
{
	REQUIRE(wait_for(side).status == IBV_WC_SUCCESS);
}

static inline void post_receive(struct side *side)
{
	struct ibv_sge sge = { .addr = (uintptr_t)side->buffer, .length = 4096,
			       .lkey = side->mr->lkey };
	struct ibv_recv_wr wr = { .sg_list = &sge, .num_sge = 1 };
	struct ibv_recv_wr *bad;

	REQUIRE(!ibv_post_recv(side->qp, &wr, &bad));
}

/* Begins a request; ibv_wr_*() follow, and ibv_wr_complete(). */
static inline struct ibv_qp_ex *start(struct side *side)
{
	struct ibv_qp_ex *ex = ibv_qp_to_qp_ex(side->qp);

	ibv_wr_start(ex);
	ex->wr_flags = IBV_SEND_SIGNALED;
	return ex;
}

#endif
