/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "link/fault.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/function.h"
#include "domain/log.h"
#include "domain/proc.h"

/* A packet that is held back lets one to four others pass, or leaves after
 * this time when no others come. */
#define MAX_BEHIND 4u
#define HELD_AT_MOST_NS (1 * ADEV_MS_NS)

/* Packets under way; more than that do not fit, and are lost. */
#define MAX_FRAMES 4096u

struct frame {
	struct frame *next;
	uint64_t at_ns;	 /* leaves then */
	uint32_t behind; /* or after so many others, when it is held back */
	uint32_t bytes;
	struct adev_path path;
	uint8_t payload[];
};

struct list {
	struct frame *first;
	struct frame **end;
};

struct adev_fault {
	pthread_mutex_t lock; /* lock role `fault` */
	struct arnica_fault_spec spec;
	uint64_t key;	     /* of this function */
	uint64_t sequence;   /* packets that were sent */
	struct list delayed; /* in order of at_ns */
	struct list held;
	uint32_t num_frames;
	_Atomic uint64_t deadline_ns;
	struct adev_counters *counters;
	const struct adev_fault_ops *ops;
	void *owner;
};

int adev_fault_settings(struct arnica_fault_spec *spec, bool *wanted)
{
	const char *text = secure_getenv("ARNICA_FAULT");
	char why[256];

	*wanted = text && *text;
	if (!*wanted || !arnica_fault_spec_parse(text, spec, why, sizeof(why)))
		return 0;
	adev_log_error("ARNICA_FAULT: %s", why);
	return EINVAL;
}

static void discard(struct frame *frame)
{
	while (frame) {
		struct frame *next = frame->next;

		free(frame);
		frame = next;
	}
}

void adev_fault_forget(struct adev_function *fn)
{
	if (!fn->fault)
		return;
	discard(fn->fault->delayed.first);
	discard(fn->fault->held.first);
	free(fn->fault);
	fn->fault = NULL;
}

int adev_fault_open(struct adev_function *fn, const struct adev_fault_ops *ops)
{
	static _Atomic uint32_t next_number;
	struct arnica_fault_spec spec;
	bool wanted;
	int error = adev_fault_settings(&spec, &wanted);

	if (error || !wanted)
		return error;
	return adev_fault_create(&spec,
				 atomic_fetch_add_explicit(
					 &next_number, 1, memory_order_relaxed),
				 &fn->counters, ops, fn, &fn->fault);
}

void adev_fault_close(struct adev_function *fn)
{
	if (fn->fault)
		adev_fault_destroy(fn->fault);
	fn->fault = NULL;
}

/* A bijection of 64 bits whose output looks random (the finaliser of
 * SplitMix64). */
static uint64_t mix(uint64_t value)
{
	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ull;
	value = (value ^ value >> 27) * 0x94d049bb133111ebull;
	return value ^ value >> 31;
}

static uint64_t draw(uint64_t *state)
{
	*state += 0x9e3779b97f4a7c15ull;
	return mix(*state);
}

static bool happens(uint64_t *state, uint32_t share)
{
	return (draw(state) >> 32) * ARNICA_FAULT_SCALE >> 32 < share;
}

/* What decides over the next packet. Every packet has a stream of its own, so
 * that nothing that happens to one moves the fate of the next. */
static uint64_t next_stream(struct adev_fault *fault,
			    const struct adev_path *path)
{
	uint64_t address[2];

	memcpy(address, path->source, sizeof(address));
	return mix(mix(fault->key + ++fault->sequence) ^ address[0] ^
		   mix(address[1]));
}

static void append(struct list *list, struct frame *frame)
{
	frame->next = NULL;
	*list->end = frame;
	list->end = &frame->next;
}

/* Takes the frame out that *link points to. */
static struct frame *take(struct list *list, struct frame **link)
{
	struct frame *frame = *link;

	*link = frame->next;
	if (list->end == &frame->next)
		list->end = link;
	return frame;
}

static struct frame *new_frame(struct adev_fault *fault,
			       const struct adev_path *path,
			       const void *payload, uint32_t bytes)
{
	struct frame *frame = NULL;

	if (fault->num_frames < MAX_FRAMES)
		frame = malloc(sizeof(*frame) + bytes);
	if (!frame) {
		adev_count(fault->counters, fault_dropped);
		return NULL;
	}
	fault->num_frames++;
	frame->bytes = bytes;
	frame->path = *path;
	memcpy(frame->payload, payload, bytes);
	return frame;
}

static void emit(struct adev_fault *fault, struct frame *frame)
{
	fault->ops->emit(fault->owner, &frame->path, frame->payload,
			 frame->bytes);
	fault->num_frames--;
	free(frame);
}

/* Off to the peer, through the delay. */
static void depart(struct adev_fault *fault, struct frame *frame,
		   uint64_t now_ns)
{
	if (!fault->spec.delay_ns) {
		emit(fault, frame);
		return;
	}
	adev_count(fault->counters, fault_delayed);
	frame->at_ns = now_ns + fault->spec.delay_ns;
	append(&fault->delayed, frame);
}

