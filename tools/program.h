/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The program that `arnica run` is asked to start: where it is, and whether a
 * library can be preloaded into it.
 */
#ifndef ARNICA_TOOLS_PROGRAM_H
#define ARNICA_TOOLS_PROGRAM_H

#include <limits.h>

enum tool_verdict {
	TOOL_VERDICT_OK,
	TOOL_VERDICT_STATIC,  /* no dynamic linker: nothing can be preloaded */
	TOOL_VERDICT_FOREIGN, /* built for another architecture */
	TOOL_VERDICT_SECURE,  /* setuid, setgid or capabilities: the dynamic
				 linker ignores LD_PRELOAD */
};

struct tool_program {
	char path[PATH_MAX]; /* contains a slash */
	enum tool_verdict verdict;
	char subject[PATH_MAX]; /* the file that the verdict is about: the
				   program, or a script's interpreter */
};

/*
 * Finds `name` as execvp() would, in the folders of `search_path` (NULL: the
 * default of confstr). ENOENT: not found; EACCES: found, not executable;
 * ENAMETOOLONG.
 */
int tool_program_find(const char *name, const char *search_path,
		      char path[PATH_MAX]) __attribute__((warn_unused_result));

/* tool_program_find(), and looks into the file. A file that cannot be read (it
 * may be executable all the same) gets TOOL_VERDICT_OK. */
int tool_program_inspect(const char *name, const char *search_path,
			 struct tool_program *program)
	__attribute__((warn_unused_result));

#endif
