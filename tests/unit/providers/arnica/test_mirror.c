/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The mirror: what it learns from commands, from requests that are polled, and
 * from peers, in whatever order they come. */
#include <cmocka.h>
#include <string.h>

#include "fixture.h"
#include "mirror.h"
#include "send.h"
#include "wqe_write.h"

#define ENTRIES 16u
#define KEY(index) ((uint32_t)(index) << 8 | 0x21u)

static struct arnica_hw_mirror_entry entries[ENTRIES], found;
static uint32_t before[ENTRIES];

/* The fixture's adapter has no table: this one. */
static int setup(void **state)
{
	struct fixture *fixture;

	if (fixture_open(state))
		return -1;
	fixture = *state;
	memset(entries, 0, sizeof(entries));
	arnica_spinlock_init(&fixture->context->mirror.lock);
	fixture->context->mirror.entries = entries;
	fixture->context->mirror.before = before;
	fixture->context->mirror.num_entries = ENTRIES;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	fixture->context->mirror.entries = NULL;
	fixture->context->mirror.before = NULL;
	fixture->context->mirror.num_entries = 0;
	return fixture_close(state);
}

static struct arnica_mirror *mirror_of(struct fixture *fixture)
{
	return &fixture->context->mirror;
}

static void command(struct fixture *fixture, struct arnica_hw_command command,
		    uint32_t index)
{
	const struct arnica_hw_completion answer = {
		.mr = { arnica_to_le32(index), arnica_to_le32(KEY(index)) },
	};

	arnica_mirror_command(mirror_of(fixture), &command, &answer);
}

static void reg(struct fixture *fixture, uint32_t index)
{
	command(fixture,
		(struct arnica_hw_command){
			.opcode = arnica_to_le32(ARNICA_HW_CMD_REG_MR),
			.reg_mr = { .pd = arnica_to_le32(5),
				    .access = arnica_to_le32(
					    IBV_ACCESS_LOCAL_WRITE |
					    IBV_ACCESS_RELAXED_ORDERING),
				    .length = arnica_to_le64(100),
				    .iova = arnica_to_le64(7000) },
		},
		index);
}

static void alloc_window(struct fixture *fixture, uint32_t index)
{
	command(fixture,
		(struct arnica_hw_command){
			.opcode = arnica_to_le32(ARNICA_HW_CMD_ALLOC_MW),
			.alloc_mw = { arnica_to_le32(5),
				      arnica_to_le32(ARNICA_HW_WINDOW_2) },
		},
		index);
}

static void object(struct fixture *fixture,
		   enum arnica_hw_command_opcode opcode, uint32_t handle)
{
	command(fixture,
		(struct arnica_hw_command){
			.opcode = arnica_to_le32(opcode),
			.object.handle = arnica_to_le32(handle),
		},
		handle);
}

/* Writes a bind into entry `at` of the send queue, as posted. */
static void post_bind(struct fixture *fixture, uint32_t at, uint32_t rkey)
{
	unsigned char *entry = arnica_send_entry(&fixture->qp->send, at);
	struct ibv_mr region = { .lkey = KEY(1) };
	const struct ibv_mw_bind_info info = {
		.mr = &region,
		.addr = 7010,
		.length = 20,
		.mw_access_flags = IBV_ACCESS_REMOTE_READ,
	};

	arnica_wqe_write_control(entry,
				 arnica_wqe_operation(ARNICA_HW_OP_BIND_MW, 0,
						      0),
				 at, 0, 0);
	arnica_wqe_write_bind(entry, rkey, &info);
	atomic_fetch_add(&fixture->qp->send_ring.memory_ops, 1);
}

static void post_invalidation(struct fixture *fixture, uint32_t at,
			      uint32_t rkey)
{
	arnica_wqe_write_control(arnica_send_entry(&fixture->qp->send, at),
				 arnica_wqe_operation(ARNICA_HW_OP_LOCAL_INV, 0,
						      0),
				 at, arnica_to_be32(rkey).raw, 0);
	atomic_fetch_add(&fixture->qp->send_ring.memory_ops, 1);
}

