/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The limit of the port: one bucket, and a virtual time for each function. */
#include "domain/limit.h"

/* What may be sent at once after a pause. */
#define BURST_NS 4000000ull
/* How far ahead of another a function may get: what the port sends meanwhile. */
#define AHEAD_NS 4000000ull
/* Who was let through wants more, as far as others need to know, if it asks as
 * soon as the port is free, or so much later. It is not new when it is back by
 * BACK_NS; and no claim is larger than what the port sends in CLAIM_NS. */
#define GRACE_NS 500000ull
#define BACK_NS 2000000ull
#define CLAIM_NS 16000000ull
/* How soon to ask again when it is another's turn, who may not use it. */
#define TURN_NS 50000ull
/* A bucket that is further in the future than any message explains was filled by
 * somebody's mistake. */
#define LONGEST_NS 4000000000000ull
/* Virtual time is in bytes of weight one, of which this is a fraction. */
#define UNITS 1024ull

#define SECOND_NS 1000000000ull

struct others {
	uint64_t least;	  /* virtual time of who is behind most */
	uint64_t began;	  /* ... of what was sent last and began first */
	uint32_t weights; /* of all */
};

static struct adev_slot *slot_of(const struct adev_limit *limit)
{
	return &limit->table->slots[limit->function];
}

/* All orders here are relaxed: each word means something by itself, and one that
 * is seen late makes a turn come late or early, once. */
