/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Commands QUERY_DEVICE and QUERY_PORT: what the adapter is and can do. */
#include <stdio.h>

#include "domain/identity.h"
#include "domain/port.h"
#include "front/address.h"
#include "front/command.h"
#include "tpt/window.h"
#include "transport/address_handle.h"

/* Of the adapter, not of the package; sysfs has it in fw_ver, too. */
#define FIRMWARE_VERSION "1.0.0"

#define LOCAL_CA_ACK_DELAY 15u /* 4.096 us * 2^15 = 134 ms */

#define MTU_4096 5u /* enum ibv_mtu */

static void fill_objects(const struct adev_layout *layout,
			 struct arnica_hw_device_caps *caps)
{
	caps->max_qp = arnica_to_le32(layout->max_qp);
	caps->max_cq = arnica_to_le32(layout->max_cq);
	/* Entry zero stays empty, so that no STag is zero. */
	caps->max_mr = arnica_to_le32(layout->max_mr - 1);
	caps->max_mw = caps->max_mr;
	caps->max_pd = arnica_to_le32(layout->max_pd);
	caps->max_ah = arnica_to_le32(ADEV_MAX_AH);
	caps->max_srq = arnica_to_le32(layout->max_srq);
	caps->max_mcast_grp = arnica_to_le32(ARNICA_HW_MAX_MCAST_GRP);
	caps->max_mcast_qp = arnica_to_le32(ARNICA_HW_MAX_MCAST_QP);
	caps->max_mcast_attach = arnica_to_le32(layout->max_attach);
	caps->max_res_rd_atom = arnica_to_le32(layout->max_qp *
					       ARNICA_HW_MAX_RD_ATOMIC);
}

static uint32_t flags(const struct adev_function *fn)
{
	return ARNICA_HW_DEVICE_WINDOWS | ARNICA_HW_DEVICE_INVALIDATION |
	       ARNICA_HW_DEVICE_XRC |
	       (adev_windows_kind(fn) == ADEV_TPT_WINDOW_2A ?
			ARNICA_HW_DEVICE_WINDOWS_2A :
			ARNICA_HW_DEVICE_WINDOWS_2B);
}

static void fill_limits(struct arnica_hw_device_caps *caps)
{
	caps->max_mr_size = arnica_to_le64(UINT64_MAX);
	caps->page_size_cap = arnica_to_le64(
		~(uint64_t)(ARNICA_HW_PAGE_BYTES - 1));
	caps->max_qp_wr = arnica_to_le32(ARNICA_HW_MAX_QUEUE_DEPTH);
	caps->max_sge = arnica_to_le32(ARNICA_HW_MAX_SGE);
	caps->max_srq_wr = arnica_to_le32(ARNICA_HW_MAX_QUEUE_DEPTH);
	caps->max_srq_sge = arnica_to_le32(ARNICA_HW_MAX_SGE);
	caps->max_inline = arnica_to_le32(ARNICA_HW_MAX_INLINE);
	caps->max_cqe = arnica_to_le32(ARNICA_HW_MAX_CQE);
	caps->max_qp_rd_atom = arnica_to_le32(ARNICA_HW_MAX_RD_ATOMIC);
	caps->max_qp_init_rd_atom = arnica_to_le32(ARNICA_HW_MAX_RD_ATOMIC);
	caps->max_dm_bytes = arnica_to_le64(ARNICA_HW_MAX_DM_BYTES);
	caps->num_ports = arnica_to_le32(ADEV_NUM_PORTS);
	caps->max_pkeys = arnica_to_le32(1);
	caps->local_ca_ack_delay = arnica_to_le32(LOCAL_CA_ACK_DELAY);
	caps->max_moderation_count =
		arnica_to_le32(ARNICA_HW_MAX_MODERATION_COUNT);
	caps->max_moderation_us = arnica_to_le32(ARNICA_HW_MAX_MODERATION_US);
	caps->num_comp_vectors = arnica_to_le32(ARNICA_HW_COMP_VECTORS);
	caps->max_message_bytes = arnica_to_le32(ARNICA_HW_MAX_MESSAGE);
}

static void fill_identity(const struct arnica_bus_identity *identity,
			  struct arnica_hw_device_caps *caps)
{
	caps->node_guid = arnica_to_le64(identity->node_guid);
	caps->vendor_id = arnica_to_le32(identity->vendor_id);
	caps->vendor_part_id = arnica_to_le32(identity->vendor_part_id);
	caps->hw_version = arnica_to_le32(ARNICA_HW_VERSION);
	snprintf(caps->firmware_version, sizeof(caps->firmware_version), "%s",
		 FIRMWARE_VERSION);
}

ADEV_COMMAND_HANDLER(query_device)
{
	struct arnica_bus_identity identity;
	int error = adev_identity_read(&identity);

	(void)command;
	if (error)
		return adev_command_status(error);
	fill_objects(&fn->view.layout, &completion->device);
	fill_limits(&completion->device);
	completion->device.flags = arnica_to_le32(flags(fn));
	fill_identity(&identity, &completion->device);
	return ARNICA_HW_COMMAND_OK;
}

/* The present: a change that the agent has not seen yet is seen here. */
ADEV_COMMAND_HANDLER(query_port)
{
	struct arnica_hw_port_attributes *port = &completion->port;
	uint32_t number = arnica_from_le32(command->query_port.port);
	struct arnica_bus_port now;

	(void)fn;
	if (number < 1 || number > ADEV_NUM_PORTS ||
	    arnica_from_le32(command->query_port.reserved0))
		return ARNICA_HW_COMMAND_INVALID;
	adev_port_sync();
	adev_port_read(&now);
	port->state = arnica_to_le32(now.state);
	port->phys_state = arnica_to_le32(now.phys_state);
	port->max_mtu = arnica_to_le32(MTU_4096);
	port->active_mtu = arnica_to_le32(now.active_mtu);
	port->gid_table_len = arnica_to_le32(ARNICA_HW_GID_TABLE_LEN);
	port->pkey_table_len = arnica_to_le32(1);
	port->max_message_bytes = arnica_to_le32(ARNICA_HW_MAX_MESSAGE);
	port->active_width = arnica_to_le32(now.active_width);
	port->active_speed = arnica_to_le32(now.active_speed);
	return ARNICA_HW_COMMAND_OK;
}
