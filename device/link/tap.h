/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A tap on the port's interface: whole Ethernet frames out and in, by two
 * packet sockets. Who may open them has the right to (CAP_NET_RAW in the
 * network namespace).
 *
 * What raw packet queue pairs of this host send comes to every tap that
 * listens, its own included, as an adapter's switch has it: the kernel shows
 * each frame that leaves to all packet sockets but the one that sent it. Those
 * frames have a mark, by which they are told from what the host itself sends. On
 * the loopback interface they come in again by themselves, and only so.
 */
#ifndef ADEV_LINK_TAP_H
#define ADEV_LINK_TAP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "arnica/hw/format.h"

struct adev_tap {
	int send_fd;
	/* Who has no lock may ask: is anything taken in, and by what? */
	_Atomic int receive_fd; /* -1: not yet; stays until the tap closes */
	_Atomic bool listens;   /* then there is a receive_fd */
	uint32_t bound; /* interface that receive_fd is bound to */
	/* The port's interface, as of a version of the port. */
	pthread_mutex_t lock;
	_Atomic uint64_t version;
	_Atomic uint32_t interface_index;
	_Atomic uint32_t mtu;
	_Atomic bool loopback;
};

/* 0; EPERM: no right to; EOPNOTSUPP: the port's interface is none of Ethernet, or
 * there are no packet sockets; EMFILE, ENOMEM. */
int adev_tap_open(struct adev_tap *tap) ARNICA_MUST_CHECK;
void adev_tap_close(struct adev_tap *tap);

/* Begins to take frames in, or takes no more. Errors as above. */
int adev_tap_listen(struct adev_tap *tap) ARNICA_MUST_CHECK;
void adev_tap_deafen(struct adev_tap *tap);

/* Has the port gone to another interface? Then receiving goes there, too, and
 * what was wanted (adev_tap_want()) has to be said again. */
bool adev_tap_follow(struct adev_tap *tap);

/*
 * Frames to this address are wanted from now on, or no more, though the
 * interface may not be for it; NULL: frames to any. The kernel counts.
 */
void adev_tap_want(struct adev_tap *tap, const uint8_t mac[6], bool wanted);

/* Sends a frame of at least ADEV_FRAME_HEADER_BYTES. 0; EMSGSIZE: longer than
 * the interface takes; EAGAIN: no room now; ENETDOWN: no way out. Any thread. */
int adev_tap_send(struct adev_tap *tap, const uint8_t *bytes,
		  uint32_t length) ARNICA_MUST_CHECK;

/* A frame, whole as it was on the wire, in `room`, which has ADEV_TAP_ROOM
 * bytes. Refused: something came that is no frame. */
#define ADEV_TAP_ROOM (1u << 17)

struct adev_tap_frame {
	const uint8_t *bytes;
	uint32_t length; /* at least ADEV_FRAME_HEADER_BYTES */
};

enum adev_tap_took { ADEV_TAP_NOTHING, ADEV_TAP_FRAME, ADEV_TAP_REFUSED };

enum adev_tap_took adev_tap_receive(struct adev_tap *tap, uint8_t *room,
				    struct adev_tap_frame *frame);

#endif
