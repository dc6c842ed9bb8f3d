/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "link/group_members.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "domain/directory.h"
#include "domain/proc.h"
#include "link/steer.h"

#ifndef SO_ATTACH_REUSEPORT_CBPF
#define SO_ATTACH_REUSEPORT_CBPF 51
#endif

/* Members that died and are not closed yet may have places too. */
#define SPARE_PLACES 4u

static struct adev_table_header *header_of(
	const struct adev_directory *directory)
{
	return &directory->table->header;
}

static _Atomic uint64_t *word_of(const struct adev_directory *directory,
				 uint32_t function)
{
	return &directory->table->slots[function % ADEV_FUNCTIONS].wire;
}

static uint64_t encode(const struct adev_group_self *self, uint32_t place,
		       uint32_t epoch)
{
	return self->generation << ADEV_WIRE_GENERATION_SHIFT |
	       ADEV_WIRE_MEMBER | ADEV_WIRE_PLACE_KNOWN |
	       arnica_field_put(ADEV_WIRE_EPOCH_MASK, epoch & 0x3fff) |
	       arnica_field_put(ADEV_WIRE_PLACE_MASK, place);
}

static uint32_t place_in(uint64_t word)
{
	return (uint32_t)arnica_field_get(word, ADEV_WIRE_PLACE_MASK);
}

static bool is_of(const struct adev_group_self *self, uint64_t word)
{
	return !((encode(self, 0, 0) ^ word) >> ADEV_WIRE_GENERATION_SHIFT);
}

uint32_t adev_group_epoch(const struct adev_directory *directory)
{
	return atomic_load(&header_of(directory)->wire_epoch) & 0x3fff;
}

/* Of a function that lives and is a member; zero otherwise. */
static uint64_t live_word(const struct adev_directory *directory,
			  uint32_t function)
{
	uint64_t word = atomic_load(word_of(directory, function));
	uint64_t generation;

	if (!(word & ADEV_WIRE_MEMBER))
		return 0;
	generation = atomic_load(&directory->table->slots[function].generation);
	return generation << ADEV_WIRE_GENERATION_SHIFT ==
				       (word >>
					ADEV_WIRE_GENERATION_SHIFT
						<< ADEV_WIRE_GENERATION_SHIFT) &&
			       adev_directory_alive(directory, function,
						    generation) ?
		       word :
		       0;
}

uint32_t adev_group_count(const struct adev_directory *directory)
{
	uint32_t count = 0;
	uint32_t i;

	for (i = 0; i < ADEV_FUNCTIONS; i++)
		count += live_word(directory, i) != 0;
	return count;
}

bool adev_group_has_dead(const struct adev_directory *directory)
{
	uint32_t i;

	for (i = 0; i < ADEV_FUNCTIONS; i++)
		if ((atomic_load(word_of(directory, i)) & ADEV_WIRE_MEMBER) &&
		    !live_word(directory, i))
			return true;
	return false;
}

/* Forgets the dead; how many there were. Their sockets may still be open, so
 * that nothing is known of places from now on. */
static uint32_t bury(struct adev_directory *directory)
{
	uint32_t buried = 0;
	uint32_t i;

	for (i = 0; i < ADEV_FUNCTIONS; i++) {
		uint64_t word = atomic_load(word_of(directory, i));

		if ((word & ADEV_WIRE_MEMBER) && !live_word(directory, i))
			buried += atomic_compare_exchange_strong(
				word_of(directory, i), &word, 0);
	}
	if (buried)
		adev_group_doubt(directory);
	return buried;
}

void adev_group_doubt(struct adev_directory *directory)
{
	atomic_store(&header_of(directory)->wire_unsure, 1);
	/* What was learnt so far, and the answers under way, count no more. */
	atomic_fetch_add(&header_of(directory)->wire_epoch, 1);
}

static bool is_sure(const struct adev_directory *directory)
{
	return !atomic_load(&header_of(directory)->wire_unsure);
}

void adev_group_add(struct adev_directory *directory,
		    const struct adev_group_self *self, uint32_t others)
{
	uint64_t word = encode(self, others, adev_group_epoch(directory));

	/* Alone with the port: the places begin anew. */
	if (!bury(directory) && !others)
		atomic_store(&header_of(directory)->wire_unsure, 0);
	if (!is_sure(directory))
		word &= ~ADEV_WIRE_PLACE_KNOWN;
	atomic_store(word_of(directory, self->function), word);
}

/* The member at `from` is at `to` now; false: there is none. */
static bool move(struct adev_directory *directory, uint32_t from, uint32_t to)
{
	uint32_t i;

	for (i = 0; i < ADEV_FUNCTIONS; i++) {
		uint64_t word = live_word(directory, i);
		uint64_t moved = (word & ~ADEV_WIRE_PLACE_MASK) |
				 arnica_field_put(ADEV_WIRE_PLACE_MASK, to);

		if (word && place_in(word) == from)
			return atomic_compare_exchange_strong(
				word_of(directory, i), &word, moved);
	}
	return false;
}

