/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * arnica dump: tables of the adapter in running programs, from outside. They are
 * read, not asked for: the programs notice nothing.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "adapter.h"
#include "command.h"
#include "functions.h"

/* What changes while it is looked at looks different once; what is wrong does
 * so each time. */
#define CHECKS 5u
#define CHECK_PAUSE_NS 20000000l

struct dump_options {
	const char *command;
	bool check;
	pid_t pid;
	unsigned int num_arguments;
	tool_table_fn *table;
	unsigned int num_found, num_entries, num_different;
	bool quiet;	    /* only count */
	bool mirror_missed; /* of some entry the mirror could not be read */
	int error;	    /* of the last function that cannot be read */
};

static const struct argp_option options[] = {
	{ "check", 'c', NULL, 0,
	  "compare the table with the mirror that the program's side keeps", 0 },
	{ 0 },
};

static error_t parse_pid(struct dump_options *parsed, const char *argument,
			 struct argp_state *state)
{
	char *end;
	long pid = strtol(argument, &end, 10);

	if (*end || end == argument || pid <= 0 || pid != (pid_t)pid) {
		argp_error(state, "'%s' is not the number of a process",
			   argument);
		return EINVAL;
	}
	parsed->pid = (pid_t)pid;
	return 0;
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct dump_options *parsed = state->input;

