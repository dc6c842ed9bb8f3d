/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The limit of the port: how many bytes of payload a second all functions of the
 * host domain may send together, and how they share it. ADR 0017 has the reasons.
 *
 * The bucket is one word of the directory: the time at which the port will have
 * sent what was charged to it. Who may send next is decided by virtual times: a
 * function's is what it sent divided by its weight, and one that is ahead of
 * another that wants to send lets that one go first. What a function does not want
 * is the others'.
 *
 * Nobody waits for anybody: every word but the bucket has one writer, the bucket
 * changes by compare-and-exchange, and a wish that is not repeated is forgotten
 * after WANTS_NS. So a process may end or be stopped between any two stores.
 *
 * Time is an argument: CLOCK_MONOTONIC.
 */
#ifndef ADEV_DOMAIN_LIMIT_H
#define ADEV_DOMAIN_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "domain/table.h"

#define ADEV_LIMIT_MAX_WEIGHT 1000u
#define ADEV_LIMIT_MIN_RATE 1000000ull /* bytes a second */
#define ADEV_LIMIT_MAX_RATE 1000000000000ull

/* How long a refused wish holds up others that are ahead. */
#define ADEV_LIMIT_WANTS_NS 50000000ull

/* A function's part in it; used by its process alone, by any thread. */
struct adev_limit {
	struct adev_table *table;
	uint32_t function;
	uint32_t weight;
	_Atomic uint64_t back_ns; /* if it asks by then it made no pause */
};

/* Sets the port's limit; zero: none. */
void adev_limit_set(struct adev_table *table, uint64_t rate);
uint64_t adev_limit_rate(const struct adev_table *table);

/* A function that was entered, with its weight; and before it leaves. */
void adev_limit_enter(struct adev_limit *limit, struct adev_table *table,
		      uint32_t function, uint32_t weight);
void adev_limit_leave(struct adev_limit *limit);

/* May it send now? Else it shall ask again at *again_ns. */
bool adev_limit_admits(struct adev_limit *limit, uint64_t now_ns,
		       uint64_t *again_ns);

/* It sent so much. */
void adev_limit_charge(struct adev_limit *limit, uint64_t now_ns,
		       uint64_t bytes);

/* The weights of all that want to send now, with its own: its share is its weight
 * of these. */
uint32_t adev_limit_weights(const struct adev_limit *limit, uint64_t now_ns);

#endif