void adev_group_remove(struct adev_directory *directory,
		       const struct adev_group_self *self, bool locked)
{
	_Atomic uint64_t *at = word_of(directory, self->function);
	uint64_t own = atomic_load(at);
	uint32_t last;

	if (!is_of(self, own) || !atomic_compare_exchange_strong(at, &own, 0)) {
		adev_group_doubt(directory);
		return;
	}
	last = adev_group_count(directory);
	if (locked && is_sure(directory) && !bury(directory) &&
	    (place_in(own) == last || move(directory, last, place_in(own))))
		return;
	adev_group_doubt(directory);
}

static bool is_current(const struct adev_directory *directory, uint64_t word)
{
	return (word & ADEV_WIRE_PLACE_KNOWN) &&
	       (is_sure(directory) ||
		arnica_field_get(word, ADEV_WIRE_EPOCH_MASK) ==
			adev_group_epoch(directory));
}

/* Each member has a place below their number, and no two the same. */
static bool are_places_complete(const struct adev_directory *directory,
				uint32_t count)
{
	uint8_t *taken = calloc(count + 1, 1);
	uint32_t found = 0;
	uint32_t i;

	for (i = 0; taken && i < ADEV_FUNCTIONS; i++) {
		uint64_t word = live_word(directory, i);

		if (!word || !is_current(directory, word) ||
		    place_in(word) >= count || taken[place_in(word)])
			continue;
		taken[place_in(word)] = 1;
		found++;
	}
	free(taken);
	return found == count;
}

bool adev_group_settled(struct adev_directory *directory, uint32_t *places)
{
	uint32_t buried = bury(directory);
	uint32_t count = adev_group_count(directory);

	*places = count + buried + SPARE_PLACES;
	if (is_sure(directory))
		return true;
	if (buried || !are_places_complete(directory, count))
		return false;
	atomic_store(&header_of(directory)->wire_unsure, 0);
	return true;
}

void adev_group_learn(struct adev_directory *directory,
		      const struct adev_group_self *self, uint32_t place,
		      uint32_t epoch)
{
	_Atomic uint64_t *at = word_of(directory, self->function);
	uint64_t word = atomic_load(at);

	if (epoch != adev_group_epoch(directory) || !is_of(self, word) ||
	    !(word & ADEV_WIRE_MEMBER))
		return;
	/* A probe for a place that there is not goes to anybody: of those that
	 * come here, the one with the lowest number is right. Who changes the
	 * word meanwhile knows better. */
	if (!(word & ADEV_WIRE_PLACE_KNOWN) ||
	    arnica_field_get(word, ADEV_WIRE_EPOCH_MASK) != epoch ||
	    place_in(word) > place)
		(void)atomic_compare_exchange_strong(
			at, &word, encode(self, place, epoch));
}

uint64_t adev_group_secret(struct adev_directory *directory)
{
	_Atomic uint64_t *secret = &header_of(directory)->wire_secret;
	uint64_t found = atomic_load(secret);

	if (found)
		return found;
	if (atomic_compare_exchange_strong(secret, &found,
					   adev_proc_random() | 1))
		return atomic_load(secret);
	return found;
}

/* The blocks of members whose places are known; how many. */
static uint32_t collect(const struct adev_directory *directory,
			struct adev_steer_entry *entries)
{
	uint32_t count = 0;
	uint32_t block;

	for (block = 0; block < ADEV_BLOCKS; block++) {
		uint64_t owner = atomic_load_explicit(
			&directory->table->blocks[block], memory_order_acquire);
		uint64_t word;

		if (!(owner & ADEV_BLOCK_USED))
			continue;
		word = live_word(directory,
				 (uint32_t)(owner & ADEV_BLOCK_FUNCTION_MASK));
		if (word && is_current(directory, word))
			entries[count++] = (struct adev_steer_entry){
				block, place_in(word)
			};
	}
	return adev_steer_sort(entries, count);
}

/* Fails with a single member that came as the first, who needs none; in an
 * emulated kernel without it, where the hash decides and packets are handed
 * on; and beyond a limit of memory, where a shorter one may do. */
void adev_group_steer(const struct adev_directory *directory, int fd)
{
	struct adev_steer_entry *entries = malloc(ADEV_BLOCKS *
						  sizeof(*entries));
	struct sock_filter *code = malloc(ADEV_STEER_MAX * sizeof(*code));
	uint32_t max = ADEV_STEER_MAX;
	uint32_t count;

	if (!entries || !code)
		goto out;
	count = collect(directory, entries);
	for (; max >= 64; max /= 2) {
		struct sock_fprog program;

		/* Its padding, too: valgrind looks at all that is given. */
		memset(&program, 0, sizeof(program));
		program.len = (unsigned short)adev_steer_build(entries, count,
							       code, max);
		program.filter = code;
		if (!setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF,
				&program, sizeof(program)))
			break;
	}
out:
	free(code);
	free(entries);
}
