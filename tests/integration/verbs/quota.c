/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Limits: whatever runs out (objects, memory, file descriptors, address space),
 * the call that needed more fails with ENOMEM (or EMFILE for descriptors), and
 * what exists goes on working. Nothing crashes.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "vt.h"

static struct vt_end a, b;

static void check_still_works(uint64_t id)
{
	vt_fill(a.buffer, 3000, id);
	vt_recv(&b, id, 8192, 4096);
	vt_send(&a, id, 0, 3000);
	vt_expect(a.send_cq, id, IBV_WC_SUCCESS);
	vt_expect(b.recv_cq, id, IBV_WC_SUCCESS);
	vt_check_fill(b.buffer + 8192, 3000, id, "message");
}

static void open_pair(void)
{
	struct vt_wish wish = vt_defaults();

	vt_pair_open(&a, &b, &wish, true);
}

/* Creates queue pairs until none is left. */
static void queue_pairs_end_in_enomem(struct ibv_qp_cap cap)
{
	enum { MOST = 200000 };
	struct ibv_qp_init_attr attr = { .send_cq = a.send_cq,
					 .recv_cq = a.recv_cq,
					 .qp_type = IBV_QPT_RC };
	struct ibv_qp **qps = calloc(MOST, sizeof(*qps));
	struct ibv_device_attr device;
	int count = 0;

	VT_CHECK(qps);
	VT_EQUAL(ibv_query_device(a.context, &device), 0);
	while (count < MOST) {
		attr.cap = cap;
		errno = 0;
		qps[count] = ibv_create_qp(a.pd, &attr);
		if (!qps[count])
			break;
		count++;
	}
	VT_CHECK(count < MOST);
	VT_EQUAL(errno, ENOMEM);
	VT_CHECK(count > 0 && count <= device.max_qp);
	check_still_works(1);
	while (count)
		VT_EQUAL(ibv_destroy_qp(qps[--count]), 0);
	attr.cap = cap;
	qps[0] = ibv_create_qp(a.pd, &attr); /* there is room again */
	VT_CHECK(qps[0]);
	VT_EQUAL(ibv_destroy_qp(qps[0]), 0);
	free(qps);
}

static void large_queue_pairs_end_in_enomem(void)
{
	struct ibv_qp_cap cap = { 16384, 16384, 30, 30, 256 };

	setenv("ARNICA_SEGMENT_MAX", "64M", 1);
	open_pair();
	queue_pairs_end_in_enomem(cap);
	vt_pair_close(&a, &b);
}

static void small_queue_pairs_end_in_enomem(void)
{
	struct ibv_qp_cap cap = { 1, 1, 1, 1, 0 };

	setenv("ARNICA_SEGMENT_MAX", "64M", 1);
	open_pair();
	queue_pairs_end_in_enomem(cap);
	vt_pair_close(&a, &b);
}

static void regions_end_in_enomem(void)
{
	enum { MOST = 1 << 21 };
	struct ibv_mr **mrs = calloc(MOST, sizeof(*mrs));
	int count = 0;

	setenv("ARNICA_SEGMENT_MAX", "64M", 1);
	VT_CHECK(mrs);
	open_pair();
	while (count < MOST) {
		errno = 0;
		mrs[count] = ibv_reg_mr(a.pd, a.buffer, 4096, VT_ALL_ACCESS);
		if (!mrs[count])
			break;
		count++;
	}
	VT_CHECK(count < MOST);
	VT_EQUAL(errno, ENOMEM);
	check_still_works(2);
	while (count)
		VT_EQUAL(ibv_dereg_mr(mrs[--count]), 0);
	mrs[0] = ibv_reg_mr(a.pd, a.buffer, 4096, VT_ALL_ACCESS);
	VT_CHECK(mrs[0]);
	VT_EQUAL(ibv_dereg_mr(mrs[0]), 0);
	vt_pair_close(&a, &b);
	free(mrs);
}

static void domains_and_completion_queues_end_in_enomem(void)
{
	enum { MOST = 100000 };
	struct ibv_pd **pds = calloc(MOST, sizeof(*pds));
	struct ibv_cq **cqs = calloc(MOST, sizeof(*cqs));
	int num_pds = 0, num_cqs = 0;

	setenv("ARNICA_SEGMENT_MAX", "64M", 1);
	VT_CHECK(pds && cqs);
	open_pair();
	for (errno = 0; num_pds < MOST; num_pds++)
		if (!(pds[num_pds] = ibv_alloc_pd(a.context)))
			break;
	VT_CHECK(num_pds < MOST);
	VT_EQUAL(errno, ENOMEM);
	for (errno = 0; num_cqs < MOST; num_cqs++)
		if (!(cqs[num_cqs] = ibv_create_cq(a.context, 1000, NULL, NULL,
						   0)))
			break;
	VT_CHECK(num_cqs < MOST);
	VT_EQUAL(errno, ENOMEM);
	check_still_works(3);
	while (num_pds)
		VT_EQUAL(ibv_dealloc_pd(pds[--num_pds]), 0);
	while (num_cqs)
		VT_EQUAL(ibv_destroy_cq(cqs[--num_cqs]), 0);
	vt_pair_close(&a, &b);
	free(pds);
	free(cqs);
}

