/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Moving a range to a file and back. Between the first and the last step this
 * thread must not touch what it moves, or it would wait for itself: everything
 * is on the stack, signals are blocked, and only system calls are made.
 */
#include "adopt/move.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>

#include <arnica/hw/limits.h>

#include "adopt/mappings.h"
#include "adopt/raw.h"
#include "adopt/trap.h"

/* Small enough to stay in the cache between two copies of a piece. */
#define PIECE_BYTES (1ull << 20)
#define HUGE_BYTES (2ull << 20)
#define ATTEMPTS 16u

bool adev_move_has_file(const struct adev_move *move)
{
	return adev_fd_is(move->fd, &move->file);
}

static uint64_t piece_at(const struct adev_move *move, uint64_t done)
{
	uint64_t left = move->bytes - done;

	return left < PIECE_BYTES ? left : PIECE_BYTES;
}

/* An address that is free; for large ranges, as far from a huge page's start as
 * the range is, so that whole page tables move. */
static int reserve(struct adev_move *move)
{
	bool aligned = move->bytes >= HUGE_BYTES;
	uint64_t room = move->bytes + (aligned ? HUGE_BYTES : 0);
	uint64_t place = 0, skip;
	int error = adev_raw_mmap(0, room, PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				  -1, 0, &place);

	if (error)
		return error;
	skip = aligned ? (move->start - place) & (HUGE_BYTES - 1) : 0;
	adev_raw_munmap(place, skip);
	adev_raw_munmap(place + skip + move->bytes,
			room - skip - move->bytes);
	move->parked = place + skip;
	return 0;
}

static bool write_piece(const struct adev_move *move, uint64_t done,
			uint64_t bytes)
{
	while (bytes) {
		long got = syscall(SYS_pwrite64, move->fd, move->parked + done,
				   bytes, move->offset + done);

		if (got == -1 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		done += (uint64_t)got;
		bytes -= (uint64_t)got;
	}
	return true;
}

static bool read_piece(const struct adev_move *move, uint64_t done,
		       uint64_t bytes)
{
	while (bytes) {
		long got = syscall(SYS_pread64, move->fd, move->parked + done,
				   bytes, move->offset + done);

		if (got == -1 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		done += (uint64_t)got;
		bytes -= (uint64_t)got;
	}
	return true;
}

/* The file gives the memory of a piece back. */
static void punch(const struct adev_move *move, uint64_t done, uint64_t bytes)
{
	(void)syscall(SYS_fallocate, move->fd,
		      FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      move->offset + done, bytes);
}

/* So do the parked pages. */
static void drop(const struct adev_move *move, uint64_t done, uint64_t bytes)
{
	(void)adev_raw_madvise(move->parked + done, bytes, MADV_DONTNEED);
}

/* From the parked mapping to the file; *done says how far it came. */
static bool pages_to_file(const struct adev_move *move, uint64_t *done)
{
	while (*done < move->bytes) {
		uint64_t bytes = piece_at(move, *done);

		if (!write_piece(move, *done, bytes))
			return false;
		drop(move, *done, bytes);
		*done += bytes;
	}
	return true;
}

/* A kernel before 5.14 cannot say beforehand that there is no memory. */
static bool populate(const struct adev_move *move, uint64_t done,
		     uint64_t bytes)
{
	int error = adev_raw_madvise(move->parked + done, bytes,
				     MADV_POPULATE_WRITE);

	return !error || error == EINVAL;
}

static bool pages_from_file(const struct adev_move *move, uint64_t *done)
{
	while (*done < move->bytes) {
		uint64_t bytes = piece_at(move, *done);

		if (!populate(move, *done, bytes) ||
		    !read_piece(move, *done, bytes))
			return false;
		punch(move, *done, bytes);
		*done += bytes;
	}
	return true;
}

/*
 * Undoing needs no more memory than was given back before, so it succeeds unless
 * somebody else took that first; then it is tried again. What remains after that
 * is a machine without memory, where the next store of the program would have
 * ended it as well.
 */
static void undo_to_file(const struct adev_move *move, uint64_t end)
{
	uint64_t done, bytes;
	unsigned int attempt;

	for (done = 0; done < end; done += bytes) {
		bytes = piece_at(move, done);
		for (attempt = 0; attempt < ATTEMPTS; attempt++)
			if (read_piece(move, done, bytes))
				break;
		punch(move, done, bytes);
	}
}

static void undo_from_file(const struct adev_move *move, uint64_t end)
{
	uint64_t done, bytes;
	unsigned int attempt;

	for (done = 0; done < end; done += bytes) {
		bytes = piece_at(move, done);
		for (attempt = 0; attempt < ATTEMPTS; attempt++)
			if (write_piece(move, done, bytes))
				break;
		drop(move, done, bytes);
	}
}

static int set_aside(const struct adev_move *move)
{
	return adev_raw_mremap(move->start, move->bytes, MREMAP_DONTUNMAP,
			       move->parked);
}

/* The parked mapping is the range's again. For want of kernel memory it may
 * take more than one attempt. */
static int put_back(const struct adev_move *move)
{
	unsigned int attempt;
	int error = ENOMEM;

	for (attempt = 0; attempt < ATTEMPTS && error == ENOMEM; attempt++)
		error = adev_raw_mremap(move->parked, move->bytes, 0,
					move->start);
	return error;
}

/* The children of a fork do without the range: see adopt/fork.c. */
static int map_file(const struct adev_move *move)
{
	uint64_t place;
	int error = adev_raw_mmap(move->start, move->bytes,
				  PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_FIXED | MAP_POPULATE |
					  MAP_NORESERVE,
				  move->fd, move->offset, &place);

	return error ? error :
		       adev_raw_madvise(move->start, move->bytes,
					MADV_DONTFORK);
}

/* The range is set aside, and whoever wants it waits. When it fails, nothing is
 * parked: from put_back() on, the place may be another thread's. */
static int exchange(const struct adev_move *move)
{
	uint64_t done = 0;
	int error;

	error = set_aside(move);
	if (error) {
		adev_raw_munmap(move->parked, move->bytes);
		return error;
	}
	error = pages_to_file(move, &done) ? map_file(move) : ENOMEM;
	if (!error)
		return 0;
	/* The piece that did not fit is still whole where it was. */
	if (done < move->bytes)
		punch(move, done, piece_at(move, done));
	undo_to_file(move, done);
	(void)put_back(move);
	return error;
}

static void block_signals(sigset_t *before)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, before);
}

