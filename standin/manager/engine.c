/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "engine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../adapter.h"
#include "../device_file.h"
#include "files.h"
#include "machine.h"

/* Longer than a thread that gets on keeps the lock: it may wait for another
 * process for two seconds. */
#define STANDIN_CM_EXIT_PATIENCE_S 5
#define STANDIN_CM_LOOK_MS 10 /* where there is no waiting */
/* The adapter tells of the end of those that it has to do with, which are not
 * all. */
#define STANDIN_CM_LIFE_NS 1000000000u

struct standin_cm standin_cm = {
	.lock = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP
};

/* Of this process; under standin_cm.lock, but what the thread only reads. */
static struct {
	const struct standin_adapter *adapter;
	struct arnica_bus *bus;
	bool running;
	bool prepared; /* fork and exit are handled */
	/* A pair: the thread waits at one, and commands and the adapter, which
	 * has a duplicate, knock at the other. */
	struct standin_cm_end door, knocker;
	uint64_t term;	/* of the thread; an earlier one has been replaced */
	uint32_t ended; /* functions of others, of those that were heeded */
	uint64_t look_ns; /* when to look for others, if there are peers */
} standin_cm_engine;

/* The thread's own. */
struct standin_cm_watch {
	uint64_t term;
	struct pollfd *list;
	nfds_t room;
};

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
				   standin_cm_engine.knocker.fd, ids);
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

static int standin_cm_world_function(const uint8_t gid[16], uint32_t comm_id,
				     uint64_t *function)
{
	return standin_cm_engine.adapter->mad_peer(standin_cm_engine.bus, gid,
						   comm_id, function);
}

static bool standin_cm_world_lives(uint32_t comm_id, uint64_t function)
{
	return standin_cm_engine.adapter->mad_peer_lives(standin_cm_engine.bus,
							 comm_id, function);
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
	.function = standin_cm_world_function,
	.lives = standin_cm_world_lives,
	.wake = standin_cm_engine_wake,
};

static int standin_cm_engine_make_door(void)
{
	const int type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
	int ends[2];
	int error;

	if (socketpair(AF_UNIX, type, 0, ends))
		return errno;
	error = standin_cm_end_init(&standin_cm_engine.door, ends[0]);
	if (error)
		close(ends[1]);
	else
		error = standin_cm_end_init(&standin_cm_engine.knocker,
					    ends[1]);
	return error;
}

static void standin_cm_engine_close_door(void)
{
	standin_cm_end_fini(&standin_cm_engine.door);
	standin_cm_end_fini(&standin_cm_engine.knocker);
}

static int standin_cm_engine_renew_door(void)
{
	int error;

	standin_cm_engine_close_door();
	error = standin_cm_engine_make_door();
	if (!error && standin_cm.started)
		error = standin_cm_engine.adapter->mads_open(
			standin_cm_engine.bus, standin_cm_engine.knocker.fd,
			&standin_cm.ids);
	if (error)
		standin_cm_engine_close_door();
	return error;
}

/* A program that closes whatever is open closes these, too. */
static bool standin_cm_engine_has_door(void)
{
	return standin_cm_end_is_ours(&standin_cm_engine.door) &&
	       standin_cm_end_is_ours(&standin_cm_engine.knocker);
}

static void standin_cm_engine_drain(void)
{
	char knocks[4096];
	ssize_t got = sizeof(knocks);

	while (got == (ssize_t)sizeof(knocks) &&
	       standin_cm_end_is_ours(&standin_cm_engine.door))
		got = recv(standin_cm_engine.door.fd, knocks, sizeof(knocks),
			   MSG_DONTWAIT);
}

/* Takes as many messages as a queue has. More may have come meanwhile, and go
 * on coming from whoever likes to: commands get their turn in between. True:
 * there may be more. */
static bool standin_cm_engine_take(void)
{
	struct arnica_bus_mad mad;
	uint32_t i;

	for (i = 0; i < ARNICA_HW_MAD_QUEUE; i++) {
		if (standin_cm_engine.adapter->mad_take(standin_cm_engine.bus,
							&mad))
			return false;
		standin_cm_receive(&mad);
	}
	return true;
}

/* What a peer has said before its end comes first. */
static bool standin_cm_engine_follow(uint64_t now)
{
	uint32_t ended;
	bool more;

	if (!standin_cm.started)
		return false;
	ended = standin_cm_engine.adapter->mads_ended(standin_cm_engine.bus);
	more = standin_cm_engine_take();
	if (!more && (ended != standin_cm_engine.ended ||
		      standin_cm.peer_lost || standin_cm_engine.look_ns <= now)) {
		standin_cm_engine.ended = ended;
		standin_cm_engine.look_ns = now + STANDIN_CM_LIFE_NS;
		standin_cm_peers_ended();
	}
	return more;
}

/* One round, under the lock. Returns when to come again, as a poll() timeout.
 */
