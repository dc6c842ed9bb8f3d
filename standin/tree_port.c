/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "tree_port.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define STANDIN_NET STANDIN_SLOT "/net"
#define STANDIN_STAMP ".port"

#define STANDIN_LOCK_ATTEMPTS 20
#define STANDIN_LOCK_PAUSE_NS 1000000

static void standin_drop(struct standin_build *build, const char *folder,
			 const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	standin_build_drop(build, path);
}

/*
 * An empty slot has zeros for a GID. A kernel's files of its type and of its
 * interface exist but fail to read (EINVAL); a plain file cannot do that, so
 * they are left out, which readers treat alike.
 */
static void standin_put_gid(struct standin_build *build, const char *folder,
			    uint32_t index, const struct arnica_bus_gid *gid)
{
	static const uint8_t zeros[16];
	bool empty = !memcmp(gid->raw, zeros, sizeof(zeros));
	char name[64];
	char text[64];
	size_t length = 0;
	size_t i;

	for (i = 0; i < sizeof(gid->raw); i += 2)
		length += (size_t)snprintf(text + length, sizeof(text) - length,
					   "%s%02x%02x", i ? ":" : "",
					   gid->raw[i], gid->raw[i + 1]);
	snprintf(text + length, sizeof(text) - length, "\n");
	snprintf(name, sizeof(name), "gids/%u", index);
	standin_build_text(build, folder, name, text);
	snprintf(name, sizeof(name), "gid_attrs/types/%u", index);
	if (empty)
		standin_drop(build, folder, name);
	else
		standin_build_text(build, folder, name, "RoCE v2\n");
	snprintf(text, sizeof(text), "%.15s\n", gid->interface_name);
	snprintf(name, sizeof(name), "gid_attrs/ndevs/%u", index);
	if (empty || !gid->interface_name[0])
		standin_drop(build, folder, name);
	else
		standin_build_text(build, folder, name, text);
}

static void standin_put_gids(struct standin_build *build, const char *folder,
			     const struct arnica_bus_port *port)
{
	char path[PATH_MAX];
	uint32_t i;

	/* There even when every slot is empty. */
	snprintf(path, sizeof(path), "%s/gid_attrs", folder);
	standin_build_folder(build, path);
	snprintf(path, sizeof(path), "%s/gid_attrs/types", folder);
	standin_build_folder(build, path);
	snprintf(path, sizeof(path), "%s/gid_attrs/ndevs", folder);
	standin_build_folder(build, path);
	for (i = 0; i < ARNICA_HW_GID_TABLE_LEN; i++)
		standin_put_gid(build, folder, i, &port->gids[i]);
}

/* As a kernel prints it: the rate of a lane times their number. */
static void standin_put_rate(struct standin_build *build, const char *folder,
			     const struct arnica_bus_port *port)
{
	static const struct {
		uint32_t code, tenths; /* of a Gb/s, of one lane */
		const char *name;
	} speeds[] = {
		{ 1, 25, "SDR" },   { 2, 50, "DDR" },	{ 4, 100, "QDR" },
		{ 8, 100, "FDR10" }, { 16, 140, "FDR" },	{ 32, 250, "EDR" },
		{ 64, 500, "HDR" }, { 128, 1000, "NDR" },
	};
	/* Codes 1, 2, 4, 8, 16. */
	uint32_t lanes = port->active_width == 2  ? 4 :
			 port->active_width == 4  ? 8 :
			 port->active_width == 8  ? 12 :
			 port->active_width == 16 ? 2 :
						    1;
	char text[64];
	size_t at = 0;

	while (at + 1 < sizeof(speeds) / sizeof(speeds[0]) &&
	       speeds[at].code != port->active_speed)
		at++;
	snprintf(text, sizeof(text), "%u%s Gb/sec (%uX %s)\n",
		 speeds[at].tenths * lanes / 10,
		 speeds[at].tenths * lanes % 10 ? ".5" : "", lanes,
		 speeds[at].name);
	standin_build_text(build, folder, "rate", text);
}

