/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Capabilities of the device. What is not there is reported as zero, and a
 * flag is set only for what works.
 */
#include "device_query.h"

#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <time.h>

#include "context.h"

#define NS_CLOCK_KHZ 1000000u /* a clock that counts nanoseconds */
#define NS_PER_S 1000000000l
/* Of the kernel's interface (ib_user_verbs.h); older headers lack it. */
#define DEVICE_ATOMIC_WRITE (1ull << 40)
/* Whatever sends can be paced. */
#define PACED_TYPES                                                            \
	(1u << IBV_QPT_RC | 1u << IBV_QPT_UC | 1u << IBV_QPT_UD |              \
	 1u << IBV_QPT_RAW_PACKET | 1u << IBV_QPT_XRC_SEND)

int arnica_device_load_caps(struct arnica_context *context)
{
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_QUERY_DEVICE),
	};
	struct arnica_hw_completion answer;
	int error = arnica_command_execute(&context->commands, &command,
					   &answer);

	if (!error)
		context->caps = answer.device;
	return error;
}

/* Verbs count in int, the contract in uint32_t. */
static int as_int(arnica_le32 word)
{
	uint32_t value = arnica_from_le32(word);

	return value > INT_MAX ? INT_MAX : (int)value;
}

static unsigned int window_flags(const struct arnica_hw_device_caps *caps)
{
	uint32_t flags = arnica_from_le32(caps->flags);

	return (flags & ARNICA_HW_DEVICE_WINDOWS ? IBV_DEVICE_MEM_WINDOW : 0) |
	       (flags & ARNICA_HW_DEVICE_WINDOWS_2A ?
			IBV_DEVICE_MEM_WINDOW_TYPE_2A :
			0) |
	       (flags & ARNICA_HW_DEVICE_WINDOWS_2B ?
			IBV_DEVICE_MEM_WINDOW_TYPE_2B :
			0) |
	       (flags & ARNICA_HW_DEVICE_INVALIDATION ?
			IBV_DEVICE_MEM_MGT_EXTENSIONS :
			0);
}

static void fill_base(const struct arnica_hw_device_caps *caps,
		      struct ibv_device_attr *attr)
{
	memcpy(attr->fw_ver, caps->firmware_version,
	       sizeof(caps->firmware_version));
	attr->fw_ver[sizeof(caps->firmware_version) - 1] = '\0';
	attr->node_guid = htobe64(arnica_from_le64(caps->node_guid));
	attr->sys_image_guid = attr->node_guid;
	attr->max_mr_size = arnica_from_le64(caps->max_mr_size);
	attr->page_size_cap = arnica_from_le64(caps->page_size_cap);
	attr->vendor_id = arnica_from_le32(caps->vendor_id);
	attr->vendor_part_id = arnica_from_le32(caps->vendor_part_id);
	attr->hw_ver = arnica_from_le32(caps->hw_version);
	attr->max_qp = as_int(caps->max_qp);
	attr->max_qp_wr = as_int(caps->max_qp_wr);
	attr->device_cap_flags = IBV_DEVICE_RC_RNR_NAK_GEN |
				 IBV_DEVICE_SYS_IMAGE_GUID | window_flags(caps) |
				 IBV_DEVICE_SRQ_RESIZE |
				 IBV_DEVICE_MANAGED_FLOW_STEERING |
				 (arnica_from_le32(caps->flags) &
						  ARNICA_HW_DEVICE_XRC ?
					  IBV_DEVICE_XRC :
					  0);
	attr->max_sge = as_int(caps->max_sge);
	attr->max_sge_rd = attr->max_sge;
	attr->max_cq = as_int(caps->max_cq);
	attr->max_cqe = as_int(caps->max_cqe);
	attr->max_mr = as_int(caps->max_mr);
	attr->max_mw = as_int(caps->max_mw);
	attr->max_pd = as_int(caps->max_pd);
	attr->max_srq = as_int(caps->max_srq);
	attr->max_srq_wr = as_int(caps->max_srq_wr);
	attr->max_srq_sge = as_int(caps->max_srq_sge);
	attr->max_raw_ethy_qp = attr->max_qp;
	attr->max_mcast_grp = as_int(caps->max_mcast_grp);
	attr->max_mcast_qp_attach = as_int(caps->max_mcast_qp);
	attr->max_total_mcast_qp_attach = as_int(caps->max_mcast_attach);
	attr->max_ah = as_int(caps->max_ah);
	attr->max_qp_rd_atom = as_int(caps->max_qp_rd_atom);
	attr->max_qp_init_rd_atom = as_int(caps->max_qp_init_rd_atom);
	attr->max_res_rd_atom = as_int(caps->max_res_rd_atom);
	/* Executed by a processor: atomic with its own accesses, too. */
	attr->atomic_cap = IBV_ATOMIC_GLOB;
	attr->max_pkeys = (uint16_t)arnica_from_le32(caps->max_pkeys);
	attr->local_ca_ack_delay = (uint8_t)arnica_from_le32(
		caps->local_ca_ack_delay);
	attr->phys_port_cnt = (uint8_t)arnica_from_le32(caps->num_ports);
}

