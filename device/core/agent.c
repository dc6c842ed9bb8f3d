/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The agent thread. */
#include "core/agent.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/adapter.h"
#include "core/clock.h"
#include "core/kept.h"
#include "core/port_events.h"
#include "core/thread.h"
#include "domain/directory.h"
#include "domain/port.h"
#include "domain/wake.h"
#include "link/wire.h"

#define MAX_WATCHED 1024u
#define SLICE_NS 100000 /* the shortest that there is */
#define REST_NS 100000 /* while others have in hand what is due */
#define LOOK_NS (10 * ADEV_MS_NS) /* without descriptors */
/* With them, whether they are still there: an idle process hardly ever. */
#define FIRST_LOOK_NS (1000 * ADEV_MS_NS)
#define LAST_LOOK_NS (64 * FIRST_LOOK_NS)
/* The wake pipe, the port's notifications, knocks of this process. */
#define OWN_FDS 3u

enum request_kind { REQUEST_ENTER, REQUEST_LEAVE, REQUEST_STOP };

/* Something that only the agent's thread can do. */
struct request {
	enum request_kind kind;
	struct adev_function *fn;
	int error;
	bool done;
	struct request *next;
};

static struct {
	pthread_mutex_t lock; /* lock role `agent` */
	pthread_cond_t answered;
	uint32_t users;
	pthread_t thread;
	int read_fd, write_fd;
	int own_fd;    /* this process's threads knock here; -1: at the pipe */
	int beacon_fd; /* -1: none */
	struct request *requests;
	uint64_t look_ns; /* until the next look at the descriptors */
	struct pollfd *fds; /* what it sleeps on; owned, freed by the joiner */
	int *watched;
	/* Zero: awake, and it will look for work before it sleeps. */
	_Atomic uint64_t sleeps_until_ns;
	struct adev_waking waking;
} agent = { .lock = PTHREAD_MUTEX_INITIALIZER,
	    .answered = PTHREAD_COND_INITIALIZER,
	    .read_fd = -1,
	    .write_fd = -1,
	    .own_fd = -1,
	    .beacon_fd = -1,
	    .look_ns = FIRST_LOOK_NS };

static __thread bool is_agent;

static void set_state(uint32_t state)
{
	struct adev_function *fn;

	pthread_mutex_lock(&adev_adapter.lock);
	for (fn = adev_adapter.functions; fn; fn = fn->next)
		atomic_store(&fn->view.shared->agent_state, state);
	pthread_mutex_unlock(&adev_adapter.lock);
}

static bool have_request(void)
{
	bool have;

	pthread_mutex_lock(&agent.lock);
	have = agent.requests != NULL;
	pthread_mutex_unlock(&agent.lock);
	return have;
}

static void leave(struct adev_function *fn)
{
	adev_wire_leave(fn);
	adev_directory_leave(fn->directory, fn->view.function);
}

/* One request; true when it was the one to stop. */
static bool answer_request(void)
{
	struct request *request;
	bool stop;

	pthread_mutex_lock(&agent.lock);
	request = agent.requests;
	if (request)
		agent.requests = request->next;
	pthread_mutex_unlock(&agent.lock);
	if (!request)
		return false;
	stop = request->kind == REQUEST_STOP;
	if (request->kind == REQUEST_ENTER)
		request->error = adev_directory_enter(
			request->fn->directory, request->fn->segment_fd,
			request->fn->view.generation, agent.write_fd,
			agent.beacon_fd, &request->fn->view.function);
	else if (request->kind == REQUEST_LEAVE)
		leave(request->fn);
	pthread_mutex_lock(&agent.lock);
	request->done = true;
	pthread_cond_broadcast(&agent.answered);
	pthread_mutex_unlock(&agent.lock);
	return stop;
}

/* How long until then; NULL: for ever. */
static const struct timespec *time_until(uint64_t deadline,
					 struct timespec *time)
{
	uint64_t now, left;

	if (deadline == ADEV_NEVER_NS)
		return NULL;
	now = adev_now_ns();
	left = deadline > now ? deadline - now : 0;
	time->tv_sec = (time_t)(left / (1000 * ADEV_MS_NS));
	time->tv_nsec = (long)(left % (1000 * ADEV_MS_NS));
	return time;
}

static void check_peers(uint64_t *next_check)
{
	adev_adapter_check_peers();
	*next_check = adev_now_ns() + ADEV_LIFE_CHECK_NS;
}

/* The descriptors are not ours any more: there is nothing to wait at. */
static void sleep_blindly(uint64_t deadline, uint64_t *next_check)
{
	uint64_t now = adev_now_ns();
	struct timespec time;

	if (deadline > now + LOOK_NS)
		deadline = now + LOOK_NS;
	atomic_store(&agent.sleeps_until_ns, deadline);
	(void)ppoll(NULL, 0, time_until(deadline, &time), NULL);
	if (adev_now_ns() >= *next_check)
		check_peers(next_check);
}