static void standin_put_state(struct standin_build *build, const char *folder,
			      const struct arnica_bus_port *port)
{
	standin_build_text(build, folder, "state",
			   port->state == 4 ? "4: ACTIVE\n" : "1: DOWN\n");
	standin_build_text(build, folder, "phys_state",
			   port->phys_state == 5 ? "5: LinkUp\n" :
						   "3: Disabled\n");
}

/* Takes away the names of interfaces that the device had before. */
static void standin_drop_others(struct standin_build *build, const char *name)
{
	int folder = openat(build->folder, STANDIN_NET,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent *entry;
	DIR *list;

	if (folder < 0)
		return;
	list = fdopendir(folder);
	if (!list) {
		close(folder);
		return;
	}
	while ((entry = readdir(list)))
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, name) != 0)
			standin_build_remove(dirfd(list), entry->d_name);
	closedir(list);
}

/* The slot's network interface: a link to the real one, if /sys shows it. */
static void standin_put_interface(struct standin_build *build,
				  const struct arnica_bus_port *port)
{
	char target[64];
	char name[64];

	snprintf(name, sizeof(name), "%.15s", port->interface_name);
	standin_build_folder(build, STANDIN_NET);
	standin_drop_others(build, name);
	if (!*name)
		return;
	snprintf(target, sizeof(target), "/sys/class/net/%.15s", name);
	snprintf(name, sizeof(name), STANDIN_NET "/%.15s",
		 port->interface_name);
	standin_build_drop(build, name);
	if (!access(target, F_OK))
		standin_build_symlink(build, name, target);
	else
		standin_build_folder(build, name);
}

void standin_tree_put_port(struct standin_build *build, const char *device_name,
			   const struct arnica_bus_port *port)
{
	char folder[PATH_MAX / 2];
	char version[32];

	snprintf(folder, sizeof(folder), "%s/infiniband/%.31s/ports/1",
		 STANDIN_SLOT, device_name);
	standin_put_state(build, folder, port);
	standin_put_rate(build, folder, port);
	standin_put_gids(build, folder, port);
	standin_put_interface(build, port);
	snprintf(version, sizeof(version), "%llu",
		 (unsigned long long)port->version);
	standin_build_drop(build, STANDIN_STAMP);
	standin_build_symlink(build, STANDIN_STAMP, version);
}

/* The version of the port that the tree shows; zero, which none has, while
 * somebody brings it up to another. */
static uint64_t standin_tree_shows(const char *root)
{
	char path[STANDIN_ROOT_BYTES + 16];
	char text[32];
	ssize_t length;

	snprintf(path, sizeof(path), "%s/%s", root, STANDIN_STAMP);
	length = readlink(path, text, sizeof(text) - 1);
	if (length <= 0)
		return 0;
	text[length] = '\0';
	return strtoull(text, NULL, 10);
}

/* By the tree's folder. Whoever holds it looks at the port again, so that what
 * is written is never older than what was there. */
static bool standin_tree_lock(int folder)
{
	const struct timespec pause = { .tv_nsec = STANDIN_LOCK_PAUSE_NS };
	int i;

	for (i = 0; i < STANDIN_LOCK_ATTEMPTS; i++) {
		if (!flock(folder, LOCK_EX | LOCK_NB))
			return true;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return false;
		nanosleep(&pause, NULL);
	}
	return false;
}

void standin_tree_follow_port(const struct standin_adapter *adapter)
{
	struct arnica_bus_port port = {
		.version = standin_tree_shows(adapter->root),
	};
	struct standin_build build;

	if (!adapter->port_changed(&port) ||
	    standin_build_resume(&build, adapter->root))
		return;
	if (standin_tree_lock(build.folder)) {
		port.version = standin_tree_shows(adapter->root);
		if (adapter->port_changed(&port))
			standin_tree_put_port(
				&build, adapter->identity.device_name, &port);
	}
	(void)!standin_build_finish(&build);
}
