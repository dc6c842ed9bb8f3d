/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * MADs of connection management: bytes of another implementation against the
 * values that they stand for, in both directions; fields that those leave zero;
 * and what parsing refuses.
 */
#include <cmocka.h>
#include <string.h>

#include "captured.h"
#include "cm/ip.h"
#include "cm/message.h"

static const uint8_t gid_of_client[16] = {
	[10] = 0xff, 0xff, 0x0a, 0x09, 0x02, 0x01,
};
static const uint8_t gid_of_server[16] = {
	[10] = 0xff, 0xff, 0x0a, 0x09, 0x02, 0x02,
};

/* Parses, and emits again. */
static void take(const uint8_t bytes[256], uint16_t attribute,
		 struct roce_cm_message *message)
{
	uint8_t again[256];

	assert_int_equal(roce_cm_parse(bytes, message), ROCE_CM_OK);
	assert_int_equal(message->attribute, attribute);
	memset(again, 0xaa, sizeof(again));
	roce_cm_emit(message, again);
	assert_memory_equal(again, bytes, 256);
}

static void a_req_of_linux(void **state)
{
	struct roce_cm_message message;
	const struct roce_cm_req *req = &message.req;

	(void)state;
	take(captured_req, ROCE_CM_REQ, &message);
	assert_int_equal(message.transaction, 0x00000002dc393380ull);
	assert_int_equal(message.local_comm_id, 0x803339dc);
	assert_int_equal(message.remote_comm_id, 0);
	assert_int_equal(req->service_id,
			 roce_cm_service_id(ROCE_CM_PS_TCP, 0x1c06));
	assert_int_equal(req->ca_guid, 0x68feeffffec168a4ull);
	assert_int_equal(req->qkey, 0);
	assert_int_equal(req->qpn, 0x1a);
	assert_int_equal(req->responder_resources, 1);
	assert_int_equal(req->initiator_depth, 1);
	assert_int_equal(req->remote_response_timeout, 20);
	assert_int_equal(req->transport, ROCE_CM_RC);
	assert_int_equal(req->psn, 0xc06257);
	assert_int_equal(req->local_response_timeout, 20);
	assert_int_equal(req->retry_count, 7);
	assert_int_equal(req->pkey, 0xffff);
	assert_int_equal(req->path_mtu, 5);
	assert_int_equal(req->rnr_retry, 7);
	assert_int_equal(req->max_cm_retries, 15);
	assert_int_equal(req->primary.local_lid, 0xffff);
	assert_int_equal(req->primary.remote_lid, 0xffff);
	assert_memory_equal(req->primary.local_gid, gid_of_client, 16);
	assert_memory_equal(req->primary.remote_gid, gid_of_server, 16);
	assert_int_equal(req->primary.flow_label, 0x30769);
	assert_int_equal(req->primary.hop_limit, 64);
	assert_int_equal(req->primary.ack_timeout, 19);
}

static void a_rep_of_linux(void **state)
{
	struct roce_cm_message message;
	const struct roce_cm_rep *rep = &message.rep;

	(void)state;
	take(captured_rep, ROCE_CM_REP, &message);
	assert_int_equal(message.local_comm_id, 0x833339dc);
	assert_int_equal(message.remote_comm_id, 0x803339dc);
	assert_int_equal(rep->qpn, 0x1a);
	assert_int_equal(rep->psn, 0x60dbf8);
	assert_int_equal(rep->responder_resources, 1);
	assert_int_equal(rep->initiator_depth, 1);
	assert_int_equal(rep->ack_delay, 15);
	assert_int_equal(rep->rnr_retry, 7);
	assert_false(rep->srq);
	assert_int_equal(rep->ca_guid, 0x9cb970fffe38d728ull);
}

