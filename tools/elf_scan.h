/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Reads what `arnica run` must know about a program from its file, without
 * running it: can a library be preloaded into it, and which sanitizer runtimes
 * does it need. Nothing in the file is trusted.
 */
#ifndef ARNICA_TOOLS_ELF_SCAN_H
#define ARNICA_TOOLS_ELF_SCAN_H

#include "preload.h"

#define TOOL_SCRIPT_LINE_BYTES 256 /* as the kernel reads of a #! line */

enum tool_program_kind {
	TOOL_PROGRAM_DYNAMIC, /* an ELF program with a dynamic linker */
	TOOL_PROGRAM_STATIC,  /* an ELF program without; also a library */
	TOOL_PROGRAM_FOREIGN, /* an ELF program of another architecture */
	TOOL_PROGRAM_SCRIPT,  /* begins with #! */
	TOOL_PROGRAM_OTHER,   /* the shell, or the kernel, may know it */
};

struct tool_elf {
	enum tool_program_kind kind;
	struct tool_runtimes runtimes;		  /* also of a library */
	char script_line[TOOL_SCRIPT_LINE_BYTES]; /* SCRIPT: what follows #! */
};

/* 0, or the errno of opening or reading the file. Damaged ELF files are
 * OTHER: whoever executes them will say so better. */
int tool_elf_scan(const char *path, struct tool_elf *elf)
	__attribute__((warn_unused_result));

#endif
