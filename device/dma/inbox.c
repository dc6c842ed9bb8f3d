/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Inbox: transfers and atomics that the owner of an address space does for a
 * peer, with bounce buffers in the owner's segment.
 *
 * Slot: FREE -> CLAIMED (by a peer) -> POSTED -> RUNNING (owner) -> DONE ->
 * FREE (by the peer). The word carries the claiming function, so that the
 * owner can free what the dead left; a stopped peer keeps its own few slots.
 */
#include "dma/dma.h"

#include <errno.h>
#include <sched.h>
#include <unistd.h>

#include "core/fault_point.h"
#include "core/qp_lock.h"
#include "domain/segment.h"
#include "tpt/tpt.h"

static uint64_t slot_word(enum adev_inbox_state state, uint32_t function)
{
	return (uint64_t)(function + 1u) << 32 | (uint32_t)state;
}

static char *slot_buffer(const struct adev_view *view, int slot)
{
	return view->inbox_buffers + (size_t)slot * ADEV_INBOX_BYTES;
}

static enum adev_inbox_state slot_state(const struct adev_inbox_slot *slot)
{
	return (enum adev_inbox_state)(uint32_t)atomic_load_explicit(
		&slot->owner, memory_order_acquire);
}

/* Claims a free slot; -1 when there is none, or the peer has its share. */
static int claim(struct adev_transfer *transfer)
{
	struct adev_view *view = transfer->view;
	uint32_t function = transfer->fn->view.function;
	uint32_t i, mine = 0;
	int free_slot = -1;

	if (!atomic_load_explicit(&view->shared->inbox_ready,
				  memory_order_acquire)) {
		atomic_store(&view->shared->inbox_wanted, 1);
		adev_view_kick(view);
		return -1;
	}
	for (i = 0; i < ADEV_INBOX_SLOTS; i++) {
		uint64_t word = atomic_load_explicit(&view->inbox[i].owner,
						     memory_order_relaxed);

		if (word >> 32 == function + 1u)
			mine++;
		else if ((uint32_t)word == ADEV_INBOX_FREE && free_slot < 0)
			free_slot = (int)i;
	}
	if (free_slot >= 0 && mine < ADEV_INBOX_PER_PEER) {
		uint64_t word = 0;

		if (atomic_compare_exchange_strong(
			    &view->inbox[free_slot].owner, &word,
			    slot_word(ADEV_INBOX_CLAIMED, function)))
			return free_slot;
	}
	return -1;
}

static void post(struct adev_transfer *transfer, struct adev_inbox_slot *slot)
{
	struct adev_view *view = transfer->view;

	ADEV_POINT("inbox_claimed");
	slot->generation = transfer->fn->view.generation;
	slot->pd = transfer->user.pd;
	slot->qpn = transfer->user.qpn;
	slot->access = transfer->access;
	slot->result = 0;
	/* P8: the request is complete before it is posted; C8 in serve(). */
	atomic_store_explicit(&slot->owner,
			      slot_word(ADEV_INBOX_POSTED,
					transfer->fn->view.function),
			      memory_order_release);
	ADEV_POINT("inbox_posted");
	atomic_store(&view->shared->inbox_posted, 1);
	adev_view_kick(view);
	adev_count(&transfer->fn->counters, dma_bounce);
}

/* The piece that holds byte `offset`, and how much of it follows. */
static const struct adev_piece *find_piece(const struct adev_gather *gather,
					   uint64_t offset, uint64_t *inside)
{
	uint32_t i;

	for (i = 0; i < gather->num_pieces; i++) {
		if (offset < gather->pieces[i].bytes) {
			*inside = offset;
			return &gather->pieces[i];
		}
		offset -= gather->pieces[i].bytes;
	}
	return NULL;
}

static void release_slot(struct adev_transfer *transfer)
{
	atomic_store_explicit(
		&transfer->view->inbox[transfer->inbox_slot].owner, 0,
		memory_order_release);
	transfer->inbox_slot = -1;
}