static void short_messages_of_linux(void **state)
{
	struct roce_cm_message message;

	(void)state;
	take(captured_rtu, ROCE_CM_RTU, &message);
	assert_int_equal(message.local_comm_id, 0x803339dc);
	assert_int_equal(message.remote_comm_id, 0x833339dc);
	take(captured_dreq, ROCE_CM_DREQ, &message);
	assert_int_equal(message.dreq.remote_qpn, 0x1a);
	take(captured_drep, ROCE_CM_DREP, &message);
	assert_int_equal(message.remote_comm_id, 0x803339dc);
	take(captured_rej, ROCE_CM_REJ, &message);
	assert_int_equal(message.local_comm_id, 0);
	assert_int_equal(message.rej.answered, ROCE_CM_OF_REQ);
	assert_int_equal(message.rej.reason, ROCE_CM_INVALID_SERVICE_ID);
	assert_int_equal(message.rej.info_bytes, 0);
}

static void sidr_of_linux(void **state)
{
	struct roce_cm_message message;

	(void)state;
	take(captured_sidr_req, ROCE_CM_SIDR_REQ, &message);
	assert_int_equal(message.sidr_req.request_id, 0x382f38fa);
	assert_int_equal(message.sidr_req.pkey, 0xffff);
	assert_int_equal(message.sidr_req.service_id,
			 roce_cm_service_id(ROCE_CM_PS_UDP, 0x1c06));
	assert_int_equal(message.local_comm_id, 0);
	take(captured_sidr_rep, ROCE_CM_SIDR_REP, &message);
	assert_int_equal(message.sidr_rep.request_id, 0x382f38fa);
	assert_int_equal(message.sidr_rep.status, ROCE_CM_SIDR_VALID);
	assert_int_equal(message.sidr_rep.qpn, 0x11);
	assert_int_equal(message.sidr_rep.service_id, 0x01111c06);
	assert_int_equal(message.sidr_rep.qkey, 0x01234567);
}

/* The places of what the captured ones leave zero (IBTA table 106). */
static void every_field_of_a_req_has_its_place(void **state)
{
	struct roce_cm_message message = {
		.attribute = ROCE_CM_REQ,
		.req = {
			.qkey = 0x01020304,
			.local_eecn = 0x050607,
			.remote_eecn = 0x08090a,
			.transport = ROCE_CM_EXTENDED,
			.flow_control = true,
			.rdc_exists = true,
			.srq = true,
			.extended_transport = 5,
			.primary = { .packet_rate = 0x2d, .traffic_class = 0x0b,
				     .sl = 12, .subnet_local = true },
			.alternate = { .local_lid = 0x0c0d, .remote_lid = 0x0e0f,
				       .local_gid = { 0x11 },
				       .remote_gid = { 0x12 },
				       .flow_label = 0xabcde,
				       .ack_timeout = 31 },
			.sap_supported = true,
			.private_data = { [0] = 0x13, [91] = 0x14 },
		},
	};
	struct roce_cm_message again;
	uint8_t bytes[256], *data = bytes + 24;

	(void)state;
	roce_cm_emit(&message, bytes);
	assert_memory_equal(data + 28, "\1\2\3\4", 4);
	assert_memory_equal(data + 36, "\5\6\7", 3);
	assert_memory_equal(data + 40, "\x8\x9\xa\x7", 4);
	assert_int_equal(data[50], 0x08);
	assert_int_equal(data[51], 0x0d);
	assert_memory_equal(data + 91, "\x2d\xb\0\xc8\0", 5);
	assert_memory_equal(data + 96, "\xc\xd\xe\xf", 4);
	assert_int_equal(data[100], 0x11);
	assert_int_equal(data[116], 0x12);
	assert_memory_equal(data + 132, "\xab\xcd\xe0", 3);
	assert_int_equal(data[139], 0xfc);
	assert_int_equal(data[140], 0x13);
	assert_int_equal(data[231], 0x14);
	take(bytes, ROCE_CM_REQ, &again);
	assert_memory_equal(&again.req.alternate, &message.req.alternate,
			    sizeof(again.req.alternate));
}