int adev_move_out(struct adev_move *move, bool trapped)
{
	struct adev_trap trap = { .fd = -1 };
	sigset_t signals;
	int error = adev_move_has_file(move) ? reserve(move) : EBADF;

	if (error)
		return error;
	block_signals(&signals);
	if (trapped)
		error = adev_trap_set(&trap, ADEV_TRAP_MISSING, move->start,
				      move->bytes);
	if (error)
		adev_raw_munmap(move->parked, move->bytes);
	else
		error = exchange(move);
	adev_trap_release(&trap);
	pthread_sigmask(SIG_SETMASK, &signals, NULL);
	return error;
}

/* Whoever wants the range from here on waits. */
static int exchange_back(const struct adev_move *move, int rights, bool trapped)
{
	uint64_t done = 0;
	int error = trapped ? adev_raw_madvise(move->start, move->bytes,
					       MADV_DONTNEED) :
			      0;

	if (error)
		return error;
	error = pages_from_file(move, &done) ? 0 : ENOMEM;
	if (!error && rights != (PROT_READ | PROT_WRITE))
		error = adev_raw_mprotect(move->parked, move->bytes, rights);
	if (!error)
		error = put_back(move);
	if (!error)
		return 0;
	(void)adev_raw_mprotect(move->parked, move->bytes,
				PROT_READ | PROT_WRITE);
	undo_from_file(move, done);
	if (done < move->bytes)
		drop(move, done, piece_at(move, done));
	/* An attempt to put the mapping back may have removed the other. */
	if (done == move->bytes && !map_file(move))
		(void)adev_raw_mprotect(move->start, move->bytes, rights);
	return error;
}

int adev_move_back(const struct adev_move *move, int rights, bool trapped)
{
	struct adev_trap trap = { .fd = -1 };
	sigset_t signals;
	int error = 0;

	if (!adev_move_has_file(move))
		return EBADF;
	block_signals(&signals);
	if (trapped)
		error = adev_trap_set(&trap, ADEV_TRAP_UNMAPPED, move->start,
				      move->bytes);
	if (!error)
		error = exchange_back(move, rights, trapped);
	adev_trap_release(&trap);
	pthread_sigmask(SIG_SETMASK, &signals, NULL);
	return error;
}

int adev_move_snapshot(const struct adev_move *move)
{
	uint64_t done, bytes;

	if (!adev_move_has_file(move))
		return EBADF;
	for (done = 0; done < move->bytes; done += bytes) {
		bytes = piece_at(move, done);
		if (!populate(move, done, bytes) ||
		    !read_piece(move, done, bytes))
			return ENOMEM;
	}
	return 0;
}

/* What a child gets of a range. */
struct child {
	const struct adev_move *move;
	int rights;
};

/* Pages of it from `inside` on take their place. */
static int put_back_part(const struct child *child, uint64_t inside,
			 uint64_t bytes)
{
	struct adev_move part = {
		.start = child->move->start + inside,
		.bytes = bytes,
		.parked = child->move->parked + inside,
	};
	int error = put_back(&part);

	if (!error && child->rights != (PROT_READ | PROT_WRITE))
		(void)adev_raw_mprotect(part.start, bytes, child->rights);
	return error;
}

/* One mapping of what is parked, which may be a part of it only. */
static bool put_back_mapping(const struct adev_vma *vma, void *argument)
{
	const struct child *child = argument;
	uint64_t parked = child->move->parked;
	uint64_t end = parked + child->move->bytes;
	uint64_t from = vma->start > parked ? vma->start : parked;

	if (vma->end < end)
		end = vma->end;
	(void)put_back_part(child, from - parked, end - from);
	return true;
}

/* mincore() fails where nothing is mapped. */
static bool is_free(uint64_t page)
{
	unsigned char there;

	return syscall(SYS_mincore, page, ARNICA_HW_PAGE_BYTES, &there) == -1 &&
	       errno == ENOMEM;
}

/* Page by page, wherever nothing else is. */
static void put_back_pages(const struct child *child)
{
	uint64_t inside;

	for (inside = 0; inside < child->move->bytes;
	     inside += ARNICA_HW_PAGE_BYTES)
		if (is_free(child->move->start + inside))
			(void)put_back_part(child, inside,
					    ARNICA_HW_PAGE_BYTES);
}

void adev_move_child(const struct adev_move *move, int rights)
{
	struct child child = { .move = move, .rights = rights };

	/* Parts that are left out of the child at the application's own wish
	 * make holes, where a call for all of it would end. */
	if (rights == (PROT_READ | PROT_WRITE) && put_back(move) != EFAULT)
		return;
	if (adev_mappings_visit(move->parked, move->parked + move->bytes,
				put_back_mapping, &child))
		put_back_pages(&child);
}

void adev_move_child_unseen(const struct adev_move *move)
{
	const struct child child = { .move = move,
				     .rights = PROT_READ | PROT_WRITE };

	put_back_pages(&child);
}

void adev_move_forget_snapshot(const struct adev_move *move)
{
	drop(move, 0, move->bytes);
}
