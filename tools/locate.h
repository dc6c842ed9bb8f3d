/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Finds arnica's libraries relative to the program itself, so that a build
 * tree, a copied tree and an installed package work alike.
 */
#ifndef ARNICA_TOOLS_LOCATE_H
#define ARNICA_TOOLS_LOCATE_H

#include <limits.h>

struct tool_layout {
	char standin[PATH_MAX]; /* libarnica-standin.so, the preloaded library
				 */
	char device[PATH_MAX];	/* libarnica-device.so, the adapter */
	char drivers[PATH_MAX]; /* provider, without "-rdmavNN.so": as
				   RDMAV_DRIVERS wants it */
};

/*
 * Looks for the libraries of a program that lies in `program_dir`: in ../lib (a
 * build tree), in the folder at the same place as in the installed package, and
 * in `install_dir` (the installed package; may be NULL). ENOENT: there is no
 * stand-in in any of them; ENAMETOOLONG.
 */
int tool_locate_from(const char *program_dir, const char *install_dir,
		     struct tool_layout *layout)
	__attribute__((warn_unused_result));

/* The same for the running program. */
int tool_locate(struct tool_layout *layout) __attribute__((warn_unused_result));

/* tool_locate() that says on stderr, as `command`, what is missing. EINVAL: a
 * path that LD_PRELOAD cannot hold. */
int tool_locate_or_explain(const char *command, struct tool_layout *layout)
	__attribute__((warn_unused_result));

#endif