static enum adev_dma_result start_transfer(struct adev_transfer *transfer,
					   bool write)
{
	uint64_t inside = 0, part;
	const struct adev_piece *piece =
		find_piece(transfer->remote, transfer->done, &inside);
	struct adev_inbox_slot *slot;
	int number;

	if (!piece)
		return ADEV_DMA_FAULT;
	number = claim(transfer);
	if (number < 0)
		return ADEV_DMA_LATER;
	slot = &transfer->view->inbox[number];
	part = piece->bytes - inside;
	if (part > transfer->bytes - transfer->done)
		part = transfer->bytes - transfer->done;
	if (part > ADEV_INBOX_BYTES)
		part = ADEV_INBOX_BYTES;
	slot->operation = write ? ADEV_INBOX_WRITE : ADEV_INBOX_READ;
	slot->stag = piece->stag;
	slot->iova = piece->iova + inside;
	slot->length = (uint32_t)part;
	transfer->inbox_slot = number;
	if (write && !adev_gather_read(transfer->local, transfer->done,
				       slot_buffer(transfer->view, number),
				       part)) {
		release_slot(transfer);
		return ADEV_DMA_LOCAL_FAULT;
	}
	transfer->inbox_bytes = (uint32_t)part;
	post(transfer, slot);
	return ADEV_DMA_LATER;
}

enum adev_dma_result adev_inbox_transfer(struct adev_transfer *transfer,
					 bool write)
{
	struct adev_inbox_slot *slot;
	uint32_t result;
	bool placed;

	if (transfer->inbox_slot < 0)
		return start_transfer(transfer, write);
	slot = &transfer->view->inbox[transfer->inbox_slot];
	if (slot_state(slot) != ADEV_INBOX_DONE)
		return ADEV_DMA_LATER;
	result = slot->result;
	placed = result || write ||
		 adev_gather_write(transfer->local, transfer->done,
				   slot_buffer(transfer->view,
					       transfer->inbox_slot),
				   transfer->inbox_bytes);
	release_slot(transfer);
	if (!placed)
		return ADEV_DMA_LOCAL_FAULT;
	if (result)
		return ADEV_DMA_FAULT;
	transfer->done += transfer->inbox_bytes;
	return transfer->done == transfer->bytes ? ADEV_DMA_DONE :
						   ADEV_DMA_MORE;
}

enum adev_dma_result adev_inbox_atomic(struct adev_transfer *transfer,
				       enum adev_atomic atomic,
				       uint64_t swap_or_add, uint64_t compare,
				       uint64_t *original)
{
	static const uint32_t operations[] = {
		[ADEV_ATOMIC_FETCH_ADD] = ADEV_INBOX_FETCH_ADD,
		[ADEV_ATOMIC_CAS] = ADEV_INBOX_CAS,
		[ADEV_ATOMIC_WRITE] = ADEV_INBOX_ATOMIC_WRITE,
	};
	const struct adev_piece *piece = &transfer->remote->pieces[0];
	struct adev_inbox_slot *slot;
	int number;

	if (transfer->inbox_slot >= 0) {
		uint32_t result;

		slot = &transfer->view->inbox[transfer->inbox_slot];
		if (slot_state(slot) != ADEV_INBOX_DONE)
			return ADEV_DMA_LATER;
		result = slot->result;
		*original = slot->original;
		release_slot(transfer);
		return result ? ADEV_DMA_FAULT : ADEV_DMA_DONE;
	}
	number = claim(transfer);
	if (number < 0)
		return ADEV_DMA_LATER;
	slot = &transfer->view->inbox[number];
	slot->operation = operations[atomic];
	slot->stag = piece->stag;
	slot->iova = piece->iova;
	slot->length = 8;
	slot->operand_swap_add = swap_or_add;
	slot->operand_compare = compare;
	transfer->inbox_slot = number;
	post(transfer, slot);
	return ADEV_DMA_LATER;
}

void adev_dma_abandon(struct adev_view *view, int inbox_slot)
{
	struct adev_inbox_slot *slot = &view->inbox[inbox_slot];
	uint64_t word = atomic_load(&slot->owner);
	uint64_t next;

	/* What is under way at the owner is freed by the owner. */
	do {
		next = (uint32_t)word == ADEV_INBOX_RUNNING ?
			       (word & ~0xffffffffull) | ADEV_INBOX_ABANDONED :
			       0;
	} while (!atomic_compare_exchange_strong(&slot->owner, &word, next));
}

/*
 * The owner's side. The copies go through the segment's file (pread into the
 * memory, pwrite out of it), because the application may have unmapped what it
 * registered: the kernel then says EFAULT where a copy would be fatal.
 */
