/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The environment variables by which a program gets the emulated device, and
 * the options that `run` and `env` have in common.
 */
#ifndef ARNICA_TOOLS_ENVIRONMENT_H
#define ARNICA_TOOLS_ENVIRONMENT_H

#include <argp.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "locate.h"
#include "preload.h"

#define TOOL_MAX_VARIABLES 8

struct tool_variable {
	const char *name;
	const char *value;
	bool list; /* a list, to be put before what the user has there */
};

struct tool_environment {
	size_t num_variables;
	struct tool_variable variables[TOOL_MAX_VARIABLES];
	char part_id[16];    /* of --part-id; "" when not given */
	const char *fault;   /* of --fault, checked; or NULL */
	char pcap[PATH_MAX]; /* of --pcap, an absolute path; "" when not given
			      */
	struct tool_runtimes runtimes; /* that the adapter is built with */
	char preload[PATH_MAX + 256];  /* runtimes and stand-in */
};

/* Child parser with --part-id, --fault and --pcap; its input is a struct
 * tool_environment. */
extern const struct argp tool_environment_argp;

/*
 * Fills in the variables; `layout` must outlive them.
 *
 * An adapter that is built with a sanitizer takes the runtime into every
 * program, where it must come first. That of a program of the user's needs no
 * such care: it is only told not to insist on being the first library.
 */
void tool_environment_init(struct tool_environment *environment,
			   const struct tool_layout *layout);

#endif
