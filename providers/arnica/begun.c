/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * arnicadv_reg_mr(): a registration that is not waited for, and how one learns
 * what became of it. Nothing is told to the host: it asks.
 */
#include <errno.h>
#include <time.h>

#include "dv.h"
#include "mr.h"

#define FIRST_PAUSE_NS 20000l
#define LONGEST_PAUSE_NS 1000000l

ARNICA_PUBLIC struct ibv_mr *arnicadv_reg_mr(struct ibv_pd *pd,
					     struct arnicadv_reg_mr_attr *attr)
{
	uint64_t iova = (uintptr_t)attr->addr;

	if (!arnicadv_is_supported(pd->context->device)) {
		errno = EOPNOTSUPP;
		return NULL;
	}
	if (attr->comp_mask & ~(uint64_t)ARNICADV_REG_MR_ATTR_IOVA ||
	    !attr->length) {
		errno = EINVAL;
		return NULL;
	}
	if (attr->comp_mask & ARNICADV_REG_MR_ATTR_IOVA)
		iova = attr->iova;
	return arnica_mr_begin(pd, attr->addr, attr->length, iova,
			       (int)attr->access);
}

/* EINPROGRESS, or what became of it. */
static int ask(struct arnica_mr *mr)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_QUERY_BEGUN),
		.object.handle = arnica_to_le32(mr->verbs.mr.handle),
	};
	struct arnica_hw_completion answer;
	int error = arnica_command_execute(
		&arnica_context_of(mr->verbs.mr.context)->commands, &command,
		&answer);

	if (error)
		return error;
	switch ((enum arnica_hw_stag_state)arnica_from_le32(
		answer.begun.state)) {
	case ARNICA_HW_STAG_PENDING:
		return EINPROGRESS;
	case ARNICA_HW_STAG_VALID:
		return 0;
	case ARNICA_HW_STAG_FREE:
		break;
	}
	return arnica_command_errno(arnica_from_le32(answer.begun.status));
}

static int query(struct arnica_mr *mr)
{
	int outcome = atomic_load_explicit(&mr->outcome, memory_order_relaxed);

	if (outcome != EINPROGRESS)
		return outcome;
	outcome = ask(mr);
	if (outcome != EINPROGRESS)
		atomic_store_explicit(&mr->outcome, outcome,
				      memory_order_relaxed);
	return outcome;
}

ARNICA_PUBLIC int arnicadv_query_mr(struct ibv_mr *mr)
{
	int error = arnicadv_is_supported(mr->context->device) ?
			    query((struct arnica_mr *)(void *)mr) :
			    EOPNOTSUPP;

	if (error)
		errno = error;
	return error;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

ARNICA_PUBLIC int arnicadv_wait_mr(struct ibv_mr *mr, int timeout_ms)
{
	int64_t until = now_ms() + timeout_ms;
	struct timespec pause = { .tv_nsec = FIRST_PAUSE_NS };
	int error;

	while ((error = arnicadv_query_mr(mr)) == EINPROGRESS) {
		if (timeout_ms >= 0 && now_ms() >= until)
			return errno = ETIMEDOUT;
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < LONGEST_PAUSE_NS)
			pause.tv_nsec *= 2;
	}
	return error;
}
