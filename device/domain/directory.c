/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "domain/directory.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "domain/folder.h"
#include "domain/life.h"
#include "domain/proc.h"

static pthread_mutex_t singleton_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
static struct adev_directory *singleton;
static unsigned int references;
static struct adev_directory *kept; /* see destroy() */

static void lock_singleton(void)
{
	pthread_mutex_lock(&singleton_lock);
}

static void unlock_singleton(void)
{
	pthread_mutex_unlock(&singleton_lock);
}

/* A child forked while another thread opens the directory could never open it
 * otherwise. */
static void prepare_for_fork(void)
{
	pthread_atfork(lock_singleton, unlock_singleton, unlock_singleton);
}

static int map_directory(struct adev_directory *directory)
{
	char folder[ADEV_FOLDER_PATH_BYTES];
	int folder_fd;
	int error;

	error = adev_folder_open(folder, &folder_fd);
	if (error)
		return error;
	error = adev_table_open(folder_fd, folder, &directory->table);
	close(folder_fd);
	return error;
}

static int create(struct adev_directory **directory)
{
	struct adev_directory *made = calloc(1, sizeof(*made));
	int error;

	if (!made)
		return ENOMEM;
	error = map_directory(made);
	if (error)
		goto err_free;
	error = adev_life_shadow_create(made->table, &made->shadow);
	if (error)
		goto err_close;
	*directory = made;
	return 0;

err_close:
	adev_table_close(made->table);
err_free:
	free(made);
	return error;
}

/* With a thread of this process still entered, the kernel will want to look
 * into the mappings at its end: they stay. */
static void destroy(struct adev_directory *directory)
{
	if (adev_life_shadow_in_use(directory->shadow)) {
		directory->next = kept;
		kept = directory;
		return;
	}
	adev_life_shadow_destroy(directory->shadow);
	adev_table_close(directory->table);
	free(directory);
}

int adev_directory_open(struct adev_directory **directory)
{
	int error = 0;

	pthread_once(&fork_once, prepare_for_fork);
	lock_singleton();
	if (!references) {
		error = create(&singleton);
		if (!error)
			adev_directory_reap(singleton);
	}
	if (!error) {
		references++;
		*directory = singleton;
	}
	unlock_singleton();
	return error;
}

void adev_directory_put(struct adev_directory *directory)
{
	lock_singleton();
	if (--references == 0)
		destroy(directory);
	unlock_singleton();
}

bool adev_directory_is_here(const struct adev_directory *directory,
			    uint32_t function, uint64_t *generation)
{
	const struct adev_slot *slot =
		&directory->table->slots[function % ADEV_FUNCTIONS];

	*generation = atomic_load_explicit(&slot->generation,
					   memory_order_acquire);
	return adev_directory_alive(directory, function, *generation) &&
	       atomic_load_explicit(&slot->net_namespace,
				    memory_order_relaxed) ==
		       adev_proc_namespace("net");
}
