/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The file of `arnica run --pcap`: made, or made empty, before the program
 * starts, so that a name that cannot be written is known at once. The adapters
 * of all processes append to it.
 */
#ifndef ARNICA_TOOLS_CAPTURE_FILE_H
#define ARNICA_TOOLS_CAPTURE_FILE_H

/* 0, or a positive errno: the file (or, where the name has a %p, its folder)
 * cannot be written; EINVAL: it is no regular file. */
int tool_capture_begin(const char *path) __attribute__((warn_unused_result));

#endif
