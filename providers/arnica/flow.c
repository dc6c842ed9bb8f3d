/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Flow rules; see flow.h. The specifications stand one behind the other after
 * the attributes, each with its type, and with a size that must be its type's.
 * The size of them all says nothing: programs are known that count themselves
 * only (pyverbs).
 */
#include "flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "counters.h"
#include "qp.h"

/* What is common to all specifications. */
struct head {
	enum ibv_flow_spec_type type;
	uint16_t size;
};

/* Both halves of a specification into both halves of the rule. */
#define COPY(field, from)                                                      \
	do {                                                                   \
		_Static_assert(sizeof(cmd->value.field) == sizeof(spec->val.from), \
			       "size of " #field);                             \
		memcpy(&cmd->value.field, &spec->val.from,                     \
		       sizeof(cmd->value.field));                              \
		memcpy(&cmd->mask.field, &spec->mask.from,                     \
		       sizeof(cmd->mask.field));                               \
	} while (0)

/* An address of IPv4 is the beginning of the field. */
#define COPY_IPV4(field, from)                                                 \
	do {                                                                   \
		memcpy(cmd->value.field, &spec->val.from, 4);                  \
		memcpy(cmd->mask.field, &spec->mask.from, 4);                  \
	} while (0)

static void add_headers(struct arnica_hw_cmd_create_flow *cmd,
			uint32_t headers)
{
	cmd->headers = arnica_to_le32(arnica_from_le32(cmd->headers) | headers);
}

static int emit_eth(const struct ibv_flow_spec_eth *spec,
		    struct arnica_hw_cmd_create_flow *cmd)
{
	COPY(destination_mac, dst_mac);
	COPY(source_mac, src_mac);
	COPY(ether_type, ether_type);
	COPY(vlan_tag, vlan_tag);
	if (spec->mask.vlan_tag)
		add_headers(cmd, ARNICA_HW_FLOW_VLAN);
	return 0;
}

static int emit_ipv4(const struct ibv_flow_spec_ipv4 *spec,
		     struct arnica_hw_cmd_create_flow *cmd)
{
	COPY_IPV4(source, src_ip);
	COPY_IPV4(destination, dst_ip);
	return 0;
}

static int emit_ipv4_ext(const struct ibv_flow_spec_ipv4_ext *spec,
			 struct arnica_hw_cmd_create_flow *cmd)
{
	COPY_IPV4(source, src_ip);
	COPY_IPV4(destination, dst_ip);
	COPY(protocol, proto);
	COPY(traffic_class, tos);
	COPY(hop_limit, ttl);
	/* Of fragments nothing can be asked. */
	return spec->mask.flags ? EOPNOTSUPP : 0;
}

static int emit_ipv6(const struct ibv_flow_spec_ipv6 *spec,
		     struct arnica_hw_cmd_create_flow *cmd)
{
	COPY(source, src_ip);
	COPY(destination, dst_ip);
	COPY(flow_label, flow_label);
	COPY(protocol, next_hdr);
	COPY(traffic_class, traffic_class);
	COPY(hop_limit, hop_limit);
	return 0;
}

static int emit_ports(const struct ibv_flow_spec_tcp_udp *spec,
		      struct arnica_hw_cmd_create_flow *cmd)
{
	COPY(source_port, src_port);
	COPY(destination_port, dst_port);
	return 0;
}

/* Each layer once: a bit for each in *layers. */
enum layer { LAYER_ETH = 1, LAYER_IP = 2, LAYER_PORTS = 4, LAYER_COUNT = 8 };

/* A specification, where it can be read: programs pack them. */
union spec {
	struct head head;
	struct ibv_flow_spec_eth eth;
	struct ibv_flow_spec_ipv4 ipv4;
	struct ibv_flow_spec_ipv4_ext ipv4_ext;
	struct ibv_flow_spec_ipv6 ipv6;
	struct ibv_flow_spec_tcp_udp ports;
	struct ibv_flow_spec_counter_action count;
};

/* Takes one whose type has this size and this layer. */
static int take(union spec *spec, const unsigned char *at, size_t bytes,
		uint32_t layer, uint32_t *layers)
{
	if (spec->head.size != bytes || *layers & layer)
		return EINVAL;
	*layers |= layer;
	memcpy(spec, at, bytes);
	return 0;
}

static int refuse(enum ibv_flow_spec_type type)
{
	switch ((int)type) {
	case IBV_FLOW_SPEC_ESP:
	case IBV_FLOW_SPEC_VXLAN_TUNNEL:
	case IBV_FLOW_SPEC_GRE:
	case IBV_FLOW_SPEC_MPLS:
	case IBV_FLOW_SPEC_ACTION_TAG:
	case IBV_FLOW_SPEC_ACTION_DROP:
	case IBV_FLOW_SPEC_ACTION_HANDLE:
		return EOPNOTSUPP;
	default:
		return type & IBV_FLOW_SPEC_INNER ? EOPNOTSUPP : EINVAL;
	}
}

static int emit_spec(union spec *spec, const unsigned char *at,
		     struct arnica_hw_cmd_create_flow *cmd, uint32_t *layers)
{
	enum ibv_flow_spec_type type = spec->head.type;
	int error;

	switch ((int)type) {
	case IBV_FLOW_SPEC_ETH:
		error = take(spec, at, sizeof(spec->eth), LAYER_ETH, layers);
		return error ? error : emit_eth(&spec->eth, cmd);
	case IBV_FLOW_SPEC_IPV4:
		add_headers(cmd, ARNICA_HW_FLOW_IPV4);
		error = take(spec, at, sizeof(spec->ipv4), LAYER_IP, layers);
		return error ? error : emit_ipv4(&spec->ipv4, cmd);
	case IBV_FLOW_SPEC_IPV4_EXT:
		add_headers(cmd, ARNICA_HW_FLOW_IPV4);
		error = take(spec, at, sizeof(spec->ipv4_ext), LAYER_IP,
			     layers);
		return error ? error : emit_ipv4_ext(&spec->ipv4_ext, cmd);
	case IBV_FLOW_SPEC_IPV6:
		add_headers(cmd, ARNICA_HW_FLOW_IPV6);
		error = take(spec, at, sizeof(spec->ipv6), LAYER_IP, layers);
		return error ? error : emit_ipv6(&spec->ipv6, cmd);
	case IBV_FLOW_SPEC_TCP:
	case IBV_FLOW_SPEC_UDP:
		add_headers(cmd, type == IBV_FLOW_SPEC_TCP ?
					 ARNICA_HW_FLOW_TCP :
					 ARNICA_HW_FLOW_UDP);
		error = take(spec, at, sizeof(spec->ports), LAYER_PORTS,
			     layers);
		return error ? error : emit_ports(&spec->ports, cmd);
	case IBV_FLOW_SPEC_ACTION_COUNT:
		return take(spec, at, sizeof(spec->count), LAYER_COUNT, layers);
	default:
		return refuse(type);
	}
}

int arnica_flow_emit(const struct ibv_flow_attr *attr,
		     struct arnica_hw_cmd_create_flow *cmd, bool *counts,
		     struct ibv_counters **counters)
{
	const unsigned char *at = (const unsigned char *)(attr + 1);
	uint32_t layers = 0, i;
	union spec spec;
	int error;

	memset(cmd, 0, sizeof(*cmd));
	if (attr->comp_mask)
		return EINVAL;
	cmd->type = arnica_to_le32(attr->type);
	cmd->priority = arnica_to_le32(attr->priority);
	cmd->flags = arnica_to_le32(attr->flags);
	for (i = 0; i < attr->num_of_specs; i++) {
		memcpy(&spec.head, at, sizeof(spec.head));
		error = emit_spec(&spec, at, cmd, &layers);
		if (error)
			return error;
		if (spec.head.type == IBV_FLOW_SPEC_ACTION_COUNT)
			*counters = spec.count.counters;
		at += spec.head.size;
	}
	*counts = layers & LAYER_COUNT;
	return 0;
}

/* The adapter's rule. */
static int begin(struct arnica_flow *flow, struct ibv_qp *qp,
		 const struct ibv_flow_attr *attr)
{
	struct arnica_context *context = arnica_context_of(qp->context);
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_CREATE_FLOW),
	};
	struct arnica_hw_completion answer;
	struct ibv_counters *counters = NULL;
	bool counts;
	int error = arnica_flow_emit(attr, &command.create_flow, &counts,
				     &counters);

	if (error)
		return error;
	command.create_flow.qp = arnica_to_le32(qp->handle);
	flow->base.context = qp->context;
	if (counts)
		return arnica_counters_begin(counters, flow, &command, &answer);
	error = arnica_command_execute(&context->commands, &command, &answer);
	if (!error)
		flow->base.handle = arnica_from_le32(answer.object.handle);
	return error;
}

