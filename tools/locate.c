/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Finds the libraries. Only existence is tested here; nothing is loaded,
 * because `arnica run` must cost nothing.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "locate.h"
#include "preload.h"

/* The provider is known by one name for each private ABI of libibverbs; one of
 * them is enough to know the folder. */
static const char provider_probe[] = "libarnica-rdmav34.so";
static const char standin_name[] = "libarnica-standin.so";
static const char device_name[] = "libarnica-device.so";

static int join(char path[PATH_MAX], const char *dir, const char *name)
{
	int length = snprintf(path, PATH_MAX, "%s/%s", dir, name);

	return length < 0 || length >= PATH_MAX ? ENAMETOOLONG : 0;
}

static bool exists(const char *dir, const char *name)
{
	char path[PATH_MAX];

	return !join(path, dir, name) && !access(path, R_OK);
}

static int fill(const char *dir, struct tool_layout *layout)
{
	char clean[PATH_MAX];
	char plugins[PATH_MAX];
	int err;

	if (!exists(dir, standin_name))
		return ENOENT;
	if (!realpath(dir, clean))
		return errno;
	err = join(layout->standin, clean, standin_name);
	if (!err)
		err = join(layout->device, clean, device_name);
	if (!err)
		err = join(plugins, clean, "libibverbs");
	if (err)
		return err;
	return join(layout->drivers,
		    exists(plugins, provider_probe) ? plugins : clean,
		    "libarnica");
}

int tool_locate_from(const char *program_dir, const char *install_dir,
		     struct tool_layout *layout)
{
	static const char *const beside[] = { "../lib", ARNICA_BIN_TO_LIB };
	char dir[PATH_MAX];
	int err;

	for (size_t i = 0; i < sizeof(beside) / sizeof(beside[0]); i++) {
		err = join(dir, program_dir, beside[i]);
		if (err)
			return err;
		err = fill(dir, layout);
		if (err != ENOENT)
			return err;
	}
	return install_dir ? fill(install_dir, layout) : ENOENT;
}

int tool_locate(struct tool_layout *layout)
{
	char program[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program));
	char *slash;

	if (length < 0 || length == sizeof(program))
		return tool_locate_from("/usr/bin", ARNICA_INSTALL_FULL_LIBDIR,
					layout);
	program[length] = '\0';
	slash = strrchr(program, '/');
	if (!slash)
		return ENOENT;
	*slash = '\0';
	return tool_locate_from(program, ARNICA_INSTALL_FULL_LIBDIR, layout);
}

int tool_locate_or_explain(const char *command, struct tool_layout *layout)
{
	int err = tool_locate(layout);

	if (err) {
		fprintf(stderr,
			"%s: %s not found in ../lib of this program or in %s: %s; build it, or install the package again\n",
			command, standin_name, ARNICA_INSTALL_FULL_LIBDIR,
			strerror(err));
	} else if (tool_preload_splits(layout->standin)) {
		fprintf(stderr,
			"%s: '%s' cannot be preloaded, because the dynamic linker splits LD_PRELOAD at spaces and colons; move it to a folder without them\n",
			command, layout->standin);
		err = EINVAL;
	}
	return err;
}
