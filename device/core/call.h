/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Calls: a function asks another one of the domain for something that only its
 * control path can say or do, and waits for a bounded time. The callee's agent
 * answers, as soon as nobody else is at work on the control path; so nothing
 * here is for the data path.
 *
 * Slot: FREE -> CLAIMED (by the caller) -> POSTED -> RUNNING (callee) -> DONE ->
 * FREE (by the caller). The word names the caller, so that what the dead left
 * can be taken over.
 */
#ifndef ADEV_CORE_CALL_H
#define ADEV_CORE_CALL_H

#include <arnica/hw/cqp.h>

#include "core/function.h"

enum adev_call_operation {
	/* arguments; answers. By importers: */
	ADEV_CALL_EXPORT_PD = 1, /* handle; births */
	ADEV_CALL_EXPORT_MR = 2, /* handle, pd, births; place */
	ADEV_CALL_EXPORT_DM = 3, /* handle; offset, length */
	ADEV_CALL_RETURN_MR = 4, /* handle */
	ADEV_CALL_RETURN_DM = 5, /* handle */
	/* By the exporter: */
	ADEV_CALL_REVOKE_MR = 6, /* STag */
};

/* Who asks. */
struct adev_caller {
	uint32_t function;
	uint64_t generation;
};

struct adev_call {
	enum adev_call_operation operation;
	uint32_t arguments[4];
	uint64_t answers[4];
};

/*
 * Asks the function of `to`, and stores its answers. IO: it is gone; BUSY: it did
 * not answer in time; what it exports later all the same it takes back. Lock role
 * `command` is held: what others ask of `fn` meanwhile is answered here, so that
 * two that ask each other both get on.
 */
enum arnica_hw_command_status adev_call(struct adev_function *fn,
					const struct adev_view *to,
					struct adev_call *call)
	ARNICA_MUST_CHECK;

/* For the agent: answers what was asked. True: later, the control path is in
 * use. */
bool adev_calls_serve(struct adev_function *fn);

/* What is answered, with lock role `command`: front/exports.c. And undone, if
 * nobody waited for the answer any more. */
enum arnica_hw_command_status
adev_call_answer(struct adev_function *fn, const struct adev_caller *caller,
		 struct adev_call *call) ARNICA_MUST_CHECK;
void adev_call_undo(struct adev_function *fn, const struct adev_caller *caller,
		    const struct adev_call *call);

#endif