struct ibv_flow *arnica_flow_create(struct ibv_qp *qp,
				    struct ibv_flow_attr *attr)
{
	struct arnica_context *context = arnica_context_of(qp->context);
	struct arnica_flow *flow;
	int error;

	errno = EINVAL;
	if (attr->port < 1 ||
	    attr->port > arnica_from_le32(context->caps.num_ports))
		return NULL;
	/* Of UD verbs know rules, too. */
	errno = qp->qp_type == IBV_QPT_UD ? EOPNOTSUPP : EINVAL;
	if (qp->qp_type != IBV_QPT_RAW_PACKET)
		return NULL;
	errno = ENOMEM;
	flow = calloc(1, sizeof(*flow));
	if (!flow)
		return NULL;
	error = begin(flow, qp, attr);
	if (error) {
		free(flow);
		errno = error;
		return NULL;
	}
	return &flow->base;
}

int arnica_flow_destroy(struct ibv_flow *ibv)
{
	struct arnica_context *context = arnica_context_of(ibv->context);
	struct arnica_flow *flow = (struct arnica_flow *)ibv;
	int error;

	if (flow->counters)
		error = arnica_counters_end(flow);
	else
		error = arnica_command_object(&context->commands,
					      ARNICA_HW_CMD_DESTROY_FLOW,
					      ibv->handle);
	if (!error)
		free(flow);
	return error;
}
