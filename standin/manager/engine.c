/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "engine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "../adapter.h"
#include "../device_file.h"
#include "files.h"
#include "machine.h"

/* Longer than a thread that gets on keeps the lock: it may wait for another
 * process for two seconds. */
#define STANDIN_CM_EXIT_PATIENCE_S 5

struct standin_cm standin_cm = {
	.lock = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP
};

/* Of this process; under standin_cm.lock, but what the thread only reads. */
static struct {
	const struct standin_adapter *adapter;
	struct arnica_bus *bus;
	bool running;
	bool prepared; /* fork and exit are handled */
	int wake;      /* written by commands */
	int mads;      /* written by the adapter */
} standin_cm_engine;

static int standin_cm_world_start(struct arnica_bus_comm_ids *ids)
{
	const struct standin_adapter *adapter = standin_cm_engine.adapter;
	int fd;
	int error = standin_device_file_create(O_CLOEXEC, &fd);

	if (error)
		return error;
	error = adapter->attach(fd, &standin_cm_engine.bus);
	close(fd);
	if (error)
		return error;
	error = adapter->mads_open(standin_cm_engine.bus,
				   standin_cm_engine.mads, ids);
	if (error) {
		adapter->detach(standin_cm_engine.bus);
		standin_cm_engine.bus = NULL;
	}
	return error;
}

static int standin_cm_world_send(const struct arnica_bus_mad *mad)
{
	return standin_cm_engine.adapter->mad_send(standin_cm_engine.bus, mad);
}

static int standin_cm_world_take(const struct arnica_bus_service *service,
				 uint32_t *handle)
{
	return standin_cm_engine.adapter->service_take(standin_cm_engine.bus,
						       service, handle);
}

static int standin_cm_world_listen(uint32_t handle)
{
	return standin_cm_engine.adapter->service_listen(standin_cm_engine.bus,
							 handle);
}

static int standin_cm_world_give(uint32_t handle)
{
	return standin_cm_engine.adapter->service_give(standin_cm_engine.bus,
						       handle);
}

static void standin_cm_world_port(struct arnica_bus_port *port)
{
	(void)standin_cm_engine.adapter->port_changed(port);
}

static uint64_t standin_cm_world_guid(void)
{
	return standin_cm_engine.adapter->identity.node_guid;
}

static uint64_t standin_cm_world_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static const struct standin_cm_world standin_cm_world = {
	.start = standin_cm_world_start,
	.send = standin_cm_world_send,
	.service_take = standin_cm_world_take,
	.service_listen = standin_cm_world_listen,
	.service_give = standin_cm_world_give,
	.port = standin_cm_world_port,
	.node_guid = standin_cm_world_guid,
	.now = standin_cm_world_now,
	.wake = standin_cm_engine_wake,
};

void standin_cm_engine_wake(void)
{
	const uint64_t one = 1;

	/* Full means that it is awake anyway. */
	if (write(standin_cm_engine.wake, &one, sizeof(one)) < 0)
		return;
}

static void standin_cm_engine_drain(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0)
		return;
}

/* Takes as many messages as a queue has. More may have come meanwhile, and go
 * on coming from whoever likes to: commands get their turn in between. True:
 * there may be more. */
static bool standin_cm_engine_take(void)
{
	struct arnica_bus_mad mad;
	uint32_t i;

	for (i = 0; i < ARNICA_HW_MAD_QUEUE; i++) {
		if (!standin_cm.started || standin_cm_engine.adapter->mad_take(
						   standin_cm_engine.bus, &mad))
			return false;
		standin_cm_receive(&mad);
	}
	return true;
}

/* One round, under the lock. Returns when to come again, as a poll() timeout.
 */
static int standin_cm_engine_round(bool closed)
{
	bool more;
	uint64_t due;
	uint64_t now;

	if (closed)
		standin_cm_files_sweep();
	more = standin_cm_engine_take();
	now = standin_cm_world_now();
	due = standin_cm_expire(now);
	if (more || (due && due <= now))
		return 0;
	if (!due)
		return -1;
	return due - now > 3600000000000ull ? 3600000 :
					      (int)((due - now) / 1000000) + 1;
}

/* What to wait for: two eventfds, and the end of each file. Without memory the
 * ends are seen with the next message. */
static nfds_t standin_cm_engine_list(struct pollfd **list, nfds_t *room)
{
	struct standin_cm_file *file;
	struct pollfd *larger;
	nfds_t num = 2;

	for (file = standin_cm.files; file; file = file->next)
		num++;
	if (num > *room) {
		larger = realloc(*list, 2 * num * sizeof(**list));
		if (larger) {
			*list = larger;
			*room = 2 * num;
		}
	}
	(*list)[0] = (struct pollfd){ .fd = standin_cm_engine.wake,
				      .events = POLLIN };
	(*list)[1] = (struct pollfd){ .fd = standin_cm_engine.mads,
				      .events = POLLIN };
	num = 2;
	for (file = standin_cm.files; file && num < *room; file = file->next)
		(*list)[num++] = (struct pollfd){ .fd = file->own };
	return num;
}

