/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Operations of a wire that has nothing to say: each packet leaves by itself,
 * from the port that its path names; nothing arrives, nobody sleeps on it, and
 * closing it frees nothing. A test's wire takes those that it does not care
 * about, with a `lower` of any kind.
 */
#ifndef TESTS_FAKE_WIRE_H
#define TESTS_FAKE_WIRE_H

#include "link/wire_ops.h"

static inline uint32_t fake_wire_max_run(void *lower)
{
	(void)lower;
	return 1;
}

static inline uint16_t fake_wire_source_port(void *lower,
					     const struct adev_path *path)
{
	(void)lower;
	return path->source_port;
}

static inline uint32_t fake_wire_receive(void *lower,
					 struct adev_datagram *datagrams,
					 uint32_t max, bool *more)
{
	(void)lower;
	(void)datagrams;
	(void)max;
	*more = false;
	return 0;
}

static inline uint32_t fake_wire_descriptors(void *lower,
					     int fds[ADEV_WIRE_DESCRIPTORS])
{
	(void)lower;
	(void)fds;
	return 0;
}

static inline void fake_wire_close(void *lower)
{
	(void)lower;
}

#endif
