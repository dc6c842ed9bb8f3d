/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "domain/port.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "domain/gid.h"
#include "domain/gids.h"
#include "domain/interfaces.h"
#include "domain/monitor.h"
#include "domain/port_file.h"
#include "domain/port_interface.h"

#define MS_NS 1000000ull
/* Without notifications: how old the copy may be for those who ask, and how
 * often the agent looks for changes that nobody asks for. */
#define ASKED_NS (100 * MS_NS)
#define AGENT_NS (2000 * MS_NS)

#define FOLLOW_ROUNDS 4u

#define WORDS (sizeof(struct arnica_bus_port) / sizeof(uint64_t))
_Static_assert(sizeof(struct arnica_bus_port) % sizeof(uint64_t) == 0,
	       "copied by words");

union copy {
	struct arnica_bus_port port;
	uint64_t words[WORDS];
};

static struct {
	pthread_mutex_t lock; /* lock role `port` */
	_Atomic bool known;
	/* Odd while the words change. */
	_Atomic uint32_t sequence;
	_Atomic uint64_t words[WORDS];

	union copy now; /* the same, for the holder of the lock */
	uint64_t read_at_ns;
	uint32_t gid_changes;
	_Atomic int fd; /* of the monitor, for the agent */
	struct adev_monitor monitor;

	bool followed; /* by the agent, who takes the notifications */
	struct arnica_bus_port told; /* what it was told last */
	uint32_t told_gid_changes;
} port = { .lock = PTHREAD_MUTEX_INITIALIZER,
	   .fd = -1,
	   .monitor = { .fd = -1 } };

static void lock_port(void)
{
	pthread_mutex_lock(&port.lock);
}

static void unlock_port(void)
{
	pthread_mutex_unlock(&port.lock);
}

/* The notifications are the parent's: the child gets its own when it asks. */
static void start_anew(void)
{
	adev_monitor_close(&port.monitor);
	atomic_store(&port.fd, -1);
	atomic_store(&port.known, false);
	port.followed = false;
	unlock_port();
}

/* Early: the handlers that are installed first take their lock last, and this
 * lock is taken under others. */
