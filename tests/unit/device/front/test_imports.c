/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A function that imports from another one, here of the same process, so that
 * ThreadSanitizer sees both; and what nobody in his right mind would ask.
 */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "two_functions.h"

#include "core/call.h"
#include "front/imports.h"

#define BYTES 65536u
#define ROUNDS 100u

/* The exporter is two->a, whom the importer sends to is two->b. */
struct trio {
	struct two two;
	struct two_function importer;
	struct two_qp qp_i, qp_b;
	uint32_t dm, mr, stag;
	char *memory; /* the exporter's */
};

static uint32_t ask(struct two_function *function,
		    enum arnica_hw_command_opcode opcode, uint32_t handle,
		    uint32_t pd, struct arnica_hw_completion *answer)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(opcode),
		.import = {
			.handle = arnica_to_le32(handle),
			.pd = arnica_to_le32(pd),
		},
	};

	return two_command(function, &command, answer);
}

static uint32_t import_mr(struct trio *trio)
{
	return ask(&trio->importer, ARNICA_HW_CMD_IMPORT_MR, trio->mr,
		   trio->two.a.pd, NULL);
}

static void export_region(struct trio *trio)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_ALLOC_DM),
		.alloc_dm.length = arnica_to_le64(BYTES),
	};
	struct arnica_hw_completion answer;

	assert_ok(two_command(&trio->two.a, &command, &answer));
	trio->dm = arnica_from_le32(answer.dm.handle);
	trio->memory = arnica_bus_map(trio->two.a.bus,
				      arnica_from_le64(answer.dm.offset),
				      BYTES);
	assert_ok(two_register(&trio->two.a, trio->memory, BYTES,
			       TWO_ALL_RIGHTS, &trio->mr, &trio->stag));
}

static int setup(void **state)
{
	const struct two_wish wish = two_defaults();
	struct trio *trio = calloc(1, sizeof(*trio));
	uint32_t own_pd;
	void *two;

	if (!trio || two_setup(&two))
		return -1;
	trio->two = *(struct two *)two;
	free(two);
	export_region(trio);
	if (two_function_open_from(&trio->importer, &trio->two.a))
		return -1;
	/* Its queue pair is of the imported domain. */
	own_pd = trio->importer.pd;
	assert_ok(ask(&trio->importer, ARNICA_HW_CMD_IMPORT_PD, trio->two.a.pd,
		      0, NULL));
	trio->importer.pd = trio->two.a.pd;
	two_create(&trio->qp_i, &trio->importer, &wish);
	trio->importer.pd = own_pd;
	two_create(&trio->qp_b, &trio->two.b, &wish);
	two_connect(&trio->qp_i, &trio->qp_b, &wish);
	*state = trio;
	return 0;
}

static int teardown(void **state)
{
	struct trio *trio = *state;
	struct two *two = malloc(sizeof(*two));
	void *rest = two;

	if (!two)
		return -1;
	two_function_close(&trio->importer);
	*two = trio->two;
	free(trio);
	return two_teardown(&rest);
}

#define trio_test(function)                                                    \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

static struct two_request write_request(const struct trio *trio)
{
	struct two_request request =
		two_request(ARNICA_HW_OP_WRITE, &trio->importer, 0, 4096,
			    &trio->two.b, 0);

	request.sge[0].lkey = arnica_to_le32(trio->stag);
	request.sge[0].address = arnica_to_le64((uintptr_t)trio->memory);
	return request;
}

