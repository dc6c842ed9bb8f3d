/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Captures: every packet that a process sends and receives, in a pcapng file
 * that ARNICA_PCAP names. Packets of the wire get the IP and UDP headers back
 * that they had; messages of the loopback path, which never were packets, are
 * written as the packets that they stand for (capture_message.c).
 *
 * Several processes append to one file, one write for each burst; a %p in the
 * name is the process number, which gives each a file of its own. A file that
 * cannot be written any more ends the capture with one line, and nothing else.
 *
 * Off, fn->capture is NULL. Lock role `capture`: taken after every other.
 */
#ifndef ADEV_LINK_CAPTURE_H
#define ADEV_LINK_CAPTURE_H

#include "link/wire.h"
#include "transport/responder.h"

struct adev_capture;
struct adev_datagram; /* wire_ops.h */
struct adev_frame;

/* For a function that is attached: sets fn->capture when captures are wanted.
 * An error (ENOMEM, or what the system says of the file) has written its line.
 * Calls are serialised by the caller. */
int adev_capture_open(struct adev_function *fn) ARNICA_MUST_CHECK;
void adev_capture_close(struct adev_function *fn);

/*
 * Packets that are sent, as they leave the adapter: before faults. Packets that
 * came in, before anything is checked: the identification that makes a packet's
 * ICRC right is put into its header, where there is one.
 */
void adev_capture_sent(struct adev_capture *capture,
		       const struct adev_frame *frames, uint32_t count);
void adev_capture_received(struct adev_capture *capture,
			   const struct adev_datagram *datagrams,
			   uint32_t count);

/* The message of a QP, which its responder answered in this way; before the
 * requester draws its conclusions. With sq_lock held. */
void adev_capture_message(struct adev_qp *qp, enum adev_verdict verdict);

#endif
