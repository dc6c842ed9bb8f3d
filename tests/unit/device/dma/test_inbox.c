/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The inbox: shares of its slots, what the owner checks again, and what comes
 * back from peers that died. Function a asks, function b owns.
 */
#include <string.h>

#include "core/adapter.h"
#include "dma/dma.h"
#include "two_functions.h"

#define LENGTH 4096u

static struct adev_view *view;
static struct adev_gather local, remote;

static struct adev_function *owner_of(struct two *two)
{
	return two_function_of(&two->b);
}

static void serve(struct two *two)
{
	atomic_store(&owner_of(two)->view.shared->inbox_posted, 1);
	arnica_bus_poll(two->b.bus);
}

static void one_piece(struct adev_gather *gather,
		      const struct two_function *function, uint64_t bytes)
{
	gather->num_pieces = 1;
	gather->bytes = bytes;
	gather->pieces[0] = (struct adev_piece){
		.address = (uintptr_t)function->buffer,
		.iova = (uintptr_t)function->buffer,
		.bytes = bytes,
		.stag = function->stag,
	};
}

static int setup(void **state)
{
	struct two *two;
	uint64_t until = 0;

	if (two_setup(state))
		return -1;
	two = *state;
	if (adev_adapter_attach(two_function_of(&two->a),
				owner_of(two)->view.function,
				owner_of(two)->view.generation, &view))
		return -1;
	atomic_store(&view->method, ADEV_DMA_BOUNCE);
	one_piece(&local, &two->a, LENGTH);
	one_piece(&remote, &two->b, LENGTH);
	atomic_store(&view->shared->inbox_wanted, 1);
	while (!atomic_load(&view->shared->inbox_ready)) {
		arnica_bus_poll(two->b.bus);
		(void)two_patience(&until);
	}
	return 0;
}

static int teardown(void **state)
{
	adev_adapter_detach(view);
	return two_teardown(state);
}

static struct adev_transfer transfer_of(struct two *two)
{
	return (struct adev_transfer){
		.fn = two_function_of(&two->a),
		.view = view,
		.local = &local,
		.remote = &remote,
		.bytes = remote.bytes,
		.user = { .pd = two->b.pd },
		.access = ARNICA_HW_ACCESS_REMOTE_WRITE,
		.allowance = ADEV_GATHER_ENTRY_BYTES,
		.inbox_slot = -1,
	};
}

/* Begins a transfer; what it posts is not served before serve(). */
static void begin(struct two *two, struct adev_transfer *transfer)
{
	struct adev_function *owner = owner_of(two);
	enum adev_dma_result result;

	while (atomic_flag_test_and_set(&owner->serving))
		;
	result = adev_dma_write(transfer);
	atomic_store(&owner->view.shared->inbox_posted, 0);
	atomic_flag_clear(&owner->serving);
	assert_int_equal(result, ADEV_DMA_LATER);
}

static enum adev_dma_result finish(struct adev_transfer *transfer)
{
	enum adev_dma_result result;
	uint64_t until = 0;

	while ((result = adev_dma_write(transfer)) == ADEV_DMA_LATER ||
	       result == ADEV_DMA_MORE)
		(void)two_patience(&until);
	return result;
}

static uint64_t word_of(int slot)
{
	return atomic_load(&view->inbox[slot].owner);
}

static void a_peer_gets_its_share_and_no_more(void **state)
{
	struct two *two = *state;
	struct adev_transfer transfers[ADEV_INBOX_PER_PEER + 1];
	unsigned int i;

	for (i = 0; i <= ADEV_INBOX_PER_PEER; i++) {
		transfers[i] = transfer_of(two);
		assert_int_equal(adev_dma_write(&transfers[i]), ADEV_DMA_LATER);
	}
	for (i = 0; i < ADEV_INBOX_PER_PEER; i++)
		assert_int_not_equal(transfers[i].inbox_slot, -1);
	assert_int_equal(transfers[i].inbox_slot, -1);
	serve(two);
	for (i = 0; i <= ADEV_INBOX_PER_PEER; i++)
		assert_int_equal(finish(&transfers[i]), ADEV_DMA_DONE);
	for (i = 0; i < ADEV_INBOX_SLOTS; i++)
		assert_int_equal(word_of((int)i), 0);
}