static void the_exporters_key_names_its_memory(void **state)
{
	struct trio *trio = *state;
	struct two_request request = write_request(trio);
	struct arnica_hw_completion answer;

	assert_ok(ask(&trio->importer, ARNICA_HW_CMD_IMPORT_MR, trio->mr,
		      trio->two.a.pd, &answer));
	assert_int_equal(arnica_from_le32(answer.region.stag), trio->stag);
	assert_int_equal(arnica_from_le32(answer.region.pd), trio->two.a.pd);
	assert_int_equal(arnica_from_le64(answer.region.length), BYTES);
	two_fill(trio->memory, 4096, 5);
	(void)two_send(&trio->qp_i, &request);
	two_expect(&trio->qp_i, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	two_check(trio->two.b.buffer, 4096, 5);
	/* And the other way. */
	request.opcode = ARNICA_HW_OP_READ;
	two_fill(trio->two.b.buffer, 4096, 6);
	(void)two_send(&trio->qp_i, &request);
	two_expect(&trio->qp_i, TWO_SEND, ARNICA_HW_STATUS_SUCCESS);
	two_check(trio->memory, 4096, 6);
}

static void without_importing_it_is_no_key(void **state)
{
	struct trio *trio = *state;
	struct two_request request = write_request(trio);

	(void)two_send(&trio->qp_i, &request);
	two_expect(&trio->qp_i, TWO_SEND, ARNICA_HW_STATUS_LOC_PROT_ERR);
}

static void own_numbers_are_others(void **state)
{
	struct trio *trio = *state;
	const uint32_t half = two_function_of(&trio->two.a)->view.layout.max_mr
			      / 2;
	uint32_t i;

	for (i = 0; i < 200; i++) {
		uint32_t theirs, ours, stag, other;

		assert_ok(two_register(&trio->two.a, trio->two.a.buffer, 64, 0,
				       &theirs, &stag));
		assert_ok(two_register(&trio->importer,
				       trio->importer.buffer, 64, 0, &ours,
				       &other));
		assert_int_not_equal(theirs & half, ours & half);
	}
	assert_int_not_equal(trio->importer.pd, trio->two.a.pd);
	assert_int_equal(two_object(&trio->importer, ARNICA_HW_CMD_DEALLOC_PD,
				    trio->two.a.pd),
			 ARNICA_HW_COMMAND_NOT_SUPPORTED);
	assert_int_equal(two_object(&trio->importer, ARNICA_HW_CMD_FREE_DM,
				    trio->dm),
			 ARNICA_HW_COMMAND_NOT_SUPPORTED);
	assert_ok(import_mr(trio));
	assert_int_equal(two_object(&trio->importer, ARNICA_HW_CMD_DEREG_MR,
				    trio->mr),
			 ARNICA_HW_COMMAND_NOT_SUPPORTED);
}

static void only_importers_import(void **state)
{
	struct trio *trio = *state;
	static const enum arnica_hw_command_opcode opcodes[] = {
		ARNICA_HW_CMD_IMPORT_PD,   ARNICA_HW_CMD_IMPORT_MR,
		ARNICA_HW_CMD_IMPORT_DM,   ARNICA_HW_CMD_UNIMPORT_MR,
		ARNICA_HW_CMD_UNIMPORT_DM,
	};
	size_t i;

	for (i = 0; i < sizeof(opcodes) / sizeof(opcodes[0]); i++)
		assert_int_equal(ask(&trio->two.b, opcodes[i], 0, 0, NULL),
				 ARNICA_HW_COMMAND_NOT_SUPPORTED);
	assert_int_equal(ask(&trio->importer, ARNICA_HW_CMD_IMPORT_PD,
			     trio->two.a.pd, 1, NULL),
			 ARNICA_HW_COMMAND_INVALID);
	assert_int_equal(ask(&trio->importer, ARNICA_HW_CMD_UNIMPORT_MR,
			     trio->mr, 0, NULL),
			 ARNICA_HW_COMMAND_NO_OBJECT);
	assert_int_equal(ask(&trio->importer, ARNICA_HW_CMD_UNIMPORT_DM,
			     trio->dm, 0, NULL),
			 ARNICA_HW_COMMAND_NO_OBJECT);
}

static uint32_t rereg(struct trio *trio)
{
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_REREG_MR),
		.reg_mr = {
			.handle = arnica_to_le32(trio->mr),
			.change = arnica_to_le32(ARNICA_HW_REREG_ACCESS),
			.access = arnica_to_le32(TWO_ALL_RIGHTS),
		},
	};

	return two_command(&trio->two.a, &command, NULL);
}

