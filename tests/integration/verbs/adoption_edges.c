/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Registering memory that is not plain, in processes that are not: io_uring
 * writes into it by itself, it is shared or of large pages already, limits are
 * low. Whatever becomes of the registration, the contents stay and everybody
 * goes on. All cases hold with adopted memory and without.
 */
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include "adoption_vt.h"

#define LARGE (2u << 20)
#define ROUNDS 50u

/* One request at a time. */
struct ring {
	int fd;
	_Atomic uint32_t *sq_tail, *cq_head, *cq_tail;
	uint32_t *sq_array;
	uint32_t sq_mask, cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
};

static void *map_ring(int fd, size_t bytes, uint64_t offset)
{
	void *mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			    (off_t)offset);

	VT_CHECK(mapped != MAP_FAILED);
	return mapped;
}

static struct ring open_ring(void)
{
	struct io_uring_params params = { 0 };
	struct ring ring = {
		.fd = (int)syscall(SYS_io_uring_setup, 4, &params),
	};
	char *sq, *cq;

	if (ring.fd < 0)
		vt_skip("no io_uring here: %s", strerror(errno));
	sq = map_ring(ring.fd, params.sq_off.array + 4 * 4, IORING_OFF_SQ_RING);
	cq = map_ring(ring.fd, params.cq_off.cqes + 8 * sizeof(*ring.cqes),
		      IORING_OFF_CQ_RING);
	ring.sq_tail = (void *)(sq + params.sq_off.tail);
	ring.sq_array = (void *)(sq + params.sq_off.array);
	ring.sq_mask = *(uint32_t *)(void *)(sq + params.sq_off.ring_mask);
	ring.cq_head = (void *)(cq + params.cq_off.head);
	ring.cq_tail = (void *)(cq + params.cq_off.tail);
	ring.cq_mask = *(uint32_t *)(void *)(cq + params.cq_off.ring_mask);
	ring.cqes = (void *)(cq + params.cq_off.cqes);
	ring.sqes = map_ring(ring.fd, 4 * sizeof(*ring.sqes), IORING_OFF_SQES);
	return ring;
}

static void register_buffer(struct ring *ring)
{
	struct iovec buffer = { memory, BYTES };

	if (syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_BUFFERS,
		    &buffer, 1))
		vt_skip("no buffer can be registered with io_uring: %s",
			strerror(errno));
}

/* Begins a read from a pipe into the registered buffer; it waits for bytes. */
static void begin_read(struct ring *ring, int fd, uint8_t *to, uint32_t bytes)
{
	uint32_t tail = atomic_load(ring->sq_tail);

	ring->sqes[tail & ring->sq_mask] = (struct io_uring_sqe){
		.opcode = IORING_OP_READ_FIXED,
		.fd = fd,
		.addr = (uintptr_t)to,
		.len = bytes,
		.off = (uint64_t)-1,
	};
	ring->sq_array[tail & ring->sq_mask] = tail & ring->sq_mask;
	atomic_store(ring->sq_tail, tail + 1);
	VT_EQUAL(syscall(SYS_io_uring_enter, ring->fd, 1, 0, 0, NULL, 0), 1);
}

static void end_read(struct ring *ring, uint32_t bytes)
{
	uint32_t head = atomic_load(ring->cq_head);

	while (head == atomic_load(ring->cq_tail))
		VT_CHECK(syscall(SYS_io_uring_enter, ring->fd, 0, 1,
				 IORING_ENTER_GETEVENTS, NULL, 0) >= 0);
	VT_EQUAL(ring->cqes[head & ring->cq_mask].res, bytes);
	atomic_store(ring->cq_head, head + 1);
}

static void io_uring_of_before_keeps_its_data(void)
{
	uint8_t bytes[PAGE];
	struct ibv_mr *mr;
	struct ring ring;
	int ends[2];

	open_memory();
	VT_CHECK(!pipe(ends));
	ring = open_ring();
	register_buffer(&ring);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		begin_read(&ring, ends[0], memory + 5 * PAGE, PAGE);
		mr = reg();
		memset(bytes, (int)i, PAGE);
		if (i % 2)
			VT_CHECK(!ibv_dereg_mr(mr));
		VT_EQUAL(write(ends[1], bytes, PAGE), PAGE);
		end_read(&ring, PAGE);
		check_bytes(memory + 5 * PAGE, PAGE, (uint8_t)i);
		if (i % 2 == 0)
			VT_CHECK(!ibv_dereg_mr(mr));
		check_bytes(memory + 5 * PAGE, PAGE, (uint8_t)i);
	}
}

