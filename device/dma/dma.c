/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* DMA: copies, process_vm, and the choice among them. */
#include "dma/dma.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "adopt/raw.h"
#include "tpt/list.h"

#define LIST_CHUNK_BYTES (1u << 16) /* of one call, through lists */
#define LIST_PLACES 1024u /* of a list, of one call */

enum copied {
	COPIED,
	NO_PLACE_TO,   /* an indirect key has lost the place */
	NO_PLACE_FROM, /* ... or this one */
	COPY_FAULTED,
};

/* Both sides are in one place each: as most short messages are. */
static inline bool copy_one_place(const struct adev_gather *to_list,
				  const struct adev_gather *from_list,
				  uint64_t offset, uint64_t bytes)
{
	char *to = adev_gather_place(to_list, offset, bytes);
	const char *from = adev_gather_place(from_list, offset, bytes);

	return to && from && adev_dma_copy_here(to, from, bytes);
}

/* Both sides are this process's. */
static enum copied copy_local(const struct adev_gather *to_list,
			      const struct adev_gather *from_list,
			      uint64_t offset, uint64_t bytes)
{
	if (__builtin_expect(copy_one_place(to_list, from_list, offset, bytes),
			     1))
		return COPIED;
	while (bytes) {
		struct iovec to, from;
		uint64_t to_bytes, from_bytes, part;

		if (!adev_gather_slice(to_list, offset, bytes, &to, 1,
				       &to_bytes))
			return NO_PLACE_TO;
		if (!adev_gather_slice(from_list, offset, bytes, &from, 1,
				       &from_bytes))
			return NO_PLACE_FROM;
		part = to_bytes < from_bytes ? to_bytes : from_bytes;
		if (!adev_dma_copy_here(to.iov_base, from.iov_base, part))
			return COPY_FAULTED;
		offset += part;
		bytes -= part;
	}
	return COPIED;
}

/* Is this process's own side of the transfer accessible? Only asked after a
 * fault, to report the right one. */
static bool local_accessible(struct iovec *iov, uint32_t count)
{
	char scratch[1];
	uint32_t i;

	for (i = 0; i < count; i++) {
		struct iovec here = { scratch, 1 };
		struct iovec first = { iov[i].iov_base, 1 };
		struct iovec last = { (char *)iov[i].iov_base +
					      iov[i].iov_len - 1,
				      1 };

		/* As its own side: the other must be pages, which what devices
		 * map need not be. */
		if (process_vm_writev(getpid(), &first, 1, &here, 1, 0) != 1 ||
		    process_vm_writev(getpid(), &last, 1, &here, 1, 0) != 1)
			return false;
	}
	return true;
}

static enum adev_dma_result vm_failure(struct adev_transfer *transfer,
				       struct iovec *local, uint32_t count,
				       int error)
{
	switch (error) {
	case ESRCH:
		return ADEV_DMA_GONE;
	case EPERM:
	case ENOSYS:
		/* Refused since the probe: from now on by the inbox. */
		atomic_store(&transfer->view->method, ADEV_DMA_BOUNCE);
		return ADEV_DMA_MORE;
	case ENOMEM:
	case EAGAIN:
	case EINTR:
		return ADEV_DMA_LATER;
	default:
		return local_accessible(local, count) ? ADEV_DMA_FAULT :
							ADEV_DMA_LOCAL_FAULT;
	}
}

/* Gives the last bytes of a list an iovec of their own. */
static uint32_t split_tail(struct iovec *iov, uint32_t count)
{
	struct iovec *last = &iov[count - 1];
	uint64_t tail = adev_dma_tail(
		(uintptr_t)last->iov_base + last->iov_len, last->iov_len);

	if (last->iov_len == tail)
		return count;
	last->iov_len -= tail;
	iov[count].iov_base = (char *)last->iov_base + last->iov_len;
	iov[count].iov_len = tail;
	return count + 1;
}