/*
 * Nothing is ever pinned: every access takes the page as the processor finds
 * it. A region that pages on demand only skips the look at registration.
 */
static void fill_odp(struct ibv_device_attr_ex *attr)
{
	struct ibv_odp_caps *caps = &attr->odp_caps;

	caps->general_caps = IBV_ODP_SUPPORT | IBV_ODP_SUPPORT_IMPLICIT;
	caps->per_transport_caps.rc_odp_caps =
		IBV_ODP_SUPPORT_SEND | IBV_ODP_SUPPORT_RECV |
		IBV_ODP_SUPPORT_WRITE | IBV_ODP_SUPPORT_READ |
		IBV_ODP_SUPPORT_ATOMIC | IBV_ODP_SUPPORT_SRQ_RECV;
	attr->xrc_odp_caps = caps->per_transport_caps.rc_odp_caps;
	caps->per_transport_caps.uc_odp_caps = IBV_ODP_SUPPORT_SEND |
					       IBV_ODP_SUPPORT_RECV |
					       IBV_ODP_SUPPORT_WRITE |
					       IBV_ODP_SUPPORT_SRQ_RECV;
	caps->per_transport_caps.ud_odp_caps = IBV_ODP_SUPPORT_SEND |
					       IBV_ODP_SUPPORT_RECV |
					       IBV_ODP_SUPPORT_SRQ_RECV;
}

static void fill_rss(const struct ibv_device_attr *base,
		     struct ibv_device_attr_ex *attr)
{
	attr->rss_caps = (struct ibv_rss_caps){
		.supported_qpts = 1u << IBV_QPT_RAW_PACKET,
		.max_rwq_indirection_tables = ARNICA_HW_MAX_RWQ_TABLES,
		.max_rwq_indirection_table_size = ARNICA_HW_MAX_RWQ_TABLE,
		.rx_hash_fields_mask = ARNICA_HW_HASH_FIELDS,
		.rx_hash_function = IBV_RX_HASH_FUNC_TOEPLITZ,
	};
	attr->max_wq_type_rq = (uint32_t)base->max_qp;
}

int arnica_device_query_ex(struct ibv_context *ibv,
			   const struct ibv_query_device_ex_input *input,
			   struct ibv_device_attr_ex *attr, size_t attr_bytes)
{
	struct arnica_context *context = arnica_context_of(ibv);
	struct ibv_device_attr_ex full;
	int error;

	if (input && input->comp_mask)
		return EINVAL;
	if (attr_bytes < sizeof(attr->orig_attr))
		return EINVAL;
	error = arnica_command_ready(&context->commands);
	if (error)
		return error;
	memset(&full, 0, sizeof(full));
	fill_base(&context->caps, &full.orig_attr);
	full.completion_timestamp_mask = UINT64_MAX;
	full.hca_core_clock = NS_CLOCK_KHZ;
	fill_odp(&full);
	full.cq_mod_caps.max_cq_count = (uint16_t)arnica_from_le32(
		context->caps.max_moderation_count);
	full.cq_mod_caps.max_cq_period = (uint16_t)arnica_from_le32(
		context->caps.max_moderation_us);
	fill_rss(&full.orig_attr, &full);
	full.packet_pacing_caps = (struct ibv_packet_pacing_caps){
		.qp_rate_limit_min = ARNICA_HW_MIN_RATE_LIMIT,
		.qp_rate_limit_max = ARNICA_HW_MAX_RATE_LIMIT,
		.supported_qpts = PACED_TYPES,
	};
	full.max_dm_size = arnica_from_le64(context->caps.max_dm_bytes);
	full.device_cap_flags_ex = full.orig_attr.device_cap_flags |
				   DEVICE_ATOMIC_WRITE;
	full.phys_port_cnt_ex = full.orig_attr.phys_port_cnt;
	/* The caller's structure may be shorter or longer than ours. */
	memset(attr, 0, attr_bytes);
	memcpy(attr, &full,
	       attr_bytes < sizeof(full) ? attr_bytes : sizeof(full));
	return 0;
}

/*
 * The raw clock is what completion timestamps count: nanoseconds of the
 * monotonic clock, all of them in tv_nsec, where applications look for ticks.
 */
int arnica_device_query_rt_values(struct ibv_context *ibv,
				  struct ibv_values_ex *values)
{
	struct timespec now;

	(void)ibv;
	if (values->comp_mask & ~(uint32_t)IBV_VALUES_MASK_RAW_CLOCK)
		return EOPNOTSUPP;
	if (!(values->comp_mask & IBV_VALUES_MASK_RAW_CLOCK))
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	values->raw_clock.tv_sec = 0;
	values->raw_clock.tv_nsec = now.tv_sec * NS_PER_S + now.tv_nsec;
	return 0;
}
