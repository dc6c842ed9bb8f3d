/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Where nothing is adopted, the tests of it are skipped (status 77). */
#ifndef TESTS_ADOPT_PAGES_H
#define TESTS_ADOPT_PAGES_H

#include <arnica/hw/limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

/* Are the machine's pages those that are adopted? Else says why the program
 * ends. */
static inline bool pages_are_adopted(void)
{
	if (sysconf(_SC_PAGESIZE) == (long)ARNICA_HW_PAGE_BYTES)
		return true;
	puts("nothing is adopted on machines with other pages");
	return false;
}

#endif
