/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Memory windows as a state machine: who may bind what to what, what each end
 * of a binding leaves, and what waits for accesses that are under way.
 */
#include "tpt/window.h"

#include <errno.h>
#include <string.h>

#include "fake_function.h"

#include "front/command.h"

#define RIGHTS                                                                 \
	((uint32_t)ARNICA_HW_ACCESS_LOCAL_WRITE | ARNICA_HW_ACCESS_MW_BIND)
#define READ ARNICA_HW_ACCESS_REMOTE_READ
#define WRITE ARNICA_HW_ACCESS_REMOTE_WRITE
#define IOVA 0x10000u
#define BYTES 8192u

static char memory[BYTES];

static struct fixture {
	uint32_t pd, other_pd;
	uint32_t region, lkey; /* with RIGHTS */
	struct adev_binder binder, other;
} f;

static uint32_t reg(struct adev_function *fn, uint32_t pd, uint32_t access,
		    uint32_t *handle)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_REG_MR),
		.reg_mr = {
			.pd = arnica_to_le32(pd),
			.access = arnica_to_le32(access),
			.address = arnica_to_le64((uintptr_t)memory),
			.length = arnica_to_le64(BYTES),
			.iova = arnica_to_le64(IOVA),
		},
	};
	struct arnica_hw_completion completion;

	assert_ok(fake_command(fn, &command, &completion));
	if (handle)
		*handle = arnica_from_le32(completion.mr.handle);
	return arnica_from_le32(completion.mr.stag);
}

static uint32_t dereg(struct adev_function *fn)
{
	return fake_command_object(fn, ARNICA_HW_CMD_DEREG_MR, f.region);
}

static uint32_t alloc_status(struct adev_function *fn, uint32_t pd,
			     uint32_t type, struct arnica_hw_completion *answer)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_ALLOC_MW),
		.alloc_mw = {
			.pd = arnica_to_le32(pd),
			.type = arnica_to_le32(type),
		},
	};

	return fake_command(fn, &command, answer);
}

/* A window's first key. */
static uint32_t alloc(struct adev_function *fn, uint32_t type)
{
	struct arnica_hw_completion answer;

	assert_ok(alloc_status(fn, f.pd, type, &answer));
	assert_int_equal(arnica_from_le32(answer.mr.handle),
			 adev_tpt_index(arnica_from_le32(answer.mr.stag)));
	return arnica_from_le32(answer.mr.stag);
}

static uint32_t dealloc(struct adev_function *fn, uint32_t key)
{
	return fake_command_object(fn, ARNICA_HW_CMD_DEALLOC_MW,
				   adev_tpt_index(key));
}

static int setup(void **state)
{
	struct adev_function *fn;

	if (fake_function_setup(state))
		return -1;
	fn = *state;
	f.pd = fake_alloc_pd(fn);
	f.other_pd = fake_alloc_pd(fn);
	f.lkey = reg(fn, f.pd, RIGHTS, &f.region);
	f.binder = (struct adev_binder){ .user = { f.pd, 0x11 } };
	f.other = (struct adev_binder){ .user = { f.pd, 0x22 } };
	return 0;
}

static struct adev_bind whole(uint32_t rkey)
{
	return (struct adev_bind){
		.address = IOVA,
		.length = BYTES,
		.rkey = rkey,
		.lkey = f.lkey,
		.access = READ,
	};
}

static enum adev_window_result bind(struct adev_function *fn, uint32_t rkey)
{
	const struct adev_bind wish = whole(rkey);

	return adev_window_bind(fn, &f.binder, &wish);
}

static enum adev_window_result invalidate(struct adev_function *fn,
					  uint32_t rkey)
{
	return adev_window_invalidate(fn, &f.binder, rkey);
}

static enum adev_tpt_verdict check_as(struct adev_function *fn, uint32_t rkey,
				      const struct adev_binder *binder,
				      uint64_t iova, uint64_t length)
{
	uint64_t address;

	return adev_tpt_check_remote(&fn->view, rkey, binder->user, iova,
				     length, READ, &address);
}

