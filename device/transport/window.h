/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Window: how many packets a requester may have on their way. Nothing else
 * controls the flow: a default receive buffer holds 25 packets of 4160 bytes,
 * so a connection begins with 16, grows as long as the answers come, and gives
 * way when packets are lost. Responses to reads count like requests.
 */
#ifndef ADEV_TRANSPORT_WINDOW_H
#define ADEV_TRANSPORT_WINDOW_H

#include <stdint.h>

#define ADEV_WINDOW_START 16u
#define ADEV_WINDOW_MAX 256u
#define ADEV_WINDOW_MIN 8u   /* after a loss */
#define ADEV_WINDOW_PROBE 2u /* when nothing is heard */

struct adev_window {
	uint32_t packets;
	uint32_t threshold; /* growth is slow from here on */
	uint32_t earned;    /* answered packets towards the next step */
};

void adev_window_init(struct adev_window *window);

/* `answered` packets were, of `in_flight`. One that was not used does not
 * grow. */
void adev_window_progress(struct adev_window *window, uint32_t answered,
			  uint32_t in_flight);

/* A packet was lost, and others arrived. */
void adev_window_loss(struct adev_window *window);

/* Nothing was heard for a while. */
void adev_window_silence(struct adev_window *window);

/* The receiver is not ready: nothing was lost, but most of what follows will
 * be for nothing until it is. */
void adev_window_hold(struct adev_window *window);

#endif
