/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Captures of the loopback path: each message as the packets it stands for. */
#include <endian.h>
#include <stdio.h>

#include "two_functions.h"

#include "capture_reader.h"

#define MTU 256u
#define PSN 0xfffffeu /* goes around soon */

static char file[] = "/tmp/arnica-test-capture-XXXXXX";

static int setup(void **state)
{
	struct two_wish wish = two_defaults();
	struct two *two;
	int fd;

	strcpy(file + sizeof(file) - 7, "XXXXXX");
	fd = mkstemp(file);
	close(fd);
	setenv("ARNICA_PCAP", file, 1);
	if (fd < 0 || two_setup(state))
		return -1;
	two = *state;
	wish.mtu = 1;
	wish.sq_psn = wish.rq_psn = PSN;
	wish.rnr_retry = 1;
	wish.timeout = 8;
	wish.retry_cnt = 0;
	two_create(&two->qp_a, &two->a, &wish);
	two_create(&two->qp_b, &two->b, &wish);
	two_connect(&two->qp_a, &two->qp_b, &wish);
	return 0;
}

static int teardown(void **state)
{
	unlink(file);
	unsetenv("ARNICA_PCAP");
	return two_teardown(state);
}

/* Runs a request of A to its end. */
static void run(struct two *two, const struct two_request *request,
		enum arnica_hw_status status)
{
	two_fill(two->a.buffer, 4096, 1);
	two_fill(two->b.buffer, 4096, 2);
	(void)two_send(&two->qp_a, request);
	(void)two_expect(&two->qp_a, TWO_SEND, status);
	reader_read(file);
}

/* What all packets of a well-formed exchange have. */
static void check_common(const struct two *two)
{
	for (uint32_t i = 0; i < reader.num_packets; i++) {
		const struct reader_packet *packet = &reader.packets[i];

		assert_int_equal(packet->verdict, ROCE_OK);
		assert_true(packet->icrc_right);
		assert_false(packet->crc_error);
		assert_int_equal(packet->roce.pkey, 0xffff);
		assert_true(packet->roce.migration);
		assert_int_equal(packet->roce.dest_qpn, packet->outbound ?
								two->qp_b.qpn :
								two->qp_a.qpn);
		assert_in_range(packet->envelope.source_port, 0xc000, 0xffff);
		assert_int_equal(packet->envelope.source_port,
				 reader.packets[packet->outbound ?
							0 :
							reader.num_packets - 1]
					 .envelope.source_port);
	}
}

/* Opcodes and PSNs, in their order; requests go out, responses come in. */
static void check_sequence(const uint8_t *opcodes, const uint32_t *psns,
			   uint32_t count)
{
	assert_int_equal(reader.num_packets, count);
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(reader.packets[i].roce.opcode, opcodes[i]);
		assert_int_equal(reader.packets[i].roce.psn, psns[i]);
		assert_int_equal(
			reader.packets[i].outbound,
			!!(roce_opcode_info(opcodes[i]) & ROCE_IS_REQUEST));
	}
}

#define check_packets(two, opcodes, psns)                                      \
	do {                                                                   \
		_Static_assert(sizeof(opcodes) == sizeof(psns) / 4,            \
			       "an opcode for each PSN");                      \
		check_sequence(opcodes, psns, sizeof(opcodes));                \
		check_common(two);                                             \
	} while (0)

static void check_payload(uint32_t first, uint32_t count, uint32_t seed)
{
	static uint8_t wanted[4096];
	uint32_t offset = 0;

	two_fill(wanted, sizeof(wanted), seed);
	for (uint32_t i = first; i < first + count; i++) {
		const struct roce_packet *roce = &reader.packets[i].roce;

		assert_memory_equal(roce->payload, wanted + offset,
				    roce->payload_bytes);
		offset += roce->payload_bytes;
	}
}