__attribute__((constructor)) static void prepare_for_fork(void)
{
	pthread_atfork(lock_port, unlock_port, start_anew);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

/*
 * G1: each word is stored with release and loaded with acquire, so a reader
 * that sees a new word sees the odd sequence before it, too. That needs no
 * fence, which ThreadSanitizer would not understand.
 */
static void publish(void)
{
	uint32_t sequence = atomic_load_explicit(&port.sequence,
						 memory_order_relaxed);
	size_t i;

	atomic_store_explicit(&port.sequence, sequence + 1,
			      memory_order_relaxed);
	for (i = 0; i < WORDS; i++)
		atomic_store_explicit(&port.words[i], port.now.words[i],
				      memory_order_release);
	atomic_store_explicit(&port.sequence, sequence + 2,
			      memory_order_release);
}

/* G1, observer. The writer is a thread of this process, and quick. */
static void copy_words(union copy *copy)
{
	uint32_t before, after;
	size_t i;

	do {
		before = atomic_load_explicit(&port.sequence,
					      memory_order_acquire);
		for (i = 0; i < WORDS; i++)
			copy->words[i] = atomic_load_explicit(
				&port.words[i], memory_order_acquire);
		after = atomic_load_explicit(&port.sequence,
					     memory_order_relaxed);
	} while (before != after || before & 1);
}

static bool same_gids(const struct arnica_bus_port *a,
		      const struct arnica_bus_port *b)
{
	uint32_t i;

	for (i = 0; i < ARNICA_HW_GID_TABLE_LEN; i++)
		if (memcmp(a->gids[i].raw, b->gids[i].raw,
			   sizeof(a->gids[i].raw)) != 0 ||
		    a->gids[i].interface_index != b->gids[i].interface_index)
			return false;
	return true;
}

/* Works what was found into what the domain knows; false: nothing could be
 * read, and what was known before is the best there is. */
static bool update(struct arnica_bus_port *new, bool fresh)
{
	struct adev_interfaces *found = malloc(sizeof(*found));
	bool useful;

	if (!found)
		return false;
	useful = adev_interfaces_read(found) || fresh;
	if (useful) {
		adev_gids_update(found, fresh, new);
		adev_port_interface_update(found, new);
	}
	free(found);
	return useful;
}

static bool same_content(const union copy *a, const union copy *b)
{
	const size_t version = sizeof(a->port.version);

	return memcmp((const char *)a + version, (const char *)b + version,
		      sizeof(*a) - version) == 0;
}

static void keep(const union copy *new)
{
	if (atomic_load(&port.known) && !same_gids(&new->port, &port.now.port))
		port.gid_changes++;
	port.now = *new;
	publish();
	atomic_store(&port.known, true);
}

/*
 * Reads the interfaces under the lock of the domain's file, so that what is
 * written there never goes back in time. The table is made from nothing, in the
 * order of the interfaces, when nobody in the domain depends on it.
 */
static void refresh(void)
{
	struct adev_port_file file;
	union copy new = { 0 }, old = { 0 };
	bool filed = adev_port_file_open(&file, &old.port);
	bool known = atomic_load(&port.known);
	bool fresh = !known && !(filed && file.in_use);

	port.read_at_ns = now_ns();
	if (!filed && known)
		old = port.now;
	if (!fresh)
		new = old;
	if (update(&new.port, fresh)) {
		new.port.version = old.port.version;
		if (!same_content(&new, &old))
			new.port.version++;
		/* A file that was made anew may have counted less. */
		if (known && new.port.version <= port.now.port.version &&
		    !same_content(&new, &port.now))
			new.port.version = port.now.port.version + 1;
		if (!filed || new.port.version != old.port.version)
			adev_port_file_write(&file, &new.port);
		keep(&new);
	} else if (!known) {
		keep(&new);
	}
	adev_port_file_close(&file);
}

static void open_monitor(void)
{
	if (port.monitor.fd < 0)
		(void)!adev_monitor_open(&port.monitor);
	atomic_store(&port.fd, port.monitor.fd);
}

/* Notifications first: what changes between them and the reading is read twice,
 * and not missed. */
static void need(void)
{
	if (atomic_load_explicit(&port.known, memory_order_acquire))
		return;
	lock_port();
	if (!atomic_load(&port.known)) {
		open_monitor();
		refresh();
	}
	unlock_port();
}

static bool ignore(void *opaque, uint32_t interface_index, bool running)
{
	(void)opaque;
	(void)interface_index;
	(void)running;
	return true;
}

void adev_port_sync(void)
{
	need();
	lock_port();
	if (port.monitor.fd < 0) {
		if (now_ns() - port.read_at_ns >= ASKED_NS) {
			open_monitor();
			refresh();
		}
	} else if (adev_monitor_pending(&port.monitor)) {
		/* The agent wants to see them, too. */
		if (!port.followed)
			(void)adev_monitor_drain(&port.monitor, ignore, NULL);
		atomic_store(&port.fd, port.monitor.fd);
		refresh();
	}
	unlock_port();
}

void adev_port_read(struct arnica_bus_port *copy)
{
	union copy all;

	need();
	copy_words(&all);
	*copy = all.port;
}

int adev_port_gid(uint32_t index, struct arnica_bus_gid *gid)
{
	struct arnica_bus_port copy;

	if (index >= ARNICA_HW_GID_TABLE_LEN)
		return ENOENT;
	adev_port_read(&copy);
	if (adev_gid_is_empty(&copy.gids[index])) {
		adev_port_sync();
		adev_port_read(&copy);
	}
	*gid = copy.gids[index];
	return adev_gid_is_empty(gid) ? ENOENT : 0;
}

static int find_gid(const uint8_t gid[16], uint32_t interface_index,
		    uint32_t *index)
{
	struct arnica_bus_port copy;
	uint32_t i;

	adev_port_read(&copy);
	for (i = 0; i < copy.num_gids; i++) {
		const struct arnica_bus_gid *at = &copy.gids[i];

		if (memcmp(at->raw, gid, sizeof(at->raw)) == 0 &&
		    !adev_gid_is_empty(at) &&
		    (!interface_index ||
		     interface_index == at->interface_index)) {
			*index = i;
			return 0;
		}
	}
	return ENOENT;
}

int adev_port_find(const uint8_t gid[16], uint32_t interface_index,
		   uint32_t *index)
{
	if (!find_gid(gid, interface_index, index))
		return 0;
	adev_port_sync();
	return find_gid(gid, interface_index, index);
}

bool adev_port_is_local(const uint8_t gid[16])
{
	uint32_t index;

	return adev_gid_is_loopback(gid) || adev_port_find(gid, 0, &index) == 0;
}

enum adev_port_state adev_port_state(void)
{
	struct arnica_bus_port copy;

	adev_port_read(&copy);
	return (enum adev_port_state)copy.state;
}

uint64_t adev_port_version(void)
{
	struct arnica_bus_port copy;

	adev_port_read(&copy);
	return copy.version;
}

void adev_port_follow_begin(void)
{
	need();
	lock_port();
	open_monitor();
	(void)adev_monitor_drain(&port.monitor, ignore, NULL);
	refresh();
	port.told = port.now.port;
	port.told_gid_changes = port.gid_changes;
	port.followed = true;
	unlock_port();
}

void adev_port_follow_end(void)
{
	lock_port();
	port.followed = false;
	unlock_port();
}

static bool has_room(const struct adev_port_news *news)
{
	return news->count < ADEV_PORT_NEWS_MAX;
}

static void tell(struct adev_port_news *news, enum adev_port_event event)
{
	news->events[news->count++] = event;
}

static void tell_state(struct adev_port_news *news, bool up)
{
	tell(news, up ? ADEV_PORT_EVENT_UP : ADEV_PORT_EVENT_DOWN);
	port.told.state = up ? ADEV_PORT_ACTIVE : ADEV_PORT_DOWN;
}

/* An interface that went down and came back while the agent slept has done both
 * in the kernel's messages. Two places stay free for tell_rest(). */
static bool take_link(void *opaque, uint32_t interface_index, bool running)
{
	struct adev_port_news *news = opaque;

	if (interface_index == port.told.interface_index &&
	    running != (port.told.state == ADEV_PORT_ACTIVE))
		tell_state(news, running);
	return news->count + 2 < ADEV_PORT_NEWS_MAX;
}

static bool follows_loopback(const struct arnica_bus_port *at)
{
	uint32_t i;

	for (i = 0; i < at->num_gids; i++)
		if (at->gids[i].interface_index == at->interface_index &&
		    adev_gid_is_loopback(at->gids[i].raw))
			return true;
	return false;
}

/*
 * What the messages did not tell. A port that has another interface has lost
 * the one before, except where that was the loopback: a real one replaces it
 * without need.
 */
static void tell_rest(struct adev_port_news *news)
{
	const struct arnica_bus_port *now = &port.now.port;
	bool up = now->state == ADEV_PORT_ACTIVE;

	if (now->interface_index != port.told.interface_index &&
	    port.told.state == ADEV_PORT_ACTIVE &&
	    !follows_loopback(&port.told))
		tell_state(news, false);
	if (up != (port.told.state == ADEV_PORT_ACTIVE))
		tell_state(news, up);
	while (port.told_gid_changes != port.gid_changes && has_room(news)) {
		tell(news, ADEV_PORT_EVENT_GIDS);
		port.told_gid_changes++;
	}
	port.told = *now;
}

void adev_port_follow(struct adev_port_news *news)
{
	uint32_t rounds = 0;

	news->count = 0;
	lock_port();
	if (port.monitor.fd < 0) {
		open_monitor();
		refresh();
	}
	/* Until nothing comes any more, so that what is left in the messages
	 * is not older than what is told. */
	while (port.monitor.fd >= 0 && rounds++ < FOLLOW_ROUNDS &&
	       adev_monitor_drain(&port.monitor, take_link, news))
		refresh();
	atomic_store(&port.fd, port.monitor.fd);
	tell_rest(news);
	unlock_port();
}

int adev_port_fd(void)
{
	return atomic_load(&port.fd);
}

uint64_t adev_port_deadline(void)
{
	uint64_t deadline = UINT64_MAX;

	lock_port();
	if (port.monitor.fd < 0 && port.followed)
		deadline = port.read_at_ns + AGENT_NS;
	unlock_port();
	return deadline;
}