/* Nothing wakes a thread that waits at descriptors when they are closed: it
 * looks for itself, less often the longer nothing has come. */
static bool looks_first(uint64_t *deadline)
{
	uint64_t look = adev_now_ns() + agent.look_ns;

	if (*deadline <= look || adev_clock_is_simulated())
		return false;
	*deadline = look;
	return true;
}

static void space_looks(bool nothing_came)
{
	if (!nothing_came)
		agent.look_ns = FIRST_LOOK_NS;
	else if (agent.look_ns < LAST_LOOK_NS)
		agent.look_ns *= 2;
}

/* Sleeps until there is a reason not to. */
static void sleep_until(uint64_t deadline, uint64_t *next_check)
{
	struct pollfd *fds = agent.fds, *others = fds + OWN_FDS;
	uint32_t wires = adev_adapter_wire_fds(agent.watched, MAX_WATCHED,
					       &deadline);
	uint32_t count = wires + adev_adapter_end_fds(agent.watched + wires,
						      MAX_WATCHED - wires);
	uint64_t port_by_ns = adev_port_deadline();
	bool ended = false, port_changed = false, looks;
	struct timespec time;
	uint32_t i;
	int ready;

	fds[0].fd = agent.read_fd;
	fds[1].fd = adev_port_fd();
	fds[2].fd = agent.own_fd;
	for (i = 0; i < count; i++)
		others[i].fd = agent.watched[i];
	for (i = 0; i < OWN_FDS + count; i++)
		fds[i].events = POLLIN;
	if (port_by_ns < deadline)
		deadline = port_by_ns;
	looks = looks_first(&deadline);
	atomic_store(&agent.sleeps_until_ns, deadline);
	ready = ppoll(fds, OWN_FDS + count, time_until(deadline, &time), NULL);
	/* Not as many descriptors any more (RLIMIT_NOFILE), or no memory. */
	if (ready < 0 && errno != EINTR) {
		sleep_blindly(deadline, next_check);
		return;
	}
	space_looks(looks && ready == 0);
	if (ready > 0)
		adev_waking_let_return(&agent.waking);
	if ((fds[0].revents | fds[2].revents) & POLLNVAL ? !adev_kept_look() :
							   !adev_kept())
		return;
	if (ready > 0) {
		if (fds[0].revents)
			adev_wake_drain(agent.read_fd);
		port_changed = fds[1].revents;
		if (fds[2].revents)
			adev_wake_drain(agent.own_fd);
		for (i = wires; i < count && !ended; i++)
			ended = others[i].revents;
	}
	if (port_changed || adev_now_ns() >= port_by_ns)
		adev_port_events_follow();
	if (ended || adev_now_ns() >= *next_check)
		check_peers(next_check);
}

/* As long as packets come one after the other: for a while, as there is more to
 * do than packets. */
static void follow_packets(void)
{
	uint32_t round;

	for (round = 0; round < 256 && !have_request(); round++)
		if (!adev_adapter_follow())
			return;
}

/* Threads that spin on memory share the processors with the agent, whose work
 * they wait for. A short slice lets it run when it is woken (Linux 6.12; others
 * refuse it, or do not care). Nobody needs a privilege for that. */
static void be_prompt(void)
{
	/* sched_setattr(2); the kernel's header for it cannot be included
	 * together with the C library's. */
	struct {
		uint32_t size;
		uint32_t policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} attributes = {
		.size = sizeof(attributes),
		.policy = SCHED_OTHER,
		.nice = getpriority(PRIO_PROCESS, 0),
		.runtime = SLICE_NS,
	};

	(void)syscall(SYS_sched_setattr, 0, &attributes, 0);
	/* Rests between tries are meant as short as they say. */
	(void)prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
}

/*
 * Others have work in hand, and may put it down and not come again. They may
 * also have lost the processor to the agent in the middle of it: not even what
 * is due can be done then, and to ask again and again would keep it from them
 * until the scheduler steps in.
 */
static uint64_t after_others(uint64_t deadline)
{
	uint64_t now = adev_now_ns();

	if (deadline > now + ADEV_MS_NS)
		return now + ADEV_MS_NS;
	return deadline < now + REST_NS ? now + REST_NS : deadline;
}

/* Does what there is to do; until when it may sleep then. */
static uint64_t work(void)
{
	enum adev_backlog backlog;
	uint64_t deadline;
	bool left;

	/* In a simulation the test alone says what happens when. */
	if (adev_clock_is_simulated())
		return ADEV_NEVER_NS;
	left = adev_adapter_serve();
	backlog = adev_adapter_run();
	/* A look at everything else, then at this again. */
	if (backlog == ADEV_BACKLOG_MORE || adev_adapter_is_lively())
		return 0;
	deadline = adev_adapter_deadline();
	/* What is due and was not done is in the hands of others as well. */
	return left || backlog == ADEV_BACKLOG_OTHERS ||
			       deadline <= adev_now_ns() ?
		       after_others(deadline) :
		       deadline;
}

