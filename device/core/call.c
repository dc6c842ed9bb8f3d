/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Calls among functions: both sides of the slots. */
#include "core/call.h"

#include <string.h>

#include "core/clock.h"
#include "core/qp_lock.h"
#include "domain/directory.h"
#include "trace.h"

#define LIMIT_NS (2000 * ADEV_MS_NS)

static uint64_t word_of(enum adev_call_state state, uint32_t function)
{
	return (uint64_t)(function + 1u) << 32 | (uint32_t)state;
}

static enum adev_call_state state_of(uint64_t word)
{
	return (enum adev_call_state)(uint32_t)word;
}

/* Nobody will come back to it: free, or a caller's that has ended. */
static bool is_ownerless(const struct adev_function *fn, uint64_t word)
{
	enum adev_call_state state = state_of(word);

	if (state == ADEV_CALL_FREE)
		return true;
	/* The callee is at these, and frees them. */
	if (state == ADEV_CALL_RUNNING || state == ADEV_CALL_ABANDONED)
		return false;
	return !adev_qp_holder_alive(fn, word);
}

static struct adev_call_slot *claim(const struct adev_function *fn,
				    const struct adev_view *to)
{
	uint32_t i;

	for (i = 0; i < ADEV_CALL_SLOTS; i++) {
		struct adev_call_slot *slot = &to->shared->calls[i];
		uint64_t word = atomic_load(&slot->word);

		if (is_ownerless(fn, word) &&
		    atomic_compare_exchange_strong(
			    &slot->word, &word,
			    word_of(ADEV_CALL_CLAIMED, fn->view.function)))
			return slot;
	}
	return NULL;
}

static void post(const struct adev_function *fn, const struct adev_view *to,
		 struct adev_call_slot *slot, const struct adev_call *call)
{
	atomic_store_explicit(&slot->generation, fn->view.generation,
			      memory_order_relaxed);
	slot->operation = call->operation;
	memcpy(slot->arguments, call->arguments, sizeof(slot->arguments));
	/* P10: the question is complete before it is posted; C10 in answer(). */
	atomic_store_explicit(&slot->word,
			      word_of(ADEV_CALL_POSTED, fn->view.function),
			      memory_order_release);
	atomic_store(&to->shared->calls_posted, 1);
	adev_view_kick(to);
}

/* Nobody waits any more. False: it has just been answered. */
static bool abandon(const struct adev_function *fn, struct adev_call_slot *slot)
{
	uint32_t self = fn->view.function;
	uint64_t word = word_of(ADEV_CALL_POSTED, self);

	if (atomic_compare_exchange_strong(&slot->word, &word, 0))
		return true;
	return state_of(word) == ADEV_CALL_RUNNING &&
	       atomic_compare_exchange_strong(
		       &slot->word, &word,
		       word_of(ADEV_CALL_ABANDONED, self));
}

static void answer_all(struct adev_function *fn);

/* A little later. Meanwhile the callee, or somebody who waits for this function
 * first, may have a question of his own. */
static void rest(struct adev_function *fn)
{
	if (atomic_load_explicit(&fn->view.shared->calls_posted,
				 memory_order_relaxed))
		answer_all(fn);
	adev_rest();
}

static bool is_alive(const struct adev_function *fn, const struct adev_view *to)
{
	return adev_directory_alive(fn->directory, to->function,
				    to->generation);
}

/* The question is on its way; else somebody was at the slot who has nothing to
 * do with it, and no answer will come. */
static bool is_under_way(const struct adev_function *fn, uint64_t word)
{
	return word == word_of(ADEV_CALL_POSTED, fn->view.function) ||
	       word == word_of(ADEV_CALL_RUNNING, fn->view.function);
}

enum arnica_hw_command_status adev_call(struct adev_function *fn,
					const struct adev_view *to,
					struct adev_call *call)
{
	uint64_t until = adev_now_ns() + LIMIT_NS;
	uint64_t done = word_of(ADEV_CALL_DONE, fn->view.function), word;
	struct adev_call_slot *slot;
	enum arnica_hw_command_status status;

