/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tree_port.h"

static int standin_place_foreign(const char *path, struct standin_place *place)
{
	place->kind = STANDIN_PLACE_FOREIGN;
	if (strlen(path) >= sizeof(place->path))
		return ENAMETOOLONG;
	strcpy(place->path, path);
	return 0;
}

/*
 * A path with ".." may lead out of the folders that are ours, by names or by a
 * symbolic link: it is ours if the tree has it.
 */
static bool standin_place_exists(const char *path)
{
	return !syscall(SYS_faccessat, AT_FDCWD, path, F_OK);
}

static int standin_place_in_tree(const struct standin_match *match,
				 const char *path, struct standin_place *place)
{
	const struct standin_adapter *adapter;
	int error = standin_adapter_get(&adapter);

	if (error)
		return error;
	standin_tree_follow_port(adapter);
	if ((size_t)snprintf(place->path, sizeof(place->path), "%s%s%s",
			     adapter->root, match->base,
			     match->rest) >= sizeof(place->path))
		return ENAMETOOLONG;
	if (standin_match_climbs(match->rest) &&
	    !standin_place_exists(place->path))
		return standin_place_foreign(path, place);
	place->kind = standin_match_device(match)  ? STANDIN_PLACE_DEVICE :
		      standin_match_manager(match) ? STANDIN_PLACE_MANAGER :
						     STANDIN_PLACE_TREE;
	return 0;
}

/* Where a descriptor's folder is; false if nobody knows. */
static bool standin_place_of_folder(int folder, char *path, size_t size)
{
	char link[64];
	long length;

	if (folder == AT_FDCWD)
		snprintf(link, sizeof(link), "/proc/self/cwd");
	else
		snprintf(link, sizeof(link), "/proc/self/fd/%d", folder);
	length = syscall(SYS_readlinkat, AT_FDCWD, link, path, size - 1);
	if (length <= 0)
		return false;
	path[length] = '\0';
	return path[0] == '/';
}

/* uverbs0 or rdma_cm below a folder that is the tree's own /dev/infiniband: names of
 * trees are unmistakable, so the adapter is not asked for every such name. */
static int standin_place_beside(const char *folder, const char *path,
				struct standin_place *place)
{
	static const char devices[] = "/dev/infiniband";
	const struct standin_adapter *adapter;
	const char *tree = strstr(folder, "/sysfs-");
	size_t length;

	bool manager = !strcmp(path, "rdma_cm");

	if (!tree || (!manager && !standin_match_device_name(path)) ||
	    standin_adapter_get(&adapter))
		return standin_place_foreign(path, place);
	length = strlen(adapter->root);
	if (strncmp(folder, adapter->root, length) ||
	    strcmp(folder + length, devices) ||
	    (!manager && strcmp(path, "uverbs0") != 0))
		return standin_place_foreign(path, place);
	place->kind = manager ? STANDIN_PLACE_MANAGER : STANDIN_PLACE_DEVICE;
	snprintf(place->path, sizeof(place->path), "%s%s/%s", adapter->root,
		 devices, path);
	return 0;
}

static int standin_place_relative(int folder, const char *path,
				  struct standin_place *place)
{
	char whole[2 * PATH_MAX];
	struct standin_match match;
	size_t length;

	if (!standin_place_of_folder(folder, whole, PATH_MAX))
		return standin_place_foreign(path, place);
	length = strlen(whole);
	if (strlen(path) + length + 2 > sizeof(whole))
		return standin_place_foreign(path, place);
	snprintf(whole + length, sizeof(whole) - length, "/%s", path);
	if (standin_match_path(whole, &match))
		return standin_place_in_tree(&match, path, place);
	whole[length] = '\0';
	return standin_place_beside(whole, path, place);
}

int standin_place_find(int folder, const char *path,
		       struct standin_place *place)
{
	struct standin_match match;
	int saved = errno;
	int error;

	if (standin_adapter_is_loading())
		error = standin_place_foreign(path, place);
	else if (path[0] != '/')
		error = standin_place_relative(folder, path, place);
	else if (standin_match_path(path, &match))
		error = standin_place_in_tree(&match, path, place);
	else
		error = standin_place_foreign(path, place);
	errno = saved;
	return error;
}
