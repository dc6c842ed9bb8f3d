/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "domain/port_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "domain/file_lock.h"
#include "domain/folder.h"
#include "domain/proc.h"
#include "domain/table.h"

#define FILE_MAGIC 0x54524f50524e41ffull
#define LOCK_PATIENCE_MS 20u

/* Less than a page, and written by one call: a writer that is killed leaves
 * either the old content or the new one. */
struct content {
	uint64_t magic;
	uint64_t boot;
	struct arnica_bus_port port;
	uint64_t check; /* hash of all before it */
};
_Static_assert(sizeof(struct content) <= 4096, "one page");

static uint64_t check_of(const struct content *content)
{
	return adev_proc_hash(FILE_MAGIC, content,
			      offsetof(struct content, check));
}

/* Quietly: whoever opens the folder first complains about it. */
static int open_folder(void)
{
	char path[ADEV_FOLDER_PATH_BYTES];
	struct stat status;
	int fd;

	if (adev_folder_path(path))
		return -1;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (fstat(fd, &status) != 0 || status.st_uid != geteuid() ||
	    status.st_mode & 077) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool any_alive(const struct adev_table *table)
{
	uint32_t i;

	for (i = 0; i < ADEV_FUNCTIONS; i++) {
		uint32_t life = atomic_load_explicit(&table->slots[i].life,
						     memory_order_relaxed);

		if (life && !(life & ADEV_LIFE_OWNER_DIED))
			return true;
	}
	return false;
}

/* Whether some function of the domain runs: a look at the directory's life
 * words. One that is not a directory of ours has no say. */
static bool is_in_use(int folder_fd)
{
	int fd = openat(folder_fd, "directory",
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat status;
	struct adev_table *table;
	bool used;

	if (fd < 0)
		return false;
	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) ||
	    (uint64_t)status.st_size < sizeof(*table)) {
		close(fd);
		return false;
	}
	table = mmap(NULL, sizeof(*table), PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (table == MAP_FAILED)
		return false;
	used = table->header.version == ADEV_TABLE_VERSION &&
	       table->header.boot == adev_proc_boot() && any_alive(table);
	munmap(table, sizeof(*table));
	return used;
}

/* What is used as a string ends, and what is counted is within its bounds. */
static bool is_sound(const struct arnica_bus_port *port)
{
	uint32_t i;

	if (port->num_gids > ARNICA_HW_GID_TABLE_LEN ||
	    !memchr(port->interface_name, 0, sizeof(port->interface_name)))
		return false;
	for (i = 0; i < ARNICA_HW_GID_TABLE_LEN; i++)
		if (!memchr(port->gids[i].interface_name, 0,
			    sizeof(port->gids[i].interface_name)))
			return false;
	return true;
}

static bool read_content(int fd, struct arnica_bus_port *port)
{
	struct content content;

	if (pread(fd, &content, sizeof(content), 0) !=
		    (ssize_t)sizeof(content) ||
	    content.magic != FILE_MAGIC || content.boot != adev_proc_boot() ||
	    content.check != check_of(&content) || !is_sound(&content.port))
		return false;
	*port = content.port;
	return true;
}

bool adev_port_file_open(struct adev_port_file *file,
			 struct arnica_bus_port *port)
{
	char name[40];
	int folder = open_folder();

	*file = (struct adev_port_file){ .fd = -1 };
	if (folder < 0)
		return false;
	snprintf(name, sizeof(name), "port1-%llu",
		 (unsigned long long)adev_proc_namespace("net"));
	file->fd = openat(folder, name,
			  O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW |
				  O_NONBLOCK,
			  0600);
	if (file->fd >= 0) {
		file->locked = !adev_file_lock(file->fd, LOCK_PATIENCE_MS);
		file->in_use = is_in_use(folder);
	}
	close(folder);
	return file->fd >= 0 && read_content(file->fd, port);
}

void adev_port_file_write(struct adev_port_file *file,
			  const struct arnica_bus_port *port)
{
	struct content content;

	if (!file->locked || adev_proc_file_limit() < sizeof(content))
		return;
	memset(&content, 0, sizeof(content));
	content.magic = FILE_MAGIC;
	content.boot = adev_proc_boot();
	content.port = *port;
	content.check = check_of(&content);
	/* Where there is no room the others find no file, or a wrong check. */
	(void)!pwrite(file->fd, &content, sizeof(content), 0);
}

void adev_port_file_close(struct adev_port_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}