static void post_send(struct fixture *fixture, uint32_t at)
{
	arnica_wqe_write_control(arnica_send_entry(&fixture->qp->send, at),
				 arnica_wqe_operation(ARNICA_HW_OP_SEND, 0, 0),
				 at, 0, 0);
}

static uint16_t state_of(struct fixture *fixture, uint32_t stag)
{
	assert_true(arnica_mirror_find(mirror_of(fixture), stag, &found));
	return found.state;
}

static void regions_come_and_go(void **state)
{
	struct fixture *fixture = *state;

	assert_false(arnica_mirror_find(mirror_of(fixture), KEY(1), &found));
	reg(fixture, 1);
	assert_int_equal(state_of(fixture, KEY(1)), ARNICA_HW_STAG_VALID);
	assert_int_equal(found.kind, ARNICA_HW_STAG_REGION);
	assert_int_equal(found.access, IBV_ACCESS_LOCAL_WRITE);
	assert_int_equal(found.iova, 7000);
	assert_int_equal(found.length, 100);
	assert_int_equal(found.pd, 5);
	assert_false(arnica_mirror_find(mirror_of(fixture), KEY(1) + 1,
					&found));
	object(fixture, ARNICA_HW_CMD_DEREG_MR, 1);
	assert_false(arnica_mirror_find(mirror_of(fixture), KEY(1), &found));
}

static void a_change_changes_what_it_says(void **state)
{
	struct fixture *fixture = *state;

	reg(fixture, 1);
	command(fixture,
		(struct arnica_hw_command){
			.opcode = arnica_to_le32(ARNICA_HW_CMD_REREG_MR),
			.reg_mr = { .handle = arnica_to_le32(1),
				    .change = arnica_to_le32(
					    ARNICA_HW_REREG_ACCESS),
				    .pd = arnica_to_le32(6),
				    .access = arnica_to_le32(
					    IBV_ACCESS_REMOTE_READ),
				    .length = arnica_to_le64(1) },
		},
		1);
	assert_int_equal(state_of(fixture, KEY(1)), ARNICA_HW_STAG_VALID);
	assert_int_equal(found.access, IBV_ACCESS_REMOTE_READ);
	assert_int_equal(found.length, 100);
	assert_int_equal(found.pd, 5);
}

/* Two binds, one of them not signaled, and something else between. */
static void requests_count_when_they_are_polled(void **state)
{
	struct fixture *fixture = *state;
	struct arnica_ring *ring = &fixture->qp->send_ring;

	alloc_window(fixture, 2);
	alloc_window(fixture, 3);
	post_bind(fixture, 0, KEY(2) + 1);
	post_send(fixture, 1);
	post_bind(fixture, 2, KEY(3) + 1);
	assert_int_equal(state_of(fixture, KEY(2)), ARNICA_HW_STAG_FREE);
	arnica_mirror_retire(ring, 0, 1, true);
	assert_int_equal(state_of(fixture, KEY(2) + 1), ARNICA_HW_STAG_VALID);
	assert_int_equal(found.parent, KEY(1));
	assert_int_equal(found.iova, 7010);
	assert_int_equal(found.length, 20);
	assert_int_equal(state_of(fixture, KEY(3)), ARNICA_HW_STAG_FREE);
	arnica_mirror_retire(ring, 2, 2, false);
	assert_int_equal(state_of(fixture, KEY(3)), ARNICA_HW_STAG_FREE);
	assert_int_equal(atomic_load(&ring->memory_ops), 0);
	post_invalidation(fixture, 3, KEY(2) + 1);
	arnica_mirror_retire(ring, 3, 3, true);
	assert_int_equal(state_of(fixture, KEY(2) + 1), ARNICA_HW_STAG_FREE);
}

