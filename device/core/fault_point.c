/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Fault points, see the header. Not part of release builds. */
#include "core/fault_point.h"

#ifdef ARNICA_FAULT_POINTS
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum point_state {
	POINT_UNKNOWN = 0,
	POINT_IDLE = 1, /* listed, and not the one to act at */
	POINT_CHOSEN = 2,
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char chosen_name[64];
static char chosen_action[16];
static atomic_int hits_left;
static const char *list_path;

static void read_environment(void)
{
	const char *text = getenv("ARNICA_FAULT_POINT");
	int count = 0;

	list_path = getenv("ARNICA_FAULT_LIST");
	if (text && sscanf(text, "%63[^:]:%d:%15s", chosen_name, &count,
			   chosen_action) != 3)
		chosen_name[0] = '\0';
	atomic_store(&hits_left, count);
}

static void list(const char *name)
{
	int fd = open(list_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC,
		      0600);
	char line[80];
	int length = snprintf(line, sizeof(line), "%s\n", name);

	if (fd < 0)
		return;
	if (write(fd, line, (size_t)length) != length)
		perror(list_path);
	close(fd);
}

static void act(void)
{
	if (!strcmp(chosen_action, "kill"))
		kill(getpid(), SIGKILL);
	else if (!strcmp(chosen_action, "stop"))
		kill(getpid(), SIGSTOP);
	else if (!strcmp(chosen_action, "exit"))
		_exit(99);
}

void adev_fault_point_hit(struct adev_fault_point *point)
{
	unsigned int state =
		atomic_load_explicit(&point->state, memory_order_relaxed);

	if (state == POINT_IDLE)
		return;
	pthread_once(&once, read_environment);
	if (state == POINT_UNKNOWN) {
		state = strcmp(point->name, chosen_name) ? POINT_IDLE :
							   POINT_CHOSEN;
		atomic_store(&point->state, state);
		if (list_path)
			list(point->name);
	}
	if (state == POINT_CHOSEN && atomic_fetch_sub(&hits_left, 1) == 1)
		act();
}
#else
typedef int adev_fault_points_are_off;
#endif
