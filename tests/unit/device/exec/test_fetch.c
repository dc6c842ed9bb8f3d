/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Descriptors: each opcode, and everything that is not well formed. */
#include <stdlib.h>
#include <string.h>

#include "exec/exec.h"
#include "test.h"
#include "tpt/tpt.h"
#include "transport/address_handle.h"

#define PD 7u
#define STAG 0x101u
#define READ_ONLY 0x201u

static struct adev_tpt_entry entries[3];
static char memory[4096];
static struct adev_function *fn;
static struct adev_qp *qp;

static union {
	_Alignas(64) char bytes[ARNICA_HW_MAX_WQE_BYTES];
	struct {
		struct arnica_hw_wqe_control control;
		struct arnica_hw_wqe_remote remote;
		union {
			struct arnica_hw_data_segment segments[30];
			struct {
				struct arnica_hw_wqe_atomic operands;
				struct arnica_hw_data_segment result;
			} atomic;
			char data[480];
		};
	};
} wqe;

static void publish(uint32_t stag, uint32_t access)
{
	struct adev_tpt_entry *entry = &entries[adev_tpt_index(stag)];

	entry->type = ADEV_TPT_REGION;
	entry->pd = PD;
	entry->access = access;
	entry->iova = 0;
	entry->length = sizeof(memory);
	entry->address = (uintptr_t)memory;
	adev_tpt_publish(entry, stag);
}

static int setup(void **state)
{
	(void)state;
	fn = calloc(1, sizeof(*fn));
	qp = calloc(1, sizeof(*qp));
	if (!fn || !qp)
		return -1;
	qp->message = calloc(1, sizeof(*qp->message));
	if (!qp->message)
		return -1;
	fn->view.tpt = entries;
	fn->view.layout.max_mr = 3;
	publish(STAG, ARNICA_HW_ACCESS_LOCAL_WRITE);
	publish(READ_ONLY, 0);
	qp->fn = fn;
	qp->pd = PD;
	qp->type = ARNICA_HW_QP_RC;
	qp->sq_stride = ARNICA_HW_MAX_WQE_BYTES;
	qp->head = 0x12345678;
	qp->attributes.max_rd_atomic = arnica_to_le32(1);
	memset(&wqe, 0, sizeof(wqe));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(qp->message);
	free(qp);
	free(fn);
	return 0;
}

static void control(uint32_t opcode, uint32_t flags, uint32_t num_sge)
{
	wqe.control.operation = arnica_to_le32(opcode | flags << 8 |
					       num_sge << 16);
	wqe.control.index = arnica_to_le32(qp->head);
}

static void segment(unsigned int number, uint64_t address, uint32_t length,
		    uint32_t lkey)
{
	wqe.segments[number] = (struct arnica_hw_data_segment){
		arnica_to_le64(address), arnica_to_le32(length),
		arnica_to_le32(lkey)
	};
}

static enum arnica_hw_status fetch(void)
{
	return adev_exec_fetch(qp, qp->head, &wqe, qp->message);
}

static void expect_invalid(void)
{
	assert_int_equal(fetch(), ARNICA_HW_STATUS_LOC_QP_OP_ERR);
}

static void a_send_takes_its_segments(void **state)
{
	(void)state;
	control(ARNICA_HW_OP_SEND_IMM,
		ARNICA_HW_WQE_SIGNALED | ARNICA_HW_WQE_SOLICITED, 2);
	wqe.control.immediate = arnica_to_be32(0x01020304);
	segment(0, 16, 100, STAG);
	segment(1, 200, 28, READ_ONLY);
	assert_ok(fetch());
	assert_int_equal(qp->message->opcode, ARNICA_HW_OP_SEND_IMM);
	assert_int_equal(qp->message->flags,
			 ARNICA_HW_WQE_SIGNALED | ARNICA_HW_WQE_SOLICITED);
	assert_int_equal(qp->message->index, qp->head);
	assert_int_equal(qp->message->immediate, arnica_to_be32(0x01020304).raw);
	assert_int_equal(qp->message->bytes, 128);
	assert_int_equal(qp->message->gather.num_pieces, 2);
	assert_int_equal(qp->message->done, 0);
	assert_int_equal(qp->message->inbox_slot, -1);
}

