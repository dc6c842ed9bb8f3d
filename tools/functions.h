/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Finds the functions of the adapter (its open contexts) by looking at the
 * descriptors of the processes that this user may look at. A device file is
 * recognised by its header, as everywhere; no register of them is needed, and
 * none can be out of date.
 */
#ifndef ARNICA_TOOLS_FUNCTIONS_H
#define ARNICA_TOOLS_FUNCTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct tool_function {
	pid_t pid;
	uint64_t generation; /* unique; zero while no function is attached */
	uint64_t used_bytes; /* memory that the segment has by now */
	bool running;	     /* false: opened only, or closed */
	bool other_network;  /* the process is in another network namespace */
	uid_t user;	     /* of the process */
	char command[16];    /* name of the process */
	int fd;		     /* of the segment, readable; during the call */
};

/* Calls `found` for each function in each process that holds it. */
void tool_functions_scan(void (*found)(const struct tool_function *function,
				       void *argument),
			 void *argument);

/* Is the adapter that it is a function of not the one of this process? */
bool tool_function_is_elsewhere(const struct tool_function *function);

/* Writes ", where" for one that is elsewhere. */
void tool_function_print_place(const struct tool_function *function);

#endif
