/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Indirect keys as applications use them: lists of ranges, patterns, and keys
 * within keys, as local and as remote keys, set by verb and by work request.
 */
#include "keys_vt.h"

#define WHOLE 27017u /* bytes of the list */
#define REMOTE_ALL                                                             \
	(IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE |                    \
	 IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC)

/* 17 bytes, 5000 of the second buffer, and 22000. */
static uint32_t list_ranges(const struct side *side, struct ibv_sge *sge)
{
	sge[0] = first_range(side, 101, 17);
	sge[1] = second_range(side, 3000, 5000);
	sge[2] = first_range(side, 40000, 22000);
	return 3;
}

static void lay_list(struct side *side)
{
	struct ibv_sge sge[3];
	uint32_t count = list_ranges(side, sge);

	VT_EQUAL(arnicadv_set_mkey_list(side->mkey, REMOTE_ALL, count, sge), 0);
}

/* The bytes of a list in the order of the key, in a copy of the memory. */
static void place_in_list(struct contents *contents, uint64_t seed)
{
	for (size_t i = 0; i < WHOLE; i++) {
		uint8_t *place = i < 17	  ? &contents->first[101 + i] :
				 i < 5017 ? &contents->second[3000 + i - 17] :
					    &contents->first[40000 + i - 5017];

		*place = vt_byte(seed, i);
	}
}

/* Rows of 8 bytes of every 64 of the first, and 3 of every 10 of the second. */
#define ROWS 900u
#define ROW_BYTES 11u
#define PATTERN_BYTES (ROWS * ROW_BYTES)

static void set_pattern(struct side *side, struct arnicadv_mkey *mkey)
{
	struct arnicadv_interleaved sources[] = {
		{ (uintptr_t)side->end.buffer + 40, 8, 56, side->end.mr->lkey },
		{ (uintptr_t)side->second + 7, 3, 7, side->second_mr->lkey },
	};

	VT_EQUAL(arnicadv_set_mkey_interleaved(mkey, REMOTE_ALL, ROWS, 2,
					       sources),
		 0);
}

static void lay_pattern(struct side *side)
{
	set_pattern(side, side->mkey);
}

static uint8_t *pattern_place(uint8_t *first, uint8_t *second, size_t i)
{
	size_t row = i / ROW_BYTES, column = i % ROW_BYTES;

	return column < 8 ? &first[40 + 64 * row + column] :
			    &second[7 + 10 * row + column - 8];
}

/* 1000 bytes, the pattern from its byte 5 on, and 50 bytes. */
static void lay_nested(struct side *side)
{
	struct ibv_sge sge[] = {
		first_range(side, 100000, 1000),
		{ 5, PATTERN_BYTES - 5, side->inner->lkey },
		second_range(side, 60000, 50),
	};

	set_pattern(side, side->inner);
	VT_EQUAL(arnicadv_set_mkey_list(side->mkey, REMOTE_ALL, 3, sge), 0);
}

static uint8_t *nested_place(uint8_t *first, uint8_t *second, size_t i)
{
	if (i < 1000)
		return &first[100000 + i];
	if (i < 1000 + PATTERN_BYTES - 5)
		return pattern_place(first, second, i - 1000 + 5);
	return &second[60000 + i - 1000 - (PATTERN_BYTES - 5)];
}

#define NESTED_BYTES (1000u + PATTERN_BYTES - 5u + 50u)

static void a_peer_writes_and_reads_across_ranges(void)
{
	begin(lay_list);
	vt_fill(mine.end.buffer, WHOLE, 3);
	remote_is(IBV_WC_SUCCESS, IBV_WR_RDMA_WRITE, 0, WHOLE);
	place_in_list(&expected, 3);
	check_theirs("written");
	memset(mine.end.buffer, 0, WHOLE);
	remote_is(IBV_WC_SUCCESS, IBV_WR_RDMA_READ, 0, WHOLE);
	vt_check_fill(mine.end.buffer, WHOLE, 3, "read");
	/* From the middle of one range to that of another. */
	memset(mine.end.buffer, 0, WHOLE);
	remote_is(IBV_WC_SUCCESS, IBV_WR_RDMA_READ, 10, 5100);
	for (size_t i = 0; i < 5100; i++)
		VT_EQUAL(mine.end.buffer[i], vt_byte(3, 10 + i));
	finish();
}

