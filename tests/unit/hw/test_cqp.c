/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Commands of the control queue and their answers: bytes and fields. */
#include "golden.h"

#include <errno.h>

#include "arnica/hw/cqp.h"
#include "arnica/hw/event.h"

static void registration(void **state)
{
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_REREG_MR),
		.reg_mr = {
			.handle = arnica_to_le32(0x01020304),
			.change = arnica_to_le32(ARNICA_HW_REREG_PD),
			.pd = arnica_to_le32(0x11121314),
			.access = arnica_to_le32(
				ARNICA_HW_ACCESS_LOCAL_WRITE |
				ARNICA_HW_ACCESS_REMOTE_ATOMIC),
			.address = arnica_to_le64(0x2122232425262728),
			.length = arnica_to_le64(0x3132333435363738),
			.iova = arnica_to_le64(0x4142434445464748),
		},
	};
	static const unsigned char golden[48] = {
		6,    0,    0,	  0,	0,    0,    0,	  0,	4,    3,
		2,    1,    2,	  0,	0,    0,    0x14, 0x13, 0x12, 0x11,
		9,    0,    0,	  0,	0x28, 0x27, 0x26, 0x25, 0x24, 0x23,
		0x22, 0x21, 0x38, 0x37, 0x36, 0x35, 0x34, 0x33, 0x32, 0x31,
		0x48, 0x47, 0x46, 0x45, 0x44, 0x43, 0x42, 0x41,
	};

	(void)state;
	assert_memory_equal(&command, golden, sizeof(golden));
	fill_with_counter(&command, sizeof(command));
	assert_le32_at(command, opcode, 0);
	assert_le32_at(command, reg_mr.handle, 8);
	assert_le32_at(command, reg_mr.change, 12);
	assert_le32_at(command, reg_mr.pd, 16);
	assert_le32_at(command, reg_mr.access, 20);
	assert_le64_at(command, reg_mr.address, 24);
	assert_le64_at(command, reg_mr.length, 32);
	assert_le64_at(command, reg_mr.iova, 40);
}

static void scheduler_numbers(void **state)
{
	struct arnica_hw_command command;

	(void)state;
	assert_int_equal(ARNICA_HW_CMD_SET_SCHEDULER, 60);
	assert_int_equal(ARNICA_HW_CMD_QUERY_SCHEDULER, 61);
	fill_with_counter(&command, sizeof(command));
	assert_le32_at(command, scheduler.policy, 8);
	assert_le32_at(command, scheduler.num_engines, 12);
	assert_le32_at(command, scheduler.num_gathers, 16);
	assert_le32_at(command, scheduler.reserved0, 20);
	assert_le32_at(command, scheduler.class_engines[0], 56);
	assert_int_equal(offsetof(struct arnica_hw_scheduler, class_weight),
			 16);
	assert_int_equal(offsetof(struct arnica_hw_scheduler, watermark), 32);
	assert_int_equal(offsetof(struct arnica_hw_completion, scheduler), 0);
}

