/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Building blocks of a tree of small files. The first error is remembered and
 * ends all further work, so that the contents read as a plain list.
 */
#ifndef STANDIN_TREE_BUILD_H
#define STANDIN_TREE_BUILD_H

#include <stdbool.h>
#include <time.h>

#include "arnica/hw/format.h"

struct standin_build {
	int folder;	  /* descriptor of the tree's root */
	bool replaces;	  /* files that are there already */
	int error;	  /* the first one, or 0 */
	char parent[256]; /* made last; most files have the same as before */
};

/* Paths are relative to the root; the folders above them are made as needed. */
int standin_build_start(struct standin_build *build,
			const char *root) ARNICA_MUST_CHECK;
/* Goes on with a finished tree: files take the place of those that are there. */
int standin_build_resume(struct standin_build *build,
			 const char *root) ARNICA_MUST_CHECK;
void standin_build_folder(struct standin_build *build, const char *path);
void standin_build_file(struct standin_build *build, const char *path,
			const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same for a name in a folder, with a content that is no format. */
void standin_build_text(struct standin_build *build, const char *folder,
			const char *name, const char *content);
void standin_build_symlink(struct standin_build *build, const char *path,
			   const char *target);
/* A second name of a file; a copy of `content` where links are not possible. */
void standin_build_same(struct standin_build *build, const char *path,
			const char *existing, const char *content);
/* A node that is not a file: listings show a character device where the system
 * permits that to everybody (0:0), otherwise an empty file. */
void standin_build_node(struct standin_build *build, const char *path);
/* Removes a file or an empty folder, if it is there. */
void standin_build_drop(struct standin_build *build, const char *path);
/* Modification time of a finished folder. */
void standin_build_time(struct standin_build *build, const char *path,
			struct timespec time);
int standin_build_finish(struct standin_build *build) ARNICA_MUST_CHECK;

/* Removes a tree; what cannot be removed stays. */
void standin_build_remove(int folder, const char *path);

#endif