static enum adev_tpt_verdict check(struct adev_function *fn, uint32_t rkey)
{
	return check_as(fn, rkey, &f.binder, IOVA, 8);
}

static void windows_come_and_go_and_keep_their_domain(void **state)
{
	struct adev_function *fn = *state;
	struct arnica_hw_completion answer;
	uint32_t key;

	assert_int_equal(alloc_status(fn, f.pd, 0, &answer),
			 ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(alloc_status(fn, f.pd, 3, &answer),
			 ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(alloc_status(fn, 999, ARNICA_HW_WINDOW_1, &answer),
			 ARNICA_HW_COMMAND_NO_OBJECT);
	assert_ok(alloc_status(fn, f.other_pd, ARNICA_HW_WINDOW_1, &answer));
	key = arnica_from_le32(answer.mr.stag);
	assert_int_equal(fake_command_object(fn, ARNICA_HW_CMD_DEALLOC_PD,
					     f.other_pd),
			 ARNICA_HW_COMMAND_BUSY);
	assert_int_equal(check(fn, key), ADEV_TPT_BAD_KEY);
	assert_int_equal(fake_command_object(fn, ARNICA_HW_CMD_DEREG_MR,
					     adev_tpt_index(key)),
			 ARNICA_HW_COMMAND_NO_OBJECT);
	assert_ok(dealloc(fn, key));
	assert_int_equal(dealloc(fn, key), ARNICA_HW_COMMAND_NO_OBJECT);
	assert_int_equal(dealloc(fn, f.lkey), ARNICA_HW_COMMAND_NO_OBJECT);
	assert_int_equal(fn->num_windows, 0);
	assert_ok(fake_command_object(fn, ARNICA_HW_CMD_DEALLOC_PD,
				      f.other_pd));
}

static void a_window_shows_its_part_of_the_region(void **state)
{
	struct adev_function *fn = *state;
	uint32_t key = alloc(fn, ARNICA_HW_WINDOW_2) ^ 0x55;
	struct adev_bind wish = whole(key);
	uint64_t address;

	wish.address = IOVA + 100;
	wish.length = 50;
	assert_int_equal(adev_window_bind(fn, &f.binder, &wish),
			 ADEV_WINDOW_DONE);
	assert_int_equal(check_as(fn, key, &f.binder, IOVA + 100, 50),
			 ADEV_TPT_OK);
	assert_int_equal(check_as(fn, key, &f.binder, IOVA + 99, 1),
			 ADEV_TPT_BAD_BOUNDS);
	assert_int_equal(check_as(fn, key, &f.binder, IOVA + 100, 51),
			 ADEV_TPT_BAD_BOUNDS);
	assert_int_equal(adev_tpt_check_remote(&fn->view, key, f.binder.user,
					       IOVA + 110, 4, READ, &address),
			 ADEV_TPT_OK);
	assert_int_equal(address, (uintptr_t)memory + 110);
}

static void a_window_may_begin_at_zero(void **state)
{
	struct adev_function *fn = *state;
	uint32_t key = alloc(fn, ARNICA_HW_WINDOW_2);
	struct adev_bind wish = whole(key);

	wish.address = IOVA + 4096;
	wish.length = 64;
	wish.access |= ARNICA_HW_ACCESS_ZERO_BASED;
	assert_int_equal(adev_window_bind(fn, &f.binder, &wish),
			 ADEV_WINDOW_DONE);
	assert_int_equal(check_as(fn, key, &f.binder, 0, 64), ADEV_TPT_OK);
	assert_int_equal(check_as(fn, key, &f.binder, IOVA + 4096, 1),
			 ADEV_TPT_BAD_BOUNDS);
	/* Of type 1 none does. */
	wish.rkey = alloc(fn, ARNICA_HW_WINDOW_1);
	assert_int_equal(adev_window_bind(fn, &f.binder, &wish),
			 ADEV_WINDOW_REFUSED);
}

static void refused(struct adev_function *fn, const struct adev_bind *wish)
{
	assert_int_equal(adev_window_bind(fn, &f.binder, wish),
			 ADEV_WINDOW_REFUSED);
	assert_int_equal(check(fn, wish->rkey), ADEV_TPT_BAD_KEY);
}

static void what_the_region_does_not_permit_is_refused(void **state)
{
	struct adev_function *fn = *state;
	uint32_t key = alloc(fn, ARNICA_HW_WINDOW_2);
	struct adev_bind wish = whole(key);

	wish.lkey ^= 1;
	refused(fn, &wish);
	wish = whole(key);
	wish.address--;
	refused(fn, &wish);
	wish = whole(key);
	wish.length++;
	refused(fn, &wish);
	wish = whole(key);
	wish.length = UINT64_MAX;
	refused(fn, &wish);
	wish = whole(key);
	wish.access = ARNICA_HW_ACCESS_LOCAL_WRITE;
	refused(fn, &wish);
	wish = whole(key);
	wish.lkey = reg(fn, f.pd, ARNICA_HW_ACCESS_LOCAL_WRITE, NULL);
	refused(fn, &wish); /* without the right to bind */
	wish.lkey = reg(fn, f.pd, ARNICA_HW_ACCESS_MW_BIND, NULL);
	wish.access = WRITE;
	refused(fn, &wish); /* without local write */
	wish.access = READ;
	wish.lkey = reg(fn, f.other_pd, RIGHTS, NULL);
	refused(fn, &wish);
	wish.lkey = key;
	refused(fn, &wish);
	wish = whole(key);
	wish.rkey = f.lkey;
	assert_int_equal(adev_window_bind(fn, &f.binder, &wish),
			 ADEV_WINDOW_REFUSED);
	wish.rkey = UINT32_MAX;
	refused(fn, &wish);
	f.binder.user.pd = f.other_pd;
	wish = whole(key);
	refused(fn, &wish);
}

static void type_2_serves_its_queue_pair_only(void **state)
{
	struct adev_function *fn = *state;
	uint32_t key = alloc(fn, ARNICA_HW_WINDOW_2);

	assert_int_equal(bind(fn, key), ADEV_WINDOW_DONE);
	assert_int_equal(check(fn, key), ADEV_TPT_OK);
	assert_int_equal(check_as(fn, key, &f.other, IOVA, 8),
			 ADEV_TPT_BAD_QP);
	assert_int_equal(adev_window_invalidate(fn, &f.other, key),
			 ADEV_WINDOW_REFUSED);
	assert_int_equal(check(fn, key), ADEV_TPT_OK);
}

static void type_1_serves_its_domain(void **state)
{
	struct adev_function *fn = *state;
	uint32_t key = alloc(fn, ARNICA_HW_WINDOW_1);

	assert_int_equal(bind(fn, key), ADEV_WINDOW_DONE);
	assert_int_equal(check_as(fn, key, &f.other, IOVA, 8), ADEV_TPT_OK);
	f.other.user.pd = f.other_pd;
	assert_int_equal(check_as(fn, key, &f.other, IOVA, 8),
			 ADEV_TPT_BAD_PD);
	assert_int_equal(invalidate(fn, key), ADEV_WINDOW_REFUSED);
	assert_false(adev_tpt_take_back(&fn->view, key, f.binder.user));
	assert_int_equal(check(fn, key), ADEV_TPT_OK);
}

static void type_2_is_bound_again_only_when_it_is_free(void **state)
{
	struct adev_function *fn = *state;
	uint32_t key = alloc(fn, ARNICA_HW_WINDOW_2);
	struct adev_bind nothing = whole(key);

	nothing.length = 0;
	assert_int_equal(adev_window_bind(fn, &f.binder, &nothing),
			 ADEV_WINDOW_REFUSED);
	assert_int_equal(invalidate(fn, key), ADEV_WINDOW_REFUSED);
	assert_int_equal(bind(fn, key), ADEV_WINDOW_DONE);
	assert_int_equal(bind(fn, key ^ 1), ADEV_WINDOW_REFUSED);
	assert_int_equal(invalidate(fn, key ^ 1), ADEV_WINDOW_REFUSED);
	assert_int_equal(invalidate(fn, key), ADEV_WINDOW_DONE);
	assert_int_equal(check(fn, key), ADEV_TPT_BAD_KEY);
	assert_int_equal(invalidate(fn, key), ADEV_WINDOW_REFUSED);
	assert_int_equal(bind(fn, key ^ 1), ADEV_WINDOW_DONE);
	assert_int_equal(check(fn, key), ADEV_TPT_BAD_KEY);
	assert_int_equal(check(fn, key ^ 1), ADEV_TPT_OK);
}

static void type_1_is_rebound_and_unbound(void **state)
{
	struct adev_function *fn = *state;
	uint32_t key = alloc(fn, ARNICA_HW_WINDOW_1);
	struct adev_bind nothing = { .rkey = key ^ 2 };

	assert_int_equal(bind(fn, key), ADEV_WINDOW_DONE);
	assert_int_equal(bind(fn, key ^ 1), ADEV_WINDOW_DONE);
	assert_int_equal(check(fn, key), ADEV_TPT_BAD_KEY);
	assert_int_equal(check(fn, key ^ 1), ADEV_TPT_OK);
	assert_int_equal(dereg(fn), ARNICA_HW_COMMAND_BUSY);
	assert_int_equal(adev_window_bind(fn, &f.other, &nothing),
			 ADEV_WINDOW_DONE);
	assert_int_equal(check(fn, key ^ 1), ADEV_TPT_BAD_KEY);
	assert_int_equal(check(fn, key ^ 2), ADEV_TPT_BAD_KEY);
	assert_ok(dereg(fn));
}

/* A failed rebind changes nothing. */
static void type_1_keeps_what_it_has(void **state)
{
	struct adev_function *fn = *state;
	uint32_t key = alloc(fn, ARNICA_HW_WINDOW_1);
	struct adev_bind wish = whole(key ^ 1);

	assert_int_equal(bind(fn, key), ADEV_WINDOW_DONE);
	wish.length++;
	assert_int_equal(adev_window_bind(fn, &f.binder, &wish),
			 ADEV_WINDOW_REFUSED);
	assert_int_equal(check(fn, key), ADEV_TPT_OK);
}

static void a_region_stays_as_long_as_windows_stand_on_it(void **state)
{
	struct adev_function *fn = *state;
	uint32_t keys[3], i;

	for (i = 0; i < 3; i++) {
		keys[i] = alloc(fn, ARNICA_HW_WINDOW_2);
		assert_int_equal(bind(fn, keys[i]), ADEV_WINDOW_DONE);
	}
	assert_int_equal(dereg(fn), ARNICA_HW_COMMAND_BUSY);
	assert_int_equal(check(fn, keys[0]), ADEV_TPT_OK);
	assert_int_equal(invalidate(fn, keys[1]), ADEV_WINDOW_DONE);
	assert_int_equal(dereg(fn), ARNICA_HW_COMMAND_BUSY);
	assert_true(adev_tpt_take_back(&fn->view, keys[0], f.binder.user));
	assert_int_equal(dereg(fn), ARNICA_HW_COMMAND_BUSY);
	assert_ok(dealloc(fn, keys[2]));
	assert_ok(dereg(fn));
	/* What was taken back still stands on a list or two. */
	assert_ok(dealloc(fn, keys[0]));
	assert_ok(dealloc(fn, keys[1]));
	assert_null(f.binder.first);
}

static void what_a_peer_took_back_can_be_bound_again(void **state)
{
	struct adev_function *fn = *state;
	uint32_t key = alloc(fn, ARNICA_HW_WINDOW_2);
	struct adev_bind wish = whole(key ^ 1);

	assert_int_equal(bind(fn, key), ADEV_WINDOW_DONE);
	assert_true(adev_tpt_take_back(&fn->view, key, f.binder.user));
	assert_int_equal(invalidate(fn, key), ADEV_WINDOW_REFUSED);
	assert_int_equal(adev_window_bind(fn, &f.other, &wish),
			 ADEV_WINDOW_DONE);
	assert_null(f.binder.first);
	assert_int_equal(check_as(fn, key ^ 1, &f.other, IOVA, 8),
			 ADEV_TPT_OK);
}

static void windows_end_with_their_queue_pair(void **state)
{
	struct adev_function *fn = *state;
	uint32_t key = alloc(fn, ARNICA_HW_WINDOW_2);
	uint32_t one = alloc(fn, ARNICA_HW_WINDOW_1);

	assert_int_equal(bind(fn, key), ADEV_WINDOW_DONE);
	assert_int_equal(bind(fn, one), ADEV_WINDOW_DONE);
	adev_windows_end_binder(fn, &f.binder);
	assert_int_equal(check(fn, key), ADEV_TPT_BAD_KEY);
	assert_int_equal(check(fn, one), ADEV_TPT_OK);
	assert_int_equal(dereg(fn), ARNICA_HW_COMMAND_BUSY);
	assert_ok(dealloc(fn, one));
	assert_ok(dereg(fn));
}

static void an_access_under_way_is_waited_for(void **state)
{
	struct adev_function *fn = *state;
	uint32_t key = alloc(fn, ARNICA_HW_WINDOW_2);

	assert_int_equal(bind(fn, key), ADEV_WINDOW_DONE);
	fake_quiesce_error = EBUSY;
	assert_int_equal(invalidate(fn, key), ADEV_WINDOW_BUSY);
	assert_int_equal(check(fn, key), ADEV_TPT_BAD_KEY);
	/* The region is still being used, and the window not free. */
	assert_int_equal(dereg(fn), ARNICA_HW_COMMAND_BUSY);
	assert_int_equal(bind(fn, key ^ 1), ADEV_WINDOW_REFUSED);
	assert_int_equal(invalidate(fn, key), ADEV_WINDOW_BUSY);
	fake_quiesce_error = 0;
	atomic_store(&fn->inbox_uses, key);
	assert_int_equal(invalidate(fn, key), ADEV_WINDOW_BUSY);
	atomic_store(&fn->inbox_uses, f.lkey);
	assert_int_equal(invalidate(fn, key), ADEV_WINDOW_DONE);
	assert_ok(dereg(fn));
}

static void a_rebind_waits_for_the_accesses_of_before(void **state)
{
	struct adev_function *fn = *state;
	uint32_t key = alloc(fn, ARNICA_HW_WINDOW_1);

	assert_int_equal(bind(fn, key), ADEV_WINDOW_DONE);
	fake_quiesce_error = EBUSY;
	assert_int_equal(bind(fn, key ^ 1), ADEV_WINDOW_BUSY);
	assert_int_equal(check(fn, key), ADEV_TPT_BAD_KEY);
	assert_int_equal(check(fn, key ^ 1), ADEV_TPT_BAD_KEY);
	fake_quiesce_error = 0;
	assert_int_equal(bind(fn, key ^ 1), ADEV_WINDOW_DONE);
	assert_int_equal(check(fn, key ^ 1), ADEV_TPT_OK);
}

static void a_busy_window_is_not_deallocated(void **state)
{
	struct adev_function *fn = *state;
	uint32_t key = alloc(fn, ARNICA_HW_WINDOW_2);

	assert_int_equal(bind(fn, key), ADEV_WINDOW_DONE);
	fake_quiesce_error = EBUSY;
	assert_int_equal(dealloc(fn, key), ARNICA_HW_COMMAND_BUSY);
	assert_int_equal(check(fn, key), ADEV_TPT_OK);
	assert_int_equal(invalidate(fn, key), ADEV_WINDOW_BUSY);
	assert_int_equal(dealloc(fn, key), ARNICA_HW_COMMAND_BUSY);
	assert_int_equal(check(fn, key), ADEV_TPT_BAD_KEY);
	fake_quiesce_error = 0;
	assert_ok(dealloc(fn, key));
	assert_ok(dereg(fn));
}

static void a_bound_region_is_not_changed(void **state)
{
	struct adev_function *fn = *state;
	uint32_t key = alloc(fn, ARNICA_HW_WINDOW_2);
	struct arnica_hw_command rereg = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_REREG_MR),
		.reg_mr = {
			.handle = arnica_to_le32(f.region),
			.change = arnica_to_le32(ARNICA_HW_REREG_ACCESS),
		},
	};

	assert_int_equal(bind(fn, key), ADEV_WINDOW_DONE);
	assert_int_equal(fake_command(fn, &rereg, NULL),
			 ARNICA_HW_COMMAND_BUSY);
	assert_int_equal(invalidate(fn, key), ADEV_WINDOW_DONE);
	assert_ok(fake_command(fn, &rereg, NULL));
}