static int move(struct adev_function *fn, uint64_t address, uint64_t offset,
		uint64_t bytes, bool write)
{
	while (bytes) {
		char *memory = (char *)(uintptr_t)address;
		/* Rule 3: the tail in a call of its own. */
		uint64_t tail = adev_dma_tail(address + bytes, bytes);
		uint64_t part = bytes > tail ? bytes - tail : tail;
		ssize_t moved = write ?
					pread(fn->segment_fd, memory, part,
					      (off_t)offset) :
					pwrite(fn->segment_fd, memory, part,
					       (off_t)offset);

		if (moved <= 0)
			return EFAULT;
		address += (uint64_t)moved;
		offset += (uint64_t)moved;
		bytes -= (uint64_t)moved;
	}
	return 0;
}

/* The same for what a key names: for a list place by place. */
static int move_pieces(struct adev_function *fn,
		       const struct adev_gather *memory, uint64_t offset,
		       uint64_t bytes, bool write)
{
	uint64_t done = 0;
	int error = 0;

	while (done < bytes && !error) {
		struct iovec iov[ARNICA_HW_MAX_SGE];
		uint64_t covered;
		uint32_t i, count = adev_gather_slice(memory, done,
						      bytes - done, iov,
						      ARNICA_HW_MAX_SGE,
						      &covered);

		if (!covered)
			return EACCES;
		for (i = 0; i < count && !error; i++) {
			error = move(fn, (uintptr_t)iov[i].iov_base,
				     offset + done, iov[i].iov_len, write);
			done += iov[i].iov_len;
		}
	}
	return error;
}

/* What the request under way uses. There is one at a time (lock role
 * `serving`). */
static void announce(struct adev_function *fn, uint32_t stag)
{
	uint64_t word = atomic_load_explicit(&fn->inbox_uses,
					     memory_order_relaxed);

	atomic_store(&fn->inbox_uses, (word & ~0xffffffffull) | stag);
	/* H3: before the tag, whose load has no part in the single order. */
	arnica_fence_after_rmw();
}

/* The count tells who waits for it that the next one is another. */
static void announce_end(struct adev_function *fn)
{
	uint64_t word = atomic_load_explicit(&fn->inbox_uses,
					     memory_order_relaxed);

	atomic_store(&fn->inbox_uses, ((word >> 32) + 1) << 32);
}

/* What is behind a list is nobody's whose key we could say. */
static enum adev_tpt_verdict open_list(struct adev_function *fn, uint32_t pd,
				       uint32_t access,
				       struct adev_gather *memory)
{
	announce(fn, ADEV_USES_ANY);
	return adev_gather_list(&fn->view, pd, access, memory);
}

/* A receive is checked as what it is, an access by a local key. */
static bool may_access(struct adev_function *fn,
		       const struct adev_inbox_slot *slot, uint32_t length,
		       struct adev_gather *memory)
{
	struct adev_tpt_user user = { .pd = slot->pd, .qpn = slot->qpn };
	uint32_t access = slot->access, stag = slot->stag;
	enum adev_tpt_verdict verdict;
	uint64_t iova = slot->iova;

	/* H3: said before the key is looked at; who invalidates it looks here
	 * afterwards (tpt/window.c). */
	announce(fn, stag);
	if (access == ARNICA_HW_ACCESS_LOCAL_WRITE) {
		struct adev_piece *piece = &memory->pieces[0];

		memory->num_pieces = 1;
		memory->num_lists = 0;
		memory->bytes = length;
		*piece = (struct adev_piece){
			.iova = iova,
			.bytes = length,
			.stag = stag,
		};
		verdict = adev_tpt_check(&fn->view, stag, user.pd, iova, length,
					 access, &piece->address);
	} else {
		verdict = adev_gather_remote(&fn->view, stag, user, iova,
					     length, access, memory);
	}
	if (verdict == ADEV_TPT_IS_LIST)
		verdict = open_list(fn, user.pd, access, memory);
	return verdict == ADEV_TPT_OK;
}

static int atomic_here(struct adev_inbox_slot *slot, struct adev_gather *memory,
		       enum adev_atomic atomic)
{
	if (slot->length != 8 || !adev_gather_word(memory) ||
	    memory->pieces[0].address & 7)
		return EINVAL;
	return adev_dma_atomic_here(memory->pieces[0].address, atomic,
				    slot->operand_swap_add,
				    slot->operand_compare, &slot->original);
}

