/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "complain.h"
#include "tree_build.h"
#include "tree_content.h"

#define STANDIN_TREE_TEMPORARY ".sysfs-"
#define STANDIN_TREE_ABANDONED_S 60 /* no build takes that long */

/* FNV-1a, 64 bits. */
static uint64_t standin_hash_bytes(uint64_t hash, const void *bytes,
				   size_t length)
{
	const uint8_t *at = bytes;

	while (length--)
		hash = (hash ^ *at++) * 0x100000001b3ull;
	return hash;
}

static uint64_t standin_hash_number(uint64_t hash, uint64_t number)
{
	return standin_hash_bytes(hash, &number, sizeof(number));
}

static uint64_t standin_hash_string(uint64_t hash, const char *string,
				    size_t size)
{
	size_t length = strnlen(string, size);

	return standin_hash_bytes(standin_hash_number(hash, length), string,
				  length);
}

/* Field by field, because the bytes between them and behind the strings are
 * not part of the identity. Nor is the port: it changes. */
uint64_t standin_tree_hash(const struct arnica_bus_identity *identity)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	hash = standin_hash_number(hash, STANDIN_TREE_CONTENT_VERSION);
	hash = standin_hash_number(hash, identity->node_guid);
	hash = standin_hash_number(hash, identity->vendor_id);
	hash = standin_hash_number(hash, identity->vendor_part_id);
	hash = standin_hash_string(hash, identity->device_name,
				   sizeof(identity->device_name));
	return hash;
}

/* Removes what a builder left that was killed. Others may build just now: they
 * are younger. */
static void standin_tree_sweep(const char *domain_path)
{
	DIR *folder = opendir(domain_path);
	struct dirent *entry;
	struct stat status;

	if (!folder)
		return;
	while ((entry = readdir(folder))) {
		if (strncmp(entry->d_name, STANDIN_TREE_TEMPORARY,
			    strlen(STANDIN_TREE_TEMPORARY)))
			continue;
		if (fstatat(dirfd(folder), entry->d_name, &status,
			    AT_SYMLINK_NOFOLLOW))
			continue;
		if (status.st_mtime + STANDIN_TREE_ABANDONED_S < time(NULL))
			standin_build_remove(dirfd(folder), entry->d_name);
	}
	closedir(folder);
}

static int standin_tree_build(const struct arnica_bus_identity *identity,
			      const char *temporary, const char *root)
{
	struct standin_build build;
	int error = standin_build_start(&build, temporary);

	if (error)
		return error;
	standin_tree_fill(&build, identity, standin_tree_hash(identity));
	error = standin_build_finish(&build);
	if (error)
		return error;
	/* Somebody else was faster: his tree is the same. */
	if (rename(temporary, root) && errno != EEXIST && errno != ENOTEMPTY)
		return errno;
	return 0;
}

static int standin_tree_create(const struct arnica_bus_identity *identity,
			       const char *root)
{
	char temporary[STANDIN_ROOT_BYTES];
	int error;

	snprintf(temporary, sizeof(temporary), "%s/%sXXXXXX",
		 identity->domain_path, STANDIN_TREE_TEMPORARY);
	standin_tree_sweep(identity->domain_path);
	if (!mkdtemp(temporary))
		return errno;
	error = standin_tree_build(identity, temporary, root);
	/* Gone if the rename succeeded. */
	standin_build_remove(AT_FDCWD, temporary);
	return error;
}

int standin_tree_provide(const struct arnica_bus_identity *identity,
			 char root[STANDIN_ROOT_BYTES])
{
	int error;

	if (snprintf(root, STANDIN_ROOT_BYTES, "%s/sysfs-%016llx",
		     identity->domain_path,
		     (unsigned long long)standin_tree_hash(identity)) >=
	    (int)STANDIN_ROOT_BYTES)
		return ENAMETOOLONG;
	if (!access(root, F_OK))
		return 0;
	error = standin_tree_create(identity, root);
	if (error)
		standin_complain(
			"cannot create the device tree %s: %s; no RDMA "
			"device. Make room there, or name another "
			"folder with ARNICA_RUNTIME_DIR",
			root, strerror(error));
	return error;
}