static void a_peer_s_immediate_follows_the_data(void)
{
	struct message receive = { ORDER_RECV, 0, 0, NULL };
	struct ibv_wc wc;

	begin(lay_list);
	tell(receive);
	vt_fill(mine.end.buffer, WHOLE, 4);
	remote_is(IBV_WC_SUCCESS, IBV_WR_RDMA_WRITE_WITH_IMM, 0, WHOLE);
	order(ORDER_POLL);
	vt_hear(peer.fd, &wc, sizeof(wc));
	VT_STATUS(&wc, IBV_WC_SUCCESS);
	VT_EQUAL(wc.byte_len, WHOLE);
	place_in_list(&expected, 4);
	check_theirs("written");
	finish();
}

static void lay_words(struct side *side)
{
	struct ibv_sge sge[] = {
		first_range(side, 40, 24),
		second_range(side, 800, 16),
	};

	VT_EQUAL(arnicadv_set_mkey_list(side->mkey, REMOTE_ALL, 2, sge), 0);
}

static void a_peer_s_atomics_find_their_word(void)
{
	uint64_t before, after;

	memset(&before, GUARD, sizeof(before));
	begin(lay_words);
	remote_is(IBV_WC_SUCCESS, IBV_WR_ATOMIC_FETCH_AND_ADD, 32, 8);
	VT_CHECK(!memcmp(mine.end.buffer, &before, 8));
	after = before + 1;
	memcpy(expected.second + 808, &after, 8);
	remote_is(IBV_WC_SUCCESS, IBV_WR_ATOMIC_CMP_AND_SWP, 16, 8);
	VT_CHECK(!memcmp(mine.end.buffer, &before, 8));
	check_theirs("atomics");
	finish();
}

static void a_peer_goes_through_a_pattern(void)
{
	begin(lay_pattern);
	vt_fill(mine.end.buffer, PATTERN_BYTES, 5);
	remote_is(IBV_WC_SUCCESS, IBV_WR_RDMA_WRITE, 0, PATTERN_BYTES);
	for (size_t i = 0; i < PATTERN_BYTES; i++)
		*pattern_place(expected.first, expected.second, i) =
			vt_byte(5, i);
	check_theirs("written");
	memset(mine.end.buffer, 0, PATTERN_BYTES);
	remote_is(IBV_WC_SUCCESS, IBV_WR_RDMA_READ, 3, PATTERN_BYTES - 4);
	for (size_t i = 0; i < PATTERN_BYTES - 4; i++)
		VT_EQUAL(mine.end.buffer[i], vt_byte(5, i + 3));
	finish();
}

static void a_peer_goes_through_keys_within_keys(void)
{
	begin(lay_nested);
	vt_fill(mine.end.buffer, NESTED_BYTES, 6);
	remote_is(IBV_WC_SUCCESS, IBV_WR_RDMA_WRITE, 0, NESTED_BYTES);
	for (size_t i = 0; i < NESTED_BYTES; i++)
		*nested_place(expected.first, expected.second, i) =
			vt_byte(6, i);
	check_theirs("written");
	memset(mine.end.buffer, 0, NESTED_BYTES);
	remote_is(IBV_WC_SUCCESS, IBV_WR_RDMA_READ, 0, NESTED_BYTES);
	vt_check_fill(mine.end.buffer, NESTED_BYTES, 6, "read");
	finish();
}

/* What we send by a key of ours, `length` bytes from `offset`. */
static void post_by_key(enum ibv_wr_opcode opcode, uint64_t offset,
			uint32_t length, uint64_t remote)
{
	struct ibv_sge sge = { offset, length, mine.mkey->lkey };
	struct ibv_send_wr wr = vt_send_wr(1, opcode, &sge);

	if (opcode == IBV_WR_ATOMIC_FETCH_AND_ADD) {
		wr.wr.atomic.remote_addr = remote;
		wr.wr.atomic.rkey = address.rkey;
		wr.wr.atomic.compare_add = 1;
	} else {
		wr.wr.rdma.remote_addr = remote;
		wr.wr.rdma.rkey = address.rkey;
	}
	VT_EQUAL(vt_post_send(&mine.end, &wr), 0);
}