static void rdma_names_the_peers_memory(void **state)
{
	static const uint32_t opcodes[] = { ARNICA_HW_OP_WRITE,
					    ARNICA_HW_OP_WRITE_IMM,
					    ARNICA_HW_OP_READ };
	unsigned int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		control(opcodes[i], 0, 1);
		wqe.remote.address = arnica_to_le64(0x1122334455667788);
		wqe.remote.rkey = arnica_to_le32(0xabcdef01);
		segment(0, 0, 64, STAG);
		assert_ok(fetch());
		assert_int_equal(qp->message->opcode, opcodes[i]);
		assert_int_equal(qp->message->remote_address,
				 0x1122334455667788);
		assert_int_equal(qp->message->rkey, 0xabcdef01);
	}
}

static void atomics_take_operands_and_eight_bytes(void **state)
{
	static const uint32_t opcodes[] = { ARNICA_HW_OP_CAS,
					    ARNICA_HW_OP_FETCH_ADD };
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		control(opcodes[i], 0, 1);
		wqe.atomic.operands.swap_or_add = arnica_to_le64(11);
		wqe.atomic.operands.compare = arnica_to_le64(22);
		wqe.atomic.result = (struct arnica_hw_data_segment){
			arnica_to_le64(64), arnica_to_le32(8),
			arnica_to_le32(STAG)
		};
		assert_ok(fetch());
		assert_int_equal(qp->message->swap_or_add, 11);
		assert_int_equal(qp->message->compare, 22);
		assert_int_equal(qp->message->bytes, 8);
	}
}

static void an_atomic_write_takes_eight_bytes_of_any_kind(void **state)
{
	static const uint32_t lengths[] = { 0, 1, 7, 9, 16 };
	unsigned int i;

	(void)state;
	memset(&wqe.remote, 0, sizeof(wqe.remote));
	control(ARNICA_HW_OP_ATOMIC_WRITE, 0, 1);
	segment(0, 64, 8, STAG);
	assert_ok(fetch());
	assert_int_equal(qp->message->bytes, 8);
	control(ARNICA_HW_OP_ATOMIC_WRITE, ARNICA_HW_WQE_INLINE, 0);
	wqe.control.inline_bytes = arnica_to_le32(8);
	assert_ok(fetch());
	assert_int_equal(qp->message->bytes, 8);
	wqe.control.inline_bytes = arnica_to_le32(4);
	assert_int_equal(fetch(), ARNICA_HW_STATUS_LOC_LEN_ERR);
	wqe.control.inline_bytes = arnica_to_le32(0);
	control(ARNICA_HW_OP_ATOMIC_WRITE, 0, 1);
	for (i = 0; i < 5; i++) {
		segment(0, 64, lengths[i], STAG);
		assert_int_equal(fetch(), ARNICA_HW_STATUS_LOC_LEN_ERR);
	}
}

static void an_atomic_of_another_length_is_refused(void **state)
{
	static const uint32_t lengths[] = { 0, 1, 4, 7, 9, 16 };
	unsigned int i;

	(void)state;
	for (i = 0; i < 6; i++) {
		control(ARNICA_HW_OP_FETCH_ADD, 0, 1);
		wqe.atomic.result = (struct arnica_hw_data_segment){
			arnica_to_le64(64), arnica_to_le32(lengths[i]),
			arnica_to_le32(STAG)
		};
		assert_int_equal(fetch(), ARNICA_HW_STATUS_LOC_LEN_ERR);
	}
	control(ARNICA_HW_OP_CAS, 0, 0);
	assert_int_equal(fetch(), ARNICA_HW_STATUS_LOC_LEN_ERR);
}

