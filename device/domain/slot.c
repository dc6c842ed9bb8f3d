/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "domain/slot.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "domain/block.h"
#include "domain/life.h"
#include "domain/multicast.h"
#include "domain/proc.h"
#include "settings.h"

/* A status that keeps changing under a reader is somebody's mischief. */
#define STATUS_ROUNDS 8

static uint32_t status_tid(uint64_t status)
{
	return (uint32_t)arnica_field_get(status, ADEV_STATUS_TID_MASK);
}

static bool status_is(uint64_t status, enum adev_slot_state state)
{
	return (status & ADEV_STATUS_STATE_MASK) == (uint64_t)state;
}

static uint64_t status_with(uint64_t status, enum adev_slot_state state)
{
	return (status & ~ADEV_STATUS_STATE_MASK) | state;
}

/* The life word belongs to the agent that this status names. */
static bool life_fits(uint32_t life, uint64_t status)
{
	return !adev_life_is_free(life) &&
	       (life & ADEV_LIFE_TID_MASK) == status_tid(status);
}

static uint64_t load_status(const struct adev_slot *slot)
{
	return atomic_load_explicit(&slot->status, memory_order_acquire);
}

static bool change_status(struct adev_slot *slot, uint64_t status,
			  enum adev_slot_state state)
{
	return atomic_compare_exchange_strong_explicit(
		&slot->status, &status, status_with(status, state),
		memory_order_acq_rel, memory_order_relaxed);
}

/* The status is loaded before the life word and once more after it: a function
 * that leaves closes its status first, and is not dead for having let go. */
static bool is_dead(const struct adev_slot *slot, uint64_t status)
{
	uint32_t life = atomic_load_explicit(&slot->life, memory_order_acquire);

	return status_is(status, ADEV_SLOT_RUNNING) &&
	       !life_fits(life, status) && load_status(slot) == status;
}

static enum adev_life judge(const struct adev_slot *slot, uint64_t status)
{
	switch ((enum adev_slot_state)(status & ADEV_STATUS_STATE_MASK)) {
	case ADEV_SLOT_RUNNING:
		return is_dead(slot, status) ? ADEV_LIFE_DEAD :
					       ADEV_LIFE_RUNNING;
	case ADEV_SLOT_CLOSED:
		return ADEV_LIFE_CLOSED;
	case ADEV_SLOT_DEAD:
		return ADEV_LIFE_DEAD;
	case ADEV_SLOT_UNUSED:
		break;
	}
	return ADEV_LIFE_UNKNOWN;
}

enum adev_life adev_directory_life(const struct adev_directory *directory,
				   uint32_t function, uint64_t generation)
{
	const struct adev_slot *slot =
		&directory->table->slots[function % ADEV_FUNCTIONS];
	enum adev_life life = ADEV_LIFE_UNKNOWN;
	uint64_t status = load_status(slot);
	uint64_t before;
	int i;

	for (i = 0; i < STATUS_ROUNDS; i++) {
		if (status >> ADEV_STATUS_GENERATION_SHIFT !=
		    adev_status_encode(generation, 0, ADEV_SLOT_UNUSED) >>
			    ADEV_STATUS_GENERATION_SHIFT)
			return ADEV_LIFE_UNKNOWN;
		life = judge(slot, status);
		before = status;
		status = load_status(slot);
		if (status == before)
			break;
	}
	return life;
}

int adev_slot_read(const struct adev_directory *directory, uint32_t function,
		   uint64_t generation, struct adev_slot_view *view)
{
	const struct adev_slot *slot =
		&directory->table->slots[function % ADEV_FUNCTIONS];
	uint64_t status = load_status(slot);
	/* S2: acquire, so that who reads the words of a later owner also reads
	 * that owner's status below; pairs with S1 in describe(). */
	const memory_order order = memory_order_acquire;

	if (function >= ADEV_FUNCTIONS ||
	    !adev_directory_alive(directory, function, generation) ||
	    atomic_load_explicit(&slot->generation, order) != generation)
		return ENOENT;
	view->pid = (pid_t)atomic_load_explicit(&slot->pid, order);
	view->tid = (pid_t)status_tid(status);
	view->start_time = atomic_load_explicit(&slot->start_time, order);
	view->pid_namespace = atomic_load_explicit(&slot->pid_namespace, order);
	view->segment_inode = atomic_load_explicit(&slot->segment_inode, order);
	view->wake_inode = atomic_load_explicit(&slot->wake_inode, order);
	view->segment_fd = (int)atomic_load_explicit(&slot->segment_fd, order);
	view->wake_fd = (int)atomic_load_explicit(&slot->wake_fd, order);
	view->beacon_inode = atomic_load_explicit(&slot->beacon_inode, order);
	view->beacon_fd = (int)atomic_load_explicit(&slot->beacon_fd, order);
	if (load_status(slot) != status)
		return ENOENT;
	return view->pid > 0 && view->segment_fd >= 0 && view->wake_fd >= 0 ?
		       0 :
		       EPROTO;
}