static void a_null_region_is_for_local_use(void **state)
{
	struct adev_function *fn = *state;
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_ALLOC_NULL_MR),
		.alloc_null_mr.pd = arnica_to_le32(f.pd),
	};
	struct arnica_hw_completion answer;
	uint64_t zeros, sink;
	uint32_t stag;

	assert_ok(fake_command(fn, &command, &answer));
	stag = arnica_from_le32(answer.mr.stag);
	assert_int_equal(adev_tpt_check(&fn->view, stag, f.pd, 77, 1u << 30, 0,
					&zeros),
			 ADEV_TPT_OK);
	assert_int_equal(adev_tpt_check(&fn->view, stag, f.pd, 77, 1u << 30,
					ARNICA_HW_ACCESS_LOCAL_WRITE, &sink),
			 ADEV_TPT_OK);
	memset((void *)(uintptr_t)sink, 0xff, 16u << 20);
	assert_int_equal(*(char *)(uintptr_t)(zeros + (16u << 20) - 1), 0);
	assert_int_equal(check(fn, stag), ADEV_TPT_BAD_KEY);
	f.lkey = stag;
	assert_int_equal(bind(fn, alloc(fn, ARNICA_HW_WINDOW_2)),
			 ADEV_WINDOW_REFUSED);
	command.opcode = arnica_to_le32(ARNICA_HW_CMD_REREG_MR);
	command.reg_mr.handle = answer.mr.handle;
	command.reg_mr.change = arnica_to_le32(ARNICA_HW_REREG_ACCESS);
	assert_int_equal(fake_command(fn, &command, NULL),
			 ARNICA_HW_COMMAND_INVALID);
	assert_ok(fake_command_object(fn, ARNICA_HW_CMD_DEREG_MR,
				      arnica_from_le32(answer.mr.handle)));
}

#define window_test(function)                                                  \
	cmocka_unit_test_setup_teardown(function, setup,                       \
					fake_function_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		window_test(windows_come_and_go_and_keep_their_domain),
		window_test(a_window_shows_its_part_of_the_region),
		window_test(a_window_may_begin_at_zero),
		window_test(what_the_region_does_not_permit_is_refused),
		window_test(type_2_serves_its_queue_pair_only),
		window_test(type_1_serves_its_domain),
		window_test(type_2_is_bound_again_only_when_it_is_free),
		window_test(type_1_is_rebound_and_unbound),
		window_test(type_1_keeps_what_it_has),
		window_test(a_region_stays_as_long_as_windows_stand_on_it),
		window_test(what_a_peer_took_back_can_be_bound_again),
		window_test(windows_end_with_their_queue_pair),
		window_test(an_access_under_way_is_waited_for),
		window_test(a_rebind_waits_for_the_accesses_of_before),
		window_test(a_busy_window_is_not_deallocated),
		window_test(a_bound_region_is_not_changed),
		window_test(a_null_region_is_for_local_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