/* The memory may be adopted when the ring comes: then it stays so. */
static void io_uring_of_later_keeps_its_data(void)
{
	struct ibv_mr *mr, *next;
	uint8_t bytes[PAGE];
	struct ring ring;
	int ends[2];

	open_memory();
	VT_CHECK(!pipe(ends));
	mr = reg();
	ring = open_ring();
	register_buffer(&ring);
	begin_read(&ring, ends[0], memory + 5 * PAGE, PAGE);
	VT_CHECK(!ibv_dereg_mr(mr));
	next = reg();
	memset(bytes, 0x71, PAGE);
	VT_EQUAL(write(ends[1], bytes, PAGE), PAGE);
	end_read(&ring, PAGE);
	check_bytes(memory + 5 * PAGE, PAGE, 0x71);
	VT_CHECK(!ibv_dereg_mr(next));
	check_bytes(memory + 5 * PAGE, PAGE, 0x71);
	check_bytes(memory + 6 * PAGE, 50 * PAGE, 0x42);
}

static void reg_and_look(uint8_t *start, size_t bytes, uint8_t value)
{
	struct ibv_mr *mr = reg_part(start, bytes);

	check_bytes(start, bytes, value);
	memset(start, value + 1, bytes);
	VT_CHECK(!ibv_dereg_mr(mr));
	check_bytes(start, bytes, (uint8_t)(value + 1));
	memset(start, value, bytes);
}

static void huge_pages_of_the_kernel_stay_whole(void)
{
	uint8_t *around, *large;

	connect_somewhere();
	around = map_memory(4 * LARGE, MAP_PRIVATE | MAP_ANONYMOUS);
	large = (uint8_t *)(((uintptr_t)around + LARGE - 1) &
			    ~(uintptr_t)(LARGE - 1));
	(void)madvise(large, 3 * LARGE, MADV_HUGEPAGE);
	memset(large, 0x24, 3 * LARGE);
	reg_and_look(large, 2 * LARGE, 0x24);
	reg_and_look(large + LARGE / 2, LARGE, 0x24);
	reg_and_look(large + PAGE + 1, 2 * LARGE, 0x24);
	check_bytes(large, 3 * LARGE, 0x24);
	VT_EQUAL(kind_at(large + LARGE), 'p');
}

