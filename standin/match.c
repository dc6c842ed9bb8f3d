/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "match.h"

#include <stddef.h>

struct standin_prefix {
	const char *path;
	const char *base;
	bool open_ended; /* names that only start with the last component too */
};

static const struct standin_prefix standin_prefixes[] = {
	{ "/sys/class/infiniband", "/class/infiniband", true },
	{ "/sys/class/misc/rdma_cm", "/class/misc/rdma_cm", false },
	{ "/dev/infiniband", "/dev/infiniband", false },
};

/* How the paths above can go on when a program stands in a folder of theirs. */
static const char *const standin_tails[] = {
	"infiniband",
	"class/infiniband",
	"sys/class/infiniband",
	"misc/rdma_cm",
	"class/misc/rdma_cm",
	"sys/class/misc/rdma_cm",
	"dev/infiniband",
	"rdma_cm",
	"uverbs",
};

/* Skips the further slashes and "." components that mean nothing. */
static const char *standin_skip_noise(const char *path)
{
	for (;;) {
		if (path[0] == '/')
			path++;
		else if (path[0] == '.' && path[1] == '/')
			path += 2;
		else
			return path;
	}
}

/* What follows the prefix in the path; NULL if the path starts otherwise. */
static const char *standin_strip(const char *path, const char *prefix)
{
	while (*prefix) {
		if (*path != *prefix)
			return NULL;
		path++;
		if (*prefix++ == '/')
			path = standin_skip_noise(path);
	}
	return path;
}

bool standin_match_path(const char *path, struct standin_match *match)
{
	size_t i;

	/* Nearly every path ends here. */
	if (path[0] != '/' || (path[1] != 's' && path[1] != 'd' &&
			       path[1] != '/' && path[1] != '.'))
		return false;
	for (i = 0; i < sizeof(standin_prefixes) / sizeof(*standin_prefixes);
	     i++) {
		const struct standin_prefix *prefix = &standin_prefixes[i];
		const char *rest = standin_strip(path, prefix->path);

		if (!rest)
			continue;
		if (*rest && *rest != '/' && !prefix->open_ended)
			continue;
		match->base = prefix->base;
		match->rest = rest;
		return true;
	}
	return false;
}

bool standin_match_device_name(const char *name)
{
	name = standin_strip(name, "uverbs");
	if (!name || !*name)
		return false;
	for (; *name; name++) {
		if (*name < '0' || *name > '9')
			return false;
	}
	return true;
}

static bool standin_match_node(const struct standin_match *match,
			       const char *wanted)
{
	const char *name;

	if (match->base[1] != 'd' || match->rest[0] != '/')
		return false;
	name = standin_strip(standin_skip_noise(match->rest), wanted);
	return name && !*name;
}

bool standin_match_device(const struct standin_match *match)
{
	return standin_match_node(match, "uverbs0");
}

bool standin_match_manager(const struct standin_match *match)
{
	return standin_match_node(match, "rdma_cm");
}

bool standin_match_relative(const char *path)
{
	size_t i;

	if (path[0] == '.' && path[1] == '/')
		path = standin_skip_noise(path);
	for (i = 0; i < sizeof(standin_tails) / sizeof(*standin_tails); i++) {
		if (path[0] == standin_tails[i][0] &&
		    standin_strip(path, standin_tails[i]))
			return true;
	}
	return false;
}

bool standin_match_climbs(const char *path)
{
	const char *at = path;

	for (; *at; at++) {
		if (at[0] == '.' && at[1] == '.' && (!at[2] || at[2] == '/') &&
		    (at == path || at[-1] == '/'))
			return true;
	}
	return false;
}