static void *standin_cm_engine_run(void *argument)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	struct pollfd *list = argument;
	bool closed = false;
	nfds_t room = 2;
	nfds_t num;
	nfds_t i;
	int timeout;
	int ready;

	pthread_setname_np(pthread_self(), "arnica-cm");
	for (;;) {
		pthread_mutex_lock(&standin_cm.lock);
		timeout = standin_cm_engine_round(closed);
		num = standin_cm_engine_list(&list, &room);
		pthread_mutex_unlock(&standin_cm.lock);
		closed = false;
		ready = poll(list, num, timeout);
		if (ready < 0) {
			/* Not as many descriptors any more (RLIMIT_NOFILE), or
			 * no memory: looks by itself, now and then. */
			nanosleep(&pause, NULL);
			closed = true;
		}
		if (ready <= 0)
			continue;
		/* A program that closes whatever is open closes these, too. */
		if ((list[0].revents | list[1].revents) & POLLNVAL)
			break;
		for (i = 2; i < num; i++)
			closed |= list[i].revents != 0;
		standin_cm_engine_drain(standin_cm_engine.wake);
		standin_cm_engine_drain(standin_cm_engine.mads);
	}
	free(list);
	return NULL;
}

/* A kernel closes the files of a process that ends, and so tells its peers. Who
 * still waits for events waits on. Where a signal's handler calls exit() in the
 * middle of a command, the lock is this thread's, and nobody is told. */
static void standin_cm_engine_exit(void)
{
	struct timespec until;
	uint32_t i;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += STANDIN_CM_EXIT_PATIENCE_S;
	if (pthread_mutex_timedlock(&standin_cm.lock, &until))
		return;
	for (i = 0; i < standin_cm.table_size; i++) {
		if (standin_cm.table[i])
			standin_cm_destroy(standin_cm.table[i], -1);
	}
	/* The adapter ends next. */
	standin_cm.started = false;
	standin_cm.ended = true;
	pthread_mutex_unlock(&standin_cm.lock);
}

/*
 * The child has the parent's descriptors, which stay recognisable, and none of
 * what is behind them; memory of ids is left as it is. The lock is not held
 * across the fork: whoever has it may wait for locks of the adapter, whose
 * handlers were installed later and so take those first. Of all that a thread
 * of the parent may be changing right now, the child reads the list of files,
 * which files enter and leave by one store.
 */
static void standin_cm_engine_in_child(void)
{
	struct standin_cm_file *file;

	for (file = standin_cm.files; file; file = file->next)
		close(file->own);
	if (standin_cm_engine.running) {
		close(standin_cm_engine.wake);
		close(standin_cm_engine.mads);
		standin_cm_engine.running = false;
		standin_cm_engine.bus = NULL;
	}
	memset(&standin_cm, 0, sizeof(standin_cm));
	standin_cm.lock =
		(pthread_mutex_t)PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
}

static int standin_cm_engine_thread(void)
{
	struct pollfd *list = calloc(2, sizeof(*list));
	sigset_t all;
	sigset_t before;
	pthread_t thread;
	int error;

	if (!list)
		return ENOMEM;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&thread, NULL, standin_cm_engine_run, list);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		free(list);
	else
		pthread_detach(thread);
	return error;
}

static int standin_cm_engine_prepare(void)
{
	const int flags = EFD_CLOEXEC | EFD_NONBLOCK;
	int error;

	if (!standin_cm_engine.prepared) {
		if (pthread_atfork(NULL, NULL, standin_cm_engine_in_child) ||
		    atexit(standin_cm_engine_exit))
			return ENOMEM;
		standin_cm_engine.prepared = true;
	}
	standin_cm_engine.wake = eventfd(0, flags);
	if (standin_cm_engine.wake < 0)
		return errno;
	standin_cm_engine.mads = eventfd(0, flags);
	if (standin_cm_engine.mads < 0) {
		error = errno;
		goto err_close_wake;
	}
	error = standin_cm_engine_thread();
	if (error)
		goto err_close_mads;
	standin_cm_engine.running = true;
	return 0;

err_close_mads:
	close(standin_cm_engine.mads);
err_close_wake:
	close(standin_cm_engine.wake);
	return error;
}

int standin_cm_engine_start(void)
{
	const struct standin_adapter *adapter;
	int error = standin_adapter_get(&adapter);

	if (error)
		return error;
	error = pthread_mutex_lock(&standin_cm.lock);
	if (error)
		return error;
	standin_cm_engine.adapter = adapter;
	standin_cm.world = &standin_cm_world;
	if (!standin_cm_engine.running)
		error = standin_cm_engine_prepare();
	pthread_mutex_unlock(&standin_cm.lock);
	return error;
}
