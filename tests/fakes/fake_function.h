/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A function without an adapter around it: a segment, its tables, the control
 * queue and the channels. There are no queue pairs: their commands are refused
 * and waiting for their locks is as the test says.
 */
#ifndef TESTS_FAKE_FUNCTION_H
#define TESTS_FAKE_FUNCTION_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/function.h"

/* What adev_qp_lock_quiesce() returns next, and how often it was called. */
extern int fake_quiesce_error;
extern unsigned int fake_num_quiesces;

/* What adev_exports_revoke() returns. */
extern int fake_revoke_error;

/* What adev_wire_open() returns next, and how often it was called. */
extern int fake_wire_error;
extern unsigned int fake_num_wires;
/* What adev_functions_overlap() answers. */
extern bool fake_other_function_overlaps;

/* A bit for each function below 64 that was told of a receive. */
extern uint64_t fake_nudged;

/* cmocka setup and teardown: *state is the struct adev_function. */
int fake_function_setup(void **state);
int fake_function_teardown(void **state);

/* The host side: posts a command, rings, and returns the status. `completion`
 * may be NULL. */
uint32_t fake_command(struct adev_function *fn,
		      const struct arnica_hw_command *command,
		      struct arnica_hw_completion *completion);
uint32_t fake_command_object(struct adev_function *fn,
			     enum arnica_hw_command_opcode opcode,
			     uint32_t handle);

/* Objects that the test needs; they fail the test when refused. */
uint32_t fake_alloc_pd(struct adev_function *fn);
uint32_t fake_create_cq(struct adev_function *fn, uint32_t cqe,
			uint32_t channel, uint64_t user_data);

/* As a writer of a completion does: one event more, and the marks. */
void fake_fire(struct adev_function *fn, uint32_t cq);

#define function_test(function)                                                \
	cmocka_unit_test_setup_teardown(function, fake_function_setup,         \
					fake_function_teardown)

#define assert_ok(expression) assert_int_equal((expression), 0)

#endif
