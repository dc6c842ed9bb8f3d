/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The batch of a thread: packets that leave together. They lie one behind the
 * other, so that a run of equal ones can leave as one datagram that the kernel
 * or the adapter below it takes apart. A packet is sealed when the one behind
 * the next is added: its payload is in place then, still in the cache, and not
 * on its way there any more, which reading it would have to wait for.
 */
#include "link/wire.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/attach.h"
#include "core/clock.h"
#include "link/capture.h"
#include "link/fault.h"
#include "link/wire_state.h"

#define BATCH_BYTES (160u << 10)
#define BATCH_FRAMES 256u
/* Of a run: the UDP payload of a datagram, of either family. */
#define RUN_BYTES 65000u

struct adev_batch {
	struct adev_wire *wire;
	uint32_t fork_epoch;
	uint32_t num_frames;
	uint32_t num_sealed;
	uint32_t num_paths;
	uint32_t used; /* bytes */
	uint32_t max_run; /* frames; known with the first one */

	/* The run that the last frame belongs to. */
	uint32_t run_bytes;
	uint32_t run_size; /* of all its frames but the last */
	bool run_open;

	struct roce_icrc_memo leads;
	struct adev_frame frames[BATCH_FRAMES];
	struct adev_path paths[BATCH_FRAMES];
	uint8_t bytes[BATCH_BYTES];
};

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool have_key;
static __thread struct adev_batch *own_batch;

static void make_key(void)
{
	have_key = pthread_key_create(&key, free) == 0;
}

/* Freed when the thread ends. */
static struct adev_batch *make_batch(void)
{
	struct adev_batch *batch;

	pthread_once(&key_once, make_key);
	if (!have_key)
		return NULL;
	batch = malloc(sizeof(*batch));
	if (!batch)
		return NULL;
	if (pthread_setspecific(key, batch)) {
		free(batch);
		return NULL;
	}
	batch->wire = NULL;
	batch->num_frames = 0;
	memset(&batch->leads, 0, sizeof(batch->leads));
	own_batch = batch;
	return batch;
}

static void clear(struct adev_batch *batch)
{
	batch->num_frames = 0;
	batch->num_sealed = 0;
	batch->num_paths = 0;
	batch->used = 0;
	batch->run_open = false;
}

struct adev_batch *adev_wire_batch(struct adev_function *fn)
{
	struct adev_wire *wire = adev_wire_of(fn);
	struct adev_batch *batch = own_batch;

	if (!wire)
		return NULL;
	if (!batch)
		batch = make_batch();
	if (!batch)
		return NULL;
	if (batch->wire == wire && batch->fork_epoch == adev_fork_epoch)
		return batch;
	/* What the parent's thread had in it at the fork is the parent's. */
	if (batch->num_frames && batch->fork_epoch == adev_fork_epoch)
		adev_batch_send(batch);
	clear(batch);
	batch->wire = wire;
	batch->fork_epoch = adev_fork_epoch;
	return batch;
}

/* The batch's copy of a path, which packets in a row mostly share. */
static const struct adev_path *keep_path(struct adev_batch *batch,
					 const struct adev_path *path)
{
	struct adev_path *kept = batch->paths;

	if (batch->num_paths) {
		kept += batch->num_paths - 1;
		if (!memcmp(kept, path, sizeof(*path)))
			return kept;
		kept++;
	}
	batch->num_paths++;
	*kept = *path;
	return kept;
}

static bool joins_run(const struct adev_batch *batch,
		      const struct adev_frame *frame)
{
	return batch->num_frames && batch->run_open &&
	       frame[-1].path == frame->path &&
	       frame->length <= batch->run_size &&
	       frame[-1].ip_id + 1u < batch->max_run &&
	       batch->run_bytes + frame->length <= RUN_BYTES;
}

/* The frame behind the last one joins its run, or begins another. False: it
 * begins one. */
static bool join_run(struct adev_batch *batch, struct adev_frame *frame)
{
	if (joins_run(batch, frame)) {
		frame->ip_id = (uint16_t)(frame[-1].ip_id + 1);
		batch->run_bytes += frame->length;
		batch->run_open = frame->length == batch->run_size;
		return true;
	}
	frame->ip_id = 0;
	batch->run_bytes = frame->length;
	batch->run_size = frame->length;
	batch->run_open = true;
	return false;
}

static void find_max_run(struct adev_batch *batch)
{
	const struct adev_wire *wire = batch->wire;

	/* Faults happen to each packet by itself. */
	batch->max_run = wire->fn->fault ? 1 : wire->ops->max_run(wire->lower);
}

/* Where the frame's ICRC begins. */
static struct roce_icrc_lead find_lead(struct adev_batch *batch,
				       const struct adev_frame *frame)
{
	const struct roce_envelope envelope = adev_path_envelope(
		frame->path, frame->source_port, 0);

	return roce_icrc_recall(&batch->leads, &envelope, frame->length);
}