static enum adev_dma_result transfer_vm(struct adev_transfer *transfer,
					bool write)
{
	struct iovec local[ARNICA_HW_MAX_SGE + 1];
	struct iovec remote[ARNICA_HW_MAX_SGE + 1];
	uint64_t left = transfer->bytes - transfer->done;
	uint64_t part = left < transfer->allowance ? left : transfer->allowance;
	uint64_t covered;
	uint32_t num_local, num_remote;
	ssize_t moved;

	num_local = adev_gather_slice(transfer->local, transfer->done, part,
				      local, ARNICA_HW_MAX_SGE, &covered);
	num_remote = adev_gather_slice(transfer->remote, transfer->done,
				       covered, remote, ARNICA_HW_MAX_SGE,
				       &part);
	/* A list may have lost a range since it was checked. */
	if (!num_local)
		return ADEV_DMA_LOCAL_FAULT;
	if (!num_remote)
		return ADEV_DMA_FAULT;
	if (write && part == left)
		num_remote = split_tail(remote, num_remote);
	if (write)
		moved = process_vm_writev(transfer->view->pid, local,
					  num_local, remote, num_remote, 0);
	else
		moved = process_vm_readv(transfer->view->pid, local, num_local,
					 remote, num_remote, 0);
	if (moved <= 0)
		return vm_failure(transfer, local, num_local, errno);
	adev_count(&transfer->fn->counters, dma_process_vm);
	transfer->done += (uint64_t)moved;
	return transfer->done == transfer->bytes ? ADEV_DMA_DONE :
						   ADEV_DMA_MORE;
}

/* A copy within the process faulted: which side is it? */
static enum adev_dma_result own_fault(const struct adev_transfer *transfer)
{
	uint64_t done = 0;

	while (done < transfer->bytes) {
		char byte[64];
		uint64_t part = transfer->bytes - done;

		if (part > sizeof(byte))
			part = sizeof(byte);
		if (!adev_gather_read(transfer->local, done, byte, part))
			return ADEV_DMA_LOCAL_FAULT;
		done += part;
	}
	return ADEV_DMA_FAULT;
}

static char *mapped_piece(const struct adev_view *view,
			  const struct adev_piece *piece)
{
	return adev_dma_mapped(view, piece->stag, piece->address, piece->bytes);
}

/* One gather entry of `part` bytes. */
static enum adev_dma_result entry_here(struct adev_transfer *transfer,
				       const struct adev_gather *remote,
				       bool write, uint64_t part)
{
	switch (copy_local(write ? remote : transfer->local,
			   write ? transfer->local : remote, transfer->done,
			   part)) {
	case COPIED:
		break;
	case NO_PLACE_TO:
		return write ? ADEV_DMA_FAULT : ADEV_DMA_LOCAL_FAULT;
	case NO_PLACE_FROM:
		return write ? ADEV_DMA_LOCAL_FAULT : ADEV_DMA_FAULT;
	case COPY_FAULTED:
		return own_fault(transfer);
	}
	transfer->done += part;
	return transfer->done == transfer->bytes ? ADEV_DMA_DONE :
						   ADEV_DMA_MORE;
}

/* As many gather entries as are allowed, as long as nobody else wants to get at
 * the memory. */
static enum adev_dma_result transfer_here(struct adev_transfer *transfer,
					  const struct adev_gather *remote,
					  bool write)
{
	uint64_t left = transfer->bytes - transfer->done, part;
	enum adev_dma_result result;

	if (left > transfer->allowance)
		left = transfer->allowance;
	/* One turn must not take too long where each byte is elsewhere. */
	if (__builtin_expect(remote->num_lists || transfer->local->num_lists,
			     0) &&
	    left > LIST_CHUNK_BYTES)
		left = LIST_CHUNK_BYTES;
	do {
		part = left < ADEV_GATHER_ENTRY_BYTES ? left :
							ADEV_GATHER_ENTRY_BYTES;
		result = entry_here(transfer, remote, write, part);
		left -= part;
	} while (left && result == ADEV_DMA_MORE &&
		 !adev_sched_interrupts(&transfer->fn->scheduler,
					transfer->service_level));
	return result;
}

