/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elf_scan.h"
#include "environment.h"
#include "fault_spec.h"

enum { OPTION_FAULT = 0x200, OPTION_PCAP };

static const struct argp_option options[] = {
	{ "part-id", 'p', "NUMBER", 0,
	  "vendor part id that the device reports; perftest uses inline data "
	  "and the ibv_wr_* calls with 0xefa0",
	  0 },
	{ "fault", OPTION_FAULT, "FAULTS", 0,
	  "do this to the packets on the wire, as in drop=1%,reorder=1%,"
	  "dup=0.5%,corrupt=0.1%,delay=50us,seed=7; processes of one host "
	  "talk over the wire then, too",
	  0 },
	{ "pcap", OPTION_PCAP, "FILE", 0,
	  "write all packets to this file, for Wireshark; with %p in its name, "
	  "one file for each process",
	  0 },
	{ 0 },
};

static error_t parse_part_id(struct tool_environment *environment,
			     const char *argument, struct argp_state *state)
{
	unsigned long long value;
	char *end;

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

static error_t parse_fault(struct tool_environment *environment,
			   const char *argument, struct argp_state *state)
{
	struct arnica_fault_spec spec;
	char why[256];

	if (arnica_fault_spec_parse(argument, &spec, why, sizeof(why))) {
		argp_failure(state, argp_err_exit_status, 0, "--fault: %s",
			     why);
		return EINVAL;
	}
	environment->fault = argument;
	return 0;
}

/* The program may change its folder, so the name becomes absolute. */
static error_t parse_pcap(struct tool_environment *environment,
			  const char *argument, struct argp_state *state)
{
	char here[PATH_MAX] = "";
	int length;

	if (!*argument || (*argument != '/' && !getcwd(here, sizeof(here)))) {
		argp_failure(state, argp_err_exit_status, *argument ? errno : 0,
			     "--pcap: '%s' is no name of a file", argument);
		return EINVAL;
	}
	length = snprintf(environment->pcap, sizeof(environment->pcap),
			  "%s%s%s", here, *here ? "/" : "", argument);
	if (length < (int)sizeof(environment->pcap))
		return 0;
	argp_failure(state, argp_err_exit_status, ENAMETOOLONG,
		     "--pcap: '%.32s...'", argument);
	return ENAMETOOLONG;
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct tool_environment *environment = state->input;

	switch (key) {
	case 'p':
		return parse_part_id(environment, argument, state);
	case OPTION_FAULT:
		return parse_fault(environment, argument, state);
	case OPTION_PCAP:
		return parse_pcap(environment, argument, state);
	default:
		return ARGP_ERR_UNKNOWN;
	}
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
	if (environment->fault) {
		add(environment, "ARNICA_FAULT", environment->fault, false);
		/* Packets exist on the wire only. */
		add(environment, "ARNICA_LOOPBACK", "off", false);
	}
	if (environment->pcap[0])
		add(environment, "ARNICA_PCAP", environment->pcap, false);
}