static int standin_cm_engine_round(bool closed)
{
	bool more;
	uint64_t due;
	uint64_t now = standin_cm_world_now();

	standin_cm_engine_drain();
	if (closed || standin_cm.files_lost)
		standin_cm_files_sweep();
	more = standin_cm_engine_follow(now);
	due = standin_cm_expire(now);
	if (standin_cm.peers_here && (!due || standin_cm_engine.look_ns < due))
		due = standin_cm_engine.look_ns;
	if (more || (due && due <= now))
		return 0;
	if (!due)
		return -1;
	return due - now > 3600000000000ull ? 3600000 :
					      (int)((due - now) / 1000000) + 1;
}

/* What to wait for: knocks, and the end of each file. Without memory the ends
 * are seen with the next message. */
static nfds_t standin_cm_engine_list(struct standin_cm_watch *watch)
{
	struct standin_cm_file *file;
	struct pollfd *larger;
	nfds_t num = 1;

	for (file = standin_cm.files; file; file = file->next)
		num++;
	if (num > watch->room) {
		larger = realloc(watch->list, 2 * num * sizeof(*larger));
		if (larger) {
			watch->list = larger;
			watch->room = 2 * num;
		}
	}
	watch->list[0] = (struct pollfd){ .fd = standin_cm_engine.door.fd,
					  .events = POLLIN };
	num = 1;
	for (file = standin_cm.files; file && num < watch->room;
	     file = file->next)
		watch->list[num++] = (struct pollfd){ .fd = file->own.fd };
	return num;
}

/* Returns how much there is to wait for; zero: another thread does. */
static nfds_t standin_cm_engine_turn(struct standin_cm_watch *watch,
				     bool closed, int *timeout)
{
	nfds_t num = 0;

	pthread_mutex_lock(&standin_cm.lock);
	if (standin_cm_engine.term == watch->term) {
		*timeout = standin_cm_engine_round(closed);
		/* What came meanwhile may have knocked at the old one. */
		if (!standin_cm_engine_has_door())
			*timeout = standin_cm_engine_renew_door() ?
					   STANDIN_CM_LOOK_MS :
					   0;
		num = standin_cm_engine_list(watch);
	}
	pthread_mutex_unlock(&standin_cm.lock);
	return num;
}

static void *standin_cm_engine_run(void *argument)
{
	struct standin_cm_watch *watch = argument;
	bool closed = false;
	nfds_t num;
	nfds_t i;
	int timeout;
	int ready;

	pthread_setname_np(pthread_self(), "arnica-cm");
	while ((num = standin_cm_engine_turn(watch, closed, &timeout))) {
		ready = poll(watch->list, num, timeout);
		/* Not as many descriptors any more (RLIMIT_NOFILE), or no
		 * memory: looks by itself, now and then. */
		if (ready < 0)
			poll(NULL, 0, STANDIN_CM_LOOK_MS);
		closed = ready < 0;
		for (i = 1; i < num && ready > 0; i++)
			closed |= watch->list[i].revents != 0;
	}
	free(watch->list);
	free(watch);
	return NULL;
}

static struct standin_cm_watch *standin_cm_watch_create(void)
{
	struct standin_cm_watch *watch = malloc(sizeof(*watch));

	if (!watch)
		return NULL;
	watch->room = 1;
	watch->list = malloc(sizeof(*watch->list));
	if (!watch->list) {
		free(watch);
		return NULL;
	}
	return watch;
}

static int standin_cm_engine_thread(void)
{
	struct standin_cm_watch *watch = standin_cm_watch_create();
	sigset_t all;
	sigset_t before;
	pthread_t thread;
	int error;

	if (!watch)
		return ENOMEM;
	watch->term = standin_cm_engine.term + 1;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&thread, NULL, standin_cm_engine_run, watch);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error) {
		free(watch->list);
		free(watch);
	} else {
		standin_cm_engine.term++;
		pthread_detach(thread);
	}
	return error;
}

/* A thread that waits at a descriptor which is another file's now will not
 * notice: there is a new one for the new door. */
void standin_cm_engine_wake(void)
{
	if (!standin_cm_engine_has_door() &&
	    (standin_cm_engine_renew_door() || standin_cm_engine_thread()))
		standin_cm_engine_close_door(); /* tried again */
	/* Full means that it is awake anyway. */
	(void)standin_cm_end_send(&standin_cm_engine.knocker);
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
		standin_cm_end_fini(&file->own);
	if (standin_cm_engine.running) {
		standin_cm_engine_close_door();
		standin_cm_engine.running = false;
		standin_cm_engine.bus = NULL;
	}
	memset(&standin_cm, 0, sizeof(standin_cm));
	standin_cm.lock =
		(pthread_mutex_t)PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
}

static int standin_cm_engine_prepare(void)
{
	int error;

	if (!standin_cm_engine.prepared) {
		if (pthread_atfork(NULL, NULL, standin_cm_engine_in_child) ||
		    atexit(standin_cm_engine_exit))
			return ENOMEM;
		standin_cm_engine.prepared = true;
	}
	error = standin_cm_engine_make_door();
	if (!error)
		error = standin_cm_engine_thread();
	if (error)
		standin_cm_engine_close_door();
	else
		standin_cm_engine.running = true;
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