static void commands_that_create(void **state)
{
	struct arnica_hw_command command;

	(void)state;
	fill_with_counter(&command, sizeof(command));
	assert_le32_at(command, object.handle, 8);
	assert_le32_at(command, query_port.port, 8);
	assert_le32_at(command, create_cq.handle, 8);
	assert_le32_at(command, create_cq.cqe, 12);
	assert_le32_at(command, create_cq.channel, 16);
	assert_le32_at(command, create_cq.vector, 20);
	assert_le64_at(command, create_cq.user_data, 24);
	assert_le32_at(command, create_cq.flags, 32);
	assert_le32_at(command, modify_cq.handle, 8);
	assert_le32_at(command, modify_cq.count, 12);
	assert_le32_at(command, modify_cq.period_us, 16);
	assert_le32_at(command, create_qp.type, 8);
	assert_le32_at(command, create_qp.pd, 12);
	assert_le32_at(command, create_qp.send_cq, 16);
	assert_le32_at(command, create_qp.recv_cq, 20);
	assert_le32_at(command, create_qp.send_depth, 24);
	assert_le32_at(command, create_qp.recv_depth, 28);
	assert_le32_at(command, create_qp.send_sge, 32);
	assert_le32_at(command, create_qp.recv_sge, 36);
	assert_le32_at(command, create_qp.inline_bytes, 40);
	assert_le32_at(command, create_qp.srq, 44);
	assert_le64_at(command, create_qp.user_data, 48);
	assert_le32_at(command, create_qp.flags, 56);
	assert_le32_at(command, create_qp.xrcd, 60);
	assert_le32_at(command, create_qp.rss.table, 64);
	assert_le32_at(command, create_qp.rss.fields, 68);
	assert_int_equal(command.create_qp.rss.key[0], 73);
	assert_le32_at(command, create_flow.qp, 8);
	assert_le32_at(command, create_flow.type, 12);
	assert_le32_at(command, create_flow.priority, 16);
	assert_le32_at(command, create_flow.flags, 20);
	assert_le32_at(command, create_flow.headers, 24);
	assert_int_equal(command.create_flow.value.destination_mac[0], 33);
	assert_int_equal(command.create_flow.value.source[0], 49);
	assert_int_equal(command.create_flow.value.destination_port[0], 91);
	assert_int_equal(command.create_flow.mask.destination_mac[0], 93);
	assert_le64_at(command, create_rwq_table.queues, 8);
	assert_le32_at(command, create_rwq_table.count, 16);
	assert_le64_at(command, open_xrcd.device, 8);
	assert_le64_at(command, open_xrcd.inode, 16);
	assert_le32_at(command, open_xrcd.flags, 24);
	assert_le32_at(command, open_qp.xrcd, 8);
	assert_le32_at(command, open_qp.qpn, 12);
	assert_le32_at(command, mcast.qp, 8);
	assert_le32_at(command, mcast.reserved0, 12);
	assert_int_equal(command.mcast.gid - (uint8_t *)&command, 16);
	assert_le32_at(command, create_srq.pd, 8);
	assert_le32_at(command, create_srq.depth, 12);
	assert_le32_at(command, create_srq.sge, 16);
	assert_le64_at(command, create_srq.user_data, 24);
	assert_le32_at(command, modify_srq.handle, 8);
	assert_le32_at(command, modify_srq.limit, 12);
	assert_le32_at(command, modify_srq.depth, 16);
	assert_le32_at(command, modify_srq.mask, 20);
	assert_le32_at(command, grow.handle, 8);
	assert_le32_at(command, grow.slots, 12);
	assert_le32_at(command, modify_qp.handle, 8);
	assert_le32_at(command, modify_qp.attributes.mask, 16);
	assert_le32_at(command, create_ah.pd, 8);
	assert_le32_at(command, create_ah.port, 12);
	assert_le32_at(command, create_ah.attributes.mask, 16);
}

static void attributes_of_a_queue_pair(void **state)
{
	struct arnica_hw_qp_attributes attributes;
	unsigned char bytes[sizeof(attributes)] = { 0 };

	(void)state;
	fill_with_counter(&attributes, sizeof(attributes));
	assert_le32_at(attributes, mask, 0);
	assert_le32_at(attributes, state, 4);
	assert_le32_at(attributes, current_state, 8);
	assert_le32_at(attributes, path_mtu, 12);
	assert_le32_at(attributes, path_mig_state, 16);
	assert_le32_at(attributes, qkey, 20);
	assert_le32_at(attributes, rq_psn, 24);
	assert_le32_at(attributes, sq_psn, 28);
	assert_le32_at(attributes, dest_qpn, 32);
	assert_le32_at(attributes, access, 36);
	assert_le32_at(attributes, pkey_index, 40);
	assert_le32_at(attributes, en_sqd_async_notify, 44);
	assert_le32_at(attributes, sq_draining, 48);
	assert_le32_at(attributes, max_rd_atomic, 52);
	assert_le32_at(attributes, max_dest_rd_atomic, 56);
	assert_le32_at(attributes, min_rnr_timer, 60);
	assert_le32_at(attributes, port, 64);
	assert_le32_at(attributes, timeout, 68);
	assert_le32_at(attributes, retry_cnt, 72);
	assert_le32_at(attributes, rnr_retry, 76);
	assert_le32_at(attributes, is_global, 80);
	assert_le32_at(attributes, dlid, 84);
	assert_le32_at(attributes, sl, 88);
	assert_le32_at(attributes, src_path_bits, 92);
	assert_le32_at(attributes, static_rate, 96);
	assert_le32_at(attributes, sgid_index, 100);
	assert_le32_at(attributes, hop_limit, 104);
	assert_le32_at(attributes, traffic_class, 108);
	assert_le32_at(attributes, flow_label, 112);
	assert_le32_at(attributes, rate_limit, 116);
	assert_int_equal(attributes.dgid[0], 121);
	memset(&attributes, 0, sizeof(attributes));
	attributes.dest_qpn = arnica_to_le32(0x123456);
	attributes.dgid[15] = 0x77;
	memcpy(bytes + 32, "\x56\x34\x12", 3);
	bytes[135] = 0x77;
	assert_memory_equal(&attributes, bytes, sizeof(bytes));
}

