/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The program that says which socket of port 4791 a datagram is for: classic
 * BPF over the UDP payload, a binary search for the block of the destination QP
 * number. What it cannot tell, the kernel's hash decides.
 */
#ifndef ADEV_LINK_STEER_H
#define ADEV_LINK_STEER_H

#include <linux/filter.h>
#include <stdint.h>

/* Number of instructions that the kernel takes. */
#define ADEV_STEER_MAX 4096u

/* An opcode that RoCE leaves to manufacturers: a probe, which asks for the
 * socket that its bytes 2 and 3 name. */
#define ADEV_STEER_PROBE 0xc1u

/* The QP numbers of this block, and those up to the next entry's, which belong
 * to nobody, are for the socket `index`. */
struct adev_steer_entry {
	uint32_t block; /* QP number >> 8 */
	uint32_t index;
};

/* Sorts the entries, and leaves out those that say nothing new; how many stay.
 */
uint32_t adev_steer_sort(struct adev_steer_entry *entries, uint32_t count);

/* Writes the program for sorted entries, as many of them as fit into `max`
 * instructions; returns its length. */
uint32_t adev_steer_build(const struct adev_steer_entry *entries,
			  uint32_t count, struct sock_filter *code,
			  uint32_t max);

#endif