static void a_column_of_a_matrix_is_sent_in_one_request(void)
{
	enum { HEIGHT = 64, WIDTH = 100, COLUMN = 37 };
	uint64_t(*matrix)[WIDTH] = (void *)mine.end.buffer;
	struct arnicadv_interleaved column = {
		.bytes_count = 8,
		.bytes_skip = 8 * (WIDTH - 1),
	};
	uint64_t *out = (void *)expected.first;
	struct message receive = { ORDER_RECV, 0, HEIGHT * 8, NULL };
	struct ibv_wc wc;

	begin(lay_list);
	matrix = (void *)mine.end.buffer;
	for (uint64_t row = 0; row < HEIGHT; row++)
		for (uint64_t at = 0; at < WIDTH; at++)
			matrix[row][at] = row << 32 | at;
	column.addr = (uintptr_t)&matrix[0][COLUMN];
	column.lkey = mine.end.mr->lkey;
	VT_EQUAL(arnicadv_set_mkey_interleaved(mine.mkey, 0, HEIGHT, 1,
					       &column),
		 0);
	tell(receive);
	post_by_key(IBV_WR_SEND, 0, HEIGHT * 8, 0);
	vt_expect(mine.end.send_cq, 1, IBV_WC_SUCCESS);
	order(ORDER_POLL);
	vt_hear(peer.fd, &wc, sizeof(wc));
	VT_STATUS(&wc, IBV_WC_SUCCESS);
	/* The same by RDMA WRITE, to a place where it is easily looked at. */
	post_by_key(IBV_WR_RDMA_WRITE, 0, HEIGHT * 8, address.buffer + 8192);
	vt_expect(mine.end.send_cq, 1, IBV_WC_SUCCESS);
	order(ORDER_LOOK);
	vt_hear(peer.fd, theirs.first, LOOK_BYTES);
	vt_hear(peer.fd, theirs.second, SECOND_BYTES);
	for (uint64_t row = 0; row < HEIGHT; row++) {
		memcpy(out, theirs.first + 8192 + 8 * row, 8);
		VT_EQUAL(*out, row << 32 | COLUMN);
	}
	finish();
}

/* Sizes at which payload takes other ways: in the completion, by the eager
 * ring, directly. */
static void receives_are_scattered(void)
{
	static const uint32_t sizes[] = { 1, 16, 17, 18, 200, 5017, 8000,
					  WHOLE };
	struct ibv_wc wc;

	begin(lay_list);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct message receive = { ORDER_RECV, 0, WHOLE, NULL };
		struct contents all;

		memset(&all, GUARD, sizeof(all));
		place_in_list(&all, i);
		order(ORDER_CLEAR);
		tell(receive);
		vt_fill(mine.end.buffer, sizes[i], i);
		vt_send(&mine.end, 2, 0, sizes[i]);
		vt_expect(mine.end.send_cq, 2, IBV_WC_SUCCESS);
		order(ORDER_POLL);
		vt_hear(peer.fd, &wc, sizeof(wc));
		VT_STATUS(&wc, IBV_WC_SUCCESS);
		VT_EQUAL(wc.byte_len, sizes[i]);
		memset(&expected, GUARD, sizeof(expected));
		for (size_t at = 0; at < sizes[i]; at++) {
			uint8_t *place =
				at < 17 ? &expected.first[101 + at] :
				at < 5017 ?
					  &expected.second[3000 + at - 17] :
					  &expected.first[40000 + at - 5017];

			*place = vt_byte(i, at);
		}
		check_theirs("received");
	}
	finish();
}

static void reads_return_into_a_pattern(void)
{
	begin(NULL);
	set_pattern(&mine, mine.mkey);
	vt_fill(mine.end.buffer + 200000, PATTERN_BYTES, 7);
	vt_rdma(&mine.end, 1, IBV_WR_RDMA_WRITE, 200000, PATTERN_BYTES,
		address.buffer, address.rkey);
	vt_expect(mine.end.send_cq, 1, IBV_WC_SUCCESS);
	post_by_key(IBV_WR_RDMA_READ, 0, PATTERN_BYTES, address.buffer);
	vt_expect(mine.end.send_cq, 1, IBV_WC_SUCCESS);
	memset(&expected, GUARD, sizeof(expected));
	for (size_t i = 0; i < PATTERN_BYTES; i++)
		*pattern_place(expected.first, expected.second, i) =
			vt_byte(7, i);
	VT_CHECK(!memcmp(mine.end.buffer, expected.first, LOOK_BYTES));
	VT_CHECK(!memcmp(mine.second, expected.second, SECOND_BYTES));
	finish();
}

