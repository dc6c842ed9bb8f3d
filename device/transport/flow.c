/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The table of flow rules; see flow.h. */
#include "transport/flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <arnica/hw/cqp.h>
#include <arnica/hw/limits.h>

#define IP (ARNICA_HW_FLOW_IPV4 | ARNICA_HW_FLOW_IPV6)
#define PORTS (ARNICA_HW_FLOW_TCP | ARNICA_HW_FLOW_UDP)
#define HEADERS ((uint32_t)ARNICA_HW_FLOW_VLAN | IP | PORTS)

#define MAX_PRIORITY 0xffffu

static const struct arnica_hw_flow_fields nothing;

/* A field of which bits count needs a header that has it. */
#define ASKS_FOR(mask, field)                                                  \
	(memcmp((mask)->field, nothing.field, sizeof((mask)->field)) != 0)

static bool headers_fit(uint32_t headers,
			const struct arnica_hw_flow_fields *mask)
{
	if (headers & ~HEADERS || (headers & IP) == IP ||
	    (headers & PORTS) == PORTS || mask->reserved0)
		return false;
	if (ASKS_FOR(mask, vlan_tag) && !(headers & ARNICA_HW_FLOW_VLAN))
		return false;
	if (!(headers & IP) &&
	    (ASKS_FOR(mask, source) || ASKS_FOR(mask, destination) ||
	     mask->protocol || mask->traffic_class || mask->hop_limit))
		return false;
	if (headers & ARNICA_HW_FLOW_IPV4 &&
	    (memcmp(mask->source + 4, nothing.source + 4, 12) ||
	     memcmp(mask->destination + 4, nothing.destination + 4, 12)))
		return false;
	if (ASKS_FOR(mask, flow_label) && !(headers & ARNICA_HW_FLOW_IPV6))
		return false;
	return headers & PORTS || (!ASKS_FOR(mask, source_port) &&
				   !ASKS_FOR(mask, destination_port));
}

/* Does the rule contradict itself? */
static bool is_consistent(const struct arnica_hw_cmd_create_flow *cmd)
{
	const struct arnica_hw_flow_fields *value = &cmd->value;
	uint32_t headers = arnica_from_le32(cmd->headers);
	uint32_t type = (uint32_t)value->ether_type[0] << 8 |
			value->ether_type[1];

	if (cmd->mask.ether_type[0] == 0xff && cmd->mask.ether_type[1] == 0xff &&
	    ((headers & ARNICA_HW_FLOW_IPV4 && type != 0x0800) ||
	     (headers & ARNICA_HW_FLOW_IPV6 && type != 0x86dd)))
		return false;
	return cmd->mask.protocol != 0xff || !(headers & PORTS) ||
	       value->protocol == (headers & ARNICA_HW_FLOW_TCP ? 6 : 17);
}

int adev_flow_check(const struct arnica_hw_cmd_create_flow *cmd)
{
	uint32_t type = arnica_from_le32(cmd->type);
	uint32_t flags = arnica_from_le32(cmd->flags);
	uint32_t headers = arnica_from_le32(cmd->headers);

	if (type > ARNICA_HW_FLOW_SNIFFER || cmd->reserved0.raw ||
	    arnica_from_le32(cmd->priority) > MAX_PRIORITY ||
	    flags & ~(uint32_t)(ARNICA_HW_FLOW_DONT_TRAP |
				ARNICA_HW_FLOW_EGRESS) ||
	    !headers_fit(headers, &cmd->mask) || !is_consistent(cmd))
		return EINVAL;
	if (flags & ARNICA_HW_FLOW_EGRESS || type == ARNICA_HW_FLOW_SNIFFER)
		return EOPNOTSUPP;
	if (type != ARNICA_HW_FLOW_NORMAL &&
	    (headers || flags || memcmp(&cmd->mask, &nothing, sizeof(nothing))))
		return EINVAL;
	return 0;
}

static void apply_mask(struct arnica_hw_flow_fields *value,
		       const struct arnica_hw_flow_fields *mask)
{
	uint8_t *bytes = (uint8_t *)value;
	size_t i;

	for (i = 0; i < sizeof(*mask); i++)
		bytes[i] &= ((const uint8_t *)mask)[i];
}

struct adev_flow_target *adev_flow_target_get(struct adev_flows *flows,
					      struct adev_qp *qp)
{
	struct adev_flow_target *target = flows->targets;

	while (target && target->qp != qp)
		target = target->next;
	if (!target) {
		target = calloc(1, sizeof(*target));
		if (!target)
			return NULL;
		target->qp = qp;
		target->next = flows->targets;
		flows->targets = target;
	}
	target->uses++;
	return target;
}

void adev_flow_target_put(struct adev_flows *flows,
			  struct adev_flow_target *target)
{
	struct adev_flow_target **link = &flows->targets;