static void inline_data_is_copied(void **state)
{
	(void)state;
	control(ARNICA_HW_OP_SEND, ARNICA_HW_WQE_INLINE, 0);
	wqe.control.inline_bytes = arnica_to_le32(5);
	memcpy(wqe.data, "hello", 5);
	assert_ok(fetch());
	memset(wqe.data, 0, 5);
	assert_int_equal(qp->message->bytes, 5);
	assert_memory_equal(
		(void *)(uintptr_t)qp->message->gather.pieces[0].address,
		"hello", 5);
}

static void inline_data_of_no_length_is_an_empty_message(void **state)
{
	(void)state;
	control(ARNICA_HW_OP_WRITE, ARNICA_HW_WQE_INLINE, 0);
	assert_ok(fetch());
	assert_int_equal(qp->message->bytes, 0);
	assert_int_equal(qp->message->gather.num_pieces, 0);
}

static void inline_data_that_does_not_fit_is_refused(void **state)
{
	static const uint32_t lengths[] = { ARNICA_HW_MAX_INLINE + 1, 480,
					    UINT32_MAX };
	unsigned int i;

	(void)state;
	control(ARNICA_HW_OP_SEND, ARNICA_HW_WQE_INLINE, 0);
	wqe.control.inline_bytes = arnica_to_le32(ARNICA_HW_MAX_INLINE);
	assert_ok(fetch());
	for (i = 0; i < 3; i++) {
		wqe.control.inline_bytes = arnica_to_le32(lengths[i]);
		expect_invalid();
	}
	qp->sq_stride = 128;
	wqe.control.inline_bytes = arnica_to_le32(97);
	expect_invalid();
	wqe.control.inline_bytes = arnica_to_le32(96);
	assert_ok(fetch());
}

static void reads_and_atomics_have_no_inline_data(void **state)
{
	(void)state;
	control(ARNICA_HW_OP_READ, ARNICA_HW_WQE_INLINE, 0);
	expect_invalid();
	control(ARNICA_HW_OP_CAS, ARNICA_HW_WQE_INLINE, 0);
	wqe.control.inline_bytes = arnica_to_le32(8);
	expect_invalid();
}

static void reads_and_atomics_need_resources_of_the_queue_pair(void **state)
{
	(void)state;
	qp->attributes.max_rd_atomic = arnica_to_le32(0);
	control(ARNICA_HW_OP_READ, 0, 1);
	segment(0, 0, 8, STAG);
	expect_invalid();
	control(ARNICA_HW_OP_FETCH_ADD, 0, 1);
	expect_invalid();
	control(ARNICA_HW_OP_WRITE, 0, 1);
	assert_ok(fetch());
}

static void unknown_opcodes_are_refused_and_counted(void **state)
{
	uint32_t opcode;

	(void)state;
	for (opcode = ARNICA_HW_OP_COUNT; opcode < 256; opcode++) {
		control(opcode, 0, 0);
		expect_invalid();
	}
	control(ARNICA_HW_OP_NOP, 0, 0);
	expect_invalid();
	assert_int_equal(fn->counters.wqe_invalid,
			 256 - ARNICA_HW_OP_COUNT + 1);
}

static void a_bind_has_a_segment_of_its_own(void **state)
{
	struct arnica_hw_wqe_bind bind = {
		.address = arnica_to_le64(0x123456789),
		.length = arnica_to_le64(1ull << 40),
		.rkey = arnica_to_le32(0x205),
		.lkey = arnica_to_le32(STAG),
		.access = arnica_to_le32(ARNICA_HW_ACCESS_REMOTE_READ),
	};

	(void)state;
	control(ARNICA_HW_OP_BIND_MW, 0, 0);
	memcpy((char *)&wqe + ARNICA_HW_WQE_BIND_OFFSET, &bind, sizeof(bind));
	assert_ok(fetch());
	assert_int_equal(qp->message->bind.address, 0x123456789);
	assert_int_equal(qp->message->bind.length, 1ull << 40);
	assert_int_equal(qp->message->bind.rkey, 0x205);
	assert_int_equal(qp->message->bind.lkey, STAG);
	assert_int_equal(qp->message->bind.access, ARNICA_HW_ACCESS_REMOTE_READ);
	assert_int_equal(qp->message->bytes, 0);
	control(ARNICA_HW_OP_BIND_MW, ARNICA_HW_WQE_INLINE, 0);
	expect_invalid();
}

