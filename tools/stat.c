/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * arnica stat: the counters of running programs, from outside. They are read,
 * not asked for: the programs notice nothing.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adapter.h"
#include "comm.h"
#include "command.h"
#include "functions.h"
#include "stat_scheduler.h"

struct stat_options {
	const char *command;
	bool all;  /* also those that are zero */
	pid_t pid; /* zero: every process */
	unsigned interval_s; /* zero: once */
	tool_counters_fn *counters;
	tool_share_fn *share;
	tool_scheduler_fn *scheduler;
	unsigned num_found;
	int error; /* of the last process whose counters cannot be read */
};

static const struct argp_option options[] = {
	{ "all", 'a', NULL, 0, "show also the counters that are zero", 0 },
	{ "interval", 'i', "SECONDS", 0,
	  "show them again and again, until the processes end", 0 },
	{ 0 },
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct stat_options *parsed = state->input;
	char *end;
	long pid;

	switch (key) {
	case 'a':
		parsed->all = true;
		return 0;
	case 'i':
		parsed->interval_s = (unsigned)strtoul(argument, &end, 10);
		if (!parsed->interval_s || *end || *argument == '-') {
			argp_error(state, "'%s' is no number of seconds",
				   argument);
			return EINVAL;
		}
		return 0;
	case ARGP_KEY_ARG:
		pid = strtol(argument, &end, 10);
		if (parsed->pid || *end || end == argument || pid <= 0 ||
		    pid != (pid_t)pid) {
			argp_error(state, "'%s' is not the number of a process",
				   argument);
			return EINVAL;
		}
		parsed->pid = (pid_t)pid;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void print_counter(const struct arnica_bus_counter *counter,
			  void *argument)
{
	const struct stat_options *parsed = argument;

	if (counter->value || parsed->all)
		printf("  %-22s %14" PRIu64 "  %s\n", counter->name,
		       counter->value, counter->text);
}

/* Threads that the adapter has named so. */
static bool is_engine(pid_t pid, const char *thread)
{
	char path[64], name[32];

	snprintf(path, sizeof(path), "/proc/%d/task/%.16s/comm", (int)pid,
		 thread);
	arnica_comm_read(path, name, sizeof(name));
	return strncmp(name, "arnica-engine", 13) == 0;
}

static void print_engines(pid_t pid)
{
	char path[32];
	struct dirent *entry;
	unsigned count = 0;
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	folder = opendir(path);
	if (!folder)
		return;
	while ((entry = readdir(folder)))
		count += is_engine(pid, entry->d_name);
	closedir(folder);
	if (count)
		printf(", %u engine thread%s", count, count > 1 ? "s" : "");
}

/* Where the port has a limit. */
static void print_share(const struct tool_function *function,
			const struct stat_options *parsed)
{
	struct arnica_bus_share share;

	if (parsed->share(function->fd, &share))
		return;
	printf("  %-22s %14" PRIu64
	       "  bytes a second; weight %u of %u that want to send: %u %%\n",
	       "port_limit", share.rate, share.weight, share.weights,
	       100 * share.weight / share.weights);
}

static int print_all(const struct tool_function *function,
		     struct stat_options *parsed)
{
	struct arnica_hw_sched_counters scheduler;
	int err = parsed->counters(function->fd, function->pid, print_counter,
				   parsed);

	if (!err)
		err = parsed->scheduler(function->fd, function->pid,
					&scheduler);
	if (!err)
		tool_print_scheduler(&scheduler, parsed->all);
	return err;
}

static void print_function(const struct tool_function *function, void *argument)
{
	struct stat_options *parsed = argument;
	int err;

	if (!function->running || (parsed->pid && parsed->pid != function->pid))
		return;
	printf("process %d %s", function->pid, function->command);
	print_engines(function->pid);
	tool_function_print_place(function);
	putchar('\n');
	print_share(function, parsed);
	err = print_all(function, parsed);
	if (err) {
		fprintf(stderr,
			"%s: process %d: its counters cannot be read: %s\n",
			parsed->command, function->pid, strerror(err));
		parsed->error = err;
	}
	parsed->num_found++;
}

int tool_command_stat(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "[PID]",
		.doc = "Shows what the adapter has counted in your processes that "
		       "have it open, or in one of them.",
	};
	struct stat_options parsed = { .command = argv[0] };
	struct tool_layout layout;

	if (argp_parse(&argp, argc, argv, 0, NULL, &parsed))
		return TOOL_EXIT_USAGE;
	if (tool_locate_or_explain(argv[0], &layout))
		return TOOL_EXIT_FAILED;
	parsed.counters = tool_adapter_counters(argv[0], &layout);
	parsed.share = tool_adapter_share(argv[0], &layout);
	parsed.scheduler = tool_adapter_scheduler(argv[0], &layout);
	if (!parsed.counters || !parsed.share || !parsed.scheduler)
		return TOOL_EXIT_FAILED;
	tool_functions_scan(print_function, &parsed);
	while (parsed.interval_s && parsed.num_found && !parsed.error) {
		fflush(stdout);
		sleep(parsed.interval_s);
		parsed.num_found = 0;
		tool_functions_scan(print_function, &parsed);
		if (!parsed.num_found)
			return TOOL_EXIT_OK;
	}
	if (!parsed.num_found && parsed.pid) {
		fprintf(stderr, "%s: process %d has no device open\n", argv[0],
			parsed.pid);
		return TOOL_EXIT_FAILED;
	}
	if (!parsed.num_found)
		fprintf(stderr, "%s: no process of yours has the device open\n",
			argv[0]);
	return parsed.error ? TOOL_EXIT_FAILED : TOOL_EXIT_OK;
}