static void a_send_is_first_middle_last_and_an_acknowledge(void **state)
{
	static const uint8_t opcodes[] = { ROCE_SEND_FIRST, ROCE_SEND_MIDDLE,
					   ROCE_SEND_LAST_IMM,
					   ROCE_ACKNOWLEDGE };
	static const uint32_t psns[] = { PSN, 0xffffff, 0, 0 };
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_SEND_IMM, &two->a,
						 0, 2 * MTU + 1, &two->b, 0);

	request.immediate = 0x01020304;
	request.flags |= ARNICA_HW_WQE_SOLICITED;
	(void)two_receive(&two->qp_b, 0, 4096);
	run(two, &request, ARNICA_HW_STATUS_SUCCESS);
	check_packets(two, opcodes, psns);
	check_payload(0, 3, 1);
	assert_int_equal(reader.packets[2].roce.payload_bytes, 1);
	assert_int_equal(reader.packets[2].roce.immediate, htobe32(0x01020304));
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(reader.packets[i].roce.solicited, i == 2);
		assert_int_equal(reader.packets[i].roce.ack_request, i == 2);
	}
	assert_int_equal(reader.packets[3].roce.syndrome, 0x1f);
	assert_int_equal(reader.packets[3].roce.msn, 1);
}

static void an_empty_send_is_one_packet(void **state)
{
	static const uint8_t opcodes[] = { ROCE_SEND_ONLY, ROCE_ACKNOWLEDGE };
	static const uint32_t psns[] = { PSN, PSN };
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_SEND, &two->a, 0,
						 0, &two->b, 0);

	(void)two_receive(&two->qp_b, 0, 4096);
	run(two, &request, ARNICA_HW_STATUS_SUCCESS);
	check_packets(two, opcodes, psns);
	assert_int_equal(reader.packets[0].roce.payload_bytes, 0);
}

static void a_write_names_its_place_in_the_first_packet(void **state)
{
	static const uint8_t opcodes[] = { ROCE_WRITE_FIRST, ROCE_WRITE_LAST,
					   ROCE_ACKNOWLEDGE };
	static const uint32_t psns[] = { PSN, 0xffffff, 0xffffff };
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_WRITE, &two->a, 0,
						 2 * MTU, &two->b, 64);

	run(two, &request, ARNICA_HW_STATUS_SUCCESS);
	check_packets(two, opcodes, psns);
	check_payload(0, 2, 1);
	assert_int_equal(reader.packets[0].roce.address,
			 (uintptr_t)two->b.buffer + 64);
	assert_int_equal(reader.packets[0].roce.rkey, two->b.stag);
	assert_int_equal(reader.packets[0].roce.dma_length, 2 * MTU);
}

static void a_write_with_immediate_is_one_too(void **state)
{
	static const uint8_t opcodes[] = { ROCE_WRITE_ONLY_IMM,
					   ROCE_ACKNOWLEDGE };
	static const uint32_t psns[] = { PSN, PSN };
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_WRITE_IMM,
						 &two->a, 0, 3, &two->b, 0);

	request.immediate = 7;
	(void)two_receive(&two->qp_b, 0, 0);
	run(two, &request, ARNICA_HW_STATUS_SUCCESS);
	check_packets(two, opcodes, psns);
	assert_int_equal(reader.packets[0].roce.immediate, htobe32(7));
	assert_int_equal(reader.packets[0].roce.dma_length, 3);
}

static void a_read_is_a_request_and_its_responses(void **state)
{
	static const uint8_t opcodes[] = { ROCE_READ_REQUEST,
					   ROCE_READ_RESPONSE_FIRST,
					   ROCE_READ_RESPONSE_MIDDLE,
					   ROCE_READ_RESPONSE_LAST };
	static const uint32_t psns[] = { PSN, PSN, 0xffffff, 0 };
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_READ, &two->a, 0,
						 3 * MTU, &two->b, 0);

	run(two, &request, ARNICA_HW_STATUS_SUCCESS);
	check_packets(two, opcodes, psns);
	check_payload(1, 3, 2);
	assert_int_equal(reader.packets[0].roce.payload_bytes, 0);
	assert_int_equal(reader.packets[0].roce.dma_length, 3 * MTU);
	assert_int_equal(reader.packets[1].roce.msn, 1);
	assert_int_equal(reader.packets[3].roce.msn, 1);
}

static void an_atomic_operation_brings_back_what_was_there(void **state)
{
	static const uint8_t opcodes[] = { ROCE_COMPARE_SWAP,
					   ROCE_ATOMIC_ACKNOWLEDGE };
	static const uint32_t psns[] = { PSN, PSN };
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_CAS, &two->a, 0,
						 8, &two->b, 0);
	uint64_t before;

	request.compare = 0x0102030405060708;
	request.swap_or_add = 9;
	two_fill(&before, sizeof(before), 2);
	run(two, &request, ARNICA_HW_STATUS_SUCCESS);
	check_packets(two, opcodes, psns);
	assert_int_equal(reader.packets[0].roce.compare, 0x0102030405060708);
	assert_int_equal(reader.packets[0].roce.swap_or_add, 9);
	assert_int_equal(reader.packets[0].roce.address,
			 (uintptr_t)two->b.buffer);
	assert_int_equal(reader.packets[1].roce.original, before);
}

