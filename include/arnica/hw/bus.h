/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The bus: how the host side reaches the adapter. These are the operations
 * that a PCIe bus and its configuration space would carry; nothing else of the
 * adapter is visible to the host.
 *
 * The functions are exported by libarnica-device.so. Where the comment says
 * nothing else they are thread safe, and return 0 or a positive errno.
 */
#ifndef ARNICA_HW_BUS_H
#define ARNICA_HW_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cqp.h"
#include "limits.h"
#include "mirror.h"
#include "registers.h"
#include "segment.h"

struct arnica_bus; /* one function, as its host side holds it */

struct arnica_bus_gid {
	uint8_t raw[16];          /* network order; all zero: empty slot */
	uint32_t interface_index; /* zero when there is none */
	uint32_t interface_mtu;   /* bytes of an IP packet; zero: not known */
	char interface_name[16];
};

/* The port, as it is at present. A GID keeps its slot as long as its address
 * exists, so slots before the last used one can be empty. */
struct arnica_bus_port {
	uint64_t version; /* another one after each change */
	uint32_t state;   /* enum ibv_port_state: 1 DOWN, 4 ACTIVE */
	uint32_t phys_state;   /* 3 Disabled, 5 LinkUp */
	uint32_t active_mtu;   /* enum ibv_mtu, from the interface's MTU */
	uint32_t active_width; /* codes of ibv_query_port(3) */
	uint32_t active_speed;
	uint32_t interface_index;  /* of the interface that the port follows */
	uint32_t interface_mtu;    /* of the same; bytes of an IP packet */
	char interface_name[16];   /* of device/net ("lo" without another) */
	uint32_t num_gids; /* slots used in gids, up to the last */
	struct arnica_bus_gid gids[ARNICA_HW_GID_TABLE_LEN];
};

/* What discovery needs, before any function exists. */
struct arnica_bus_identity {
	uint64_t node_guid; /* value; the same for all processes of the domain */
	uint32_t vendor_id;
	uint32_t vendor_part_id;
	char device_name[32];  /* "arnica0" */
	char domain_path[108]; /* folder of the host domain: directory, sysfs */
	struct arnica_bus_port port; /* at that time */
};

/*
 * Reads the adapter's identity. Creates the host domain's folder when it is not
 * there yet. Errors: EACCES or EPERM (folder belongs to somebody else), ENOSPC,
 * ENOMEM; a line on stderr says which folder.
 */
int arnica_bus_identity(struct arnica_bus_identity *identity)
	ARNICA_MUST_CHECK;

/*
 * Looks whether the port has changed, without reading anything when it has not;
 * *port is stored when its version is not the one that *port has. Returns
 * whether it was.
 */
bool arnica_bus_port_changed(struct arnica_bus_port *port);

/*
 * Makes a function of the opened device file: lays out the segment, enters the
 * directory, starts the agent thread. The caller keeps device_fd, and may close
 * it. EBADF: not a device file; EBUSY: it is a function already; ENOMEM.
 */
int arnica_bus_attach(int device_fd, struct arnica_bus **bus)
	ARNICA_MUST_CHECK;

/*
 * The same for a function that imports: it has the protection domains, regions
 * and device memory of the function behind `exported_fd`, which another process
 * of this user has open, by their handles and keys (IMPORT_*), beside what is
 * its own. Channels and events are asked for by either descriptor.
 * EACCES: another user's, or of a process that cannot be reached; ENODEV: its
 * function has ended; EBADF: no device file, or one without a function.
 */
int arnica_bus_import(int device_fd, int exported_fd, struct arnica_bus **bus)
	ARNICA_MUST_CHECK;

/* As arnica_bus_map(), of the function that is imported from; it stays mapped
 * until this one is detached, whatever becomes of that. */
void *arnica_bus_map_imported(struct arnica_bus *bus, uint64_t offset,
			      uint64_t length);

/*
 * Orderly end of a function: its connections end without an error, its memory
 * is given back. In a forked child that inherited the function it only drops
 * the child's view.
 */
void arnica_bus_detach(struct arnica_bus *bus);

/* The process's mapping of a part of the segment; NULL when out of range. All
 * threads and both sides of the contract see the same mapping. */
void *arnica_bus_map(struct arnica_bus *bus, uint64_t offset, uint64_t length);

/* Where the control queue is: ARNICA_HW_CQP_DEPTH struct arnica_hw_cqp_slot. */
uint64_t arnica_bus_cqp_offset(struct arnica_bus *bus);

/*
 * A 64-bit write of `value` at byte `offset` of doorbell page `page`. Wrong
 * values are refused, counted and traced; nothing is returned, as on a bus.
 */
void arnica_bus_doorbell(struct arnica_bus *bus, uint32_t page,
			 uint32_t offset, uint64_t value);

/*
 * A descriptor of `length` bytes was written to the buffer of the priority area
 * at byte `offset` (AREA0 or AREA1) of doorbell page `page`; `value` is its
 * doorbell value, see doorbell.h.
 */
void arnica_bus_area(struct arnica_bus *bus, uint32_t page, uint32_t offset,
		     uint32_t length, uint64_t value);

/*
 * Memory of the application that the adapter has made its own for the time that
 * it is registered. The host tells what the application does to such memory
 * before the kernel does it:
 *
 * - concerned: is any of [start, start + bytes) such memory?
 * - advise: in place of madvise(); zero or errno.
 * - moving: it leaves its place (mremap), and is ordinary memory again when this
 *   returns zero. EBUSY: it cannot be now.
 */
