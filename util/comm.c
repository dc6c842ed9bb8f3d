/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Names of processes and threads; see comm.h. */
#include "comm.h"

#include <stdio.h>
#include <string.h>

void arnica_comm_read(const char *path, char *name, size_t bytes)
{
	FILE *file = fopen(path, "re");

	if (!file || !fgets(name, (int)bytes, file))
		*name = '\0';
	name[strcspn(name, "\n")] = '\0';
	if (file)
		fclose(file);
}