static int execute(struct adev_function *fn, int number,
		   struct adev_inbox_slot *slot)
{
	uint32_t operation = slot->operation, length = slot->length;
	uint64_t offset = (uint64_t)(slot_buffer(&fn->view, number) -
				     fn->view.base);
	struct adev_gather memory;

	if (length > ADEV_INBOX_BYTES || !length)
		return EINVAL;
	if (!may_access(fn, slot, length, &memory))
		return EACCES;
	switch (operation) {
	case ADEV_INBOX_WRITE:
	case ADEV_INBOX_READ:
		return move_pieces(fn, &memory, offset, length,
				   operation == ADEV_INBOX_WRITE);
	case ADEV_INBOX_CAS:
		return atomic_here(slot, &memory, ADEV_ATOMIC_CAS);
	case ADEV_INBOX_FETCH_ADD:
		return atomic_here(slot, &memory, ADEV_ATOMIC_FETCH_ADD);
	case ADEV_INBOX_ATOMIC_WRITE:
		return atomic_here(slot, &memory, ADEV_ATOMIC_WRITE);
	default:
		return EINVAL;
	}
}

static void serve_slot(struct adev_function *fn, int number)
{
	struct adev_inbox_slot *slot = &fn->view.inbox[number];
	uint64_t word = atomic_load_explicit(&slot->owner,
					     memory_order_acquire);
	uint32_t function = (uint32_t)(word >> 32) - 1u;
	uint64_t generation;

	/* C8: pairs with P8. */
	if ((uint32_t)word != ADEV_INBOX_POSTED ||
	    !atomic_compare_exchange_strong(
		    &slot->owner, &word,
		    slot_word(ADEV_INBOX_RUNNING, function)))
		return;
	slot->result = (uint32_t)execute(fn, number, slot);
	announce_end(fn);
	/* From DONE on the slot may be somebody else's. */
	generation = slot->generation;
	word = slot_word(ADEV_INBOX_RUNNING, function);
	if (!atomic_compare_exchange_strong(
		    &slot->owner, &word,
		    slot_word(ADEV_INBOX_DONE, function))) {
		/* Abandoned meanwhile. */
		atomic_store(&slot->owner, 0);
		return;
	}
	adev_count(&fn->counters, inbox_served);
	adev_function_kick_peer(fn, function, generation);
}

static void populate(struct adev_function *fn)
{
	if (adev_segment_populate(fn->segment_fd, fn->view.layout.inbox_offset,
				  ADEV_INBOX_TOTAL_BYTES))
		return; /* the peers go on asking */
	atomic_store_explicit(&fn->view.shared->inbox_ready, 1,
			      memory_order_release);
}

void adev_inbox_serve(struct adev_function *fn)
{
	struct adev_shared *shared = fn->view.shared;
	int i;

	if (atomic_load_explicit(&shared->inbox_wanted,
				 memory_order_relaxed) &&
	    !atomic_load_explicit(&shared->inbox_ready, memory_order_relaxed))
		populate(fn);
	if (!atomic_load_explicit(&shared->inbox_posted,
				  memory_order_relaxed) ||
	    !atomic_exchange(&shared->inbox_posted, 0))
		return;
	for (i = 0; i < (int)ADEV_INBOX_SLOTS; i++)
		serve_slot(fn, i);
}

void adev_inbox_reclaim(struct adev_function *fn, uint32_t function,
			uint64_t generation)
{
	uint32_t i;

	if (!atomic_load(&fn->view.shared->inbox_ready))
		return;
	/* Nobody serves a slot while it changes hands. */
	while (atomic_flag_test_and_set(&fn->serving))
		sched_yield();
	for (i = 0; i < ADEV_INBOX_SLOTS; i++) {
		struct adev_inbox_slot *slot = &fn->view.inbox[i];
		uint64_t word = atomic_load(&slot->owner);

		/* A slot that was claimed but not posted carries an older
		 * generation; the directory slot cannot have a live owner
		 * before this function has heard of the death. */
		if (word >> 32 != function + 1u ||
		    ((uint32_t)word != ADEV_INBOX_CLAIMED &&
		     slot->generation != generation))
			continue;
		(void)atomic_compare_exchange_strong(&slot->owner, &word, 0);
	}
	atomic_flag_clear(&fn->serving);
}