static void every_field_of_answers_has_its_place(void **state)
{
	struct roce_cm_message message = {
		.attribute = ROCE_CM_REP,
		.rep = { .qkey = 0x01020304,
			 .local_eecn = 0x050607,
			 .failover = 2,
			 .flow_control = true,
			 .srq = true,
			 .private_data = { [195] = 8 } },
	};
	uint8_t bytes[256], *data = bytes + 24;

	(void)state;
	roce_cm_emit(&message, bytes);
	assert_memory_equal(data + 8, "\1\2\3\4", 4);
	assert_memory_equal(data + 16, "\5\6\7", 3);
	assert_memory_equal(data + 26, "\x05\x10", 2);
	assert_int_equal(data[231], 8);
	memset(&message, 0, sizeof(message));
	message.attribute = ROCE_CM_MRA;
	message.mra.answered = ROCE_CM_OF_REP;
	message.mra.service_timeout = 19;
	message.mra.private_data[221] = 9;
	roce_cm_emit(&message, bytes);
	assert_memory_equal(data + 8, "\x40\x98", 2);
	assert_int_equal(data[231], 9);
	take(bytes, ROCE_CM_MRA, &message);
	memset(&message, 0, sizeof(message));
	message.attribute = ROCE_CM_REJ;
	message.rej.answered = ROCE_CM_OF_OTHER;
	message.rej.info_bytes = 72;
	message.rej.reason = ROCE_CM_CONSUMER;
	message.rej.info[71] = 10;
	message.rej.private_data[0] = 11;
	roce_cm_emit(&message, bytes);
	assert_memory_equal(data + 8, "\x80\x90\x00\x1c", 4);
	assert_memory_equal(data + 83, "\xa\xb", 2);
	take(bytes, ROCE_CM_REJ, &message);
}

static enum roce_cm_verdict verdict_with(uint32_t offset, uint8_t value)
{
	struct roce_cm_message message;
	uint8_t bytes[256];

	memcpy(bytes, captured_rej, sizeof(bytes));
	bytes[offset] = value;
	return roce_cm_parse(bytes, &message);
}

static void refuses_what_it_does_not_know(void **state)
{
	(void)state;
	assert_int_equal(verdict_with(0, 2), ROCE_CM_BAD_CLASS);
	assert_int_equal(verdict_with(1, 3), ROCE_CM_BAD_CLASS);
	assert_int_equal(verdict_with(2, 1), ROCE_CM_BAD_CLASS);
	assert_int_equal(verdict_with(3, 1), ROCE_CM_BAD_METHOD);
	assert_int_equal(verdict_with(17, 0x0f), ROCE_CM_BAD_ATTRIBUTE);
	assert_int_equal(verdict_with(17, 0x19), ROCE_CM_BAD_ATTRIBUTE);
	assert_int_equal(verdict_with(16, 1), ROCE_CM_BAD_ATTRIBUTE);
	/* 73 bytes of information do not fit. */
	assert_int_equal(verdict_with(24 + 9, 73 << 1), ROCE_CM_BAD_LENGTH);
	assert_int_equal(verdict_with(24 + 9, 72 << 1), ROCE_CM_OK);
}

static void keys_name_the_receiver(void **state)
{
	uint8_t bytes[256];
	uint64_t key;

	(void)state;
	assert_int_equal(roce_cm_find_key(captured_req, &key),
			 ROCE_CM_KEY_SERVICE);
	assert_int_equal(key, 0x01061c06);
	assert_int_equal(roce_cm_find_key(captured_sidr_req, &key),
			 ROCE_CM_KEY_SERVICE);
	assert_int_equal(key, 0x01111c06);
	assert_int_equal(roce_cm_find_key(captured_rep, &key),
			 ROCE_CM_KEY_COMM_ID);
	assert_int_equal(key, 0x803339dc);
	assert_int_equal(roce_cm_find_key(captured_sidr_rep, &key),
			 ROCE_CM_KEY_COMM_ID);
	assert_int_equal(key, 0x382f38fa);
	memcpy(bytes, captured_rep, sizeof(bytes));
	bytes[3] = 0x81;
	assert_int_equal(roce_cm_find_key(bytes, &key), ROCE_CM_KEY_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_req_of_linux),
		cmocka_unit_test(a_rep_of_linux),
		cmocka_unit_test(short_messages_of_linux),
		cmocka_unit_test(sidr_of_linux),
		cmocka_unit_test(every_field_of_a_req_has_its_place),
		cmocka_unit_test(every_field_of_answers_has_its_place),
		cmocka_unit_test(refuses_what_it_does_not_know),
		cmocka_unit_test(keys_name_the_receiver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
