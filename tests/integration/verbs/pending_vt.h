/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * For tests of registrations that are not waited for: memory whose pages come
 * when the test says so, and not before (a userfaultfd that nobody answers).
 */
#ifndef PENDING_VT_H
#define PENDING_VT_H

#include <fcntl.h>
#include <infiniband/arnicadv.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vt.h"

#define SLOW_BYTES 65536u

struct slow {
	uint8_t *memory;
	int fd;
};

/* In the process of the test itself: one that it made cannot skip it. */
static inline int open_trap(void)
{
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0)
		vt_skip("nobody may hold the kernel up here: %s",
			strerror(errno));
	return fd;
}

static inline struct slow make_slow(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct slow slow = { .fd = open_trap() };

	slow.memory = mmap(NULL, SLOW_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	VT_CHECK(slow.memory != MAP_FAILED);
	range.range.start = (uintptr_t)slow.memory;
	range.range.len = SLOW_BYTES;
	VT_EQUAL(ioctl(slow.fd, UFFDIO_API, &api), 0);
	VT_EQUAL(ioctl(slow.fd, UFFDIO_REGISTER, &range), 0);
	return slow;
}

/* Its pages are there now, with bytes that depend on the seed. */
static inline void let_come(struct slow *slow, uint64_t seed)
{
	static uint8_t bytes[SLOW_BYTES];
	struct uffdio_copy copy = {
		.dst = (uintptr_t)slow->memory,
		.src = (uintptr_t)bytes,
		.len = SLOW_BYTES,
	};

	vt_fill(bytes, SLOW_BYTES, seed);
	VT_EQUAL(ioctl(slow->fd, UFFDIO_COPY, &copy), 0);
}

/* They will never be there. */
static inline void let_fail(struct slow *slow)
{
	VT_EQUAL(munmap(slow->memory, SLOW_BYTES), 0);
	slow->memory = NULL;
	/* Who waits goes on, and finds nothing. */
	close(slow->fd);
	slow->fd = -1;
}

static inline void end_slow(struct slow *slow)
{
	if (slow->memory)
		VT_EQUAL(munmap(slow->memory, SLOW_BYTES), 0);
	if (slow->fd >= 0)
		close(slow->fd);
}

static inline struct ibv_mr *begin_mr(struct ibv_pd *pd, void *address,
				      size_t length)
{
	struct arnicadv_reg_mr_attr attr = {
		.addr = address,
		.length = length,
		.access = VT_ALL_ACCESS | IBV_ACCESS_MW_BIND,
	};
	struct ibv_mr *mr = arnicadv_reg_mr(pd, &attr);

	VT_CHECK(mr);
	return mr;
}

static inline struct ibv_mr *begin_slow(struct ibv_pd *pd, struct slow *slow)
{
	struct ibv_mr *mr;

	*slow = make_slow();
	mr = begin_mr(pd, slow->memory, SLOW_BYTES);
	VT_EQUAL(arnicadv_query_mr(mr), EINPROGRESS);
	return mr;
}

#endif
