/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Subcommands of the arnica command. Each has a file of its own and one entry
 * in the table of main.c. A subcommand gets its arguments with its own full
 * name ("arnica run") in argv[0], and returns the exit status of the program.
 */
#ifndef ARNICA_TOOLS_COMMAND_H
#define ARNICA_TOOLS_COMMAND_H

#include <argp.h>
#include <stdbool.h>

enum tool_exit {
	TOOL_EXIT_OK = 0,
	TOOL_EXIT_FAILED = 1,
	TOOL_EXIT_USAGE = 2,
	/* of `run`, as env(1) has them */
	TOOL_EXIT_SETUP = 125,		/* arnica itself failed */
	TOOL_EXIT_NOT_EXECUTABLE = 126, /* found, but cannot be run */
	TOOL_EXIT_NOT_FOUND = 127,
};

struct tool_command {
	const char *name;
	const char *summary; /* for the list of subcommands */
	bool hidden;	     /* not in the list */
	int (*run)(int argc, char **argv);
};

int tool_command_run(int argc, char **argv);
int tool_command_env(int argc, char **argv);
int tool_command_devices(int argc, char **argv);
int tool_command_doctor(int argc, char **argv);
int tool_command_stat(int argc, char **argv);
int tool_command_dump(int argc, char **argv);
int tool_command_probe(int argc, char **argv);

#endif
