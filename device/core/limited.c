/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A function under the port's limit, and queue pairs with a pace. */
#include "core/limited.h"

#include <errno.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/function.h"
#include "domain/directory.h"
#include "domain/identity.h"
#include "domain/limit.h"
#include "transport/pace.h"
#include "transport/qp.h"

static int read_setting(enum arnica_setting setting, uint64_t otherwise,
			uint64_t *number)
{
	/* As was said. */
	return adev_setting_number(setting, otherwise, number) ? ENODEV : 0;
}

/* Of somebody who is not here any more nothing shall be left. */
static bool is_alone(const struct adev_function *fn)
{
	const struct adev_directory *directory = fn->directory;
	uint32_t i;

	for (i = 0; i < ADEV_FUNCTIONS; i++) {
		const struct adev_slot *slot = &directory->table->slots[i];
		uint64_t generation = atomic_load_explicit(
			&slot->generation, memory_order_acquire);

		if (i != fn->view.function &&
		    adev_directory_alive(directory, i, generation))
			return false;
	}
	return true;
}

/* Who says something of the rate sets it for all; who says nothing takes it as it
 * is. */
static void set_rate(struct adev_function *fn, uint64_t rate)
{
	if (rate == UINT64_MAX && is_alone(fn))
		rate = 0;
	if (rate != UINT64_MAX)
		adev_limit_set(fn->directory->table, rate);
}

int adev_limited_open(struct adev_function *fn)
{
	uint64_t rate, weight;
	int error = read_setting(ARNICA_SETTING(RATE), UINT64_MAX, &rate);

	if (!error)
		error = read_setting(ARNICA_SETTING(WEIGHT),
				     arnica_settings_own_weight(), &weight);
	if (error)
		return error;
	set_rate(fn, rate);
	if (!adev_limit_rate(fn->directory->table))
		return 0;
	fn->limit = calloc(1, sizeof(*fn->limit));
	if (!fn->limit)
		return ENOMEM;
	adev_limit_enter(fn->limit, fn->directory->table, fn->view.function,
			 (uint32_t)weight);
	fn->view.shared->limit_weight = (uint32_t)weight;
	return 0;
}

void adev_limited_close(struct adev_function *fn)
{
	free(fn->limit);
	fn->limit = NULL;
}

bool adev_limited_may_send(struct adev_function *fn, uint64_t now_ns,
			   uint64_t *again_ns)
{
	return adev_limit_admits(fn->limit, now_ns, again_ns);
}

void adev_limited_sent(struct adev_function *fn, uint64_t now_ns,
		       uint64_t bytes)
{
	adev_count_add(&fn->counters, limit_bytes, bytes);
	adev_limit_charge(fn->limit, now_ns, bytes);
}

void adev_limited_withdraw(struct adev_function *fn)
{
	adev_limit_leave(fn->limit);
}

static bool asks_for_steps(const struct adev_qp *qp)
{
	return !qp->remote && !arnica_hw_opcode_is_local(qp->message->opcode);
}

static void cut(struct adev_qp *qp, uint32_t bytes)
{
	if (qp->allowance > bytes)
		qp->allowance = bytes;
}

bool adev_limited_pace(struct adev_qp *qp, uint64_t now_ns, uint64_t *again_ns)
{
	struct adev_pace *pace = qp->pace;
	bool waited = pace->waits;

	pace->waits = adev_pace_ready(pace) > now_ns;
	if (!pace->waits)
		return true;
	*again_ns = adev_pace_ready(pace);
	if (!waited)
		adev_count(&qp->fn->counters, pace_waits);
	return false;
}

static bool port_admits(struct adev_qp *qp, uint64_t now_ns, uint64_t *again_ns)
{
	cut(qp, ADEV_GATHER_ENTRY_BYTES);
	if (adev_limited_may_send(qp->fn, now_ns, again_ns)) {
		qp->limited = false;
		return true;
	}
	if (!qp->limited)
		adev_count(&qp->fn->counters, limit_waits);
	qp->limited = true;
	return false;
}

bool adev_limited_begin(struct adev_qp *qp)
{
	uint64_t now_ns, again_ns;

	if (!asks_for_steps(qp))
		return true;
	now_ns = adev_now_ns();
	if (qp->pace)
		cut(qp, qp->pace->step_bytes);
	/* The own pace first: who may not send shall not stand before others. */
	if ((!qp->pace || adev_limited_pace(qp, now_ns, &again_ns)) &&
	    (!qp->fn->limit || port_admits(qp, now_ns, &again_ns)))
		return true;
	atomic_store_explicit(&qp->retry_at_ns, again_ns,
			      memory_order_relaxed);
	return false;
}

void adev_limited_end(struct adev_qp *qp, enum adev_progress progress,
		      uint64_t done_before)
{
	const struct adev_message *message = qp->message;
	uint64_t done = progress == ADEV_PROGRESS_DONE ? message->bytes :
							 message->done;

	if (!asks_for_steps(qp))
		return;
	/* What was lost begins anew, from the first byte. */
	if (done <= done_before) {
		if (qp->fn->limit)
			adev_limited_withdraw(qp->fn);
		return;
	}
	if (qp->pace)
		adev_pace_sent(qp->pace, done - done_before, adev_now_ns());
	if (qp->fn->limit)
		adev_limited_sent(qp->fn, adev_now_ns(), done - done_before);
}
