/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * arnica devices: what a program would find, and who has it open.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "adapter.h"
#include "command.h"
#include "functions.h"

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	argp_error(state, "unexpected argument '%s'", argument);
	return EINVAL;
}

static bool gid_is_empty(const struct arnica_bus_gid *gid)
{
	static const uint8_t zero[sizeof(gid->raw)];

	return !memcmp(gid->raw, zero, sizeof(zero));
}

static void print_gid(uint32_t index, const struct arnica_bus_gid *gid)
{
	char address[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, gid->raw, address, sizeof(address));
	printf("  gid %-2" PRIu32 "   %-39s  RoCE v2  %s\n", index, address,
	       gid->interface_name);
}

static void print_identity(const struct arnica_bus_identity *identity)
{
	uint64_t guid = identity->node_guid;

	printf("%s\n", identity->device_name);
	printf("  guid     %04x:%04x:%04x:%04x\n", (unsigned)(guid >> 48),
	       (unsigned)(guid >> 32 & 0xffff), (unsigned)(guid >> 16 & 0xffff),
	       (unsigned)(guid & 0xffff));
	printf("  vendor   0x%06" PRIx32 " part 0x%" PRIx32 "\n",
	       identity->vendor_id, identity->vendor_part_id);
	printf("  network  %s\n", identity->port.interface_name);
	for (uint32_t i = 0; i < identity->port.num_gids; i++) {
		if (!gid_is_empty(&identity->port.gids[i]))
			print_gid(i, &identity->port.gids[i]);
	}
	printf("  domain   %s\n", identity->domain_path);
}

/* Those of this adapter, or those of others: other users and networks have one
 * each. */
struct users {
	bool elsewhere;
	unsigned count;
};

static void print_function(const struct tool_function *function, void *argument)
{
	struct users *users = argument;

	if (!function->running ||
	    tool_function_is_elsewhere(function) != users->elsewhere)
		return;
	if (!users->count++)
		printf(users->elsewhere ? "  open elsewhere by\n" :
					  "  open by\n");
	printf("    process %-7d %-15s %" PRIu64 " KiB in use", function->pid,
	       function->command, function->used_bytes / 1024);
	tool_function_print_place(function);
	putchar('\n');
}

static void print_users(void)
{
	struct users users = { .elsewhere = false };

	tool_functions_scan(print_function, &users);
	if (!users.count)
		printf("  open by nobody\n");
	users = (struct users){ .elsewhere = true };
	tool_functions_scan(print_function, &users);
}

int tool_command_devices(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse_option,
		.doc = "Shows the emulated device, its addresses, and which "
		       "processes of yours have it open.",
	};
	struct arnica_bus_identity identity;
	struct tool_layout layout;

	if (argp_parse(&argp, argc, argv, 0, NULL, NULL))
		return TOOL_EXIT_USAGE;
	if (tool_locate_or_explain(argv[0], &layout) ||
	    tool_adapter_identity(argv[0], &layout, &identity))
		return TOOL_EXIT_FAILED;
	print_identity(&identity);
	print_users();
	return TOOL_EXIT_OK;
}