struct changes {
	struct trio *trio;
	uint32_t refused;
	atomic_bool over;
};

static void *change_often(void *argument)
{
	struct changes *changes = argument;
	uint32_t round;

	for (round = 0; round < ROUNDS; round++)
		changes->refused += rereg(changes->trio) != 0;
	atomic_store(&changes->over, true);
	return NULL;
}

/* The importer's messages, its imports, and the region's ends, at once: nothing
 * is lost, and nobody waits for ever. */
static void ends_meet_imports_and_messages(void **state)
{
	struct trio *trio = *state;
	struct changes changes = { .trio = trio };
	const struct two_wish wish = two_defaults();
	struct two_completion completion;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, change_often, &changes),
			 0);
	while (!atomic_load(&changes.over)) {
		struct two_request request = write_request(trio);

		/* EINVAL: in the middle of the change. */
		(void)import_mr(trio);
		(void)two_send(&trio->qp_i, &request);
		while (!two_poll(&trio->qp_i, TWO_SEND, &completion))
			sched_yield();
		if (completion.status == ARNICA_HW_STATUS_SUCCESS)
			continue;
		assert_int_equal(completion.status,
				 ARNICA_HW_STATUS_LOC_PROT_ERR);
		assert_ok(two_to_state(&trio->qp_i, ARNICA_HW_QPS_RESET));
		assert_ok(two_to_state(&trio->qp_b, ARNICA_HW_QPS_RESET));
		two_connect(&trio->qp_i, &trio->qp_b, &wish);
	}
	pthread_join(thread, NULL);
	assert_int_equal(changes.refused, 0);
}

/* What somebody writes into the slots is refused, and the slots are free
 * again. */
static void wild_calls_are_refused(void **state)
{
	struct trio *trio = *state;
	struct adev_function *fn = two_function_of(&trio->two.a);
	struct adev_function *caller = two_function_of(&trio->importer);
	struct adev_call_slot *slot = &fn->view.shared->calls[7];
	uint64_t until = 0;
	uint32_t operation;

	for (operation = 0; operation < 12; operation++) {
		uint64_t word = (uint64_t)(caller->view.function + 1u) << 32;

		slot->generation = operation & 1 ? caller->view.generation : 99;
		slot->operation = operation;
		memset(slot->arguments, 0xff, sizeof(slot->arguments));
		atomic_store(&slot->word, word | ADEV_CALL_POSTED);
		atomic_store(&fn->view.shared->calls_posted, 1);
		adev_view_kick(&fn->view);
		while (atomic_load(&slot->word) != (word | ADEV_CALL_DONE))
			assert_true(two_patience(&until));
		assert_int_not_equal(slot->status, ARNICA_HW_COMMAND_OK);
		atomic_store(&slot->word, 0);
	}
	assert_ok(import_mr(trio));
}

/* Sixteen that died in the middle do not keep others from asking. */
static void slots_of_the_dead_are_taken_over(void **state)
{
	struct trio *trio = *state;
	struct adev_shared *shared =
		two_function_of(&trio->two.a)->view.shared;
	uint64_t number = two_nobody(&trio->two.a) + 1u;
	uint32_t i;

	for (i = 0; i < ADEV_CALL_SLOTS; i++)
		atomic_store(&shared->calls[i].word,
			     number << 32 | ADEV_CALL_CLAIMED);
	assert_ok(import_mr(trio));
}

/* Those that died before they took their answers, too, when others have their
 * numbers meanwhile. */