static void *run(void *unused)
{
	uint64_t next_check = 0;
	bool stop = false;

	(void)unused;
	is_agent = true;
	be_prompt();
	adev_port_follow_begin();
	while (!stop) {
		uint64_t deadline;

		while (!stop && have_request())
			stop = answer_request();
		follow_packets();
		/* C4: the sleep is announced before the last look for work.
		 * What comes after that look knocks at the pipe. */
		atomic_store(&agent.sleeps_until_ns, ADEV_NEVER_NS);
		set_state(ADEV_AGENT_SLEEPING);
		deadline = work();
		atomic_store(&agent.sleeps_until_ns, deadline);
		if (!stop && adev_kept())
			sleep_until(deadline, &next_check);
		else if (!stop)
			sleep_blindly(deadline, &next_check);
		atomic_store(&agent.sleeps_until_ns, 0);
		set_state(ADEV_AGENT_AWAKE);
	}
	adev_port_follow_end();
	return NULL;
}

static void free_lists(void)
{
	free(agent.fds);
	free(agent.watched);
	agent.fds = NULL;
	agent.watched = NULL;
}

static void close_one(int *fd, bool kept)
{
	if (*fd >= 0 && kept)
		close(*fd);
	*fd = -1;
}

/* Everything that the thread had; the peers see the beacon go out. */
static void close_all(void)
{
	bool kept = adev_kept_look();

	free_lists();
	close_one(&agent.read_fd, kept);
	close_one(&agent.write_fd, kept);
	close_one(&agent.own_fd, kept);
	close_one(&agent.beacon_fd, kept);
	adev_kept_end();
}

static int open_all(void)
{
	int error = adev_wake_create(&agent.read_fd, &agent.write_fd);
	int fds[ADEV_KEPT_FDS];

	if (error)
		return error;
	/* Without the first there is the pipe, without the second the peers have
	 * other ways. */
	if (adev_wake_create_own(&agent.own_fd))
		agent.own_fd = -1;
	if (adev_beacon_create(&agent.beacon_fd))
		agent.beacon_fd = -1;
	fds[0] = agent.read_fd;
	fds[1] = agent.write_fd;
	fds[2] = agent.own_fd;
	return adev_kept_begin(fds);
}

static int start_thread(void)
{
	int error;

	agent.fds = calloc(MAX_WATCHED + OWN_FDS, sizeof(*agent.fds));
	agent.watched = calloc(MAX_WATCHED, sizeof(*agent.watched));
	if (!agent.fds || !agent.watched) {
		free_lists();
		return ENOMEM;
	}
	error = open_all();
	if (!error)
		error = adev_thread_create(&agent.thread, "arnica-agent", run,
					   NULL);
	if (error)
		close_all();
	return error;
}

/* Hands a request over and waits until the agent has done it. */
static int ask(enum request_kind kind, struct adev_function *fn)
{
	struct request request = { .kind = kind, .fn = fn };
	struct request **link;

	pthread_mutex_lock(&agent.lock);
	for (link = &agent.requests; *link; link = &(*link)->next)
		;
	*link = &request;
	if (adev_kept_look())
		adev_wake_signal(agent.write_fd);
	while (!request.done)
		pthread_cond_wait(&agent.answered, &agent.lock);
	pthread_mutex_unlock(&agent.lock);
	return request.error;
}

/* Starting and stopping are serialised by the caller: the functions of a
 * process are attached and detached one at a time (adapter attach lock). */
int adev_agent_start(void)
{
	int error = 0;

	if (!agent.users)
		error = start_thread();
	if (!error)
		agent.users++;
	return error;
}

void adev_agent_stop(void)
{
	if (--agent.users)
		return;
	ask(REQUEST_STOP, NULL);
	pthread_join(agent.thread, NULL);
	close_all();
}

int adev_agent_enter(struct adev_function *fn)
{
	return ask(REQUEST_ENTER, fn);
}

void adev_agent_leave(struct adev_function *fn)
{
	ask(REQUEST_LEAVE, fn);
}

int adev_agent_wake_fd(void)
{
	return agent.write_fd;
}

void adev_agent_expect(uint64_t when_ns)
{
	uint64_t until = atomic_load(&agent.sleeps_until_ns);

	/* A millisecond later than wished is not worth a system call. */
	if (is_agent || until <= when_ns + ADEV_MS_NS || !adev_kept())
		return;
	adev_waking_begin(&agent.waking);
	if (agent.own_fd >= 0)
		adev_wake_signal_own(agent.own_fd);
	else
		adev_wake_signal(agent.write_fd);
	adev_waking_end(&agent.waking);
}

bool adev_agent_is_self(void)
{
	return is_agent;
}

void adev_agent_forget(void)
{
	pthread_mutex_init(&agent.lock, NULL);
	pthread_cond_init(&agent.answered, NULL);
	agent.users = 0;
	agent.requests = NULL;
	close_all();
	atomic_store(&agent.sleeps_until_ns, 0);
	atomic_store(&agent.waking.threads, 0);
}