static uint64_t load(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static void store(_Atomic uint64_t *word, uint64_t value)
{
	atomic_store_explicit(word, value, memory_order_relaxed);
}

void adev_limit_set(struct adev_table *table, uint64_t rate)
{
	store(&table->header.limit_rate, rate);
}

/* What stands there may be anything. */
uint64_t adev_limit_rate(const struct adev_table *table)
{
	uint64_t rate = load(&table->header.limit_rate);

	if (!rate)
		return 0;
	if (rate < ADEV_LIMIT_MIN_RATE)
		return ADEV_LIMIT_MIN_RATE;
	return rate > ADEV_LIMIT_MAX_RATE ? ADEV_LIMIT_MAX_RATE : rate;
}

static bool wants(const struct adev_slot *slot, uint64_t now_ns)
{
	uint64_t until = load(&slot->limit_wants_ns);

	return until > now_ns && until - now_ns <= ADEV_LIMIT_WANTS_NS;
}

static uint32_t weight_of(const struct adev_slot *slot)
{
	uint32_t weight = atomic_load_explicit(&slot->limit_weight,
					       memory_order_relaxed);

	return weight && weight <= ADEV_LIMIT_MAX_WEIGHT ? weight : 1;
}

/* Those but this one that want to send. Who does not want any more is taken off
 * the list; if it comes back just now, it enters its bit again when it asks. */
static struct others look_around(const struct adev_limit *limit,
				 uint64_t now_ns)
{
	struct others others = { .least = UINT64_MAX, .began = UINT64_MAX };
	uint32_t word;

	for (word = 0; word < ADEV_FUNCTIONS / 64; word++) {
		_Atomic uint64_t *members =
			&limit->table->header.limit_members[word];
		uint64_t bits = load(members);

		for (; bits; bits &= bits - 1) {
			uint32_t bit = (uint32_t)__builtin_ctzll(bits);
			const struct adev_slot *slot =
				&limit->table->slots[word * 64 + bit];
			uint64_t time, last;

			if (word * 64 + bit == limit->function)
				continue;
			if (!wants(slot, now_ns)) {
				atomic_fetch_and(members, ~(1ull << bit));
				continue;
			}
			others.weights += weight_of(slot);
			time = load(&slot->limit_time);
			if (time < others.least)
				others.least = time;
			/* It may have been stopped between its two stores. */
			last = UNITS * atomic_load_explicit(
					       &slot->limit_last,
					       memory_order_relaxed);
			time -= last < time ? last : time;
			if (time < others.began)
				others.began = time;
		}
	}
	return others;
}

static void show_wish(struct adev_limit *limit, uint64_t until_ns)
{
	_Atomic uint64_t *members =
		&limit->table->header.limit_members[limit->function / 64];
	uint64_t bit = 1ull << limit->function % 64;

	store(&slot_of(limit)->limit_wants_ns, until_ns);
	if (!(load(members) & bit))
		atomic_fetch_or(members, bit);
}

void adev_limit_enter(struct adev_limit *limit, struct adev_table *table,
		      uint32_t function, uint32_t weight)
{
	struct adev_slot *slot;

	limit->table = table;
	limit->function = function % ADEV_FUNCTIONS;
	limit->weight = weight;
	slot = slot_of(limit);
	store(&limit->back_ns, 0);
	store(&slot->limit_wants_ns, 0);
	store(&slot->limit_time, 0);
	atomic_store_explicit(&slot->limit_last, 0, memory_order_relaxed);
	atomic_store_explicit(&slot->limit_weight, weight,
			      memory_order_relaxed);
}

void adev_limit_leave(struct adev_limit *limit)
{
	struct adev_slot *slot = slot_of(limit);

	if (load(&slot->limit_wants_ns))
		store(&slot->limit_wants_ns, 0);
}

/* By how much the virtual times of all advance meanwhile. */
static uint64_t advance(const struct adev_limit *limit,
			const struct others *others, uint64_t rate,
			uint64_t time_ns)
{
	return rate / (SECOND_NS / time_ns) * UNITS /
	       (others->weights + limit->weight);
}

/* Who comes back from a pause has no claim to what it did not want, and who was
 * only slow has a small one. It begins with what others send just now. */
static void catch_up(struct adev_limit *limit, const struct others *others,
		     uint64_t rate, uint64_t now_ns)
{
	struct adev_slot *slot = slot_of(limit);
	uint64_t time = load(&slot->limit_time), claim = 0;

	if (!others->weights || time >= others->began)
		return;
	if (wants(slot, now_ns) || load(&limit->back_ns) > now_ns)
		claim = advance(limit, others, rate, CLAIM_NS);
	if (others->began - time > claim)
		(void)atomic_compare_exchange_strong(&slot->limit_time, &time,
						     others->began - claim);
}

static bool is_ahead(const struct adev_limit *limit,
		     const struct others *others, uint64_t rate)
{
	uint64_t time = load(&slot_of(limit)->limit_time);

	return others->weights && time > others->least &&
	       time - others->least > advance(limit, others, rate, AHEAD_NS);
}

bool adev_limit_admits(struct adev_limit *limit, uint64_t now_ns,
		       uint64_t *again_ns)
{
	uint64_t rate = adev_limit_rate(limit->table);
	uint64_t free_ns = load(&limit->table->header.limit_free_ns);
	struct others others;

	if (!rate)
		return true;
	others = look_around(limit, now_ns);
	catch_up(limit, &others, rate, now_ns);
	if (free_ns > now_ns && free_ns - now_ns <= LONGEST_NS) {
		*again_ns = free_ns;
	} else if (is_ahead(limit, &others, rate)) {
		*again_ns = now_ns + TURN_NS;
	} else {
		store(&limit->back_ns, now_ns + BACK_NS);
		return true;
	}
	show_wish(limit, now_ns + ADEV_LIMIT_WANTS_NS);
	return false;
}

void adev_limit_charge(struct adev_limit *limit, uint64_t now_ns,
		       uint64_t bytes)
{
	_Atomic uint64_t *bucket = &limit->table->header.limit_free_ns;
	uint64_t rate = adev_limit_rate(limit->table);
	uint64_t free_ns = load(bucket), begin_ns, end_ns;
	uint64_t time = bytes / limit->weight;

	if (!rate || !bytes)
		return;
	atomic_store_explicit(&slot_of(limit)->limit_last,
			      time > UINT32_MAX ? UINT32_MAX : (uint32_t)time,
			      memory_order_relaxed);
	atomic_fetch_add_explicit(&slot_of(limit)->limit_time,
				  bytes * UNITS / limit->weight,
				  memory_order_relaxed);
	do {
		begin_ns = free_ns;
		if (begin_ns + BURST_NS < now_ns ||
		    (begin_ns > now_ns && begin_ns - now_ns > LONGEST_NS))
			begin_ns = now_ns - BURST_NS;
		end_ns = begin_ns + bytes * SECOND_NS / rate;
	} while (!atomic_compare_exchange_weak(bucket, &free_ns, end_ns));
	if (end_ns < now_ns)
		end_ns = now_ns;
	if (end_ns - now_ns > ADEV_LIMIT_WANTS_NS - GRACE_NS)
		end_ns = now_ns + ADEV_LIMIT_WANTS_NS - GRACE_NS;
	show_wish(limit, end_ns + GRACE_NS);
}

uint32_t adev_limit_weights(const struct adev_limit *limit, uint64_t now_ns)
{
	return look_around(limit, now_ns).weights + limit->weight;
}