static void answers_for_the_dead_are_dropped(void **state)
{
	struct trio *trio = *state;
	struct adev_shared *shared =
		two_function_of(&trio->two.a)->view.shared;
	uint64_t number = two_function_of(&trio->two.b)->view.function + 1u;
	uint32_t i;

	for (i = 0; i < ADEV_CALL_SLOTS - 1; i++) {
		atomic_store(&shared->calls[i].generation, 99);
		atomic_store(&shared->calls[i].word,
			     number << 32 | ADEV_CALL_DONE);
	}
	assert_ok(import_mr(trio));
	for (i = 0; i < ADEV_CALL_SLOTS; i++)
		assert_int_equal(atomic_load(&shared->calls[i].word), 0);
}

static void *import_in_thread(void *argument)
{
	return (void *)(uintptr_t)import_mr(argument);
}

static struct adev_call_slot *await_question(struct adev_shared *shared)
{
	uint64_t until = 0;
	uint32_t i;

	do
		for (i = 0; i < ADEV_CALL_SLOTS; i++)
			if ((uint32_t)atomic_load(&shared->calls[i].word) ==
			    ADEV_CALL_POSTED)
				return &shared->calls[i];
	while (two_patience(&until));
	return NULL;
}

/* Somebody wipes the question out: no answer will come, and nobody waits. */
static void a_question_that_is_wiped_out_ends(void **state)
{
	struct trio *trio = *state;
	struct adev_function *fn = two_function_of(&trio->two.a);
	struct adev_call_slot *slot;
	pthread_t thread;
	void *status;

	pthread_mutex_lock(&fn->command_lock); /* it does not answer */
	assert_int_equal(pthread_create(&thread, NULL, import_in_thread, trio),
			 0);
	slot = await_question(fn->view.shared);
	assert_non_null(slot);
	atomic_store(&slot->word, 0);
	pthread_join(thread, &status);
	pthread_mutex_unlock(&fn->command_lock);
	assert_int_equal((uintptr_t)status, ARNICA_HW_COMMAND_IO);
	assert_ok(import_mr(trio));
}

/* Device memory of one that imports has numbers of its own kind, also for who
 * asks for it without any right to. */
static void an_importers_device_memory_comes_back(void **state)
{
	struct trio *trio = *state;
	struct adev_function *fn = two_function_of(&trio->importer);
	const struct adev_function *asks = two_function_of(&trio->two.b);
	const struct adev_caller caller = {
		.function = asks->view.function,
		.generation = asks->view.generation,
	};
	const struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_ALLOC_DM),
		.alloc_dm.length = arnica_to_le64(BYTES),
	};
	struct arnica_hw_completion answer;
	struct adev_call call = { .operation = ADEV_CALL_EXPORT_DM };

	assert_ok(two_command(&trio->importer, &command, &answer));
	call.arguments[0] = arnica_from_le32(answer.dm.handle);
	pthread_mutex_lock(&fn->command_lock);
	assert_int_equal(adev_call_answer(fn, &caller, &call),
			 ARNICA_HW_COMMAND_OK);
	call.operation = ADEV_CALL_RETURN_DM;
	assert_int_equal(adev_call_answer(fn, &caller, &call),
			 ARNICA_HW_COMMAND_OK);
	pthread_mutex_unlock(&fn->command_lock);
	assert_ok(two_object(&trio->importer, ARNICA_HW_CMD_FREE_DM,
			     call.arguments[0]));
}

static uint32_t free_dm(struct trio *trio)
{
	return two_object(&trio->two.a, ARNICA_HW_CMD_FREE_DM, trio->dm);
}

static uint32_t heap_use(struct trio *trio)
{
	struct adev_function *fn = two_function_of(&trio->two.a);

	return (uint32_t)(fn->heap.used_bytes / BYTES);
}

/* Whoever asked has given up by the time of the answer, or his thanks were lost;
 * what he has counts once, and not when he has it not. */