bool adev_directory_forces_wire(const struct adev_directory *directory,
				uint32_t function, uint64_t generation)
{
	const struct adev_slot *slot =
		&directory->table->slots[function % ADEV_FUNCTIONS];

	/* S2. What a former owner said stays where the next one is of an older
	 * build, which does not know the word. */
	return atomic_load_explicit(&slot->forces_wire, memory_order_acquire) ==
		       (uint32_t)generation &&
	       adev_directory_alive(directory, function, generation);
}

bool adev_directory_is_on_wire(const struct adev_directory *directory,
			       uint32_t function, uint64_t generation)
{
	uint64_t wire = atomic_load_explicit(
		&directory->table->slots[function % ADEV_FUNCTIONS].wire,
		memory_order_relaxed);

	return wire & ADEV_WIRE_MEMBER &&
	       wire >> ADEV_WIRE_GENERATION_SHIFT == (uint32_t)generation;
}

int adev_slot_check_process(const struct adev_slot_view *view)
{
	uint64_t ticks;
	int error;

	if (view->pid_namespace != adev_proc_namespace("pid"))
		return 0;
	error = adev_proc_start_time(view->pid, view->tid, &ticks);
	if (error == ESRCH)
		return ESRCH;
	/* Zero: the owner could not tell when it started. */
	return !error && view->start_time && ticks != view->start_time ? ESRCH :
									 0;
}

int adev_directory_pid(const struct adev_directory *directory,
		       uint32_t function, uint64_t generation, pid_t *pid)
{
	struct adev_slot_view view;
	int error = adev_slot_read(directory, function, generation, &view);

	if (error)
		return error;
	if (view.pid_namespace != adev_proc_namespace("pid"))
		return EACCES;
	*pid = view.pid;
	return 0;
}

static int inspect(int fd, mode_t type, _Atomic uint64_t *inode,
		   _Atomic uint32_t *number)
{
	struct stat status;

	/* Asked of the kernel: by name the stand-in for it shows a device file
	 * as a device. */
	if (syscall(SYS_fstat, fd, &status) != 0)
		return errno;
	if ((status.st_mode & S_IFMT) != type)
		return EINVAL;
	atomic_store_explicit(inode, status.st_ino, memory_order_release);
	atomic_store_explicit(number, (uint32_t)fd, memory_order_release);
	return 0;
}

/* S1: release, pairs with S2 in adev_slot_read(). The caller owns the life
 * word, and the status does not say RUNNING. */
static int describe(struct adev_slot *slot, int segment_fd, int wake_fd,
		    int beacon_fd, uint64_t generation)
{
	const memory_order order = memory_order_release;
	uint64_t ticks = 0;
	int error;

	error = inspect(segment_fd, S_IFREG, &slot->segment_inode,
			&slot->segment_fd);
	if (!error)
		error = inspect(wake_fd, S_IFIFO, &slot->wake_inode,
				&slot->wake_fd);
	atomic_store_explicit(&slot->beacon_inode, 0, order);
	if (!error && beacon_fd >= 0)
		error = inspect(beacon_fd, S_IFIFO, &slot->beacon_inode,
				&slot->beacon_fd);
	if (error)
		return error;
	if (adev_proc_start_time(getpid(), gettid(), &ticks) != 0)
		ticks = 0;
	atomic_store_explicit(&slot->pid, (uint32_t)getpid(), order);
	atomic_store_explicit(&slot->start_time, ticks, order);
	atomic_store_explicit(&slot->pid_namespace, adev_proc_namespace("pid"),
			      order);
	atomic_store_explicit(&slot->net_namespace, adev_proc_namespace("net"),
			      order);
	atomic_store_explicit(&slot->forces_wire,
			      arnica_setting_is_off(ARNICA_SETTING(LOOPBACK)) ?
				      (uint32_t)generation :
				      0,
			      order);
	atomic_store_explicit(&slot->generation, generation, order);
	return 0;
}