/* No descriptor is left: opening fails with a clear error, and the device that
 * is open goes on. */
static void missing_descriptors_are_an_error(void)
{
	struct ibv_device **list;
	struct rlimit limit = { 64, 64 };
	struct ibv_comp_channel *channel;
	struct ibv_context *context;
	int null;

	open_pair();
	list = ibv_get_device_list(NULL);
	VT_CHECK(list && list[0]);
	VT_EQUAL(setrlimit(RLIMIT_NOFILE, &limit), 0);
	do
		null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	while (null >= 0);
	VT_EQUAL(errno, EMFILE);
	for (int left = 0; left < 6; left++) {
		errno = 0;
		context = ibv_open_device(list[0]);
		if (context)
			VT_EQUAL(ibv_close_device(context), 0);
		else
			VT_EQUAL(errno, EMFILE);
		errno = 0;
		channel = ibv_create_comp_channel(a.context);
		if (channel)
			VT_EQUAL(ibv_destroy_comp_channel(channel), 0);
		else
			VT_EQUAL(errno, EMFILE);
		check_still_works(10 + (uint64_t)left);
		close(63 - left); /* one more is free in the next round */
	}
	ibv_free_device_list(list);
	vt_pair_close(&a, &b);
}

static void little_address_space_is_an_error(void)
{
	struct ibv_device **list = ibv_get_device_list(NULL);
	struct rlimit limit = { 256u << 20, 256u << 20 };
	struct ibv_context *context;

	if (VT_SANITIZED)
		vt_skip("sanitizers need their address space");
	VT_CHECK(list && list[0]);
	VT_EQUAL(setrlimit(RLIMIT_AS, &limit), 0);
	errno = 0;
	context = ibv_open_device(list[0]);
	if (!context) {
		VT_EQUAL(errno, ENOMEM);
	} else {
		struct vt_wish wish = vt_defaults();

		VT_EQUAL(ibv_close_device(context), 0);
		vt_pair_open(&a, &b, &wish, true);
		check_still_works(5);
		vt_pair_close(&a, &b);
	}
	ibv_free_device_list(list);
}

/* A soft limit on locked memory is what a card would run into; the emulated
 * adapter locks nothing. */
static void locked_memory_is_not_needed(void)
{
	struct rlimit limit = { 0, 0 };

	VT_EQUAL(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	open_pair();
	check_still_works(6);
	vt_pair_close(&a, &b);
}

static void file_size_limit_is_an_error_and_no_signal(void)
{
	struct ibv_device **list = ibv_get_device_list(NULL);
	struct rlimit limit = { 65536, 65536 };
	struct ibv_context *context;

	VT_CHECK(list && list[0]);
	VT_EQUAL(setrlimit(RLIMIT_FSIZE, &limit), 0);
	errno = 0;
	context = ibv_open_device(list[0]);
	if (context)
		VT_EQUAL(ibv_close_device(context), 0);
	else
		VT_CHECK(errno != 0);
	ibv_free_device_list(list);
}

/* Not even a byte may be written. */
static void no_files_at_all_is_an_error_and_no_signal(void)
{
	struct ibv_device **list = ibv_get_device_list(NULL);
	struct rlimit before, none;
	struct ibv_context *context;
	int error;

	VT_CHECK(list && list[0]);
	VT_EQUAL(getrlimit(RLIMIT_FSIZE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	VT_EQUAL(setrlimit(RLIMIT_FSIZE, &none), 0);
	errno = 0;
	context = ibv_open_device(list[0]);
	error = errno;
	/* What is printed may go to a file. */
	VT_EQUAL(setrlimit(RLIMIT_FSIZE, &before), 0);
	VT_CHECK(!context);
	VT_CHECK(error != 0);
	ibv_free_device_list(list);
}

static const struct vt_case cases[] = {
	VT_CASE(large_queue_pairs_end_in_enomem),
	VT_CASE(small_queue_pairs_end_in_enomem),
	VT_CASE(regions_end_in_enomem),
	VT_CASE(domains_and_completion_queues_end_in_enomem),
	VT_CASE(missing_descriptors_are_an_error),
	VT_CASE(little_address_space_is_an_error),
	VT_CASE(locked_memory_is_not_needed),
	VT_CASE(file_size_limit_is_an_error_and_no_signal),
	VT_CASE(no_files_at_all_is_an_error_and_no_signal),
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
