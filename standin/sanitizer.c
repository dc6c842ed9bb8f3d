/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A program built with -fsanitize=address refuses to start when a library is
 * preloaded in front of its runtime, because that library might hide the
 * runtime's functions. This one does not: everything goes on to the next
 * definition (next.h). The runtime asks for options by this name before it
 * looks; a program that defines it itself is asked instead of us, and needs
 * ASAN_OPTIONS=verify_asan_link_order=0 in its environment.
 */
#include "entry.h"

const char *__asan_default_options(void);

STANDIN_ENTRY const char *__asan_default_options(void)
{
	return "verify_asan_link_order=0";
}
