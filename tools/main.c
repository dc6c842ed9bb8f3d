/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The arnica command: finds the subcommand and hands over to it.
 */
#include <stdio.h>
#include <string.h>

#include "command.h"

static const struct tool_command commands[] = {
	{ "run", "run a program with the emulated RDMA device", false,
	  tool_command_run },
	{ "env", "print the variables that `run` sets, for a shell or image",
	  false, tool_command_env },
	{ "devices", "show the device, its addresses and who has it open",
	  false, tool_command_devices },
	{ "stat", "show the adapter's counters of running programs", false,
	  tool_command_stat },
	{ "dump", "show the keys of a running program, and what they permit",
	  false, tool_command_dump },
	{ "doctor", "check what this machine permits and what to do about it",
	  false, tool_command_doctor },
	{ "probe", "open the device through libibverbs (used by doctor)", true,
	  tool_command_probe },
};

#define NUM_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct tool_command *find_command(const char *name)
{
	for (size_t i = 0; i < NUM_COMMANDS; i++) {
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	}
	return NULL;
}

static void print_help(FILE *out)
{
	fputs("Usage: arnica COMMAND [OPTION...] [ARGUMENT...]\n"
	      "An RDMA adapter in software for unmodified verbs programs.\n\n"
	      "Commands:\n",
	      out);
	for (size_t i = 0; i < NUM_COMMANDS; i++) {
		if (!commands[i].hidden)
			fprintf(out, "  %-9s %s\n", commands[i].name,
				commands[i].summary);
	}
	fputs("  help      explain a command: arnica help COMMAND\n\n"
	      "Options:\n"
	      "  -V, --version  print the version\n"
	      "  -h, --help     print this text\n\n"
	      "Example:\n"
	      "  arnica run -- ib_write_bw            in one terminal\n"
	      "  arnica run -- ib_write_bw localhost  in another\n",
	      out);
}

static int run_command(const struct tool_command *command, int argc,
		       char **argv)
{
	char full_name[64];

	snprintf(full_name, sizeof(full_name), "arnica %s", command->name);
	argv[0] = full_name;
	argp_err_exit_status = TOOL_EXIT_USAGE;
	return command->run(argc, argv);
}

static int unknown_command(const char *name)
{
	fprintf(stderr, "arnica: unknown command '%s'; try: arnica --help\n",
		name);
	return TOOL_EXIT_USAGE;
}

static int help_command(int argc, char **argv)
{
	const struct tool_command *command;
	char option[] = "--help";
	char *arguments[] = { NULL, option, NULL };

	if (argc < 2) {
		print_help(stdout);
		return TOOL_EXIT_OK;
	}
	command = find_command(argv[1]);
	if (!command)
		return unknown_command(argv[1]);
	return run_command(command, 2, arguments);
}

int main(int argc, char **argv)
{
	const struct tool_command *command;

	if (argc < 2) {
		print_help(stderr);
		return TOOL_EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		print_help(stdout);
		return TOOL_EXIT_OK;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		printf("arnica %s\n", ARNICA_VERSION);
		return TOOL_EXIT_OK;
	}
	if (!strcmp(argv[1], "help"))
		return help_command(argc - 1, argv + 1);
	if (argv[1][0] == '-') {
		fprintf(stderr,
			"arnica: unknown option '%s'; try: arnica --help\n",
			argv[1]);
		return TOOL_EXIT_USAGE;
	}
	command = find_command(argv[1]);
	if (!command)
		return unknown_command(argv[1]);
	return run_command(command, argc - 1, argv + 1);
}