static void an_entry_of_another_index_is_refused(void **state)
{
	static const uint32_t wrong[] = { 1, 16, 1u << 24, UINT32_MAX };
	unsigned int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		control(ARNICA_HW_OP_SEND, 0, 0);
		wqe.control.index = arnica_to_le32(qp->head + wrong[i]);
		expect_invalid();
	}
	assert_int_equal(fn->counters.wqe_invalid, 4);
}

static void reserved_bits_are_refused(void **state)
{
	unsigned int bit;

	(void)state;
	for (bit = 24; bit < 32; bit++) {
		control(ARNICA_HW_OP_SEND, 0, 0);
		wqe.control.operation.raw |= arnica_to_le32(1u << bit).raw;
		expect_invalid();
	}
}

static void too_many_segments_are_refused(void **state)
{
	uint32_t count;

	(void)state;
	for (count = 0; count < 30; count++)
		segment(count, count, 1, STAG);
	control(ARNICA_HW_OP_SEND, 0, 30);
	assert_ok(fetch());
	for (count = 31; count < 256; count++) {
		control(ARNICA_HW_OP_SEND, 0, count);
		expect_invalid();
	}
	qp->sq_stride = 64;
	control(ARNICA_HW_OP_SEND, 0, 2);
	assert_ok(fetch());
	control(ARNICA_HW_OP_SEND, 0, 3);
	expect_invalid();
	control(ARNICA_HW_OP_CAS, 0, 2);
	expect_invalid();
}

static void segments_that_may_not_be_used_are_refused_and_counted(void **state)
{
	(void)state;
	control(ARNICA_HW_OP_SEND, 0, 1);
	segment(0, sizeof(memory) - 1, 2, STAG);
	assert_int_equal(fetch(), ARNICA_HW_STATUS_LOC_PROT_ERR);
	segment(0, 0, 2, STAG + 1);
	assert_int_equal(fetch(), ARNICA_HW_STATUS_LOC_PROT_ERR);
	assert_int_equal(fn->counters.local_protection, 2);
}

static void what_returns_data_needs_the_right_to_write_locally(void **state)
{
	(void)state;
	segment(0, 0, 8, READ_ONLY);
	control(ARNICA_HW_OP_WRITE, 0, 1);
	assert_ok(fetch());
	control(ARNICA_HW_OP_READ, 0, 1);
	assert_int_equal(fetch(), ARNICA_HW_STATUS_LOC_PROT_ERR);
	wqe.atomic.result = (struct arnica_hw_data_segment){
		arnica_to_le64(0), arnica_to_le32(8), arnica_to_le32(READ_ONLY)
	};
	control(ARNICA_HW_OP_FETCH_ADD, 0, 1);
	assert_int_equal(fetch(), ARNICA_HW_STATUS_LOC_PROT_ERR);
}

static void a_message_that_is_too_long_is_refused(void **state)
{
	(void)state;
	entries[1].length = 1ull << 33;
	control(ARNICA_HW_OP_WRITE, 0, 2);
	segment(0, 0, ARNICA_HW_MAX_MESSAGE, STAG);
	segment(1, 0, 0, STAG);
	assert_ok(fetch());
	segment(1, 0, 1, STAG);
	assert_int_equal(fetch(), ARNICA_HW_STATUS_LOC_LEN_ERR);
	segment(0, 0, UINT32_MAX, STAG);
	segment(1, 0, 1, STAG);
	assert_int_equal(fetch(), ARNICA_HW_STATUS_LOC_LEN_ERR);
}

