/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elf_scan.h"
#include "environment.h"

static const struct argp_option options[] = {
	{ "part-id", 'p', "NUMBER", 0,
	  "vendor part id that the device reports; perftest uses inline data "
	  "and the ibv_wr_* calls with 0xefa0",
	  0 },
	{ 0 },
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct tool_environment *environment = state->input;
	unsigned long long value;
	char *end;

	if (key != 'p')
		return ARGP_ERR_UNKNOWN;
	errno = 0;
	value = strtoull(argument, &end, 0);
	if (errno || *end || end == argument || *argument == '-' ||
	    value > UINT32_MAX) {
		argp_error(state, "part id '%s' is not a 32-bit number",
			   argument);
		return EINVAL;
	}
	snprintf(environment->part_id, sizeof(environment->part_id), "%llu",
		 value);
	return 0;
}

const struct argp tool_environment_argp = { .options = options,
					    .parser = parse_option };

static void add(struct tool_environment *environment, const char *name,
		const char *value, bool list)
{
	environment->variables[environment->num_variables++] =
		(struct tool_variable){ name, value, list };
}

/* 0, or the errno of reading the library. */
static int find_runtimes(struct tool_environment *environment,
			 const struct tool_layout *layout)
{
	struct tool_elf library;
	int err = tool_elf_scan(layout->device, &library);

	if (!err)
		environment->runtimes = library.runtimes;
	return err;
}

void tool_environment_init(struct tool_environment *environment,
			   const struct tool_layout *layout)
{
	const char *asan_options = "verify_asan_link_order=0";
	char *preload;

	environment->num_variables = 0;
	memset(&environment->runtimes, 0, sizeof(environment->runtimes));
	if (find_runtimes(environment, layout) == 0 &&
	    environment->runtimes.num_names)
		/* Programs that nobody built for it would report leaks. */
		asan_options = "verify_asan_link_order=0:detect_leaks=0";
	preload = tool_compose_preload(&environment->runtimes, layout->standin,
				       NULL);
	snprintf(environment->preload, sizeof(environment->preload), "%s",
		 preload ? preload : layout->standin);
	free(preload);
	add(environment, "LD_PRELOAD", environment->preload, true);
	/* Also for an installed package: a program may bring its own libibverbs
	 * with its own list of drivers. */
	add(environment, "RDMAV_DRIVERS", layout->drivers, true);
	add(environment, "ASAN_OPTIONS", asan_options, true);
	if (environment->part_id[0])
		add(environment, "ARNICA_PART_ID", environment->part_id, false);
}
