/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Looks at a program as the kernel will when it executes it: scripts are
 * followed to their interpreter, and `#!/usr/bin/env NAME` to NAME.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "elf_scan.h"
#include "program.h"

#define MAX_INTERPRETERS 5 /* the kernel's own limit */

static int check_executable(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return errno;
	if (!S_ISREG(st.st_mode))
		return EACCES;
	return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) ? errno : 0;
}

static int copy_path(char path[PATH_MAX], const char *dir, size_t dir_length,
		     const char *name)
{
	int length = dir_length ? snprintf(path, PATH_MAX, "%.*s/%s",
					   (int)dir_length, dir, name) :
				  snprintf(path, PATH_MAX, "./%s", name);

	return length < 0 || length >= PATH_MAX ? ENAMETOOLONG : 0;
}

int tool_program_find(const char *name, const char *search_path,
		      char path[PATH_MAX])
{
	char standard[PATH_MAX];
	int result = ENOENT;

	if (!*name)
		return ENOENT;
	if (strchr(name, '/')) {
		if (strlen(name) >= PATH_MAX)
			return ENAMETOOLONG;
		strcpy(path, name);
		return check_executable(path);
	}
	if (!search_path) {
		if (!confstr(_CS_PATH, standard, sizeof(standard)))
			return ENOENT;
		search_path = standard;
	}
	for (;;) {
		size_t length = strcspn(search_path, ":");
		int err = copy_path(path, search_path, length, name);

		if (!err)
			err = check_executable(path);
		if (!err)
			return 0;
		if (err == EACCES)
			result = EACCES;
		if (!search_path[length])
			return result;
		search_path += length + 1;
	}
}

/* True when executing the file changes privileges, so that the dynamic linker
 * ignores LD_PRELOAD. */
static bool is_secure(const char *path)
{
	struct stat st;

	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 || stat(path, &st))
		return false;
	if ((st.st_mode & S_ISUID) && st.st_uid != getuid())
		return true;
	/* Without group execution setgid means mandatory locking. */
	if ((st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP) &&
	    st.st_gid != getgid())
		return true;
	return getuid() && getxattr(path, "security.capability", NULL, 0) > 0;
}

static char *next_argument(char **line)
{
	char *word;

	*line += strspn(*line, " \t");
	word = *line;
	*line += strcspn(*line, " \t");
	if (**line)
		*(*line)++ = '\0';
	return word;
}

/* The program that a #! line starts; for env(1), what that looks for. Empty:
 * nothing that can be known. The line is taken apart. */
static const char *interpreter_of(char *line)
{
	const char *name = next_argument(&line);
	const char *slash = strrchr(name, '/');

	if (strcmp(slash ? slash + 1 : name, "env"))
		return name;
	do {
		const char *word = next_argument(&line);

		if (!*word)
			return name;
		if (*word != '-' && !strchr(word, '='))
			return word;
	} while (1);
}

static enum tool_verdict judge(const char *path, const struct tool_elf *elf)
{
	switch (elf->kind) {
	case TOOL_PROGRAM_STATIC:
		return TOOL_VERDICT_STATIC;
	case TOOL_PROGRAM_FOREIGN:
		return TOOL_VERDICT_FOREIGN;
	default:
		return is_secure(path) ? TOOL_VERDICT_SECURE : TOOL_VERDICT_OK;
	}
}

int tool_program_inspect(const char *name, const char *search_path,
			 struct tool_program *program)
{
	struct tool_elf elf;
	int err;

	memset(program, 0, sizeof(*program));
	err = tool_program_find(name, search_path, program->path);
	if (err)
		return err;
	strcpy(program->subject, program->path);
	for (int depth = 0; depth < MAX_INTERPRETERS; depth++) {
		if (tool_elf_scan(program->subject, &elf)) {
			/* Executable, but not readable: only its mode tells. */
			if (is_secure(program->subject))
				program->verdict = TOOL_VERDICT_SECURE;
			return 0;
		}
		if (elf.kind != TOOL_PROGRAM_SCRIPT) {
			program->verdict = judge(program->subject, &elf);
			return 0;
		}
		/* A missing interpreter is reported by whoever executes. */
		if (tool_program_find(interpreter_of(elf.script_line),
				      search_path, program->subject))
			return 0;
	}
	return 0;
}