static void a_missing_receive_is_one_rnr_nak(void **state)
{
	static const uint8_t opcodes[] = { ROCE_SEND_FIRST, ROCE_ACKNOWLEDGE,
					   ROCE_SEND_FIRST, ROCE_SEND_LAST,
					   ROCE_ACKNOWLEDGE };
	static const uint32_t psns[] = { PSN, PSN, PSN, 0xffffff, 0xffffff };
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_SEND, &two->a, 0,
						 2 * MTU, &two->b, 0);

	two_qp_of(&two->qp_a)->attributes.rnr_retry = arnica_to_le32(7);
	(void)two_send(&two->qp_a, &request);
	for (uint32_t i = 0; i < 100; i++)
		two_work(&two->a);
	(void)two_receive(&two->qp_b, 0, 4096);
	(void)two_expect(&two->qp_a, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	reader_read(file);
	check_packets(two, opcodes, psns);
	assert_int_equal(reader.packets[1].roce.syndrome, 0x20 | 1);
	assert_int_equal(reader.packets[1].roce.msn, 0);
}

static void a_wrong_key_is_the_first_packet_and_a_nak(void **state)
{
	static const uint8_t opcodes[] = { ROCE_WRITE_FIRST, ROCE_ACKNOWLEDGE };
	static const uint32_t psns[] = { PSN, PSN };
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_WRITE, &two->a, 0,
						 3 * MTU, &two->b, 0);

	request.rkey ^= 1;
	run(two, &request, ARNICA_HW_STATUS_REM_ACCESS_ERR);
	check_packets(two, opcodes, psns);
	assert_int_equal(reader.packets[1].roce.syndrome, 0x60 | 2);
}

static void a_receive_too_short_is_refused_at_the_end(void **state)
{
	static const uint8_t opcodes[] = { ROCE_SEND_FIRST, ROCE_SEND_LAST,
					   ROCE_ACKNOWLEDGE };
	static const uint32_t psns[] = { PSN, 0xffffff, 0xffffff };
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_SEND, &two->a, 0,
						 2 * MTU, &two->b, 0);

	(void)two_receive(&two->qp_b, 0, 2 * MTU - 1);
	run(two, &request, ARNICA_HW_STATUS_REM_INV_REQ_ERR);
	check_packets(two, opcodes, psns);
	assert_int_equal(reader.packets[2].roce.syndrome, 0x60 | 1);
}

static void a_peer_that_is_gone_does_not_answer(void **state)
{
	static const uint8_t opcodes[] = { ROCE_WRITE_ONLY };
	static const uint32_t psns[] = { PSN };
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_WRITE, &two->a, 0,
						 8, &two->b, 0);

	assert_ok(two_destroy(&two->qp_b));
	run(two, &request, ARNICA_HW_STATUS_RETRY_EXC_ERR);
	check_packets(two, opcodes, psns);
}

static void what_never_left_is_not_shown(void **state)
{
	struct two *two = *state;
	struct two_request request = two_request(ARNICA_HW_OP_WRITE, &two->a, 0,
						 8, &two->b, 0);

	request.sge[0].lkey = arnica_to_le32(two->a.stag ^ 1);
	run(two, &request, ARNICA_HW_STATUS_LOC_PROT_ERR);
	assert_int_equal(reader.num_packets, 0);
}

#define case_of(function)                                                      \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		case_of(a_send_is_first_middle_last_and_an_acknowledge),
		case_of(an_empty_send_is_one_packet),
		case_of(a_write_names_its_place_in_the_first_packet),
		case_of(a_write_with_immediate_is_one_too),
		case_of(a_read_is_a_request_and_its_responses),
		case_of(an_atomic_operation_brings_back_what_was_there),
		case_of(a_missing_receive_is_one_rnr_nak),
		case_of(a_wrong_key_is_the_first_packet_and_a_nak),
		case_of(a_receive_too_short_is_refused_at_the_end),
		case_of(a_peer_that_is_gone_does_not_answer),
		case_of(what_never_left_is_not_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
