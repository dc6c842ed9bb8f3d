/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Inside of the capture: a burst of packets is collected between begin and end,
 * which hold the lock, and written by end.
 *
 * The head of a file, and all that needs no lock, is in util/pcapng.h.
 */
#ifndef ADEV_LINK_CAPTURE_STATE_H
#define ADEV_LINK_CAPTURE_STATE_H

#include <pcapng.h>

#include "link/capture.h"

struct adev_capture_packet {
	const struct adev_path *path;
	uint32_t bytes; /* of the UDP payload */
	uint16_t ip_id;
	bool crc_error;
	enum arnica_pcapng_direction direction;
};

void adev_capture_begin(struct adev_capture *capture);
void adev_capture_end(struct adev_capture *capture);

/* The place of the UDP payload of the next packet; NULL: the capture has
 * stopped, or no packet is that long. The path must not change until commit. */
uint8_t *adev_capture_reserve(struct adev_capture *capture,
			      const struct adev_capture_packet *packet);
/* Its payload is in place. */
void adev_capture_commit(struct adev_capture *capture,
			 const struct adev_capture_packet *packet);

/* IP and UDP headers before `payload`; returns how many bytes they are, which
 * depends on the path alone. */
uint32_t adev_capture_header_bytes(const struct adev_path *path);
void adev_capture_headers(const struct adev_capture_packet *packet,
			  uint8_t *payload);

#endif