/* A slot that nobody owns: taken. EBUSY: owned; others: no slot will do. */
static int claim(struct adev_directory *directory, uint32_t function)
{
	struct adev_slot *slot = &directory->table->slots[function];
	uint32_t life = atomic_load_explicit(&slot->life, memory_order_acquire);
	uint64_t status;
	int error;

	if (!adev_life_is_free(life))
		return EBUSY;
	error = adev_life_take(directory->shadow, function, life);
	if (error)
		return error;
	/* The last owner died and nobody noticed yet. */
	status = load_status(slot);
	if (status_is(status, ADEV_SLOT_RUNNING))
		change_status(slot, status, ADEV_SLOT_DEAD);
	return 0;
}

static int claim_any(struct adev_directory *directory, uint32_t *function)
{
	/* From a random one on, so that slots are used again late and peers
	 * can long ask what became of a function. */
	uint32_t start = (uint32_t)adev_proc_random() % ADEV_FUNCTIONS;
	uint32_t i;
	int error;

	for (i = 0; i < ADEV_FUNCTIONS; i++) {
		*function = (start + i) % ADEV_FUNCTIONS;
		error = claim(directory, *function);
		if (error != EBUSY)
			return error;
	}
	return ENOSPC;
}

/* The kernel missed the end of a thread (out of memory: its list was gone
 * before it was walked), or the machine has no robust futexes. */
void adev_directory_ask(struct adev_directory *directory, uint32_t function)
{
	struct adev_slot *slot = &directory->table->slots[function];
	uint32_t life = atomic_load_explicit(&slot->life, memory_order_acquire);
	uint64_t generation = atomic_load_explicit(&slot->generation,
						   memory_order_acquire);
	struct adev_slot_view view;

	if (adev_slot_read(directory, function, generation, &view) == 0 &&
	    (uint32_t)view.tid == (life & ADEV_LIFE_TID_MASK) &&
	    adev_slot_check_process(&view) == ESRCH)
		atomic_compare_exchange_strong(&slot->life, &life,
					       ADEV_LIFE_OWNER_DIED);
}

static uint32_t reap(struct adev_directory *directory, bool ask_proc)
{
	uint32_t found = 0;
	uint32_t i;

	for (i = 0; i < ADEV_FUNCTIONS; i++) {
		struct adev_slot *slot = &directory->table->slots[i];
		uint64_t status = load_status(slot);

		if (!status_is(status, ADEV_SLOT_RUNNING))
			continue;
		if (ask_proc)
			adev_directory_ask(directory, i);
		if (is_dead(slot, status) &&
		    change_status(slot, status, ADEV_SLOT_DEAD))
			found++;
	}
	/* Always: who found the dead may have been killed before this. */
	adev_block_sweep(directory);
	return found;
}

uint32_t adev_directory_reap(struct adev_directory *directory)
{
	return reap(directory, true);
}

int adev_directory_enter(struct adev_directory *directory, int segment_fd,
			 uint64_t generation, int wake_fd, int beacon_fd,
			 uint32_t *function)
{
	struct adev_slot *slot;
	int error;

	reap(directory, false);
	error = claim_any(directory, function);
	if (error)
		return error;
	slot = &directory->table->slots[*function];
	error = describe(slot, segment_fd, wake_fd, beacon_fd, generation);
	if (error) {
		adev_life_drop(directory->shadow, *function);
		return error;
	}
	/* Of an owner that died. */
	adev_directory_attached(directory, *function, false);
	atomic_store_explicit(&slot->status,
			      adev_status_encode(generation, (uint32_t)gettid(),
						 ADEV_SLOT_RUNNING),
			      memory_order_release);
	return 0;
}

void adev_directory_leave(struct adev_directory *directory, uint32_t function)
{
	struct adev_slot *slot;
	uint64_t status;
	uint64_t generation;

	if (function >= ADEV_FUNCTIONS ||
	    !adev_life_is_mine(directory->shadow, function))
		return;
	slot = &directory->table->slots[function];
	status = load_status(slot);
	generation = atomic_load_explicit(&slot->generation,
					  memory_order_relaxed);
	if (status_is(status, ADEV_SLOT_RUNNING) &&
	    status_tid(status) == (uint32_t)gettid())
		change_status(slot, status, ADEV_SLOT_CLOSED);
	adev_block_return_all(directory, function, generation);
	adev_directory_attached(directory, function, false);
	adev_life_drop(directory->shadow, function);
}