	switch (key) {
	case 'c':
		parsed->check = true;
		return 0;
	case ARGP_KEY_ARG:
		if (parsed->num_arguments++ == 0) {
			if (!strcmp(argument, "tpt"))
				return 0;
			argp_error(state, "there is no table '%s'; try tpt",
				   argument);
			return EINVAL;
		}
		if (parsed->num_arguments == 2)
			return parse_pid(parsed, argument, state);
		argp_usage(state);
		return EINVAL;
	case ARGP_KEY_END:
		if (parsed->num_arguments == 2)
			return 0;
		argp_usage(state);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const char *kind_name(uint32_t kind)
{
	switch ((enum arnica_hw_stag_kind)kind) {
	case ARNICA_HW_STAG_REGION:
		return "region";
	case ARNICA_HW_STAG_NULL:
		return "null";
	case ARNICA_HW_STAG_WINDOW_1:
		return "window-1";
	case ARNICA_HW_STAG_WINDOW_2:
		return "window-2";
	case ARNICA_HW_STAG_FAST:
		return "fast";
	case ARNICA_HW_STAG_IMPORTED:
		return "imported";
	case ARNICA_HW_STAG_MKEY:
		return "indirect";
	case ARNICA_HW_STAG_NONE:
		break;
	}
	return "-";
}

/* As the letters of ls -l: local write, remote write, remote read, atomic, bind,
 * zero-based, one touch. */
static void format_access(uint32_t access, char text[8])
{
	static const struct {
		uint32_t bit;
		char letter;
	} rights[] = {
		{ ARNICA_HW_ACCESS_LOCAL_WRITE, 'l' },
		{ ARNICA_HW_ACCESS_REMOTE_WRITE, 'w' },
		{ ARNICA_HW_ACCESS_REMOTE_READ, 'r' },
		{ ARNICA_HW_ACCESS_REMOTE_ATOMIC, 'a' },
		{ ARNICA_HW_ACCESS_MW_BIND, 'b' },
		{ ARNICA_HW_ACCESS_ZERO_BASED, 'z' },
		{ ARNICA_HW_ACCESS_ONE_TOUCH, '1' },
	};
	size_t i;

	for (i = 0; i < sizeof(rights) / sizeof(rights[0]); i++)
		text[i] = access & rights[i].bit ? rights[i].letter : '-';
	text[i] = '\0';
}

static const char *state_name(const struct arnica_bus_stag *stag)
{
	if (stag->pending)
		return "pending";
	return stag->stag ? "valid" : "free";
}

static void print_stag(const struct arnica_bus_stag *stag, void *argument)
{
	struct dump_options *parsed = argument;
	bool valid = stag->stag != 0;
	char access[8];

	parsed->num_entries++;
	parsed->num_different += stag->difference != NULL;
	parsed->mirror_missed |= !stag->has_mirror;
	if (parsed->quiet)
		return;
	format_access(stag->access, access);
	printf("  %08x %-8s %-5s %5u %s %016" PRIx64 " %12" PRIu64,
	       valid ? stag->stag : stag->mirror.stag,
	       kind_name(valid ? stag->kind : stag->mirror.kind),
	       state_name(stag), valid ? stag->pd : stag->mirror.pd,
	       access, stag->iova, stag->length);
	if (stag->qpn)
		printf("  of QP 0x%06x", stag->qpn);
	if (stag->items)
		printf("  of %u ranges", stag->items);
	if (stag->has_mirror && valid && stag->mirror.parent)
		printf("  of %08x", stag->mirror.parent);
	if (parsed->check && stag->difference)
		printf("  MIRROR: %s", stag->difference);
	putchar('\n');
}

/* A difference counts when it is there each time. */
static int look_again(const struct tool_function *function,
		      struct dump_options *parsed)
{
	const struct timespec pause = { .tv_nsec = CHECK_PAUSE_NS };
	unsigned int round;
	int err = 0;

	parsed->quiet = true;
	for (round = 1; round < CHECKS && parsed->num_different && !err;
	     round++) {
		nanosleep(&pause, NULL);
		parsed->num_entries = parsed->num_different = 0;
		err = parsed->table(function->fd, function->pid, print_stag,
				    parsed);
	}
	parsed->quiet = false;
	return err;
}

static void report_check(const struct dump_options *parsed)
{
	if (parsed->mirror_missed && parsed->num_entries)
		printf("  the mirror cannot be read\n");
	else if (parsed->num_different)
		printf("  %u of %u entries differ from the mirror\n",
		       parsed->num_different, parsed->num_entries);
	else
		printf("  %u entries, the mirror is the same\n",
		       parsed->num_entries);
}

static void print_function(const struct tool_function *function, void *argument)
{
	struct dump_options *parsed = argument;
	int err;

	if (!function->running || parsed->pid != function->pid)
		return;
	printf("process %d %s\n"
	       "  stag     type     state    pd access  address          "
	       "      length\n",
	       function->pid, function->command);
	parsed->num_entries = parsed->num_different = 0;
	parsed->mirror_missed = false;
	err = parsed->table(function->fd, function->pid, print_stag, parsed);
	if (!err && parsed->check)
		err = look_again(function, parsed);
	if (err)
		fprintf(stderr,
			"%s: process %d: its table cannot be read: %s\n",
			parsed->command, function->pid, strerror(err));
	else if (parsed->check)
		report_check(parsed);
	if (!err && parsed->check &&
	    (parsed->num_different ||
	     (parsed->mirror_missed && parsed->num_entries)))
		err = EIO;
	if (err)
		parsed->error = err;
	parsed->num_found++;
}

int tool_command_dump(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "tpt PID",
		.doc = "Shows the adapter's translation and protection table in "
		       "a process of yours that has it open: every key, what it "
		       "is, and what it permits.",
	};
	struct dump_options parsed = { .command = argv[0] };
	struct tool_layout layout;

	if (argp_parse(&argp, argc, argv, 0, NULL, &parsed))
		return TOOL_EXIT_USAGE;
	if (tool_locate_or_explain(argv[0], &layout))
		return TOOL_EXIT_FAILED;
	parsed.table = tool_adapter_table(argv[0], &layout);
	if (!parsed.table)
		return TOOL_EXIT_FAILED;
	tool_functions_scan(print_function, &parsed);
	if (!parsed.num_found) {
		fprintf(stderr, "%s: process %d has no device open\n", argv[0],
			parsed.pid);
		return TOOL_EXIT_FAILED;
	}
	return parsed.error ? TOOL_EXIT_FAILED : TOOL_EXIT_OK;
}
