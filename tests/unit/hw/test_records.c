/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Records and the segment header: bytes and fields. */
#include "golden.h"

#include "arnica/hw/records.h"
#include "arnica/hw/segment.h"

static void queue_record(void **state)
{
	struct arnica_hw_queue_record record;
	unsigned char bytes[sizeof(record)] = { 0 };

	(void)state;
	memset(&record, 0, sizeof(record));
	arnica_store32(&record.producer, 0x01020304, memory_order_relaxed);
	arnica_store32(&record.eager_tail, 0x11121314, memory_order_relaxed);
	arnica_store32(&record.polled, 0x21222324, memory_order_relaxed);
	arnica_store32(&record.waiting, 0x31323334, memory_order_relaxed);
	arnica_store32(&record.queued, 0x41424344, memory_order_relaxed);
	arnica_store32(&record.next, 0x51525354, memory_order_relaxed);
	memcpy(bytes, "\x04\x03\x02\x01\x14\x13\x12\x11\x24\x23\x22\x21", 12);
	memcpy(bytes + 64, "\x34\x33\x32\x31\x44\x43\x42\x41\x54\x53\x52\x51",
	       12);
	assert_memory_equal(&record, bytes, sizeof(bytes));
	fill_with_counter(&record, sizeof(record));
	assert_atomic_at(record, producer, 0);
	assert_atomic_at(record, eager_tail, 4);
	assert_atomic_at(record, polled, 8);
	assert_atomic_at(record, waiting, 64);
	assert_atomic_at(record, queued, 68);
	assert_atomic_at(record, next, 72);
}

static void cq_record(void **state)
{
	struct arnica_hw_cq_record record;

	(void)state;
	fill_with_counter(&record, sizeof(record));
	assert_atomic_at(record, ready, 0);
	assert_atomic_at(record, armed, 4);
	assert_atomic_at(record, state, 8);
	assert_atomic_at(record, counted, 12);
	assert_atomic_at(record, outstanding, 16);
	assert_atomic_at(record, limit, 20);
	assert_atomic_at(record, rescan, 24);
	memset(&record, 0, sizeof(record));
	arnica_store32(&record.rescan, 1, memory_order_relaxed);
	assert_memory_equal((unsigned char *)&record + 24, "\x01\0\0\0", 4);
}

static void srq_record_and_word(void **state)
{
	struct arnica_hw_srq_record record;

	(void)state;
	fill_with_counter(&record, sizeof(record));
	assert_atomic_at(record, producer, 0);
	assert_atomic_at(record, waiting, 64);
	assert_atomic_at(record, head, 128);
	assert_int_equal(arnica_hw_srq_word(0x01020304, 0x11121314),
			 0x0102030411121314);
	assert_int_equal(arnica_field_get(0x0102030411121314,
					  ARNICA_HW_SRQ_POST_MASK),
			 0x01020304);
	assert_int_equal(arnica_field_get(0x0102030411121314,
					  ARNICA_HW_SRQ_TAKER_MASK),
			 0x11121314);
}

static void armed_word_holds_request_and_count(void **state)
{
	(void)state;
	assert_int_equal(arnica_field_get(0xabcdef02, ARNICA_HW_ARMED_ARM_MASK),
			 ARNICA_HW_ARM_NEXT);
	assert_int_equal(
		arnica_field_get(0xabcdef02, ARNICA_HW_ARMED_FIRED_MASK),
		0xabcdef);
	assert_int_equal(arnica_field_put(ARNICA_HW_ARMED_FIRED_MASK, 1),
			 ARNICA_HW_ARMED_FIRED_ONE);
}

static void segment_header(void **state)
{
	struct arnica_hw_segment_header header;
	unsigned char bytes[sizeof(header)] = {
		0xff, 'A', 'R', 'N', 'I', 'C', 'H', 'W', 1, 0, 0, 0, 3,
	};

	(void)state;
	memset(&header, 0, sizeof(header));
	header.magic = arnica_to_le64(ARNICA_HW_SEGMENT_MAGIC);
	header.version = arnica_to_le32(1);
	header.device_index = arnica_to_le32(3);
	arnica_store32(&header.state, ARNICA_HW_SEGMENT_RUNNING,
		       memory_order_relaxed);
	bytes[16] = 2;
	arnica_store32(&header.attention, 0x01020304, memory_order_relaxed);
	memcpy(bytes + 64, "\x04\x03\x02\x01", 4);
	assert_memory_equal(&header, bytes, sizeof(bytes));
	fill_with_counter(&header, sizeof(header));
	assert_le64_at(header, magic, 0);
	assert_le32_at(header, version, 8);
	assert_le32_at(header, device_index, 12);
	assert_atomic_at(header, state, 16);
	assert_le32_at(header, function, 20);
	assert_le64_at(header, generation, 24);
	assert_le64_at(header, size_bytes, 32);
	assert_atomic_at(header, attention, 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queue_record),
		cmocka_unit_test(cq_record),
		cmocka_unit_test(srq_record_and_word),
		cmocka_unit_test(armed_word_holds_request_and_count),
		cmocka_unit_test(segment_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
