/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "domain/services.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "domain/block.h"
#include "domain/directory.h"
#include "domain/file_lock.h"
#include "domain/folder.h"
#include "domain/gid.h"

#define LOCK_PATIENCE_MS 2000u

_Static_assert(ADEV_SERVICES == ARNICA_HW_MAX_SERVICES, "one number");

#define FLAGS                                                                  \
	((uint32_t)ARNICA_BUS_SERVICE_LISTENS | ARNICA_BUS_SERVICE_SHARES |    \
	 ARNICA_BUS_SERVICE_IPV6_ONLY)

/* An entry, copied. */
struct service {
	uint64_t owner;
	uint64_t id, mask;
	uint8_t address[16];
	uint32_t flags;
};

static enum adev_service_state state_of(uint64_t owner)
{
	return (enum adev_service_state)arnica_field_get(owner,
							 ADEV_BLOCK_LEASE_MASK);
}

/* False: free, being written, or of a function that has ended. V2: the words
 * are loaded after the owner, and the owner once more after them; pairs with V1
 * in write_entry(). */
static bool read_entry(const struct adev_directory *directory, uint32_t index,
		       struct service *service)
{
	const struct adev_service *entry = &directory->table->services[index];
	uint64_t owner = atomic_load_explicit(&entry->owner,
					      memory_order_acquire);
	uint64_t words[2];

	if (!owner || state_of(owner) == ADEV_SERVICE_WRITING ||
	    !adev_block_is_owned(directory, owner))
		return false;
	service->owner = owner;
	service->id = atomic_load_explicit(&entry->id, memory_order_acquire);
	service->mask = atomic_load_explicit(&entry->mask,
					     memory_order_acquire);
	words[0] = atomic_load_explicit(&entry->address[0],
					memory_order_acquire);
	words[1] = atomic_load_explicit(&entry->address[1],
					memory_order_acquire);
	memcpy(service->address, words, sizeof(words));
	service->flags = (uint32_t)atomic_load_explicit(&entry->flags,
							memory_order_acquire);
	return atomic_load_explicit(&entry->owner, memory_order_relaxed) ==
	       owner;
}

/* In other network namespaces the same ids are others. */
static bool is_here(const struct adev_directory *directory, uint64_t owner,
		    uint32_t *function, uint64_t *generation)
{
	uint64_t now;

	return adev_block_owner(directory, owner, function, generation) &&
	       adev_directory_is_here(directory, *function, &now) &&
	       now == *generation;
}

static bool is_any(const uint8_t address[16])
{
	static const uint8_t zeros[16];

	return !memcmp(address, zeros, 16) ||
	       (adev_gid_is_ipv4(address) && !memcmp(address + 12, zeros, 4));
}

/* One that has nothing to do with the other family. */
static bool is_of_one_family(const struct service *service)
{
	return adev_gid_is_ipv4(service->address) ||
	       service->flags & ARNICA_BUS_SERVICE_IPV6_ONLY;
}

static bool ids_meet(const struct service *a, const struct service *b)
{
	return !((a->id ^ b->id) & a->mask & b->mask);
}

/* The errors of the kernel's rdma_cm. */
static int conflict(const struct service *a, const struct service *b)
{
	if (!ids_meet(a, b))
		return 0;
	if (is_of_one_family(a) && is_of_one_family(b) &&
	    adev_gid_is_ipv4(a->address) != adev_gid_is_ipv4(b->address))
		return 0;
	if (is_any(a->address) || is_any(b->address))
		return EADDRNOTAVAIL;
	return memcmp(a->address, b->address, 16) ? 0 : EADDRINUSE;
}

static int check(const struct arnica_bus_service *service)
{
	return service->flags & ~FLAGS || service->reserved0 ||
			       service->id & ~service->mask ||
			       adev_gid_is_multicast(service->address) ?
		       EINVAL :
		       0;
}

/* Does it fit in beside the others (but `but`), with the lock held? Sharing is
 * for those who do not listen. */
static int check_others(const struct adev_directory *directory,
			const struct service *wanted, uint32_t but,
			bool listens)
{
	struct service other;
	uint64_t generation;
	uint32_t function, i;
	int error = 0;

	for (i = 0; i < ADEV_SERVICES && !error; i++) {
		if (i == but || !read_entry(directory, i, &other))
			continue;
		if (!listens &&
		    wanted->flags & other.flags & ARNICA_BUS_SERVICE_SHARES)
			continue;
		error = conflict(wanted, &other);
		if (error &&
		    !is_here(directory, other.owner, &function, &generation))
			error = 0;
	}
	return error;
}

/* V1: the words change only while the owner says WRITING, and are complete
 * before it says more. */
