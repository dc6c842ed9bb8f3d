/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * arnica run: sets the variables and becomes the program. Nothing stays behind
 * and nothing is loaded, so that a program that uses no RDMA loses no time.
 * What the device cannot be given to is refused, because the program would only
 * say that it found no device.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture_file.h"
#include "command.h"
#include "environment.h"
#include "preload.h"
#include "program.h"

struct run_options {
	struct tool_environment environment;
	bool force;
	char **program; /* its arguments, NULL terminated */
};

static const struct argp_option options[] = {
	{ "force", 'f', NULL, 0,
	  "run the program even if it cannot be given the device, for the sake "
	  "of the programs that it starts",
	  0 },
	{ 0 },
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct run_options *parsed = state->input;

	(void)argument;
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &parsed->environment;
		return 0;
	case 'f':
		parsed->force = true;
		return 0;
	case ARGP_KEY_ARG: /* the program; the rest is not ours */
		parsed->program = state->argv + state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_END:
		if (!parsed->program)
			argp_error(state, "no program given");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int explain_find(const char *name, int err)
{
	fprintf(stderr, "arnica run: '%s': %s\n", name, strerror(err));
	return err == ENOENT ? TOOL_EXIT_NOT_FOUND : TOOL_EXIT_NOT_EXECUTABLE;
}

static int explain_verdict(const struct tool_program *program)
{
	static const char *const texts[] = {
		[TOOL_VERDICT_STATIC] =
			"is statically linked: no library can be preloaded into it",
		[TOOL_VERDICT_FOREIGN] =
			"is built for another architecture than arnica's libraries",
		[TOOL_VERDICT_SECURE] =
			"changes privileges (setuid, setgid or capabilities), so the dynamic linker ignores LD_PRELOAD; start arnica inside of it, as in: sudo arnica run -- PROGRAM",
	};

	fprintf(stderr,
		"arnica run: '%s' %s (--force runs it without device)\n",
		program->subject, texts[program->verdict]);
	return TOOL_EXIT_NOT_EXECUTABLE;
}

/* Sets one variable, in front of the user's own words if it is a list. */
static int set_variable(const struct tool_variable *variable)
{
	char *list;
	int err;

	if (!variable->list)
		return setenv(variable->name, variable->value, 1);
	list = tool_compose_list(variable->value, getenv(variable->name));
	if (!list)
		return -1;
	err = setenv(variable->name, list, 1);
	free(list);
	return err;
}

/* LD_PRELOAD is a list with rules of its own. */
static int set_preload(const struct tool_environment *environment,
		       const char *standin)
{
	char *preload = tool_compose_preload(&environment->runtimes, standin,
					     getenv("LD_PRELOAD"));
	int err = preload ? setenv("LD_PRELOAD", preload, 1) : -1;

	free(preload);
	return err;
}

static int set_environment(const struct tool_environment *environment,
			   const struct tool_layout *layout)
{
	for (size_t i = 0; i < environment->num_variables; i++) {
		const struct tool_variable *variable =
			&environment->variables[i];
		int err = strcmp(variable->name, "LD_PRELOAD") ?
				  set_variable(variable) :
				  set_preload(environment, layout->standin);

		if (err)
			return errno;
	}
	return 0;
}

static int begin_capture(const char *path)
{
	int err = tool_capture_begin(path);

	if (err)
		fprintf(stderr, "arnica run: --pcap: '%s': %s\n", path,
			err == EINVAL ? "not a name of a regular file" :
					strerror(err));
	return err;
}

static int run_program(const struct run_options *parsed,
		       const struct tool_layout *layout)
{
	struct tool_program program;
	const char *name = parsed->program[0];
	int err = tool_program_inspect(name, getenv("PATH"), &program);

	if (err)
		return explain_find(name, err);
	if (program.verdict != TOOL_VERDICT_OK && !parsed->force)
		return explain_verdict(&program);
	if (parsed->environment.pcap[0] &&
	    begin_capture(parsed->environment.pcap))
		return TOOL_EXIT_SETUP;
	err = set_environment(&parsed->environment, layout);
	if (err) {
		fprintf(stderr, "arnica run: environment: %s\n", strerror(err));
		return TOOL_EXIT_SETUP;
	}
	/* execvp() for its way with scripts that have no #! line. */
	execvp(program.path, parsed->program);
	return explain_find(name, errno);
}

int tool_command_run(int argc, char **argv)
{
	static const struct argp_child children[] = {
		{ &tool_environment_argp, 0, NULL, 0 },
		{ 0 },
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "[--] PROGRAM [ARGUMENT...]",
		.doc = "Runs PROGRAM, and what it starts, with the emulated RDMA "
		       "device.\v"
		       "Exit status: that of PROGRAM; 125 if arnica itself fails, "
		       "126 if PROGRAM cannot be run or cannot be given the "
		       "device, 127 if it is not found.",
		.children = children,
	};
	struct run_options parsed = { .force = false };
	struct tool_layout layout;

	argp_err_exit_status = TOOL_EXIT_SETUP;
	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &parsed))
		return TOOL_EXIT_SETUP;
	if (tool_locate_or_explain(argv[0], &layout))
		return TOOL_EXIT_SETUP;
	tool_environment_init(&parsed.environment, &layout);
	return run_program(&parsed, &layout);
}
