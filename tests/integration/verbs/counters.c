/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Counters: what flow rules of raw packet queue pairs have matched, and what the
 * calls refuse. Frames have a type for experiments, and an address of this
 * process's own, so that they meet nobody.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "vt.h"

#define LENGTH 200u
#define TYPE 0x88b5u
#define COUNT 5u
#define ROOM 8192u

static struct vt_end a, b;

static void need_right(void)
{
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd < 0)
		vt_skip("raw packets need CAP_NET_RAW");
	close(fd);
}

static void open_ready(struct vt_end *end)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_INIT, .port_num = 1 };
	struct vt_wish wish = vt_defaults();

	wish.type = IBV_QPT_RAW_PACKET;
	wish.buffer_bytes = 4 * ROOM;
	vt_end_open(end, &wish);
	VT_EQUAL(ibv_modify_qp(end->qp, &attr, IBV_QP_STATE | IBV_QP_PORT), 0);
	VT_EQUAL(vt_set_state(end->qp, IBV_QPS_RTR), 0);
	VT_EQUAL(vt_set_state(end->qp, IBV_QPS_RTS), 0);
}

static void own_mac(uint8_t mac[6], uint8_t number)
{
	unsigned int own = (unsigned int)getpid();

	memcpy(mac, (uint8_t[]){ 2, 0xc7, (uint8_t)(own >> 16),
				 (uint8_t)(own >> 8), (uint8_t)own, number },
	       6);
}

/* A rule for an address, which is counted. Specifications follow each other by
 * their sizes, without gaps. */
struct rule {
	struct ibv_flow_attr attr;
	struct ibv_flow_spec_eth eth;
	struct ibv_flow_spec_counter_action count, again;
} __attribute__((packed, aligned(8)));

static struct rule rule_for(uint8_t number, struct ibv_counters *counters)
{
	struct rule rule = {
		.attr = { .size = sizeof(rule), .num_of_specs = 2, .port = 1 },
		.eth = { .type = IBV_FLOW_SPEC_ETH, .size = sizeof(rule.eth) },
		.count = { .type = IBV_FLOW_SPEC_ACTION_COUNT,
			   .size = sizeof(rule.count),
			   .counters = counters },
	};

	own_mac(rule.eth.val.dst_mac, number);
	memset(rule.eth.mask.dst_mac, 0xff, 6);
	rule.again = rule.count;
	return rule;
}

static struct ibv_flow *make_rule(struct vt_end *end, uint8_t number,
				  struct ibv_counters *counters)
{
	struct rule rule = rule_for(number, counters);
	struct ibv_flow *flow = ibv_create_flow(end->qp, (void *)&rule);

	VT_CHECK(flow);
	return flow;
}

static int refused(struct ibv_qp *qp, struct rule *rule)
{
	errno = 0;
	VT_CHECK(!ibv_create_flow(qp, (void *)rule));
	return errno;
}

static struct ibv_counters *make_counters(struct ibv_context *context)
{
	struct ibv_counters_init_attr init = { 0 };
	struct ibv_counters *counters = ibv_create_counters(context, &init);

	VT_CHECK(counters);
	return counters;
}

static int attach(struct ibv_counters *counters,
		  enum ibv_counter_description what, uint32_t index)
{
	struct ibv_counter_attach_attr attr = { .counter_desc = what,
						.index = index };

	return ibv_attach_counters_point_flow(counters, &attr, NULL);
}

static struct ibv_counters *make_packets_and_bytes(struct ibv_context *context)
{
	struct ibv_counters *counters = make_counters(context);

	VT_EQUAL(attach(counters, IBV_COUNTER_PACKETS, 0), 0);
	VT_EQUAL(attach(counters, IBV_COUNTER_BYTES, 1), 0);
	return counters;
}

static void send_frames(uint8_t number, uint32_t count)
{
	own_mac(a.buffer, number);
	own_mac(a.buffer + 6, 0xff);
	a.buffer[12] = TYPE >> 8;
	a.buffer[13] = TYPE & 0xff;
	for (uint64_t id = 0; id < count; id++) {
		vt_send(&a, id, 0, LENGTH);
		vt_expect(a.send_cq, id, IBV_WC_SUCCESS);
	}
}

/* Waits until the rules have had so many frames: nobody may have posted a receive
 * for them. */
static void expect_counts(struct ibv_counters *counters, uint64_t packets)
{
	struct vt_patience patience = vt_patience(30000);
	uint64_t values[2] = { 0 };

	do {
		uint64_t before = values[0];

		VT_CHECK(!vt_patience_ends(&patience));
		VT_EQUAL(ibv_read_counters(counters, values, 2, 0), 0);
		VT_CHECK(values[0] >= before);
		VT_EQUAL(values[1], values[0] * LENGTH);
	} while (values[0] < packets);
	VT_EQUAL(values[0], packets);
}