static void slots_of_others_are_left_alone(void **state)
{
	struct two *two = *state;
	struct adev_transfer transfer = transfer_of(two);
	unsigned int i;

	for (i = 0; i < ADEV_INBOX_SLOTS; i++)
		atomic_store(&view->inbox[i].owner,
			     (uint64_t)(1000 + i) << 32 | ADEV_INBOX_CLAIMED);
	begin(two, &transfer);
	assert_int_equal(transfer.inbox_slot, -1);
	atomic_store(&view->inbox[17].owner, 0);
	begin(two, &transfer);
	assert_int_equal(transfer.inbox_slot, 17);
	serve(two);
	assert_int_equal(finish(&transfer), ADEV_DMA_DONE);
	assert_int_equal(word_of(16) >> 32, 1016);
}

static void a_transfer_goes_through_in_parts(void **state)
{
	struct two *two = *state;
	struct adev_transfer transfer;

	one_piece(&local, &two->a, 3 * ADEV_INBOX_BYTES + 1);
	one_piece(&remote, &two->b, 3 * ADEV_INBOX_BYTES + 1);
	two_fill(two->a.buffer, 3 * ADEV_INBOX_BYTES + 1, 1);
	transfer = transfer_of(two);
	assert_int_equal(finish(&transfer), ADEV_DMA_DONE);
	two_check(two->b.buffer, 3 * ADEV_INBOX_BYTES + 1, 1);
	assert_int_equal(two_function_of(&two->a)->counters.dma_bounce, 4);
	assert_int_equal(owner_of(two)->counters.inbox_served, 4);
}

/* Posted while the key was good, served when it is not any more. */
static void a_key_that_went_stale_is_refused_by_the_owner(void **state)
{
	struct two *two = *state;
	struct adev_transfer transfer = transfer_of(two);

	memset(two->a.buffer, 0x55, LENGTH);
	begin(two, &transfer);
	assert_ok(two_object(&two->b, ARNICA_HW_CMD_DEREG_MR, two->b.mr));
	assert_int_equal((uint32_t)word_of(transfer.inbox_slot),
			 ADEV_INBOX_POSTED);
	serve(two);
	assert_int_equal(finish(&transfer), ADEV_DMA_FAULT);
	assert_int_equal(two->b.buffer[0], 0);
}

static void the_owner_checks_domain_rights_and_bounds_itself(void **state)
{
	struct two *two = *state;
	struct adev_transfer transfer = transfer_of(two);
	uint32_t handle;

	transfer.user.pd++;
	assert_int_equal(finish(&transfer), ADEV_DMA_FAULT);
	one_piece(&remote, &two->b, LENGTH);
	remote.pieces[0].iova += TWO_BUFFER_BYTES - LENGTH + 1;
	transfer = transfer_of(two);
	assert_int_equal(finish(&transfer), ADEV_DMA_FAULT);
	one_piece(&remote, &two->b, LENGTH);
	assert_ok(two_register(&two->b, two->b.buffer, LENGTH,
			       ARNICA_HW_ACCESS_REMOTE_READ, &handle,
			       &remote.pieces[0].stag));
	transfer = transfer_of(two);
	assert_int_equal(finish(&transfer), ADEV_DMA_FAULT);
	assert_int_equal(two->b.buffer[0], 0);
}

