/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The members of the group on port 4791 and their places, as the directory has
 * them. Under the lock of the group, where not said otherwise.
 */
#ifndef ADEV_LINK_GROUP_MEMBERS_H
#define ADEV_LINK_GROUP_MEMBERS_H

#include <stdbool.h>
#include <stdint.h>

struct adev_directory;

/* A function as the directory knows it. */
struct adev_group_self {
	uint32_t function;
	uint64_t generation;
};

/* How many members there are that live. */
uint32_t adev_group_count(const struct adev_directory *directory);

/* Are there members that died, whose sockets may still be open? */
bool adev_group_has_dead(const struct adev_directory *directory);

/* A member that came as the last: `others` were there before. */
void adev_group_add(struct adev_directory *directory,
		    const struct adev_group_self *self, uint32_t others);

/* A member whose socket is about to be closed: the last one gets its place.
 * When the lock could not be had, places are in doubt. */
void adev_group_remove(struct adev_directory *directory,
		       const struct adev_group_self *self, bool locked);

/*
 * Forgets the members that died. Are the places of all others known? If not,
 * *places is how many are to be asked for.
 */
bool adev_group_settled(struct adev_directory *directory, uint32_t *places);

/* Attaches the program for what is known to the group of the socket. */
void adev_group_steer(const struct adev_directory *directory, int fd);

/* The places are not to be trusted: begins a new epoch, for which they have to
 * be learnt. Any time. */
void adev_group_doubt(struct adev_directory *directory);
uint32_t adev_group_epoch(const struct adev_directory *directory);

/* What a member learnt of its own place. Any time. */
void adev_group_learn(struct adev_directory *directory,
		      const struct adev_group_self *self, uint32_t place,
		      uint32_t epoch);

/* What members know and strangers do not. Any time. */
uint64_t adev_group_secret(struct adev_directory *directory);

#endif