static void write_entry(struct adev_service *entry,
			const struct service *service)
{
	uint64_t words[2];

	memcpy(words, service->address, sizeof(words));
	atomic_store_explicit(&entry->id, service->id, memory_order_release);
	atomic_store_explicit(&entry->mask, service->mask,
			      memory_order_release);
	atomic_store_explicit(&entry->address[0], words[0],
			      memory_order_release);
	atomic_store_explicit(&entry->address[1], words[1],
			      memory_order_release);
	atomic_store_explicit(&entry->flags, service->flags,
			      memory_order_release);
	atomic_store_explicit(&entry->owner, service->owner,
			      memory_order_release);
}

/* An entry that is free, or of a function that has ended. */
static bool claim(struct adev_directory *directory, uint64_t writing,
		  uint32_t *index)
{
	uint32_t i;

	for (i = 0; i < ADEV_SERVICES; i++) {
		struct adev_service *entry = &directory->table->services[i];
		uint64_t owner = atomic_load_explicit(&entry->owner,
						      memory_order_acquire);

		if (owner && adev_block_is_owned(directory, owner))
			continue;
		if (atomic_compare_exchange_strong(&entry->owner, &owner,
						   writing)) {
			*index = i;
			return true;
		}
	}
	return false;
}

static int lock_folder(int *fd)
{
	char path[ADEV_FOLDER_PATH_BYTES];
	int error = adev_folder_open(path, fd);

	if (error)
		return error;
	error = adev_file_lock(*fd, LOCK_PATIENCE_MS);
	if (error)
		close(*fd);
	return error;
}

static void unlock_folder(int fd)
{
	adev_file_unlock(fd);
	close(fd);
}

int adev_service_take(struct adev_directory *directory, uint32_t function,
		      uint64_t generation,
		      const struct arnica_bus_service *service, uint32_t *index)
{
	bool listens = service->flags & ARNICA_BUS_SERVICE_LISTENS;
	struct service wanted = {
		.owner = adev_block_encode(generation, function,
					   listens ? ADEV_SERVICE_LISTENS :
						     ADEV_SERVICE_TAKEN),
		.id = service->id,
		.mask = service->mask,
		.flags = service->flags,
	};
	int error = check(service);
	int fd;

	if (error)
		return error;
	memcpy(wanted.address, service->address, 16);
	error = lock_folder(&fd);
	if (error)
		return error;
	error = check_others(directory, &wanted, ADEV_SERVICES, listens);
	if (!error && !claim(directory,
			     adev_block_encode(generation, function,
					       ADEV_SERVICE_WRITING),
			     index))
		error = ENOMEM;
	if (!error)
		write_entry(&directory->table->services[*index], &wanted);
	unlock_folder(fd);
	return error;
}

/* Is the entry this function's? */
static bool is_own(const struct adev_directory *directory, uint32_t function,
		   uint64_t generation, uint32_t index, uint64_t *owner)
{
	if (index >= ADEV_SERVICES)
		return false;
	*owner = atomic_load_explicit(&directory->table->services[index].owner,
				      memory_order_acquire);
	return (*owner & ~ADEV_BLOCK_LEASE_MASK) ==
	       adev_block_encode(generation, function, 0);
}

int adev_service_listen(struct adev_directory *directory, uint32_t function,
			uint64_t generation, uint32_t index)
{
	struct service service;
	uint64_t owner;
	int error, fd;

	if (!is_own(directory, function, generation, index, &owner))
		return ENOENT;
	error = lock_folder(&fd);
	if (error)
		return error;
	if (!read_entry(directory, index, &service))
		error = ENOENT;
	else
		error = check_others(directory, &service, index, true);
	if (!error && !atomic_compare_exchange_strong(
			      &directory->table->services[index].owner, &owner,
			      adev_block_encode(generation, function,
						ADEV_SERVICE_LISTENS)))
		error = ENOENT;
	unlock_folder(fd);
	return error;
}

int adev_service_give(struct adev_directory *directory, uint32_t function,
		      uint64_t generation, uint32_t index)
{
	uint64_t owner;

	if (!is_own(directory, function, generation, index, &owner) ||
	    !atomic_compare_exchange_strong(
		    &directory->table->services[index].owner, &owner, 0))
		return ENOENT;
	return 0;
}

static bool address_fits(const struct service *service,
			 const uint8_t address[16])
{
	bool ipv4 = adev_gid_is_ipv4(address);

	if (!is_any(service->address))
		return !memcmp(service->address, address, 16);
	return adev_gid_is_ipv4(service->address) ?
		       ipv4 :
		       !ipv4 ||
			       !(service->flags & ARNICA_BUS_SERVICE_IPV6_ONLY);
}

bool adev_service_find(const struct adev_directory *directory, uint64_t id,
		       const uint8_t address[16], uint32_t *function,
		       uint64_t *generation)
{
	struct service service;
	uint32_t i;

	for (i = 0; i < ADEV_SERVICES; i++)
		if (read_entry(directory, i, &service) &&
		    state_of(service.owner) == ADEV_SERVICE_LISTENS &&
		    (id & service.mask) == service.id &&
		    address_fits(&service, address) &&
		    is_here(directory, service.owner, function, generation))
			return true;
	return false;
}
