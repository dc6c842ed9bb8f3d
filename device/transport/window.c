/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Window of a requester. */
#include "transport/window.h"

void adev_window_init(struct adev_window *window)
{
	window->packets = ADEV_WINDOW_START;
	window->threshold = ADEV_WINDOW_MAX;
	window->earned = 0;
}

static uint32_t half(uint32_t packets)
{
	return packets / 2 > ADEV_WINDOW_MIN ? packets / 2 : ADEV_WINDOW_MIN;
}

void adev_window_progress(struct adev_window *window, uint32_t answered,
			  uint32_t in_flight)
{
	if (in_flight * 2 < window->packets ||
	    window->packets >= ADEV_WINDOW_MAX)
		return;
	if (window->packets < window->threshold) {
		window->packets += answered;
		if (window->packets > window->threshold)
			window->packets = window->threshold;
		return;
	}
	/* One packet more for each window that was answered whole. */
	window->earned += answered;
	if (window->earned >= window->packets) {
		window->earned = 0;
		window->packets++;
	}
}

void adev_window_loss(struct adev_window *window)
{
	window->threshold = half(window->packets);
	window->packets = window->threshold;
	window->earned = 0;
}

void adev_window_silence(struct adev_window *window)
{
	if (window->packets > ADEV_WINDOW_PROBE)
		window->threshold = half(window->packets);
	window->packets = ADEV_WINDOW_PROBE;
	window->earned = 0;
}

void adev_window_hold(struct adev_window *window)
{
	if (window->threshold < window->packets)
		window->threshold = window->packets;
	window->packets = ADEV_WINDOW_PROBE;
	window->earned = 0;
}
