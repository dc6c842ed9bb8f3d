/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a function does when another one has ended: its connections to that end,
 * and it lets go of what it had of it.
 *
 * The agent finds it out, and waits for nobody's command: a command may itself
 * wait, for an importer that is stopped (core/call.c), and everything else that
 * the agent does would stand meanwhile. What it cannot do now is put down, and
 * done when it comes by again.
 */
#include <stdlib.h>

#include "comp/channel.h"
#include "core/agent.h"
#include "core/clock.h"
#include "core/function.h"
#include "dma/dma.h"
#include "domain/directory.h"
#include "exec/exec.h"
#include "front/exports.h"
#include "front/imports.h"
#include "mad/mad.h"
#include "transport/datagram.h"
#include "transport/receive_entry.h"
#include "transport/xrc.h"
#include "trace.h"

struct adev_departed {
	uint32_t function;
	uint64_t generation;
	bool in_order; /* an orderly exit makes no error */
	struct adev_departed *next;
};

static bool leads_to(struct adev_qp *qp, const struct adev_departed *ended)
{
	bool leads;

	adev_qp_lock_send(qp);
	leads = qp->link.view && qp->link.view->function == ended->function &&
		qp->link.view->generation == ended->generation;
	if (leads)
		atomic_store(&qp->peer_died, true);
	adev_exec_release(qp);
	return leads;
}

/* Datagrams end with nobody, and XRC not with an SRQ; what they have mapped of it
 * is let go. */
static void forget(struct adev_qp *qp, const struct adev_departed *ended)
{
	adev_qp_lock_send(qp);
	adev_datagram_forget(qp, ended->function, ended->generation);
	adev_xrc_forget(qp, ended->function, ended->generation);
	adev_exec_release(qp);
}

/* With lock role `command`. */
static void settle(struct adev_function *fn, const struct adev_departed *ended)
{
	uint32_t index;

	adev_srq_rescan(fn);
	adev_exports_ended(fn, ended->function, ended->generation);
	adev_import_ended(fn, ended->function, ended->generation);
	if (!ended->in_order) {
		adev_count(&fn->counters, peers_died);
		arnica_trace_peer_died(ended->function, fn->num_qps);
	}
	for (index = 0; index < fn->qp_scan_end; index++) {
		struct adev_qp *qp = fn->qps[index];

		if (qp && (qp->destinations || qp->xrc))
			forget(qp, ended);
		if (qp && !ended->in_order && leads_to(qp, ended))
			adev_exec_submit(qp, NULL);
	}
}

static void put_down(struct adev_function *fn, const struct adev_departed *ended)
{
	struct adev_departed *copy = malloc(sizeof(*copy));

	if (!copy) {
		pthread_mutex_lock(&fn->command_lock);
		settle(fn, ended);
		pthread_mutex_unlock(&fn->command_lock);
		return;
	}
	*copy = *ended;
	copy->next = atomic_load(&fn->ended);
	while (!atomic_compare_exchange_weak(&fn->ended, &copy->next, copy))
		;
	adev_agent_expect(adev_now_ns());
}

void adev_function_peer_died(struct adev_function *fn, uint32_t function,
			     uint64_t generation)
{
	struct adev_departed ended = {
		.function = function,
		.generation = generation,
	};

	(void)adev_directory_reap(fn->directory);
	adev_inbox_reclaim(fn, function, generation);
	/* It may have fired a CQ and not said so. */
	adev_channels_rescan(fn);
	adev_mads_forget(fn, function, generation);
	ended.in_order = adev_directory_life(fn->directory, function,
					     generation) == ADEV_LIFE_CLOSED;
	if (pthread_mutex_trylock(&fn->command_lock)) {
		put_down(fn, &ended);
		return;
	}
	settle(fn, &ended);
	pthread_mutex_unlock(&fn->command_lock);
}

bool adev_ended_serve(struct adev_function *fn)
{
	struct adev_departed *list;

	if (!atomic_load(&fn->ended))
		return false;
	if (pthread_mutex_trylock(&fn->command_lock))
		return true;
	list = atomic_exchange(&fn->ended, NULL);
	while (list) {
		struct adev_departed *ended = list;

		list = ended->next;
		settle(fn, ended);
		free(ended);
	}
	pthread_mutex_unlock(&fn->command_lock);
	return false;
}

void adev_ended_drop(struct adev_function *fn)
{
	struct adev_departed *list = atomic_exchange(&fn->ended, NULL);

	while (list) {
		struct adev_departed *ended = list;

		list = ended->next;
		free(ended);
	}
}