static void corrupt(struct adev_fault *fault, struct frame *frame,
		    uint64_t *stream)
{
	uint64_t bit = draw(stream) % (8ull * frame->bytes);

	adev_count(fault->counters, fault_corrupted);
	frame->payload[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

static void hold(struct adev_fault *fault, struct frame *frame,
		 uint64_t *stream, uint64_t now_ns)
{
	adev_count(fault->counters, fault_reordered);
	frame->behind = 1 + (uint32_t)(draw(stream) % MAX_BEHIND);
	frame->at_ns = now_ns + HELD_AT_MOST_NS;
	append(&fault->held, frame);
}

/* A packet has passed those that are held back. */
static void let_follow(struct adev_fault *fault, uint64_t now_ns)
{
	struct frame **link = &fault->held.first;

	while (*link) {
		if (--(*link)->behind)
			link = &(*link)->next;
		else
			depart(fault, take(&fault->held, link), now_ns);
	}
}

static void send_copy(struct adev_fault *fault, const struct adev_path *path,
		      const void *payload, uint32_t bytes, uint64_t *stream,
		      uint64_t now_ns)
{
	struct frame *frame = new_frame(fault, path, payload, bytes);

	if (!frame)
		return;
	if (happens(stream, fault->spec.corrupt))
		corrupt(fault, frame, stream);
	if (happens(stream, fault->spec.reorder)) {
		hold(fault, frame, stream, now_ns);
	} else {
		depart(fault, frame, now_ns);
		let_follow(fault, now_ns);
	}
}

static void update_deadline(struct adev_fault *fault)
{
	uint64_t deadline = ADEV_NEVER_NS;
	struct frame *frame;

	if (fault->delayed.first)
		deadline = fault->delayed.first->at_ns;
	for (frame = fault->held.first; frame; frame = frame->next)
		if (frame->at_ns < deadline)
			deadline = frame->at_ns;
	atomic_store_explicit(&fault->deadline_ns, deadline,
			      memory_order_relaxed);
}

void adev_fault_send(struct adev_fault *fault, const struct adev_path *path,
		     const void *payload, uint32_t bytes, uint64_t now_ns)
{
	uint64_t stream, deadline;

	pthread_mutex_lock(&fault->lock);
	stream = next_stream(fault, path);
	if (happens(&stream, fault->spec.drop)) {
		adev_count(fault->counters, fault_dropped);
	} else {
		bool twice = happens(&stream, fault->spec.duplicate);

		if (twice)
			adev_count(fault->counters, fault_duplicated);
		send_copy(fault, path, payload, bytes, &stream, now_ns);
		if (twice)
			send_copy(fault, path, payload, bytes, &stream, now_ns);
	}
	update_deadline(fault);
	pthread_mutex_unlock(&fault->lock);
	deadline = adev_fault_deadline(fault);
	if (deadline != ADEV_NEVER_NS)
		fault->ops->expect(fault->owner, deadline);
}

void adev_fault_release(struct adev_fault *fault, uint64_t now_ns)
{
	struct frame **link = &fault->held.first;

	if (adev_fault_deadline(fault) > now_ns)
		return;
	pthread_mutex_lock(&fault->lock);
	while (fault->delayed.first && fault->delayed.first->at_ns <= now_ns)
		emit(fault, take(&fault->delayed, &fault->delayed.first));
	while (*link) {
		if ((*link)->at_ns > now_ns)
			link = &(*link)->next;
		else
			depart(fault, take(&fault->held, link), now_ns);
	}
	update_deadline(fault);
	pthread_mutex_unlock(&fault->lock);
}

uint64_t adev_fault_deadline(struct adev_fault *fault)
{
	return atomic_load_explicit(&fault->deadline_ns, memory_order_relaxed);
}

int adev_fault_create(const struct arnica_fault_spec *spec, uint32_t number,
		      struct adev_counters *counters,
		      const struct adev_fault_ops *ops, void *owner,
		      struct adev_fault **result)
{
	struct adev_fault *fault = calloc(1, sizeof(*fault));

	if (!fault)
		return ENOMEM;
	pthread_mutex_init(&fault->lock, NULL);
	fault->spec = *spec;
	fault->key = spec->seeded ? mix(mix(spec->seed) + number) :
				    adev_proc_random();
	fault->delayed.end = &fault->delayed.first;
	fault->held.end = &fault->held.first;
	atomic_init(&fault->deadline_ns, ADEV_NEVER_NS);
	fault->counters = counters;
	fault->ops = ops;
	fault->owner = owner;
	*result = fault;
	return 0;
}

void adev_fault_destroy(struct adev_fault *fault)
{
	while (fault->delayed.first)
		emit(fault, take(&fault->delayed, &fault->delayed.first));
	while (fault->held.first)
		emit(fault, take(&fault->held, &fault->held.first));
	pthread_mutex_destroy(&fault->lock);
	free(fault);
}
