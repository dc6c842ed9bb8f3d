/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Work queues (ibv_create_wq(3)): a WQ is the receive queue of a queue pair that
 * nobody sees. Tables of them, and the queue pairs that spread frames over a
 * table (receive side scaling).
 */
#ifndef ARNICA_WQ_H
#define ARNICA_WQ_H

#include <infiniband/verbs.h>

struct ibv_wq *arnica_wq_create(struct ibv_context *context,
				struct ibv_wq_init_attr *attr);
int arnica_wq_modify(struct ibv_wq *wq, struct ibv_wq_attr *attr);
int arnica_wq_destroy(struct ibv_wq *wq);

/* rss.c */
struct ibv_rwq_ind_table *
arnica_rwq_table_create(struct ibv_context *context,
			struct ibv_rwq_ind_table_init_attr *attr);
int arnica_rwq_table_destroy(struct ibv_rwq_ind_table *table);

/* A queue pair that has IBV_QP_INIT_ATTR_IND_TABLE or RX_HASH. */
struct ibv_qp *arnica_rss_create_qp(struct ibv_context *context,
				    struct ibv_qp_init_attr_ex *attr);

#endif