static void nothing_is_kept_for_who_gave_up(void **state)
{
	struct trio *trio = *state;
	struct adev_function *fn = two_function_of(&trio->two.a);
	const struct adev_function *asks = two_function_of(&trio->importer);
	const struct adev_caller caller = {
		.function = asks->view.function,
		.generation = asks->view.generation,
	};
	struct adev_call call = {
		.operation = ADEV_CALL_EXPORT_DM,
		.arguments = { trio->dm },
	};
	uint32_t before = heap_use(trio), round;

	assert_ok(two_object(&trio->two.a, ARNICA_HW_CMD_DEREG_MR, trio->mr));
	pthread_mutex_lock(&fn->command_lock);
	for (round = 0; round < 3; round++)
		assert_int_equal(adev_call_answer(fn, &caller, &call),
				 ARNICA_HW_COMMAND_OK);
	pthread_mutex_unlock(&fn->command_lock);
	assert_ok(free_dm(trio));
	assert_int_equal(heap_use(trio), before);
	pthread_mutex_lock(&fn->command_lock);
	adev_call_undo(fn, &caller, &call);
	pthread_mutex_unlock(&fn->command_lock);
	assert_int_equal(heap_use(trio), before - 1);
}

/* A command may wait for long; whoever finds a death does not. */
static void a_death_does_not_wait_for_a_command(void **state)
{
	struct trio *trio = *state;
	struct adev_function *fn = two_function_of(&trio->importer);
	const struct adev_view *exporter = &two_function_of(&trio->two.a)->view;
	uint64_t until = 0;

	assert_ok(import_mr(trio));
	pthread_mutex_lock(&fn->command_lock);
	adev_function_peer_died(fn, exporter->function, exporter->generation);
	pthread_mutex_unlock(&fn->command_lock);
	while (atomic_load(&fn->counters.peers_died) == 0)
		assert_true(two_patience(&until));
	assert_int_equal(ask(&trio->importer, ARNICA_HW_CMD_UNIMPORT_MR,
			     trio->mr, 0, NULL),
			 ARNICA_HW_COMMAND_NO_OBJECT);
}

/* Of another importer's own things, whose numbers are of our own kind, the
 * exporter knows nothing; nor are they ours. */
static void an_importers_own_are_nobody_elses(void **state)
{
	struct trio *trio = *state;
	uint32_t mr, stag, half = two_function_of(&trio->two.a)
					  ->view.layout.max_mr / 2;

	assert_ok(two_register(&trio->importer, trio->importer.buffer, 64, 0,
			       &mr, &stag));
	assert_int_equal(ask(&trio->importer, ARNICA_HW_CMD_IMPORT_PD,
			     trio->importer.pd, 0, NULL),
			 ARNICA_HW_COMMAND_NO_OBJECT);
	assert_int_equal(ask(&trio->importer, ARNICA_HW_CMD_IMPORT_MR, mr,
			     trio->two.a.pd, NULL),
			 ARNICA_HW_COMMAND_NO_OBJECT);
	assert_int_equal(ask(&trio->importer, ARNICA_HW_CMD_IMPORT_MR,
			     trio->mr ^ half, trio->two.a.pd, NULL),
			 ARNICA_HW_COMMAND_NO_OBJECT);
	assert_int_equal(ask(&trio->importer, ARNICA_HW_CMD_IMPORT_DM,
			     ARNICA_HW_MAX_DM - 1, 0, NULL),
			 ARNICA_HW_COMMAND_NO_OBJECT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		trio_test(the_exporters_key_names_its_memory),
		trio_test(without_importing_it_is_no_key),
		trio_test(own_numbers_are_others),
		trio_test(only_importers_import),
		trio_test(ends_meet_imports_and_messages),
		trio_test(wild_calls_are_refused),
		trio_test(slots_of_the_dead_are_taken_over),
		trio_test(answers_for_the_dead_are_dropped),
		trio_test(a_question_that_is_wiped_out_ends),
		trio_test(an_importers_device_memory_comes_back),
		trio_test(nothing_is_kept_for_who_gave_up),
		trio_test(a_death_does_not_wait_for_a_command),
		trio_test(an_importers_own_are_nobody_elses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
