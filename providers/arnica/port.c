/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * ibv_query_port(). The library has cleared the structure and knows its size,
 * which grew between releases; only fields that every release has are written.
 */
#include <errno.h>

#include "context.h"
#include "device_query.h"

int arnica_port_query(struct ibv_context *ibv, uint8_t port,
		      struct ibv_port_attr *attr)
{
	struct arnica_context *context = arnica_context_of(ibv);
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_QUERY_PORT),
		.query_port = { .port = arnica_to_le32(port) },
	};
	struct arnica_hw_completion answer;
	const struct arnica_hw_port_attributes *got = &answer.port;
	int error = arnica_command_execute(&context->commands, &command,
					   &answer);

	if (error)
		return error;
	attr->state = (enum ibv_port_state)arnica_from_le32(got->state);
	attr->phys_state = (uint8_t)arnica_from_le32(got->phys_state);
	attr->max_mtu = (enum ibv_mtu)arnica_from_le32(got->max_mtu);
	attr->active_mtu = (enum ibv_mtu)arnica_from_le32(got->active_mtu);
	attr->gid_tbl_len = (int)arnica_from_le32(got->gid_table_len);
	attr->pkey_tbl_len = (uint16_t)arnica_from_le32(got->pkey_table_len);
	attr->max_msg_sz = arnica_from_le32(got->max_message_bytes);
	attr->active_width = (uint8_t)arnica_from_le32(got->active_width);
	attr->active_speed = (uint8_t)arnica_from_le32(got->active_speed);
	attr->max_vl_num = 1;
	attr->port_cap_flags = IBV_PORT_CM_SUP | IBV_PORT_IP_BASED_GIDS;
	attr->link_layer = IBV_LINK_LAYER_ETHERNET;
	attr->flags = IBV_QPF_GRH_REQUIRED;
	return 0;
}