bool arnica_bus_memory_concerned(const void *start, size_t bytes);
int arnica_bus_memory_advise(void *start, size_t bytes, int advice)
	ARNICA_MUST_CHECK;
int arnica_bus_memory_moving(void *start, size_t bytes) ARNICA_MUST_CHECK;

/* Somebody polls, and the segment's attention word was set: goes on with the
 * work that is left. Returns without waiting. */
void arnica_bus_poll(struct arnica_bus *bus);

/*
 * Somebody has polled in vain for so many times in a row: another thread of the host
 * domain that does so on the same processor is let go ahead, for it may be the one
 * that is waited for.
 */
#define ARNICA_BUS_VAIN_POLLS 128u
void arnica_bus_polled_in_vain(struct arnica_bus *bus);

/*
 * Stores payload that the adapter left for the host to place, as DMA would:
 * memory that the application has unmapped meanwhile is not written, and does
 * not fault. False when that happened.
 */
bool arnica_bus_place(void *to, const void *from, size_t bytes);

/*
 * True while the function is alive and belongs to this process; false in a
 * forked child, where every verb but closing fails with EIO.
 */
bool arnica_bus_alive(struct arnica_bus *bus);

/*
 * Creates a completion channel of the function that was made of device_fd; *fd
 * is its read end (close-on-exec, blocking), owned by the caller. EBADF, EIO,
 * EMFILE, ENOMEM.
 */
int arnica_bus_channel_open(int device_fd, int *fd) ARNICA_MUST_CHECK;

/* Number of the channel that fd reads, for CREATE_CQ. ENOENT. */
int arnica_bus_channel_index(struct arnica_bus *bus, int fd, uint32_t *index)
	ARNICA_MUST_CHECK;

/* Creates the descriptor of the function's asynchronous events, likewise. */
int arnica_bus_async_open(int device_fd, int *fd) ARNICA_MUST_CHECK;

/* Something that users set, and what it is in this process. */
struct arnica_bus_setting {
	const char *section, *key; /* in the configuration file */
	const char *variable;      /* of the environment, which wins */
	const char *allowed;       /* what it may be */
	const char *text;          /* in force; NULL: it is not set */
	bool is_allowed;           /* what the environment says may not be */
	uint32_t line; /* of the file that sets it, in force or not; or zero */
	bool by_environment;
};

typedef void arnica_bus_setting_fn(const struct arnica_bus_setting *setting,
				   void *argument);

/*
 * Calls `found` for each setting. *file is the configuration file that was read,
 * "" without one. Not zero: it is refused, and *why is a line for the user that
 * ends with a colon and what to do.
 */
int arnica_bus_settings(const char **file, const char **why,
			arnica_bus_setting_fn *found, void *argument)
	ARNICA_MUST_CHECK;

/* One of the adapter's counters; the texts stay valid. */
struct arnica_bus_counter {
	const char *name;
	const char *text;
	uint64_t value;
};

typedef void arnica_bus_counter_fn(const struct arnica_bus_counter *counter,
				   void *argument);

/*
 * Calls `found` for each counter of a function that another process has open:
 * device_fd is its device file, opened through /proc. Not for programs, but
 * for tools. EBADF: no device file; ESRCH: its function has ended; EPROTO: of
 * another version; EPERM: that process's memory may not be read.
 */
int arnica_bus_counters(int device_fd, pid_t pid, arnica_bus_counter_fn *found,
			void *argument) ARNICA_MUST_CHECK;

/* What a function has of the port, when the port has a limit. */
struct arnica_bus_share {
	uint64_t rate;    /* the port's, bytes a second */
	uint32_t weight;  /* the function's */
	uint32_t weights; /* of it and all others that want to send now */
};

/* For tools, of the function of a device file. ENOENT: there is no limit, or
 * none when it was opened; errors as those of arnica_bus_counters(). */
int arnica_bus_share(int device_fd, struct arnica_bus_share *share)
	ARNICA_MUST_CHECK;

struct arnica_hw_sched_counters; /* scheduler.h */

/* What the engines of that function have done; errors as above. */
int arnica_bus_scheduler(int device_fd, pid_t pid,
			 struct arnica_hw_sched_counters *counters)
	ARNICA_MUST_CHECK;

/*
 * An entry of a function's table that another process has open, and what its
 * host believes of it. A key for one touch that was touched is no difference:
 * nobody tells the host.
 */
struct arnica_bus_stag {
	uint32_t index;
	uint32_t stag; /* valid; zero: none is */
	uint32_t kind; /* enum arnica_hw_stag_kind */
	uint32_t pd;
	uint32_t access;
	uint64_t iova;
	uint64_t length;
	uint32_t qpn;   /* windows of type 2 */
	uint32_t items; /* of an indirect key */
	bool pending;   /* `stag` is being registered, not valid yet */
	bool has_mirror;
	struct arnica_hw_mirror_entry mirror;
	const char *difference; /* NULL: the mirror is right */
};

typedef void arnica_bus_stag_fn(const struct arnica_bus_stag *stag,
				void *argument);

/* Calls `found` for each entry that is valid, or that the host believes to have.
 * Errors as those of arnica_bus_counters(); where that process's memory may not
 * be read there is no mirror. */
int arnica_bus_table(int device_fd, pid_t pid, arnica_bus_stag_fn *found,
		     void *argument) ARNICA_MUST_CHECK;

#endif