static void huge_pages_of_the_program_stay_its_own(void)
{
	struct ibv_mr *mr;
	uint8_t *large;

	connect_somewhere();
	large = mmap(NULL, LARGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (large == MAP_FAILED)
		vt_skip("no huge pages: %s", strerror(errno));
	memset(large, 0x24, LARGE);
	mr = reg_part(large, LARGE);
	VT_EQUAL(kind_at(large), 'p');
	VT_CHECK(!ibv_dereg_mr(mr));
	check_bytes(large, LARGE, 0x24);
}

/* What is shared is reached by others at another place. */
static void shared_file_memory_stays_shared(void)
{
	uint8_t *one, *other;
	struct ibv_mr *mr;
	int fd;

	connect_somewhere();
	fd = memfd_create("shared", MFD_CLOEXEC);
	VT_CHECK(fd >= 0 && !ftruncate(fd, BYTES));
	one = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	other = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	VT_CHECK(one != MAP_FAILED && other != MAP_FAILED);
	mr = reg_part(one, BYTES);
	memset(one, 0x11, BYTES);
	check_bytes(other, BYTES, 0x11);
	VT_CHECK(!ibv_dereg_mr(mr));
	memset(other, 0x12, BYTES);
	check_bytes(one, BYTES, 0x12);
}

static void shared_segments_stay_shared(void)
{
	uint8_t *one, *other;
	struct ibv_mr *mr;
	int id;

	connect_somewhere();
	id = shmget(IPC_PRIVATE, BYTES, IPC_CREAT | 0600);
	if (id < 0)
		vt_skip("no shared segments: %s", strerror(errno));
	one = shmat(id, NULL, 0);
	other = shmat(id, NULL, 0);
	VT_CHECK(!shmctl(id, IPC_RMID, NULL));
	VT_CHECK(one != (void *)-1 && other != (void *)-1);
	mr = reg_part(one, BYTES);
	memset(one, 0x11, BYTES);
	check_bytes(other, BYTES, 0x11);
	VT_CHECK(!ibv_dereg_mr(mr));
	memset(other, 0x12, BYTES);
	check_bytes(one, BYTES, 0x12);
}

static void regions_on_one_range_end_in_any_order(void)
{
	static const uint8_t orders[][3] = { { 0, 1, 2 }, { 2, 1, 0 },
					     { 1, 0, 2 }, { 1, 2, 0 } };

	open_memory();
	for (uint32_t i = 0; i < 4; i++) {
		struct ibv_mr *mrs[] = {
			reg_part(memory + PAGE, 30 * PAGE),
			reg_part(memory + 4 * PAGE, 2 * PAGE),
			reg_part(memory + 20 * PAGE + 5, 30 * PAGE),
		};

		for (uint32_t j = 0; j < 3; j++) {
			VT_CHECK(!ibv_dereg_mr(mrs[orders[i][j]]));
			check_all((uint8_t)(0x42 + i));
		}
		memset(memory, (int)(0x43 + i), BYTES);
		VT_EQUAL(kind_at(memory + PAGE), 'p');
	}
}

static void memory_that_went_away_does_no_harm(void)
{
	struct ibv_mr *mr;

	open_memory();
	mr = reg();
	VT_CHECK(!munmap(memory, BYTES));
	VT_EQUAL(kind_at(memory), 0);
	VT_CHECK(!ibv_dereg_mr(mr));
	VT_EQUAL(kind_at(memory), 0);
}

static void memory_that_nobody_may_touch_keeps_its_contents(void)
{
	struct ibv_mr *mr;

	open_memory();
	mr = reg();
	VT_CHECK(!mprotect(memory, BYTES, PROT_NONE));
	VT_CHECK(!ibv_dereg_mr(mr));
	VT_CHECK(!mprotect(memory, BYTES, PROT_READ));
	check_all(0x42);
}

/* With one limit as low as can be. What is refused is refused with ENOMEM. */
static void register_below(int resource, rlim_t value)
{
	struct rlimit before, less;
	struct ibv_mr *mr;

	VT_CHECK(!getrlimit((__rlimit_resource_t)resource, &before));
	less = before;
	less.rlim_cur = value;
	VT_CHECK(!setrlimit((__rlimit_resource_t)resource, &less));
	for (uint32_t i = 0; i < 3; i++) {
		mr = ibv_reg_mr(pd, memory, BYTES, VT_ALL_ACCESS);
		VT_CHECK(mr || errno == ENOMEM);
		check_all(0x42);
		if (mr)
			VT_CHECK(!ibv_dereg_mr(mr));
		check_all(0x42);
	}
	VT_CHECK(!setrlimit((__rlimit_resource_t)resource, &before));
	/* Adopted before, returned below the limit. */
	mr = reg();
	VT_CHECK(!setrlimit((__rlimit_resource_t)resource, &less));
	VT_CHECK(!ibv_dereg_mr(mr));
	check_all(0x42);
	VT_CHECK(!setrlimit((__rlimit_resource_t)resource, &before));
	reg_and_look(memory, BYTES, 0x42);
}

static void low_limits_change_nothing(void)
{
	open_memory();
	register_below(RLIMIT_FSIZE, PAGE);
	register_below(RLIMIT_NOFILE, 3);
	register_below(RLIMIT_MEMLOCK, 0);
	/* A sanitizer's own memory would not fit either. */
	if (!VT_SANITIZED)
		register_below(RLIMIT_AS, PAGE);
}

int main(int argc, char **argv)
{
	static const struct vt_case cases[] = {
		VT_CASE(io_uring_of_before_keeps_its_data),
		VT_CASE(io_uring_of_later_keeps_its_data),
		VT_CASE(huge_pages_of_the_kernel_stay_whole),
		VT_CASE(huge_pages_of_the_program_stay_its_own),
		VT_CASE(shared_file_memory_stays_shared),
		VT_CASE(shared_segments_stay_shared),
		VT_CASE(regions_on_one_range_end_in_any_order),
		VT_CASE(memory_that_went_away_does_no_harm),
		VT_CASE(memory_that_nobody_may_touch_keeps_its_contents),
		VT_CASE(low_limits_change_nothing),
		{ 0 },
	};

	return vt_main(argc, argv, cases);
}
