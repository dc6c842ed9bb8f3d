/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Gather lists: what is collected, slices of it, and what is refused. */
#include "gather/gather.h"

#include <string.h>

#include "test.h"
#include "tpt/tpt.h"

#define PD 7u
#define STAG 0x101u

static struct adev_tpt_entry entries[2];
static struct adev_view view;
static char memory[4096];
static struct adev_gather gather;

static int setup(void **state)
{
	unsigned int i;

	(void)state;
	view.tpt = entries;
	view.layout.max_mr = 2;
	entries[1].type = ADEV_TPT_REGION;
	entries[1].pd = PD;
	entries[1].access = ARNICA_HW_ACCESS_LOCAL_WRITE;
	entries[1].iova = 0;
	entries[1].length = sizeof(memory);
	entries[1].address = (uintptr_t)memory;
	adev_tpt_publish(&entries[1], STAG);
	for (i = 0; i < sizeof(memory); i++)
		memory[i] = (char)(i % 251);
	memset(&gather, 0xff, sizeof(gather));
	return 0;
}

static struct arnica_hw_data_segment segment(uint64_t address, uint32_t length,
					     uint32_t lkey)
{
	return (struct arnica_hw_data_segment){ arnica_to_le64(address),
						arnica_to_le32(length),
						arnica_to_le32(lkey) };
}

static enum arnica_hw_status collect(
	const struct arnica_hw_data_segment *segments, uint32_t count,
	uint32_t access)
{
	return adev_gather_segments(&view, PD, segments, count, access,
				    &gather);
}

/* Pieces of 100, 50 and 200 bytes at 0, 1000 and 500. */
static void collect_three(void)
{
	const struct arnica_hw_data_segment segments[] = {
		segment(0, 100, STAG),
		segment(1000, 50, STAG),
		segment(500, 200, STAG),
	};

	assert_ok(collect(segments, 3, 0));
}

static void pieces_are_collected_in_order(void **state)
{
	(void)state;
	collect_three();
	assert_int_equal(gather.num_pieces, 3);
	assert_int_equal(gather.bytes, 350);
	assert_int_equal(gather.pieces[1].address, (uintptr_t)memory + 1000);
	assert_int_equal(gather.pieces[1].iova, 1000);
	assert_int_equal(gather.pieces[1].stag, STAG);
}

static void segments_of_no_length_are_skipped_unchecked(void **state)
{
	const struct arnica_hw_data_segment segments[] = {
		segment(0, 0, 0xdead),
		segment(10, 20, STAG),
		segment(UINT64_MAX, 0, 0),
	};

	(void)state;
	assert_ok(collect(segments, 3, 0));
	assert_int_equal(gather.num_pieces, 1);
	assert_int_equal(gather.bytes, 20);
}

static void nothing_behind_the_end_mark_is_looked_at(void **state)
{
	const struct arnica_hw_data_segment segments[] = {
		segment(10, 20, STAG),
		segment(0, 0, ARNICA_HW_LKEY_END),
		segment(0, 100, 0xdead),
	};

	(void)state;
	assert_ok(collect(segments, 3, 0));
	assert_int_equal(gather.num_pieces, 1);
	assert_ok(collect(segments + 1, 2, 0));
	assert_int_equal(gather.num_pieces, 0);
	assert_int_equal(gather.bytes, 0);
}

static void no_segments_are_an_empty_list(void **state)
{
	(void)state;
	assert_ok(collect(NULL, 0, 0));
	assert_int_equal(gather.num_pieces, 0);
	assert_int_equal(gather.bytes, 0);
}

static void one_wrong_segment_refuses_them_all(void **state)
{
	struct arnica_hw_data_segment segments[] = {
		segment(10, 20, STAG),
		segment(0, 8, STAG + 1),
	};

	(void)state;
	assert_int_equal(collect(segments, 2, 0),
			 ARNICA_HW_STATUS_LOC_PROT_ERR);
	segments[1] = segment(sizeof(memory) - 7, 8, STAG);
	assert_int_equal(collect(segments, 2, 0),
			 ARNICA_HW_STATUS_LOC_PROT_ERR);
	segments[1] = segment(0, 8, STAG);
	assert_int_equal(collect(segments, 2, ARNICA_HW_ACCESS_REMOTE_WRITE),
			 ARNICA_HW_STATUS_LOC_PROT_ERR);
	assert_int_equal(
		adev_gather_segments(&view, PD + 1, segments, 2, 0, &gather),
		ARNICA_HW_STATUS_LOC_PROT_ERR);
	assert_ok(collect(segments, 2, ARNICA_HW_ACCESS_LOCAL_WRITE));
}

