/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Checking and converting the attributes of queue pairs; see qp_attributes.h.
 */
#include "qp_attributes.h"

#include <errno.h>
#include <string.h>

#define MAX_CODE_5_BITS 31u /* timeout, RNR timer */
#define MAX_CODE_3_BITS 7u  /* retry counts */
#define MAX_SL 15u

#define QP_ACCESS                                                              \
	(IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE |                    \
	 IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC)
/* Programs pass the rights of their region: what is none of a QP is ignored. */
#define QP_ACCESS_KNOWN                                                        \
	(QP_ACCESS | IBV_ACCESS_MW_BIND | IBV_ACCESS_ZERO_BASED |              \
	 IBV_ACCESS_ON_DEMAND | IBV_ACCESS_HUGETLB |                           \
	 (int)ARNICA_HW_ACCESS_FLUSH_GLOBAL |                                  \
	 (int)ARNICA_HW_ACCESS_FLUSH_PERSISTENT |                              \
	 (int)IBV_ACCESS_OPTIONAL_RANGE)

static bool port_exists(const struct arnica_context *context, uint32_t port)
{
	return port >= 1 && port <= arnica_from_le32(context->caps.num_ports);
}

int arnica_address_check(const struct arnica_context *context,
			 const struct ibv_ah_attr *address)
{
	if (!port_exists(context, address->port_num) || address->sl > MAX_SL)
		return EINVAL;
	if (address->is_global &&
	    address->grh.sgid_index >= ARNICA_HW_GID_TABLE_LEN)
		return EINVAL;
	return 0;
}

static int check_counters(const struct ibv_qp_attr *attr, int mask)
{
	if ((mask & IBV_QP_TIMEOUT) && attr->timeout > MAX_CODE_5_BITS)
		return EINVAL;
	if ((mask & IBV_QP_MIN_RNR_TIMER) &&
	    attr->min_rnr_timer > MAX_CODE_5_BITS)
		return EINVAL;
	if ((mask & IBV_QP_RETRY_CNT) && attr->retry_cnt > MAX_CODE_3_BITS)
		return EINVAL;
	if ((mask & IBV_QP_RNR_RETRY) && attr->rnr_retry > MAX_CODE_3_BITS)
		return EINVAL;
	return 0;
}

static int check_limits(const struct arnica_hw_device_caps *caps,
			const struct ibv_qp_attr *attr, int mask)
{
	if ((mask & IBV_QP_PKEY_INDEX) &&
	    attr->pkey_index >= arnica_from_le32(caps->max_pkeys))
		return EINVAL;
	if ((mask & IBV_QP_MAX_QP_RD_ATOMIC) &&
	    attr->max_rd_atomic > arnica_from_le32(caps->max_qp_init_rd_atom))
		return EINVAL;
	if ((mask & IBV_QP_MAX_DEST_RD_ATOMIC) &&
	    attr->max_dest_rd_atomic > arnica_from_le32(caps->max_qp_rd_atom))
		return EINVAL;
	return 0;
}

static int check_rate(const struct ibv_qp_attr *attr, int mask)
{
	return mask & IBV_QP_RATE_LIMIT && attr->rate_limit &&
			       (attr->rate_limit < ARNICA_HW_MIN_RATE_LIMIT ||
				attr->rate_limit > ARNICA_HW_MAX_RATE_LIMIT) ?
		       EINVAL :
		       0;
}

static int check_path(const struct arnica_context *context,
		      const struct ibv_qp_attr *attr, int mask)
{
	/* There is one path: nothing to migrate to. */
	if (mask & IBV_QP_ALT_PATH)
		return EOPNOTSUPP;
	if ((mask & IBV_QP_PATH_MIG_STATE) &&
	    attr->path_mig_state != IBV_MIG_MIGRATED)
		return EOPNOTSUPP;
	if ((mask & IBV_QP_PORT) && !port_exists(context, attr->port_num))
		return EINVAL;
	if ((mask & IBV_QP_PATH_MTU) &&
	    (attr->path_mtu < IBV_MTU_256 || attr->path_mtu > IBV_MTU_4096))
		return EINVAL;
	if ((mask & IBV_QP_DEST_QPN) && attr->dest_qp_num > ARNICA_HW_QPN_MASK)
		return EINVAL;
	return mask & IBV_QP_AV ?
		       arnica_address_check(context, &attr->ah_attr) :
		       0;
}

int arnica_qp_attributes_check(const struct arnica_context *context,
			       const struct ibv_qp_attr *attr, int mask)
{
	int error = check_path(context, attr, mask);

	if (!error)
		error = check_limits(&context->caps, attr, mask);
	if (!error)
		error = check_counters(attr, mask);
	if (!error)
		error = check_rate(attr, mask);
	if (!error && (mask & IBV_QP_ACCESS_FLAGS) &&
	    ((int)attr->qp_access_flags & ~QP_ACCESS_KNOWN))
		error = EINVAL;
	return error;
}

void arnica_address_emit(const struct ibv_ah_attr *address,
			 struct arnica_hw_qp_attributes *attributes)
{
	attributes->is_global = arnica_to_le32(address->is_global != 0);
	attributes->dlid = arnica_to_le32(address->dlid);
	attributes->sl = arnica_to_le32(address->sl);
	attributes->src_path_bits = arnica_to_le32(address->src_path_bits);
	attributes->static_rate = arnica_to_le32(address->static_rate);
	if (!address->is_global)
		return;
	attributes->sgid_index = arnica_to_le32(address->grh.sgid_index);
	attributes->hop_limit = arnica_to_le32(address->grh.hop_limit);
	attributes->traffic_class = arnica_to_le32(address->grh.traffic_class);
	/* The field has 20 bits in the packet, and adapters take those: UCX asks
	 * for label -1. */
	attributes->flow_label = arnica_to_le32(address->grh.flow_label &
						ARNICA_HW_FLOW_LABEL_MASK);
	memcpy(attributes->dgid, address->grh.dgid.raw,
	       sizeof(attributes->dgid));
}