/* The next place of a list, in our own mapping: as a gather list in which it is
 * where the transfer has arrived. */
static bool mapped_place(const struct adev_transfer *transfer,
			 struct adev_gather *here)
{
	const struct adev_gather *remote = transfer->remote;
	const struct adev_piece *list = &remote->pieces[0];
	struct adev_piece *piece = &here->pieces[0];
	struct adev_tpt_place place;
	char *mapped;

	if (adev_tpt_list_place(transfer->view, list->stag, remote->list_pd,
				list->iova + transfer->done,
				transfer->bytes - transfer->done,
				remote->list_access, &place) != ADEV_TPT_OK)
		return false;
	*piece = (struct adev_piece){
		.address = place.address,
		.bytes = place.bytes,
		.stag = place.stag,
	};
	mapped = mapped_piece(transfer->view, piece);
	here->num_pieces = 1;
	here->num_lists = 0;
	here->bytes = piece->bytes = transfer->done + place.bytes;
	piece->address = (uintptr_t)mapped - transfer->done;
	return mapped != NULL;
}

/* As transfer_mapped(), for a list: as far as its places are mapped. */
static bool transfer_mapped_list(struct adev_transfer *transfer, bool write,
				 enum adev_dma_result *result)
{
	struct adev_gather here;
	uint32_t places;

	for (places = 0; places < LIST_PLACES; places++) {
		uint64_t whole = transfer->bytes;

		if (!mapped_place(transfer, &here))
			break;
		adev_count(&transfer->fn->counters, dma_shared);
		transfer->bytes = here.bytes;
		*result = transfer_here(transfer, &here, write);
		transfer->bytes = whole;
		if (*result != ADEV_DMA_DONE || transfer->done == whole)
			return true;
		*result = ADEV_DMA_MORE;
	}
	return places > 0;
}

/* Another process's memory that we have mapped as well. */
static bool transfer_mapped(struct adev_transfer *transfer, bool write,
			    enum adev_dma_result *result)
{
	struct adev_gather here;
	char *place;

	if (transfer->remote->num_pieces != 1 || transfer->inbox_slot >= 0)
		return false;
	if (__builtin_expect(transfer->remote->pieces[0].list != 0, 0))
		return transfer_mapped_list(transfer, write, result);
	place = mapped_piece(transfer->view, &transfer->remote->pieces[0]);
	if (!place)
		return false;
	here.num_pieces = 1;
	here.num_lists = 0;
	here.bytes = transfer->remote->bytes;
	here.pieces[0] = transfer->remote->pieces[0];
	here.pieces[0].address = (uint64_t)(uintptr_t)place;
	adev_count(&transfer->fn->counters, dma_shared);
	*result = transfer_here(transfer, &here, write);
	return true;
}

static enum adev_dma_result transfer(struct adev_transfer *transfer, bool write)
{
	enum adev_dma_result result;

	if (transfer->done == transfer->bytes)
		return ADEV_DMA_DONE;
	switch ((enum adev_dma_method)atomic_load_explicit(
		&transfer->view->method, memory_order_relaxed)) {
	case ADEV_DMA_LOCAL:
		return transfer_here(transfer, transfer->remote, write);
	case ADEV_DMA_PROCESS_VM:
		if (transfer_mapped(transfer, write, &result))
			return result;
		/* A transfer that began in the inbox ends there. */
		if (transfer->inbox_slot >= 0)
			break;
		result = transfer_vm(transfer, write);
		/* Its owner reaches more than the kernel does for us: memory of
		 * devices that is mapped (dma-bufs) has no pages. */
		if (__builtin_expect(result != ADEV_DMA_FAULT, 1) ||
		    transfer->unaided)
			return result;
		break;
	case ADEV_DMA_BOUNCE:
		if (transfer_mapped(transfer, write, &result))
			return result;
		break;
	}
	return adev_inbox_transfer(transfer, write);
}