	if (--target->uses)
		return;
	while (*link != target)
		link = &(*link)->next;
	*link = target->next;
	free(target);
}

static bool is_default(const struct adev_flow_rule *rule)
{
	return rule->type != ARNICA_HW_FLOW_NORMAL;
}

static bool comes_after(const struct adev_flow_rule *rule,
			const struct adev_flow_rule *other)
{
	if (is_default(rule) != is_default(other))
		return is_default(rule);
	return rule->priority >= other->priority;
}

struct adev_flow_rule *
adev_flow_add(struct adev_flows *flows, struct adev_qp *qp,
	      const struct arnica_hw_cmd_create_flow *cmd)
{
	struct adev_flow_rule **link = &flows->rules, *rule;

	if (flows->num_rules >= ARNICA_HW_MAX_FLOWS)
		return NULL;
	rule = calloc(1, sizeof(*rule));
	if (!rule)
		return NULL;
	rule->target = adev_flow_target_get(flows, qp);
	if (!rule->target) {
		free(rule);
		return NULL;
	}
	do
		rule->handle = ++flows->next_handle;
	while (adev_flow_find(flows, rule->handle));
	rule->type = arnica_from_le32(cmd->type);
	rule->priority = arnica_from_le32(cmd->priority);
	rule->flags = arnica_from_le32(cmd->flags);
	rule->headers = arnica_from_le32(cmd->headers);
	rule->mask = cmd->mask;
	rule->value = cmd->value;
	apply_mask(&rule->value, &rule->mask);
	while (*link && comes_after(rule, *link))
		link = &(*link)->next;
	rule->next = *link;
	*link = rule;
	flows->num_rules++;
	return rule;
}

struct adev_flow_rule *adev_flow_find(struct adev_flows *flows,
				      uint32_t handle)
{
	struct adev_flow_rule *rule = flows->rules;

	while (rule && rule->handle != handle)
		rule = rule->next;
	return rule;
}

void adev_flow_remove(struct adev_flows *flows, struct adev_flow_rule *rule)
{
	struct adev_flow_rule **link = &flows->rules;

	while (*link != rule)
		link = &(*link)->next;
	*link = rule->next;
	flows->num_rules--;
	adev_flow_target_put(flows, rule->target);
	free(rule);
}

void adev_flow_remove_all(struct adev_flows *flows)
{
	while (flows->rules)
		adev_flow_remove(flows, flows->rules);
}

const uint8_t *adev_flow_address(const struct adev_flow_rule *rule)
{
	static const uint8_t whole[6] = { 255, 255, 255, 255, 255, 255 };

	return memcmp(rule->mask.destination_mac, whole, 6) ?
		       NULL :
		       rule->value.destination_mac;
}

static bool matches(const struct adev_flow_rule *rule,
		    const struct adev_frame_fields *frame)
{
	const uint8_t *value = (const uint8_t *)&rule->value;
	const uint8_t *mask = (const uint8_t *)&rule->mask;
	const uint8_t *fields = (const uint8_t *)&frame->fields;
	size_t i;

	if (rule->headers & ~frame->headers)
		return false;
	if (rule->type == ARNICA_HW_FLOW_MC_DEFAULT)
		return adev_mac_is_multicast(frame->fields.destination_mac);
	for (i = 0; i < sizeof(rule->value); i++)
		if ((fields[i] & mask[i]) != value[i])
			return false;
	return true;
}

/* Do both ask for the same, with the same right to it? */
static bool is_alike(const struct adev_flow_rule *rule,
		     const struct adev_flow_rule *other)
{
	if (is_default(rule) || is_default(other))
		return is_default(rule) && is_default(other);
	return rule->priority == other->priority &&
	       rule->headers == other->headers &&
	       !memcmp(&rule->value, &other->value, sizeof(rule->value)) &&
	       !memcmp(&rule->mask, &other->mask, sizeof(rule->mask));
}

uint32_t adev_flow_steer(struct adev_flows *flows,
			 const struct adev_frame_fields *frame, uint32_t bytes,
			 adev_flow_give *give, void *argument)
{
	struct adev_flow_rule *rule, *trapped = NULL;
	uint32_t given = 0;

	flows->num_frames++;
	for (rule = flows->rules; rule; rule = rule->next) {
		if ((trapped && !is_alike(rule, trapped)) ||
		    !matches(rule, frame))
			continue;
		if (!trapped && !(rule->flags & ARNICA_HW_FLOW_DONT_TRAP))
			trapped = rule;
		rule->packets++;
		rule->bytes += bytes;
		if (rule->target->had == flows->num_frames)
			continue;
		rule->target->had = flows->num_frames;
		give(rule->target, argument);
		given++;
	}
	return given;
}