static void atomics_return_into_pieces(void)
{
	struct ibv_sge sge[2];
	uint64_t guard;

	memset(&guard, GUARD, sizeof(guard));
	begin(NULL);
	sge[0] = first_range(&mine, 11, 3);
	sge[1] = second_range(&mine, 500, 5);
	VT_EQUAL(arnicadv_set_mkey_list(mine.mkey, IBV_ACCESS_LOCAL_WRITE, 2,
					sge),
		 0);
	memset(mine.end.buffer, 0, 64);
	memset(mine.second, 0, 1024);
	post_by_key(IBV_WR_ATOMIC_FETCH_AND_ADD, 0, 8, address.buffer + 64);
	vt_expect(mine.end.send_cq, 1, IBV_WC_SUCCESS);
	for (size_t i = 0; i < 16; i++)
		VT_EQUAL(mine.end.buffer[i], i >= 11 && i < 14 ? GUARD : 0);
	for (size_t i = 0; i < 5; i++)
		VT_EQUAL(mine.second[500 + i], GUARD);
	VT_EQUAL(mine.second[499], 0);
	VT_EQUAL(mine.second[505], 0);
	guard++;
	memcpy(&expected.first[64], &guard, sizeof(guard));
	check_theirs("added");
	finish();
}

static void poll_wr(uint64_t id, enum ibv_wc_opcode opcode)
{
	struct ibv_wc wc = vt_poll(mine.end.send_cq);

	VT_EQUAL(wc.wr_id, id);
	VT_STATUS(&wc, IBV_WC_SUCCESS);
	VT_EQUAL(wc.opcode, opcode);
}

/* One batch: the key is set, used, set otherwise, and used again. */
static void a_work_request_sets_a_key(void)
{
	struct vt_wish wish = vt_defaults();
	struct ibv_qp_ex *qp;
	struct ibv_sge sge[2];
	struct arnicadv_interleaved source;

	wish.extended = true;
	wish.inline_bytes = 448;
	begin_with(wish, NULL);
	qp = ibv_qp_to_qp_ex(mine.end.qp);
	vt_fill(mine.end.buffer, 4096, 8);
	vt_fill(mine.second, 4096, 9);
	sge[0] = first_range(&mine, 5, 100);
	sge[1] = second_range(&mine, 50, 200);
	source = (struct arnicadv_interleaved){
		(uintptr_t)mine.end.buffer, 1, 1, mine.end.mr->lkey,
	};
	ibv_wr_start(qp);
	qp->wr_flags = IBV_SEND_SIGNALED;
	qp->wr_id = 1;
	arnicadv_wr_mkey_list(qp, mine.mkey, 0, 2, sge);
	qp->wr_id = 2;
	ibv_wr_rdma_write(qp, address.rkey, address.buffer);
	ibv_wr_set_sge(qp, mine.mkey->lkey, 0, 300);
	qp->wr_id = 3;
	arnicadv_wr_mkey_interleaved(qp, mine.mkey, 0, 500, 1, &source);
	qp->wr_id = 4;
	ibv_wr_rdma_write(qp, address.rkey, address.buffer + 1000);
	ibv_wr_set_sge(qp, mine.mkey->lkey, 0, 500);
	VT_EQUAL(ibv_wr_complete(qp), 0);
	poll_wr(1, ARNICADV_WC_MKEY);
	poll_wr(2, IBV_WC_RDMA_WRITE);
	poll_wr(3, ARNICADV_WC_MKEY);
	poll_wr(4, IBV_WC_RDMA_WRITE);
	memcpy(expected.first, mine.end.buffer + 5, 100);
	memcpy(expected.first + 100, mine.second + 50, 200);
	for (size_t i = 0; i < 500; i++)
		expected.first[1000 + i] = mine.end.buffer[2 * i];
	check_theirs("written");
	finish();
}

static void lay_one(struct side *side)
{
	struct ibv_sge sge = first_range(side, 0, 4096);

	VT_EQUAL(arnicadv_set_mkey_list(side->mkey, REMOTE_ALL, 1, &sge), 0);
}

static void lay_other(struct side *side)
{
	struct ibv_sge sge = second_range(side, 0, 4096);

	VT_EQUAL(arnicadv_set_mkey_list(side->mkey, REMOTE_ALL, 1, &sge), 0);
}