void arnica_qp_attributes_emit(const struct ibv_qp_attr *attr, int mask,
			       struct arnica_hw_qp_attributes *attributes)
{
	memset(attributes, 0, sizeof(*attributes));
	attributes->mask = arnica_to_le32((uint32_t)mask);
#define EMIT(bit, to, from)                                                    \
	do {                                                                   \
		if (mask & (bit))                                              \
			attributes->to = arnica_to_le32((uint32_t)(from));     \
	} while (0)
	EMIT(IBV_QP_STATE, state, attr->qp_state);
	EMIT(IBV_QP_CUR_STATE, current_state, attr->cur_qp_state);
	EMIT(IBV_QP_PATH_MTU, path_mtu, attr->path_mtu);
	EMIT(IBV_QP_PATH_MIG_STATE, path_mig_state, attr->path_mig_state);
	EMIT(IBV_QP_QKEY, qkey, attr->qkey);
	EMIT(IBV_QP_RQ_PSN, rq_psn, attr->rq_psn & 0xffffff);
	EMIT(IBV_QP_SQ_PSN, sq_psn, attr->sq_psn & 0xffffff);
	EMIT(IBV_QP_DEST_QPN, dest_qpn, attr->dest_qp_num);
	EMIT(IBV_QP_ACCESS_FLAGS, access,
	     attr->qp_access_flags & (unsigned int)QP_ACCESS);
	EMIT(IBV_QP_PKEY_INDEX, pkey_index, attr->pkey_index);
	EMIT(IBV_QP_EN_SQD_ASYNC_NOTIFY, en_sqd_async_notify,
	     attr->en_sqd_async_notify);
	EMIT(IBV_QP_MAX_QP_RD_ATOMIC, max_rd_atomic, attr->max_rd_atomic);
	EMIT(IBV_QP_MAX_DEST_RD_ATOMIC, max_dest_rd_atomic,
	     attr->max_dest_rd_atomic);
	EMIT(IBV_QP_MIN_RNR_TIMER, min_rnr_timer, attr->min_rnr_timer);
	EMIT(IBV_QP_PORT, port, attr->port_num);
	EMIT(IBV_QP_TIMEOUT, timeout, attr->timeout);
	EMIT(IBV_QP_RETRY_CNT, retry_cnt, attr->retry_cnt);
	EMIT(IBV_QP_RNR_RETRY, rnr_retry, attr->rnr_retry);
	EMIT(IBV_QP_RATE_LIMIT, rate_limit, attr->rate_limit);
#undef EMIT
	if (mask & IBV_QP_AV)
		arnica_address_emit(&attr->ah_attr, attributes);
}

static void parse_address(const struct arnica_hw_qp_attributes *attributes,
			  struct ibv_ah_attr *address)
{
	address->is_global = (uint8_t)arnica_from_le32(attributes->is_global);
	address->dlid = (uint16_t)arnica_from_le32(attributes->dlid);
	address->sl = (uint8_t)arnica_from_le32(attributes->sl);
	address->src_path_bits = (uint8_t)arnica_from_le32(
		attributes->src_path_bits);
	address->static_rate = (uint8_t)arnica_from_le32(
		attributes->static_rate);
	address->port_num = (uint8_t)arnica_from_le32(attributes->port);
	address->grh.sgid_index = (uint8_t)arnica_from_le32(
		attributes->sgid_index);
	address->grh.hop_limit = (uint8_t)arnica_from_le32(
		attributes->hop_limit);
	address->grh.traffic_class = (uint8_t)arnica_from_le32(
		attributes->traffic_class);
	address->grh.flow_label = arnica_from_le32(attributes->flow_label);
	memcpy(address->grh.dgid.raw, attributes->dgid,
	       sizeof(attributes->dgid));
}

void arnica_qp_attributes_parse(
	const struct arnica_hw_qp_attributes *attributes,
	struct ibv_qp_attr *attr)
{
#define GET(field) arnica_from_le32(attributes->field)
	memset(attr, 0, sizeof(*attr));
	attr->qp_state = (enum ibv_qp_state)GET(state);
	attr->cur_qp_state = attr->qp_state;
	attr->path_mtu = (enum ibv_mtu)GET(path_mtu);
	attr->path_mig_state = (enum ibv_mig_state)GET(path_mig_state);
	attr->qkey = GET(qkey);
	attr->rq_psn = GET(rq_psn);
	attr->sq_psn = GET(sq_psn);
	attr->dest_qp_num = GET(dest_qpn);
	attr->qp_access_flags = GET(access);
	attr->pkey_index = (uint16_t)GET(pkey_index);
	attr->en_sqd_async_notify = (uint8_t)GET(en_sqd_async_notify);
	attr->sq_draining = (uint8_t)GET(sq_draining);
	attr->max_rd_atomic = (uint8_t)GET(max_rd_atomic);
	attr->max_dest_rd_atomic = (uint8_t)GET(max_dest_rd_atomic);
	attr->min_rnr_timer = (uint8_t)GET(min_rnr_timer);
	attr->port_num = (uint8_t)GET(port);
	attr->timeout = (uint8_t)GET(timeout);
	attr->retry_cnt = (uint8_t)GET(retry_cnt);
	attr->rnr_retry = (uint8_t)GET(rnr_retry);
	attr->rate_limit = GET(rate_limit);
#undef GET
	parse_address(attributes, &attr->ah_attr);
}