/* What the asking side checks is not believed by the owner. */
static void hostile_requests_are_refused(void **state)
{
	struct two *two = *state;
	struct adev_inbox_slot *slot = &view->inbox[5];
	static const uint32_t operations[] = { ADEV_INBOX_WRITE, ADEV_INBOX_CAS,
					       0, 99 };
	static const uint32_t lengths[] = { ADEV_INBOX_BYTES + 1, 16, 8, 8 };
	unsigned int i;
	uint64_t until = 0;

	for (i = 0; i < 4; i++) {
		slot->operation = operations[i];
		slot->length = lengths[i];
		slot->stag = two->b.stag;
		slot->pd = two->b.pd;
		slot->access = 0;
		slot->iova = (uintptr_t)two->b.buffer;
		slot->result = 0;
		atomic_store(&slot->owner, 7ull << 32 | ADEV_INBOX_POSTED);
		serve(two);
		while ((uint32_t)word_of(5) != ADEV_INBOX_DONE)
			(void)two_patience(&until);
		assert_int_not_equal(slot->result, 0);
		assert_int_equal(two->b.buffer[0], 0);
	}
}

static void slots_of_the_dead_are_free_again(void **state)
{
	struct two *two = *state;
	struct adev_function *own = two_function_of(&two->a);
	struct adev_transfer posted = transfer_of(two);
	uint32_t number = own->view.function;
	int claimed, done;

	begin(two, &posted);
	claimed = posted.inbox_slot ? 0 : 1;
	done = claimed + 3;
	/* It died before it said which generation it was of. */
	atomic_store(&view->inbox[claimed].owner,
		     (number + 1ull) << 32 | ADEV_INBOX_CLAIMED);
	view->inbox[done].generation = own->view.generation;
	atomic_store(&view->inbox[done].owner,
		     (number + 1ull) << 32 | ADEV_INBOX_DONE);
	adev_inbox_reclaim(owner_of(two), number, own->view.generation);
	assert_int_equal(word_of(posted.inbox_slot), 0);
	assert_int_equal(word_of(claimed), 0);
	assert_int_equal(word_of(done), 0);
	serve(two);
}

static void slots_of_the_living_stay_when_another_dies(void **state)
{
	struct two *two = *state;
	struct adev_function *own = two_function_of(&two->a);
	struct adev_transfer transfer = transfer_of(two);
	uint32_t number = own->view.function;

	begin(two, &transfer);
	adev_inbox_reclaim(owner_of(two), number + 1, own->view.generation);
	adev_inbox_reclaim(owner_of(two), number, own->view.generation + 1);
	assert_int_equal((uint32_t)word_of(transfer.inbox_slot),
			 ADEV_INBOX_POSTED);
	serve(two);
	assert_int_equal(finish(&transfer), ADEV_DMA_DONE);
}

static void an_abandoned_transfer_is_not_carried_out(void **state)
{
	struct two *two = *state;
	struct adev_transfer transfer = transfer_of(two);

	memset(two->a.buffer, 0x55, LENGTH);
	begin(two, &transfer);
	adev_dma_abandon(view, transfer.inbox_slot);
	assert_int_equal(word_of(transfer.inbox_slot), 0);
	serve(two);
	assert_int_equal(two->b.buffer[0], 0);
}

static void an_abandoned_result_frees_its_slot(void **state)
{
	struct two *two = *state;
	struct adev_transfer transfer = transfer_of(two);
	uint64_t until = 0;

	begin(two, &transfer);
	serve(two);
	while ((uint32_t)word_of(transfer.inbox_slot) != ADEV_INBOX_DONE)
		(void)two_patience(&until);
	adev_dma_abandon(view, transfer.inbox_slot);
	assert_int_equal(word_of(transfer.inbox_slot), 0);
}

#define inbox_test(function)                                                   \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		inbox_test(a_peer_gets_its_share_and_no_more),
		inbox_test(slots_of_others_are_left_alone),
		inbox_test(a_transfer_goes_through_in_parts),
		inbox_test(a_key_that_went_stale_is_refused_by_the_owner),
		inbox_test(the_owner_checks_domain_rights_and_bounds_itself),
		inbox_test(hostile_requests_are_refused),
		inbox_test(slots_of_the_dead_are_free_again),
		inbox_test(slots_of_the_living_stay_when_another_dies),
		inbox_test(an_abandoned_transfer_is_not_carried_out),
		inbox_test(an_abandoned_result_frees_its_slot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