static void close_both(void)
{
	vt_end_close(&a);
	vt_end_close(&b);
}

static void frames_of_a_rule_are_counted(void)
{
	struct ibv_counters *counters, *other;
	struct ibv_flow *flows[2];

	need_right();
	open_ready(&a);
	open_ready(&b);
	counters = make_packets_and_bytes(b.context);
	other = make_packets_and_bytes(b.context);
	flows[0] = make_rule(&b, 1, counters);
	flows[1] = make_rule(&b, 2, other);
	expect_counts(counters, 0);
	send_frames(1, COUNT);
	send_frames(2, COUNT + 1);
	send_frames(3, COUNT);
	expect_counts(counters, COUNT);
	expect_counts(other, COUNT + 1);
	VT_EQUAL(ibv_destroy_flow(flows[0]), 0);
	VT_EQUAL(ibv_destroy_flow(flows[1]), 0);
	VT_EQUAL(ibv_destroy_counters(other), 0);
	VT_EQUAL(ibv_destroy_counters(counters), 0);
	close_both();
}

/* Received or not, the last of them is counted when its completion is there. */
static void a_frame_is_counted_before_it_completes(void)
{
	struct ibv_counters *counters;
	struct ibv_flow *flow;
	uint64_t values[2];

	need_right();
	open_ready(&a);
	open_ready(&b);
	counters = make_packets_and_bytes(b.context);
	flow = make_rule(&b, 1, counters);
	for (uint64_t id = 0; id < COUNT; id++) {
		vt_recv(&b, id, ROOM, ROOM);
		send_frames(1, 1);
		vt_expect(b.recv_cq, id, IBV_WC_SUCCESS);
		VT_EQUAL(ibv_read_counters(
				 counters, values, 2,
				 IBV_READ_COUNTERS_ATTR_PREFER_CACHED),
			 0);
		VT_EQUAL(values[0], id + 1);
		VT_EQUAL(values[1], (id + 1) * LENGTH);
	}
	VT_EQUAL(ibv_destroy_flow(flow), 0);
	VT_EQUAL(ibv_destroy_counters(counters), 0);
	close_both();
}

/* Of several rules; and what one had that is over stays. */
static void rules_with_the_same_counters_are_added_up(void)
{
	struct ibv_counters *counters;
	struct ibv_flow *flows[2];

	need_right();
	open_ready(&a);
	open_ready(&b);
	counters = make_packets_and_bytes(b.context);
	flows[0] = make_rule(&b, 1, counters);
	flows[1] = make_rule(&b, 2, counters);
	send_frames(1, COUNT);
	send_frames(2, COUNT);
	expect_counts(counters, 2 * COUNT);
	VT_EQUAL(ibv_destroy_flow(flows[0]), 0);
	expect_counts(counters, 2 * COUNT);
	send_frames(1, COUNT);
	send_frames(2, 1);
	expect_counts(counters, 2 * COUNT + 1);
	VT_EQUAL(ibv_destroy_flow(flows[1]), 0);
	flows[0] = make_rule(&b, 1, counters);
	expect_counts(counters, 2 * COUNT + 1);
	VT_EQUAL(ibv_destroy_flow(flows[0]), 0);
	VT_EQUAL(ibv_destroy_counters(counters), 0);
	close_both();
}

static void an_index_has_the_sum_of_its_points(void)
{
	struct ibv_counters *counters;
	struct ibv_flow *flow;
	uint64_t values[5] = { 1, 1, 1, 1, 77 };

	need_right();
	open_ready(&a);
	open_ready(&b);
	counters = make_counters(b.context);
	VT_EQUAL(attach(counters, IBV_COUNTER_BYTES, 3), 0);
	VT_EQUAL(attach(counters, IBV_COUNTER_PACKETS, 3), 0);
	VT_EQUAL(attach(counters, IBV_COUNTER_PACKETS, 0), 0);
	VT_EQUAL(attach(counters, IBV_COUNTER_PACKETS, 0), 0);
	flow = make_rule(&b, 1, counters);
	vt_recv(&b, 0, ROOM, ROOM);
	send_frames(1, 1);
	vt_expect(b.recv_cq, 0, IBV_WC_SUCCESS);
	VT_EQUAL(ibv_read_counters(counters, values, 3, 0), EINVAL);
	VT_EQUAL(ibv_read_counters(counters, values, 4, 0), 0);
	VT_EQUAL(values[0], 2);
	VT_EQUAL(values[1], 0);
	VT_EQUAL(values[2], 0);
	VT_EQUAL(values[3], LENGTH + 1);
	VT_EQUAL(values[4], 77);
	VT_EQUAL(ibv_destroy_flow(flow), 0);
	VT_EQUAL(ibv_destroy_counters(counters), 0);
	close_both();
}