/* Requests that meet the change may be refused. */
static bool all_arrive(uint32_t count)
{
	bool all = true;

	for (uint32_t i = 0; i < count; i++) {
		struct ibv_wc wc = vt_poll(mine.end.send_cq);

		if (wc.status == IBV_WC_SUCCESS)
			continue;
		VT_STATUS(&wc, all ? IBV_WC_REM_ACCESS_ERR :
				     IBV_WC_WR_FLUSH_ERR);
		all = false;
	}
	return all;
}

/* Once the key has been set otherwise, nothing goes where it was before. */
static void a_key_changes_under_its_users(void)
{
	uint32_t round;

	begin(lay_one);
	memset(mine.end.buffer, 1, 4096);
	for (round = 0; round < 50; round++) {
		layout_fn *layout = round & 1 ? lay_one : lay_other;
		struct message message = { ORDER_LAYOUT, 0, 0, layout };
		uint8_t *now = round & 1 ? expected.first : expected.second;
		uint32_t i;

		for (i = 0; i < 8; i++)
			vt_rdma(&mine.end, i, IBV_WR_RDMA_WRITE, 0, 4096, 0,
				peer_key);
		tell(message);
		memset(&expected, GUARD, sizeof(expected));
		if (!all_arrive(8)) {
			order(ORDER_CLEAR);
			check_theirs("after a refusal");
			break;
		}
		order(ORDER_CLEAR);
		remote_is(IBV_WC_SUCCESS, IBV_WR_RDMA_WRITE, 0, 4096);
		memset(now, 1, 4096);
		check_theirs("after the change");
	}
	finish();
}

static void the_limits_are_told(void)
{
	struct arnicadv_mkey_caps caps = { 0 };
	struct arnicadv_mkey_init_attr attr;
	struct arnicadv_mkey *mkey;
	struct ibv_sge *sge;
	struct vt_end end;
	struct vt_wish wish = vt_defaults();

	vt_end_open(&end, &wish);
	VT_EQUAL(arnicadv_query_mkey_caps(end.context, &caps), 0);
	VT_CHECK(caps.max_entries >= 1000 && caps.max_wr_entries >= 16 &&
		 caps.max_depth >= 2 && caps.max_ranges >= caps.max_entries &&
		 caps.max_mkeys > 1000);
	attr = (struct arnicadv_mkey_init_attr){ .pd = end.pd };
	attr.max_entries = caps.max_entries + 1;
	VT_CHECK(!arnicadv_create_mkey(&attr));
	VT_EQUAL(errno, EINVAL);
	attr.max_entries = caps.max_entries;
	mkey = arnicadv_create_mkey(&attr);
	VT_CHECK(mkey);
	sge = calloc(caps.max_entries + 1, sizeof(*sge));
	VT_CHECK(sge);
	for (uint32_t i = 0; i <= caps.max_entries; i++)
		sge[i] = (struct ibv_sge){ (uintptr_t)end.buffer + i, 1,
					   end.mr->lkey };
	VT_EQUAL(arnicadv_set_mkey_list(mkey, 0, caps.max_entries, sge), 0);
	VT_EQUAL(arnicadv_set_mkey_list(mkey, 0, caps.max_entries + 1, sge),
		 EINVAL);
	free(sge);
	VT_EQUAL(arnicadv_destroy_mkey(mkey), 0);
	caps.comp_mask = 1;
	VT_EQUAL(arnicadv_query_mkey_caps(end.context, &caps), EINVAL);
	vt_end_close(&end);
}

int main(int argc, char **argv)
{
	static const struct vt_case cases[] = {
		VT_CASE(a_peer_writes_and_reads_across_ranges),
		VT_CASE(a_peer_s_immediate_follows_the_data),
		VT_CASE(a_peer_s_atomics_find_their_word),
		VT_CASE(a_peer_goes_through_a_pattern),
		VT_CASE(a_peer_goes_through_keys_within_keys),
		VT_CASE(a_column_of_a_matrix_is_sent_in_one_request),
		VT_CASE(receives_are_scattered),
		VT_CASE(reads_return_into_a_pattern),
		VT_CASE(atomics_return_into_pieces),
		VT_CASE(a_work_request_sets_a_key),
		VT_CASE(a_key_changes_under_its_users),
		VT_CASE(the_limits_are_told),
		{ NULL, NULL, 0 },
	};

	return vt_main(argc, argv, cases);
}