/* Rows: RC, UC, UD. */
static void each_service_has_its_operations(void **state)
{
	static const char *const legal[] = { "nyyyyyyyyyynnynny",
					     "nyynyynnnyynnnnny",
					     "nyynnnnnnnnnnnnnn" };
	uint32_t type, opcode;

	(void)state;
	fn->ahs = calloc(1, sizeof(*fn->ahs));
	assert_non_null(adev_ah_make(fn->ahs, 0));
	adev_ah_make(fn->ahs, 0)->way.mtu_bytes = 4096;
	atomic_store(&adev_ah_make(fn->ahs, 0)->pd, PD + 1);
	for (type = ARNICA_HW_QP_RC; type <= ARNICA_HW_QP_UD; type++)
		for (opcode = 0; opcode < ARNICA_HW_OP_COUNT; opcode++) {
			bool atomic = arnica_hw_opcode_is_atomic(opcode);

			qp->type = type;
			control(opcode, 0, 1);
			memset(&wqe.remote, 0, sizeof(wqe.remote));
			segment(atomic ? 1 : 0, 0, 8, STAG);
			assert_int_equal(fetch() == ARNICA_HW_STATUS_SUCCESS,
					 legal[type - ARNICA_HW_QP_RC]
					      [opcode] == 'y');
		}
	adev_ah_fini(fn->ahs);
	free(fn->ahs);
}

/* A queue pair that was made for it registers; with a message it does so first,
 * and the data of the second half stands behind both. */
static void a_registration_comes_before_its_message(void **state)
{
	const struct arnica_hw_wqe_registration wish = {
		.iova = arnica_to_le64(0x1234),
		.length = arnica_to_le64(64),
		.memory = arnica_to_le64((uintptr_t)memory),
		.count = arnica_to_le32(1),
		.key = arnica_to_le32(0x301),
		.access = arnica_to_le32(ARNICA_HW_ACCESS_REMOTE_READ),
	};
	const struct arnica_hw_data_segment data = {
		arnica_to_le64(16), arnica_to_le32(8), arnica_to_le32(STAG)
	};

	(void)state;
	memcpy(wqe.bytes + ARNICA_HW_WQE_REGISTRATION_OFFSET, &wish,
	       sizeof(wish));
	memcpy(wqe.bytes + ARNICA_HW_WQE_REGISTRATION_BYTES, &data,
	       sizeof(data));
	control(ARNICA_HW_OP_REG_SEND, 0, 1);
	expect_invalid();
	qp->registers = true;
	assert_int_equal(adev_exec_fetch_first(qp, qp->head, &wqe, qp->message),
			 ARNICA_HW_STATUS_SUCCESS);
	assert_int_equal(qp->message->opcode, ARNICA_HW_OP_REG_MR);
	assert_true(qp->message->sends);
	assert_int_equal(qp->message->registration.iova, 0x1234);
	assert_int_equal(qp->message->registration.length, 64);
	assert_int_equal(qp->message->registration.key, 0x301);
	assert_int_equal(fetch(), ARNICA_HW_STATUS_SUCCESS);
	assert_int_equal(qp->message->opcode, ARNICA_HW_OP_SEND);
	assert_false(qp->message->sends);
	assert_int_equal(qp->message->bytes, 8);
	assert_int_equal(qp->message->gather.pieces[0].address,
			 (uintptr_t)memory + 16);
	control(ARNICA_HW_OP_REG_MR, 0, 0);
	assert_int_equal(fetch(), ARNICA_HW_STATUS_SUCCESS);
	assert_int_equal(qp->message->registration.count, 1);
	control(ARNICA_HW_OP_REG_MR, ARNICA_HW_WQE_INLINE, 0);
	expect_invalid();
}