/* Puts a frame of `length` bytes behind the last one. */
static struct adev_frame *append(struct adev_batch *batch,
				 const struct adev_path *path, uint32_t length)
{
	const struct adev_wire *wire = batch->wire;
	struct adev_frame *frame = &batch->frames[batch->num_frames];

	if (!batch->num_frames)
		find_max_run(batch);
	frame->path = keep_path(batch, path);
	frame->bytes = batch->bytes + batch->used;
	frame->length = length;
	if (join_run(batch, frame))
		frame->source_port = frame[-1].source_port;
	else
		frame->source_port = wire->ops->source_port(wire->lower,
							    frame->path);
	frame->lead = find_lead(batch, frame);
	batch->used += length;
	batch->num_frames++;
	return frame;
}

/* Puts one that is like the last one behind it. */
static struct adev_frame *append_like(struct adev_batch *batch)
{
	struct adev_frame *frame = &batch->frames[batch->num_frames];

	*frame = frame[-1];
	frame->bytes += frame->length;
	(void)join_run(batch, frame);
	batch->used += frame->length;
	batch->num_frames++;
	return frame;
}

static void seal(const struct adev_frame *frame)
{
	roce_icrc_write(frame->lead, frame->ip_id, frame->bytes, frame->length);
}

/* All but the last `but`. */
static void seal_all(struct adev_batch *batch, uint32_t but)
{
	while (batch->num_sealed + but < batch->num_frames)
		seal(&batch->frames[batch->num_sealed++]);
}

uint32_t adev_batch_run_packets(uint32_t bytes)
{
	return RUN_BYTES / bytes;
}

void adev_batch_make_room(struct adev_batch *batch, uint32_t packets,
			  uint32_t bytes)
{
	if (batch->num_frames + packets > BATCH_FRAMES ||
	    batch->used + bytes > BATCH_BYTES)
		adev_batch_send(batch);
}

/* Headers and pad; where the payload is to be. */
static uint8_t *emit(const struct roce_packet *packet,
		     const struct adev_frame *frame)
{
	uint32_t pad = roce_pad_bytes(packet->payload_bytes);

	if (pad)
		memset(frame->bytes + frame->length - ROCE_ICRC_BYTES - pad, 0,
		       pad);
	return frame->bytes + roce_emit(packet, frame->bytes);
}

uint8_t *adev_batch_add(struct adev_batch *batch, const struct adev_path *path,
			const struct roce_packet *packet)
{
	uint32_t length = roce_packet_bytes(packet->opcode,
					    packet->payload_bytes);

	adev_batch_make_room(batch, 1, length);
	seal_all(batch, 1);
	return emit(packet, append(batch, path, length));
}

uint8_t *adev_batch_add_like(struct adev_batch *batch,
			     const struct roce_packet *packet)
{
	uint32_t last = batch->num_frames - 1;

	if (!batch->num_frames || batch->num_frames == BATCH_FRAMES ||
	    batch->used + batch->frames[last].length > BATCH_BYTES)
		return NULL;
	seal_all(batch, 1);
	return emit(packet, append_like(batch));
}

void adev_batch_cancel(struct adev_batch *batch)
{
	struct adev_frame *last = &batch->frames[--batch->num_frames];

	batch->used -= last->length;
	/* Its path goes with it when no packet before has it: packets that are
	 * cancelled again and again must not use the paths up. */
	if (!batch->num_frames || last[-1].path != last->path)
		batch->num_paths--;
	/* It began a run of its own: the one before is not taken up again. */
	batch->run_open = last->ip_id != 0;
	batch->run_bytes -= last->length;
}

static void send_faulty(struct adev_fault *fault,
			const struct adev_batch *batch)
{
	uint64_t now_ns = adev_now_ns();
	uint32_t i;

	for (i = 0; i < batch->num_frames; i++)
		adev_fault_send(fault, batch->frames[i].path,
				batch->frames[i].bytes, batch->frames[i].length,
				now_ns);
}

void adev_batch_send(struct adev_batch *batch)
{
	struct adev_wire *wire = batch->wire;

	if (!batch->num_frames)
		return;
	adev_wire_begin_send(wire);
	seal_all(batch, 0);
	adev_count_add(&wire->fn->counters, wire_sent, batch->num_frames);
	if (__builtin_expect(wire->fn->capture != NULL, 0))
		adev_capture_sent(wire->fn->capture, batch->frames,
				  batch->num_frames);
	if (__builtin_expect(wire->fn->fault != NULL, 0))
		send_faulty(wire->fn->fault, batch);
	else
		wire->ops->transmit(wire->lower, batch->frames,
				    batch->num_frames);
	adev_wire_end_send(wire);
	clear(batch);
}

void adev_wire_send_one(struct adev_function *fn, const struct adev_path *path,
			uint8_t *bytes, uint32_t length)
{
	struct adev_wire *wire = adev_wire_of(fn);
	struct adev_frame frame = {
		.bytes = bytes,
		.length = length,
		.path = path,
	};

	if (!wire)
		return;
	frame.source_port = wire->ops->source_port(wire->lower, path);
	wire->ops->transmit(wire->lower, &frame, 1);
}
