/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The beginning of a capture file: the head that all of them have, written once
 * by whoever comes first.
 */
#ifndef ARNICA_UTIL_PCAPNG_FILE_H
#define ARNICA_UTIL_PCAPNG_FILE_H

/*
 * Writes the head into an empty file; one that begins with it already is left
 * as it is. 0, or a positive errno: EINVAL: not a regular file; EEXIST: it has
 * other content; ENOSPC.
 */
int arnica_pcapng_file_begin(int fd) __attribute__((warn_unused_result));

#endif