static void as_many_as_a_request_may_have(void **state)
{
	struct arnica_hw_data_segment segments[ARNICA_HW_MAX_SGE];
	unsigned int i;

	(void)state;
	for (i = 0; i < ARNICA_HW_MAX_SGE; i++)
		segments[i] = segment(i, 1, STAG);
	assert_ok(collect(segments, ARNICA_HW_MAX_SGE, 0));
	assert_int_equal(gather.num_pieces, ARNICA_HW_MAX_SGE);
	assert_int_equal(gather.bytes, ARNICA_HW_MAX_SGE);
}

static void expect_iovec(const struct iovec *iov, uint64_t offset, size_t bytes)
{
	assert_ptr_equal(iov->iov_base, memory + offset);
	assert_int_equal(iov->iov_len, bytes);
}

static void a_slice_goes_across_pieces(void **state)
{
	struct iovec iov[4];
	uint64_t covered;

	(void)state;
	collect_three();
	assert_int_equal(adev_gather_slice(&gather, 90, 70, iov, 4, &covered),
			 3);
	assert_int_equal(covered, 70);
	expect_iovec(&iov[0], 90, 10);
	expect_iovec(&iov[1], 1000, 50);
	expect_iovec(&iov[2], 500, 10);
}

static void a_slice_begins_and_ends_at_borders(void **state)
{
	struct iovec iov[4];
	uint64_t covered;

	(void)state;
	collect_three();
	assert_int_equal(adev_gather_slice(&gather, 100, 50, iov, 4, &covered),
			 1);
	expect_iovec(&iov[0], 1000, 50);
	assert_int_equal(adev_gather_slice(&gather, 149, 2, iov, 4, &covered),
			 2);
	expect_iovec(&iov[0], 1049, 1);
	expect_iovec(&iov[1], 500, 1);
}

static void a_slice_stops_when_the_vectors_are_used_up(void **state)
{
	struct iovec iov[2];
	uint64_t covered;

	(void)state;
	collect_three();
	assert_int_equal(adev_gather_slice(&gather, 0, 350, iov, 2, &covered),
			 2);
	assert_int_equal(covered, 150);
}

static void a_slice_covers_no_more_than_there_is(void **state)
{
	struct iovec iov[4];
	uint64_t covered;

	(void)state;
	collect_three();
	assert_int_equal(adev_gather_slice(&gather, 340, 100, iov, 4, &covered),
			 1);
	assert_int_equal(covered, 10);
	assert_int_equal(adev_gather_slice(&gather, 350, 1, iov, 4, &covered),
			 0);
	assert_int_equal(covered, 0);
	assert_int_equal(adev_gather_slice(&gather, 10, 0, iov, 4, &covered),
			 0);
}

static void reading_and_writing_meet_every_byte_once(void **state)
{
	char out[350], back[350];
	unsigned int i;

	(void)state;
	collect_three();
	for (i = 0; i < sizeof(out); i++)
		out[i] = (char)~i;
	/* In steps that meet the borders in every way. */
	for (i = 0; i < sizeof(out); i += 7)
		assert_true(adev_gather_write(
			&gather, i, out + i,
			sizeof(out) - i < 7 ? sizeof(out) - i : 7));
	assert_true(adev_gather_read(&gather, 0, back, sizeof(back)));
	assert_memory_equal(out, back, sizeof(out));
	assert_memory_equal(memory, out, 100);
	assert_memory_equal(memory + 1000, out + 100, 50);
	assert_memory_equal(memory + 500, out + 150, 200);
	assert_int_equal(memory[100], 100);
	assert_int_equal((unsigned char)memory[1050], 1050 % 251);
	assert_int_equal((unsigned char)memory[499], 499 % 251);
}

#define gather_test(function) cmocka_unit_test_setup(function, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		gather_test(pieces_are_collected_in_order),
		gather_test(segments_of_no_length_are_skipped_unchecked),
		gather_test(nothing_behind_the_end_mark_is_looked_at),
		gather_test(no_segments_are_an_empty_list),
		gather_test(one_wrong_segment_refuses_them_all),
		gather_test(as_many_as_a_request_may_have),
		gather_test(a_slice_goes_across_pieces),
		gather_test(a_slice_begins_and_ends_at_borders),
		gather_test(a_slice_stops_when_the_vectors_are_used_up),
		gather_test(a_slice_covers_no_more_than_there_is),
		gather_test(reading_and_writing_meet_every_byte_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