static void a_peer_may_be_faster_than_our_poll(void **state)
{
	struct fixture *fixture = *state;
	struct arnica_ring *ring = &fixture->qp->send_ring;

	alloc_window(fixture, 2);
	post_bind(fixture, 0, KEY(2) + 1);
	arnica_mirror_taken_back(mirror_of(fixture), KEY(2) + 1);
	arnica_mirror_retire(ring, 0, 0, true);
	assert_int_equal(state_of(fixture, KEY(2) + 1), ARNICA_HW_STAG_FREE);
	post_bind(fixture, 1, KEY(2) + 1);
	arnica_mirror_retire(ring, 1, 1, true);
	assert_int_equal(state_of(fixture, KEY(2) + 1), ARNICA_HW_STAG_VALID);
	arnica_mirror_taken_back(mirror_of(fixture), KEY(2) + 1);
	assert_int_equal(state_of(fixture, KEY(2) + 1), ARNICA_HW_STAG_FREE);
}

static void windows_end_with_their_queue_pair(void **state)
{
	struct fixture *fixture = *state;
	struct arnica_ring *ring = &fixture->qp->send_ring;
	uint32_t handle = fixture->qp->verbs.base.handle;

	alloc_window(fixture, 2);
	alloc_window(fixture, 3);
	alloc_window(fixture, 4);
	object(fixture, ARNICA_HW_CMD_DEALLOC_MW, 3);
	post_bind(fixture, 0, KEY(2) + 1);
	post_bind(fixture, 1, KEY(4) + 1);
	arnica_mirror_retire(ring, 0, 1, true);
	object(fixture, ARNICA_HW_CMD_DESTROY_QP, handle + 1);
	assert_int_equal(state_of(fixture, KEY(2) + 1), ARNICA_HW_STAG_VALID);
	object(fixture, ARNICA_HW_CMD_DESTROY_QP, handle);
	assert_int_equal(state_of(fixture, KEY(2) + 1), ARNICA_HW_STAG_FREE);
	assert_int_equal(state_of(fixture, KEY(4) + 1), ARNICA_HW_STAG_FREE);
	assert_false(arnica_mirror_find(mirror_of(fixture), KEY(3), &found));
}

/* In any order, and the places that become free are used again. */
static void windows_come_and_go(void **state)
{
	static const uint32_t order[][4] = {
		{ 2, 3, 4, 5 }, { 5, 4, 3, 2 }, { 3, 5, 2, 4 }, { 4, 2, 5, 3 },
	};
	struct fixture *fixture = *state;
	struct arnica_mirror *mirror = mirror_of(fixture);
	uint32_t index, left;

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		for (index = 2; index <= 5; index++)
			alloc_window(fixture, index);
		for (size_t j = 0; j < 4; j++) {
			object(fixture, ARNICA_HW_CMD_DEALLOC_MW, order[i][j]);
			left = 0;
			for (index = mirror->windows; index;
			     index = entries[index].next) {
				assert_int_equal(entries[index].kind,
						 ARNICA_HW_STAG_WINDOW_2);
				left++;
			}
			assert_int_equal(left, 3 - j);
		}
	}
}

static void indexes_out_of_range_are_nobody_s(void **state)
{
	struct fixture *fixture = *state;

	reg(fixture, ENTRIES);
	object(fixture, ARNICA_HW_CMD_DEREG_MR, ENTRIES);
	alloc_window(fixture, ENTRIES);
	post_bind(fixture, 0, KEY(ENTRIES));
	arnica_mirror_retire(&fixture->qp->send_ring, 0, 0, true);
	arnica_mirror_taken_back(mirror_of(fixture), KEY(ENTRIES));
	assert_false(arnica_mirror_find(mirror_of(fixture), KEY(ENTRIES),
					&found));
}

#define mirror_test(function)                                                  \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		mirror_test(regions_come_and_go),
		mirror_test(a_change_changes_what_it_says),
		mirror_test(requests_count_when_they_are_polled),
		mirror_test(a_peer_may_be_faster_than_our_poll),
		mirror_test(windows_end_with_their_queue_pair),
		mirror_test(windows_come_and_go),
		mirror_test(indexes_out_of_range_are_nobody_s),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