	while (!(slot = claim(fn, to))) {
		if (!is_alive(fn, to))
			return ARNICA_HW_COMMAND_IO;
		if (adev_now_ns() > until)
			return ARNICA_HW_COMMAND_BUSY;
		rest(fn);
	}
	post(fn, to, slot, call);
	/* C11: pairs with P11 in answer(). */
	while ((word = atomic_load_explicit(&slot->word,
					    memory_order_acquire)) != done) {
		if (!is_under_way(fn, word) || !is_alive(fn, to))
			return ARNICA_HW_COMMAND_IO;
		if (adev_now_ns() > until && abandon(fn, slot))
			return ARNICA_HW_COMMAND_BUSY;
		rest(fn);
	}
	status = (enum arnica_hw_command_status)slot->status;
	memcpy(call->answers, slot->answers, sizeof(call->answers));
	atomic_store_explicit(&slot->word, 0, memory_order_release);
	return status;
}

static void answer(struct adev_function *fn, struct adev_call_slot *slot,
		   uint32_t function)
{
	uint64_t running = word_of(ADEV_CALL_RUNNING, function);
	struct adev_caller caller = {
		.function = function,
		.generation = slot->generation,
	};
	struct adev_call call = {
		.operation = (enum adev_call_operation)slot->operation,
	};
	enum arnica_hw_command_status status = ARNICA_HW_COMMAND_NO_OBJECT;

	memcpy(call.arguments, slot->arguments, sizeof(call.arguments));
	if (adev_directory_alive(fn->directory, caller.function,
				 caller.generation))
		status = adev_call_answer(fn, &caller, &call);
	if (status != ARNICA_HW_COMMAND_OK) {
		adev_count(&fn->counters, calls_refused);
		arnica_trace_call_refused(call.operation, status);
	}
	memcpy(slot->answers, call.answers, sizeof(slot->answers));
	slot->status = status;
	/* P11: the answer is complete before it is told. */
	if (atomic_compare_exchange_strong(&slot->word, &running,
					   word_of(ADEV_CALL_DONE, function)))
		return;
	/* Abandoned, or wiped out. */
	if (status == ARNICA_HW_COMMAND_OK)
		adev_call_undo(fn, &caller, &call);
	atomic_store(&slot->word, 0);
}

/* Frees what its caller will not take, because his function ended; another may
 * have its number by now, so that others take him for alive. */
static void sweep(const struct adev_function *fn, struct adev_call_slot *slot,
		  uint64_t word)
{
	uint64_t generation = atomic_load_explicit(&slot->generation,
						   memory_order_relaxed);

	/* Only with the command lock a call gets done: this is the same one. */
	if (!adev_directory_alive(fn->directory, (uint32_t)(word >> 32) - 1u,
				  generation))
		(void)atomic_compare_exchange_strong(&slot->word, &word, 0);
}

static void answer_all(struct adev_function *fn)
{
	struct adev_shared *shared = fn->view.shared;
	uint32_t i;

	if (!atomic_exchange(&shared->calls_posted, 0))
		return;
	for (i = 0; i < ADEV_CALL_SLOTS; i++) {
		struct adev_call_slot *slot = &shared->calls[i];
		/* C10: pairs with P10. */
		uint64_t word = atomic_load(&slot->word);
		uint32_t function = (uint32_t)(word >> 32) - 1u;

		if (state_of(word) == ADEV_CALL_POSTED &&
		    atomic_compare_exchange_strong(
			    &slot->word, &word,
			    word_of(ADEV_CALL_RUNNING, function)))
			answer(fn, slot, function);
		else if (state_of(word) == ADEV_CALL_DONE)
			sweep(fn, slot, word);
	}
}

bool adev_calls_serve(struct adev_function *fn)
{
	if (!atomic_load_explicit(&fn->view.shared->calls_posted,
				  memory_order_relaxed))
		return false;
	/* The agent waits for nobody's command. */
	if (pthread_mutex_trylock(&fn->command_lock))
		return true;
	answer_all(fn);
	pthread_mutex_unlock(&fn->command_lock);
	return false;
}
