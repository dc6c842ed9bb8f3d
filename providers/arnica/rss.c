/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Receive side scaling; see wq.h. The adapter keeps the tables, and hashes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "pd.h"
#include "qp.h"
#include "qp_check.h"
#include "wq.h"

static int create_table(struct arnica_context *context,
			const struct ibv_rwq_ind_table_init_attr *attr,
			uint32_t count, struct ibv_rwq_ind_table *table)
{
	arnica_le32 *queues = malloc(count * sizeof(*queues));
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_CREATE_RWQ_TABLE),
		.create_rwq_table = {
			.queues = arnica_to_le64((uintptr_t)queues),
			.count = arnica_to_le32(count),
		},
	};
	struct arnica_hw_completion answer;
	uint32_t i;
	int error = 0;

	if (!queues)
		return ENOMEM;
	for (i = 0; i < count && !error; i++) {
		struct ibv_wq *wq = attr->ind_tbl[i];

		if (!wq || wq->context != table->context)
			error = EINVAL;
		else
			queues[i] = arnica_to_le32(wq->handle);
	}
	if (!error)
		error = arnica_command_execute(&context->commands, &command,
					       &answer);
	if (!error)
		table->ind_tbl_handle = (int)arnica_from_le32(
			answer.object.handle);
	free(queues);
	return error;
}

struct ibv_rwq_ind_table *
arnica_rwq_table_create(struct ibv_context *ibv,
			struct ibv_rwq_ind_table_init_attr *attr)
{
	struct ibv_rwq_ind_table *table;
	int error = 0;

	if (attr->comp_mask)
		error = EOPNOTSUPP;
	else if (attr->log_ind_tbl_size > 31 ||
		 1u << attr->log_ind_tbl_size > ARNICA_HW_MAX_RWQ_TABLE)
		error = EINVAL;
	table = error ? NULL : calloc(1, sizeof(*table));
	if (!table) {
		errno = error ? error : ENOMEM;
		return NULL;
	}
	table->context = ibv;
	error = create_table(arnica_context_of(ibv), attr,
			     1u << attr->log_ind_tbl_size, table);
	if (error) {
		free(table);
		errno = error;
		return NULL;
	}
	table->ind_tbl_num = table->ind_tbl_handle;
	return table;
}

int arnica_rwq_table_destroy(struct ibv_rwq_ind_table *table)
{
	int error = arnica_command_object(
		&arnica_context_of(table->context)->commands,
		ARNICA_HW_CMD_DESTROY_RWQ_TABLE,
		(uint32_t)table->ind_tbl_handle);

	if (!error)
		free(table);
	return error;
}

static int check(const struct ibv_context *ibv,
		 const struct ibv_qp_init_attr_ex *attr)
{
	const uint32_t needed = IBV_QP_INIT_ATTR_PD |
				IBV_QP_INIT_ATTR_IND_TABLE |
				IBV_QP_INIT_ATTR_RX_HASH;
	const struct ibv_rx_hash_conf *hash = &attr->rx_hash_conf;

	if (attr->comp_mask & ~(needed | IBV_QP_INIT_ATTR_CREATE_FLAGS) ||
	    arnica_qp_create_flags(attr))
		return EOPNOTSUPP;
	if ((attr->comp_mask & needed) != needed ||
	    attr->qp_type != IBV_QPT_RAW_PACKET || !attr->pd ||
	    attr->pd->context != ibv || !attr->rwq_ind_tbl ||
	    attr->rwq_ind_tbl->context != ibv || attr->srq ||
	    attr->cap.max_send_wr || attr->cap.max_recv_wr)
		return EINVAL;
	if (hash->rx_hash_function != IBV_RX_HASH_FUNC_TOEPLITZ ||
	    hash->rx_hash_fields_mask & ~(uint64_t)ARNICA_HW_HASH_FIELDS)
		return EOPNOTSUPP;
	return hash->rx_hash_key_len == ARNICA_HW_HASH_KEY_BYTES &&
			       hash->rx_hash_key ?
		       0 :
		       EINVAL;
}

struct ibv_qp *arnica_rss_create_qp(struct ibv_context *ibv,
				    struct ibv_qp_init_attr_ex *attr)
{
	const struct ibv_qp_init_attr_ex hidden = {
		.qp_context = attr->qp_context,
		.qp_type = (enum ibv_qp_type)ARNICA_HW_QP_RSS,
	};
	struct arnica_hw_rss rss = { .table = arnica_to_le32(0) };
	const struct arnica_qp_extra extra = { .rss = &rss };
	int error = check(ibv, attr);
	struct ibv_qp *qp;

	if (error) {
		errno = error;
		return NULL;
	}
	rss.table = arnica_to_le32((uint32_t)attr->rwq_ind_tbl->ind_tbl_handle +
				   1);
	rss.fields = arnica_to_le32(
		(uint32_t)attr->rx_hash_conf.rx_hash_fields_mask);
	memcpy(rss.key, attr->rx_hash_conf.rx_hash_key, sizeof(rss.key));
	qp = arnica_qp_create_hidden(ibv, &hidden, &extra);
	if (!qp)
		return NULL;
	/* In the adapter it needs none: its queues have theirs. */
	arnica_pd_get(attr->pd);
	qp->pd = attr->pd;
	qp->qp_type = IBV_QPT_RAW_PACKET;
	arnica_qp_of(qp)->spreads = true;
	memset(&attr->cap, 0, sizeof(attr->cap));
	return qp;
}