static void answers(void **state)
{
	struct arnica_hw_completion answer;

	(void)state;
	fill_with_counter(&answer, sizeof(answer));
	assert_le64_at(answer, device.node_guid, 0);
	assert_le64_at(answer, device.max_mr_size, 8);
	assert_le64_at(answer, device.page_size_cap, 16);
	assert_le32_at(answer, device.max_qp, 24);
	assert_le32_at(answer, device.max_qp_wr, 28);
	assert_le32_at(answer, device.max_message_bytes, 88);
	assert_le32_at(answer, device.vendor_id, 92);
	assert_le32_at(answer, device.vendor_part_id, 96);
	assert_le32_at(answer, device.hw_version, 100);
	assert_le32_at(answer, device.max_moderation_count, 176);
	assert_le32_at(answer, device.max_moderation_us, 180);
	assert_int_equal(answer.device.firmware_version[0], 105);
	assert_le32_at(answer, port.state, 0);
	assert_le32_at(answer, port.active_speed, 32);
	assert_le32_at(answer, object.handle, 0);
	assert_le32_at(answer, mr.stag, 4);
	assert_le32_at(answer, cq.cqe, 4);
	assert_le64_at(answer, cq.record_offset, 8);
	assert_le32_at(answer, qp.handle, 0);
	assert_le32_at(answer, qp.qpn, 4);
	assert_le32_at(answer, qp.inline_bytes, 8);
	assert_le64_at(answer, qp.send.entries_offset, 16);
	assert_le64_at(answer, qp.send.ring_offset, 24);
	assert_le64_at(answer, qp.send.record_offset, 32);
	assert_le64_at(answer, qp.send.eager_offset, 40);
	assert_le32_at(answer, qp.send.entry_bytes, 48);
	assert_le32_at(answer, qp.send.slots, 52);
	assert_le32_at(answer, qp.send.depth, 56);
	assert_le32_at(answer, qp.send.max_sge, 60);
	assert_le32_at(answer, qp.send.eager_bytes, 64);
	assert_le64_at(answer, qp.receive.entries_offset, 72);
	assert_le32_at(answer, status, 240);
	assert_atomic_at(answer, sequence, 252);
}

static void numbers_never_change(void **state)
{
	(void)state;
	assert_int_equal(ARNICA_HW_CMD_QUERY_DEVICE, 1);
	assert_int_equal(ARNICA_HW_CMD_REG_MR, 5);
	assert_int_equal(ARNICA_HW_CMD_CREATE_QP, 11);
	assert_int_equal(ARNICA_HW_CMD_DESTROY_AH, 16);
	assert_int_equal(ARNICA_HW_COMMAND_OK, 0);
	assert_int_equal(ARNICA_HW_COMMAND_NO_SUCH_COMMAND, 10);
}

static void event_records_are_what_libibverbs_reads(void **state)
{
	struct arnica_hw_async_event event = {
		.user_data = 0x1122334455667788,
		.type = 3,
	};
	struct arnica_hw_completion_event completion = { .user_data = 5 };

	(void)state;
	/* Host order: it is read by the process that it belongs to. */
	assert_memory_equal(&event, &event.user_data, 8);
	assert_memory_equal((unsigned char *)&event + 8, &event.type, 4);
	assert_memory_equal(&completion, &completion.user_data, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registration),
		cmocka_unit_test(scheduler_numbers),
		cmocka_unit_test(commands_that_create),
		cmocka_unit_test(attributes_of_a_queue_pair),
		cmocka_unit_test(answers),
		cmocka_unit_test(numbers_never_change),
		cmocka_unit_test(event_records_are_what_libibverbs_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