/* Lists of our own are not changed while the transfer goes through them. */
static enum adev_dma_result transfer_lists(struct adev_transfer *t, bool write)
{
	uint32_t entered = adev_tpt_list_enter();
	enum adev_dma_result result = transfer(t, write);

	adev_tpt_list_leave(entered);
	return result;
}

enum adev_dma_result adev_dma_write(struct adev_transfer *t)
{
	if (__builtin_expect(t->local->num_lists != 0, 0))
		return transfer_lists(t, true);
	return transfer(t, true);
}

enum adev_dma_result adev_dma_read(struct adev_transfer *t)
{
	if (__builtin_expect(t->local->num_lists != 0, 0))
		return transfer_lists(t, false);
	return transfer(t, false);
}

int adev_dma_atomic_here(uint64_t address, enum adev_atomic atomic,
			 uint64_t swap_or_add, uint64_t compare,
			 uint64_t *original)
{
	_Atomic uint64_t *word = (_Atomic uint64_t *)(uintptr_t)address;
	jmp_buf escape;
	/* The machine's, which may be larger than ours. */
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	int error = adev_raw_madvise(address & ~(page - 1), page,
				     MADV_POPULATE_WRITE);

	/* EINVAL: a kernel before 5.14; the guard has to do. */
	if (error && error != EINVAL)
		return EFAULT;
	if (_setjmp(escape)) {
		adev_guard_escape = NULL;
		return EFAULT;
	}
	adev_guard_escape = &escape;
	switch (atomic) {
	case ADEV_ATOMIC_FETCH_ADD:
		*original = atomic_fetch_add(word, swap_or_add);
		break;
	case ADEV_ATOMIC_CAS:
		*original = compare;
		(void)atomic_compare_exchange_strong(word, original,
						     swap_or_add);
		break;
	case ADEV_ATOMIC_WRITE:
		*original = atomic_exchange(word, swap_or_add);
		break;
	}
	adev_guard_escape = NULL;
	return 0;
}

enum adev_dma_result adev_dma_atomic(struct adev_transfer *transfer,
				     enum adev_atomic atomic,
				     uint64_t swap_or_add, uint64_t compare,
				     uint64_t *original)
{
	uint64_t address = transfer->remote->pieces[0].address;

	if (atomic_load_explicit(&transfer->view->method,
				 memory_order_relaxed) != ADEV_DMA_LOCAL) {
		address = (uint64_t)(uintptr_t)mapped_piece(
			transfer->view, &transfer->remote->pieces[0]);
		if (!address || transfer->inbox_slot >= 0)
			return adev_inbox_atomic(transfer, atomic, swap_or_add,
						 compare, original);
	}
	if (adev_dma_atomic_here(address, atomic, swap_or_add, compare,
				 original))
		return ADEV_DMA_FAULT;
	return ADEV_DMA_DONE;
}

enum adev_dma_method adev_dma_probe(const struct adev_view *view)
{
	uint64_t word = 0;
	struct iovec local = { &word, sizeof(word) };
	struct iovec remote = {
		(void *)(uintptr_t)view->shared->probe_address, sizeof(word)
	};

	if (view->pid == getpid())
		return ADEV_DMA_LOCAL;
	if (process_vm_readv(view->pid, &local, 1, &remote, 1, 0) !=
		    sizeof(word) ||
	    word != view->generation)
		return ADEV_DMA_BOUNCE;
	/* Writing may be refused where reading is not: the word as it is. */
	if (process_vm_writev(view->pid, &local, 1, &remote, 1, 0) !=
	    sizeof(word))
		return ADEV_DMA_BOUNCE;
	return ADEV_DMA_PROCESS_VM;
}