static void a_datagram_names_its_destination(void **state)
{
	const struct arnica_hw_wqe_datagram datagram = {
		.ah = arnica_to_le32(300),
		.dest_qpn = arnica_to_le32(0xabcdef),
		.qkey = arnica_to_le32(0x11),
	};
	struct arnica_hw_wqe_datagram bad;

	(void)state;
	fn->ahs = calloc(1, sizeof(*fn->ahs));
	adev_ah_make(fn->ahs, 300)->way.mtu_bytes = 1024;
	atomic_store(&adev_ah_make(fn->ahs, 300)->pd, PD + 1);
	atomic_store(&adev_ah_make(fn->ahs, 301)->pd, PD + 2);
	qp->type = ARNICA_HW_QP_UD;
	qp->attributes.qkey = arnica_to_le32(0x77);
	control(ARNICA_HW_OP_SEND, 0, 1);
	segment(0, 0, 1024, STAG);
	memcpy(&wqe.remote, &datagram, sizeof(datagram));
	assert_ok(fetch());
	assert_ptr_equal(qp->message->ah, adev_ah_find(fn->ahs, 300));
	assert_int_equal(qp->message->dest_qpn, 0xabcdef);
	assert_int_equal(qp->message->qkey, 0x11);
	bad = datagram;
	bad.qkey = arnica_to_le32(ARNICA_HW_QKEY_CONTROLLED);
	memcpy(&wqe.remote, &bad, sizeof(bad));
	assert_ok(fetch());
	assert_int_equal(qp->message->qkey, 0x77);
	bad = datagram;
	bad.dest_qpn = arnica_to_le32(0x1000000);
	memcpy(&wqe.remote, &bad, sizeof(bad));
	expect_invalid();
	bad = datagram;
	bad.ah = arnica_to_le32(301); /* of another domain */
	memcpy(&wqe.remote, &bad, sizeof(bad));
	expect_invalid();
	bad.ah = arnica_to_le32(302);
	memcpy(&wqe.remote, &bad, sizeof(bad));
	expect_invalid();
	bad.ah = arnica_to_le32(ADEV_MAX_AH);
	memcpy(&wqe.remote, &bad, sizeof(bad));
	expect_invalid();
	assert_int_equal(fn->counters.wqe_invalid, 4);
	memcpy(&wqe.remote, &datagram, sizeof(datagram));
	segment(0, 0, 1025, STAG);
	assert_int_equal(fetch(), ARNICA_HW_STATUS_LOC_LEN_ERR);
	adev_ah_fini(fn->ahs);
	free(fn->ahs);
}

#define fetch_test(function)                                                   \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		fetch_test(a_send_takes_its_segments),
		fetch_test(rdma_names_the_peers_memory),
		fetch_test(atomics_take_operands_and_eight_bytes),
		fetch_test(an_atomic_of_another_length_is_refused),
		fetch_test(inline_data_is_copied),
		fetch_test(inline_data_of_no_length_is_an_empty_message),
		fetch_test(inline_data_that_does_not_fit_is_refused),
		fetch_test(reads_and_atomics_have_no_inline_data),
		fetch_test(reads_and_atomics_need_resources_of_the_queue_pair),
		fetch_test(an_atomic_write_takes_eight_bytes_of_any_kind),
		fetch_test(unknown_opcodes_are_refused_and_counted),
		fetch_test(a_bind_has_a_segment_of_its_own),
		fetch_test(an_entry_of_another_index_is_refused),
		fetch_test(reserved_bits_are_refused),
		fetch_test(too_many_segments_are_refused),
		fetch_test(
			segments_that_may_not_be_used_are_refused_and_counted),
		fetch_test(what_returns_data_needs_the_right_to_write_locally),
		fetch_test(a_message_that_is_too_long_is_refused),
		fetch_test(each_service_has_its_operations),
		fetch_test(a_registration_comes_before_its_message),
		fetch_test(a_datagram_names_its_destination),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
