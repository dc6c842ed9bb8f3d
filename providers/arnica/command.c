/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Posting commands to the control queue and waiting for them; see command.h.
 */
#include "command.h"
#include "mirror.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include "spinlock.h"

#define SPINS_BEFORE_YIELD 1000u
#define YIELDS_BEFORE_SLEEP 1000u
#define SLEEP_NS 50000

int arnica_command_init(struct arnica_command_queue *queue,
			struct arnica_bus *bus)
{
	queue->bus = bus;
	queue->next = 0;
	atomic_init(&queue->used, false);
	queue->renew = NULL;
	atomic_init(&queue->orphaned, false);
	queue->slots = arnica_bus_map(
		bus, arnica_bus_cqp_offset(bus),
		ARNICA_HW_CQP_DEPTH * sizeof(struct arnica_hw_cqp_slot));
	if (!queue->slots)
		return EIO;
	pthread_mutex_init(&queue->mutex, NULL);
	return 0;
}

void arnica_command_fini(struct arnica_command_queue *queue)
{
	pthread_mutex_destroy(&queue->mutex);
}

int arnica_command_errno(uint32_t status)
{
#define STATUS_CASE(name, number, error, text)                                 \
	case number:                                                           \
		return error;

	switch (status) {
		ARNICA_HW_COMMAND_STATUS_LIST(STATUS_CASE)
	default:
		return EIO;
	}
#undef STATUS_CASE
}

/* True when the completion of command `index` is there; false when the
 * function died first. */
static bool wait_for_completion(struct arnica_command_queue *queue,
				const struct arnica_hw_completion *completion,
				uint32_t index)
{
	uint32_t rounds = 0;

	/* C4: pairs with the adapter's release of a command's completion. */
	while (arnica_load32(&completion->sequence, memory_order_acquire) !=
	       index + 1) {
		rounds++;
		if (rounds < SPINS_BEFORE_YIELD) {
			arnica_cpu_pause();
			continue;
		}
		if (!arnica_bus_alive(queue->bus))
			return false;
		arnica_bus_poll(queue->bus);
		if (rounds < SPINS_BEFORE_YIELD + YIELDS_BEFORE_SLEEP) {
			sched_yield();
		} else {
			struct timespec pause = { .tv_nsec = SLEEP_NS };

			nanosleep(&pause, NULL);
		}
	}
	return true;
}

/* The opcode is stored last: with it the slot counts as posted (label P6), so
 * that whoever runs the adapter next may take it, doorbell or not. */
static void post(struct arnica_hw_command *slot,
		 const struct arnica_hw_command *command)
{
	const size_t body = offsetof(struct arnica_hw_command, bytes);

	slot->reserved0 = command->reserved0;
	memcpy(slot->bytes, command->bytes, sizeof(*slot) - body);
	__atomic_store_n(&slot->opcode.raw, command->opcode.raw,
			 __ATOMIC_RELEASE);
}

static bool is_question(const struct arnica_hw_command *command)
{
	uint32_t opcode = arnica_from_le32(command->opcode);

	return opcode == ARNICA_HW_CMD_QUERY_DEVICE ||
	       opcode == ARNICA_HW_CMD_QUERY_PORT ||
	       opcode == ARNICA_HW_CMD_QUERY_STAG ||
	       opcode == ARNICA_HW_CMD_QUERY_SCHEDULER ||
	       opcode == ARNICA_HW_CMD_QUERY_BEGUN ||
	       opcode == ARNICA_HW_CMD_QUERY_FLOW ||
	       opcode == ARNICA_HW_CMD_SET_MIRROR;
}

static int execute_locked(struct arnica_command_queue *queue,
			  const struct arnica_hw_command *command,
			  struct arnica_hw_completion *answer)
{
	uint32_t index = queue->next;
	struct arnica_hw_cqp_slot *slot =
		&queue->slots[index % ARNICA_HW_CQP_DEPTH];
	int error;

	if (!is_question(command))
		atomic_store_explicit(&queue->used, true, memory_order_relaxed);
	post(&slot->command, command);
	queue->next++;
	arnica_bus_doorbell(queue->bus, 0, ARNICA_HW_DB_CQP, 0);
	if (!wait_for_completion(queue, &slot->completion, index))
		return EIO;
	if (answer)
		memcpy(answer->bytes, slot->completion.bytes,
		       sizeof(answer->bytes));
	error = arnica_command_errno(
		arnica_from_le32(slot->completion.status));
	if (!error && queue->mirror)
		arnica_mirror_command(queue->mirror, command,
				      &slot->completion);
	return error;
}

int arnica_command_ready(struct arnica_command_queue *queue)
{
	if (atomic_load_explicit(&queue->orphaned, memory_order_acquire)) {
		int error = queue->renew ? queue->renew(queue) : EIO;

		if (error)
			return error;
	}
	return arnica_bus_alive(queue->bus) ? 0 : EIO;
}

int arnica_command_execute(struct arnica_command_queue *queue,
			   const struct arnica_hw_command *command,
			   struct arnica_hw_completion *answer)
{
	/* A forked child must not touch the mutex: its owner may be gone. */
	int error = arnica_command_ready(queue), cancel;

	if (error)
		return error;
	/* A thread that is cancelled finishes its command first. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	pthread_mutex_lock(&queue->mutex);
	error = execute_locked(queue, command, answer);
	pthread_mutex_unlock(&queue->mutex);
	pthread_setcancelstate(cancel, NULL);
	return error;
}

int arnica_command_object(struct arnica_command_queue *queue,
			  enum arnica_hw_command_opcode opcode, uint32_t handle)
{
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(opcode),
		.object = { .handle = arnica_to_le32(handle) },
	};

	return arnica_command_execute(queue, &command, NULL);
}

void arnica_command_undo(struct arnica_command_queue *queue,
			 enum arnica_hw_command_opcode opcode, uint32_t handle)
{
	int error = arnica_command_object(queue, opcode, handle);

	(void)error;
}