static void counters_that_are_bound_stay_as_they_are(void)
{
	struct ibv_counters *counters;
	struct ibv_flow *flow;
	uint64_t values[2];

	need_right();
	open_ready(&b);
	counters = make_packets_and_bytes(b.context);
	VT_EQUAL(ibv_read_counters(counters, values, 2, 0), EINVAL);
	flow = make_rule(&b, 1, counters);
	VT_EQUAL(attach(counters, IBV_COUNTER_PACKETS, 2), EBUSY);
	VT_EQUAL(ibv_destroy_counters(counters), EBUSY);
	VT_EQUAL(ibv_read_counters(counters, values, 2, 2), EINVAL);
	VT_EQUAL(ibv_read_counters(counters, values, 2, 0), 0);
	VT_EQUAL(ibv_destroy_flow(flow), 0);
	VT_EQUAL(ibv_read_counters(counters, values, 2, 0), EINVAL);
	VT_EQUAL(attach(counters, IBV_COUNTER_PACKETS, 2), 0);
	VT_EQUAL(ibv_destroy_counters(counters), 0);
	vt_end_close(&b);
}

static void bad_rules_are_refused(void)
{
	struct ibv_counters *counters, *others, *empty;
	struct rule rule;

	need_right();
	open_ready(&a);
	open_ready(&b);
	counters = make_packets_and_bytes(b.context);
	others = make_packets_and_bytes(a.context);
	empty = make_counters(b.context);
	rule = rule_for(1, NULL);
	VT_EQUAL(refused(b.qp, &rule), EINVAL);
	rule = rule_for(1, others);
	VT_EQUAL(refused(b.qp, &rule), EINVAL);
	rule = rule_for(1, empty);
	VT_EQUAL(refused(b.qp, &rule), EINVAL);
	rule = rule_for(1, counters);
	rule.count.size--;
	VT_EQUAL(refused(b.qp, &rule), EINVAL);
	rule = rule_for(1, counters);
	rule.attr.num_of_specs = 3;
	VT_EQUAL(refused(b.qp, &rule), EINVAL);
	/* A rule that was refused has bound nothing. */
	VT_EQUAL(ibv_destroy_counters(empty), 0);
	VT_EQUAL(ibv_destroy_counters(others), 0);
	VT_EQUAL(ibv_destroy_counters(counters), 0);
	close_both();
}

/* Nothing of this needs a rule. */
static void points_are_checked(void)
{
	struct ibv_counters_init_attr init = { .comp_mask = 1 };
	struct ibv_counter_attach_attr attr = { .index = 0 };
	struct ibv_context *context = vt_open();
	struct ibv_counters *counters;
	struct ibv_flow flow = { .context = context };
	uint64_t value;

	errno = 0;
	VT_CHECK(!ibv_create_counters(context, &init));
	VT_ONE_OF(errno, EINVAL, EOPNOTSUPP);
	counters = make_counters(context);
	VT_EQUAL(attach(counters, (enum ibv_counter_description)2, 0), ENOTSUP);
	VT_EQUAL(attach(counters, IBV_COUNTER_PACKETS, UINT32_MAX), EINVAL);
	/* Only before there is a rule. */
	VT_EQUAL(ibv_attach_counters_point_flow(counters, &attr, &flow),
		 ENOTSUP);
	attr.comp_mask = 1;
	VT_ONE_OF(ibv_attach_counters_point_flow(counters, &attr, NULL), EINVAL,
		  EOPNOTSUPP);
	VT_EQUAL(ibv_read_counters(counters, &value, 1, 0), EINVAL);
	VT_EQUAL(ibv_destroy_counters(counters), 0);
	VT_EQUAL(ibv_close_device(context), 0);
}

static const struct vt_case cases[] = {
	VT_CASE(frames_of_a_rule_are_counted),
	VT_CASE(a_frame_is_counted_before_it_completes),
	VT_CASE(rules_with_the_same_counters_are_added_up),
	VT_CASE(an_index_has_the_sum_of_its_points),
	VT_CASE(counters_that_are_bound_stay_as_they_are),
	VT_CASE(bad_rules_are_refused),
	VT_CASE(points_are_checked),
	{ 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
