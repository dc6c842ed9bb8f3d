/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Importing (ibv_import_device(3) and its relatives): a context made of a
 * duplicate of another context's file descriptor is the same function. It uses
 * the protection domains, regions and device memory of the first by their
 * handles, and has queues of its own. Other processes: imports_lent.c.
 */
#include <poll.h>
#include <unistd.h>

#include "vt.h"

static struct vt_end a, b;

static struct ibv_context *import(const struct ibv_context *context)
{
	int fd = dup(context->cmd_fd);
	struct ibv_context *imported;

	VT_CHECK(fd >= 0);
	imported = ibv_import_device(fd);
	VT_CHECK(imported);
	VT_EQUAL(imported->cmd_fd, fd);
	return imported;
}

/* What `end` has, in a context that was imported from `origin`. */
static void open_imported(struct vt_end *end, const struct vt_end *origin,
			  const struct vt_wish *wish)
{
	struct ibv_qp_init_attr attr = {
		.cap = { .max_send_wr = 16,
			 .max_recv_wr = 16,
			 .max_send_sge = 1,
			 .max_recv_sge = 1 },
		.qp_type = IBV_QPT_RC,
	};

	memset(end, 0, sizeof(*end));
	end->wish = *wish;
	end->context = import(origin->context);
	end->pd = ibv_import_pd(end->context, origin->pd->handle);
	VT_CHECK(end->pd);
	end->mr = ibv_import_mr(end->pd, origin->mr->handle);
	VT_CHECK(end->mr);
	end->buffer = origin->buffer; /* known to this process all the same */
	end->send_cq = ibv_create_cq(end->context, 16, NULL, NULL, 0);
	end->recv_cq = ibv_create_cq(end->context, 16, NULL, NULL, 0);
	VT_CHECK(end->send_cq && end->recv_cq);
	attr.send_cq = end->send_cq;
	attr.recv_cq = end->recv_cq;
	end->qp = ibv_create_qp(end->pd, &attr);
	VT_CHECK(end->qp);
	VT_CHECK(end->qp->context == end->context);
	end->psn = 77;
}

static void close_imported(struct vt_end *end)
{
	VT_EQUAL(ibv_destroy_qp(end->qp), 0);
	VT_EQUAL(ibv_destroy_cq(end->send_cq), 0);
	VT_EQUAL(ibv_destroy_cq(end->recv_cq), 0);
	ibv_unimport_mr(end->mr);
	ibv_unimport_pd(end->pd);
	VT_EQUAL(ibv_close_device(end->context), 0);
}

static void join(struct vt_end *first, struct vt_end *second)
{
	struct vt_address one = vt_address_of(first);
	struct vt_address two = vt_address_of(second);

	vt_connect(first, &two);
	vt_connect(second, &one);
}

static void check_traffic(struct vt_end *from, struct vt_end *to, uint64_t id)
{
	vt_fill(from->buffer, 5000, id);
	vt_recv(to, id, 16384, 5000);
	vt_send(from, id, 0, 5000);
	vt_expect(from->send_cq, id, IBV_WC_SUCCESS);
	vt_expect(to->recv_cq, id, IBV_WC_SUCCESS);
	vt_check_fill(to->buffer + 16384, 5000, id, "what was received");
	vt_rdma(from, id, IBV_WR_RDMA_WRITE, 0, 5000,
		(uintptr_t)to->buffer + 32768, to->mr->rkey);
	vt_expect(from->send_cq, id, IBV_WC_SUCCESS);
	vt_check_fill(to->buffer + 32768, 5000, id, "what was written");
}

static void imported_region_has_the_same_keys(void)
{
	struct vt_wish wish = vt_defaults();
	struct vt_end imported;

	vt_end_open(&a, &wish);
	open_imported(&imported, &a, &wish);
	VT_EQUAL(imported.pd->handle, a.pd->handle);
	VT_EQUAL(imported.mr->lkey, a.mr->lkey);
	VT_EQUAL(imported.mr->rkey, a.mr->rkey);
	VT_EQUAL(imported.mr->length, a.mr->length);
	VT_CHECK(!imported.mr->addr);
	VT_CHECK(imported.mr->context == imported.context);
	VT_CHECK(imported.mr->pd == imported.pd);
	close_imported(&imported);
	vt_end_close(&a);
}

static void queues_of_an_imported_context_work(void)
{
	struct vt_wish wish = vt_defaults();
	struct vt_end imported;

	vt_end_open(&a, &wish);
	vt_end_open(&b, &wish);
	open_imported(&imported, &a, &wish);
	join(&imported, &b);
	check_traffic(&imported, &b, 1);
	check_traffic(&b, &imported, 2);
	close_imported(&imported);
	vt_end_close(&b);
	vt_end_close(&a);
}

/* The first one's queue pair is connected with that of the imported one. */
static void both_contexts_work_side_by_side(void)
{
	struct vt_wish wish = vt_defaults();
	struct vt_end imported;

	vt_end_open(&a, &wish);
	open_imported(&imported, &a, &wish);
	join(&a, &imported);
	check_traffic(&a, &imported, 3);
	close_imported(&imported);
	open_imported(&imported, &a, &wish);
	close_imported(&imported);
	vt_end_close(&a);
}

static void the_first_may_be_closed_first(void)
{
	struct vt_wish wish = vt_defaults();
	struct vt_end imported;

	vt_end_open(&a, &wish);
	vt_end_open(&b, &wish);
	open_imported(&imported, &a, &wish);
	/* Its region and domain live on, and end by those that import them. */
	VT_EQUAL(ibv_destroy_qp(a.qp), 0);
	VT_EQUAL(ibv_destroy_cq(a.send_cq), 0);
	VT_EQUAL(ibv_destroy_cq(a.recv_cq), 0);
	ibv_unimport_mr(a.mr);
	ibv_unimport_pd(a.pd);
	VT_EQUAL(ibv_close_device(a.context), 0);
	join(&imported, &b);
	check_traffic(&imported, &b, 4);
	VT_EQUAL(ibv_destroy_qp(imported.qp), 0);
	VT_EQUAL(ibv_dereg_mr(imported.mr), 0);
	VT_EQUAL(ibv_dealloc_pd(imported.pd), 0);
	VT_EQUAL(ibv_destroy_cq(imported.send_cq), 0);
	VT_EQUAL(ibv_destroy_cq(imported.recv_cq), 0);
	VT_EQUAL(ibv_close_device(imported.context), 0);
	vt_end_close(&b);
}

static void a_region_that_was_deregistered_is_gone_for_all(void)
{
	struct vt_wish wish = vt_defaults();
	struct vt_end imported;

	vt_end_open(&a, &wish);
	vt_end_open(&b, &wish);
	open_imported(&imported, &a, &wish);
	join(&imported, &b);
	VT_EQUAL(ibv_dereg_mr(a.mr), 0);
	vt_send(&imported, 1, 0, 64);
	vt_expect(imported.send_cq, 1, IBV_WC_LOC_PROT_ERR);
	VT_CHECK(!ibv_import_mr(imported.pd, imported.mr->handle));
	VT_EQUAL(errno, EINVAL);
	a.mr = ibv_reg_mr(a.pd, a.buffer, 64, 0);
	VT_CHECK(a.mr);
	close_imported(&imported);
	vt_end_close(&b);
	vt_end_close(&a);
}

static void wrong_handles_are_refused(void)
{
	struct vt_wish wish = vt_defaults();
	struct ibv_context *imported;
	struct ibv_pd *pd, *other;

	vt_end_open(&a, &wish);
	imported = import(a.context);
	other = ibv_alloc_pd(a.context);
	VT_CHECK(other);
	VT_CHECK(!ibv_import_pd(imported, 4321));
	VT_EQUAL(errno, EINVAL);
	VT_CHECK(!ibv_import_pd(imported, UINT32_MAX));
	VT_EQUAL(errno, EINVAL);
	VT_CHECK(!ibv_import_dm(imported, 0));
	VT_EQUAL(errno, EINVAL);
	pd = ibv_import_pd(imported, other->handle);
	VT_CHECK(pd);
	/* There is such a region, but in another domain. */
	VT_CHECK(!ibv_import_mr(pd, a.mr->handle));
	VT_EQUAL(errno, EINVAL);
	VT_CHECK(!ibv_import_mr(pd, UINT32_MAX));
	VT_EQUAL(errno, EINVAL);
	ibv_unimport_pd(pd);
	VT_EQUAL(ibv_dealloc_pd(other), 0);
	VT_EQUAL(ibv_close_device(imported), 0);
	vt_end_close(&a);
}

static void device_memory_is_the_same(void)
{
	struct ibv_alloc_dm_attr attr = { .length = 10000 };
	struct vt_wish wish = vt_defaults();
	struct ibv_context *imported;
	struct ibv_dm *dm, *again;
	uint64_t word = 0x123456789abcdef0, back = 0;

	vt_end_open(&a, &wish);
	dm = ibv_alloc_dm(a.context, &attr);
	VT_CHECK(dm);
	imported = import(a.context);
	again = ibv_import_dm(imported, dm->handle);
	VT_CHECK(again);
	VT_EQUAL(ibv_memcpy_to_dm(dm, 9992, &word, 8), 0);
	VT_EQUAL(ibv_memcpy_from_dm(&back, again, 9992, 8), 0);
	VT_CHECK(back == word);
	VT_EQUAL(ibv_memcpy_from_dm(&back, again, 9996, 8), EFAULT);
	ibv_unimport_dm(again);
	VT_EQUAL(ibv_memcpy_from_dm(&back, dm, 0, 8), 0);
	VT_EQUAL(ibv_close_device(imported), 0);
	VT_EQUAL(ibv_free_dm(dm), 0);
	vt_end_close(&a);
}

/* The stream is one: who of both asks first, hears of it. */
static void events_of_both_come_by_either_descriptor(void)
{
	struct vt_wish wish = vt_defaults();
	struct vt_end imported;
	struct ibv_async_event event;
	struct pollfd ends[2];

	vt_end_open(&a, &wish);
	vt_end_open(&b, &wish);
	open_imported(&imported, &a, &wish);
	ends[0] = (struct pollfd){ a.context->async_fd, POLLIN, 0 };
	ends[1] = (struct pollfd){ imported.context->async_fd, POLLIN, 0 };
	VT_EQUAL(poll(ends, 2, 0), 0);
	join(&imported, &b);
	vt_rdma(&b, 1, IBV_WR_RDMA_WRITE, 0, 64, (uintptr_t)a.buffer,
		a.mr->rkey ^ 1);
	vt_expect(b.send_cq, 1, IBV_WC_REM_ACCESS_ERR);
	VT_EQUAL(poll(ends, 2, 30000), 2);
	VT_EQUAL(ibv_get_async_event(imported.context, &event), 0);
	VT_EQUAL(event.event_type, IBV_EVENT_QP_ACCESS_ERR);
	VT_CHECK(event.element.qp == imported.qp);
	ibv_ack_async_event(&event);
	VT_EQUAL(poll(ends, 2, 0), 0);
	close_imported(&imported);
	/* The first one's descriptor hears the next. */
	vt_set_state(b.qp, IBV_QPS_RESET);
	join(&a, &b);
	vt_rdma(&b, 2, IBV_WR_RDMA_WRITE, 0, 64, (uintptr_t)a.buffer,
		a.mr->rkey ^ 1);
	vt_expect(b.send_cq, 2, IBV_WC_REM_ACCESS_ERR);
	event = vt_event(a.context, IBV_EVENT_QP_ACCESS_ERR);
	VT_CHECK(event.element.qp == a.qp);
	vt_end_close(&b);
	vt_end_close(&a);
}

static void channels_belong_to_the_context_that_made_them(void)
{
	struct vt_wish wish = vt_defaults();
	struct ibv_context *imported;
	struct ibv_comp_channel *channel;
	struct ibv_cq *cq;

	vt_end_open(&a, &wish);
	imported = import(a.context);
	channel = ibv_create_comp_channel(imported);
	VT_CHECK(channel);
	VT_CHECK(!ibv_create_cq(a.context, 4, NULL, channel, 0));
	VT_EQUAL(errno, EINVAL);
	cq = ibv_create_cq(imported, 4, NULL, channel, 0);
	VT_CHECK(cq);
	VT_EQUAL(ibv_destroy_cq(cq), 0);
	VT_EQUAL(ibv_destroy_comp_channel(channel), 0);
	VT_EQUAL(ibv_close_device(imported), 0);
	vt_end_close(&a);
}

static void a_file_that_is_no_device_is_refused(void)
{
	int fd = dup(STDOUT_FILENO);

	VT_CHECK(!ibv_import_device(fd));
	VT_EQUAL(errno, EINVAL);
	close(fd);
}

static const struct vt_case cases[] = {
	VT_CASE(imported_region_has_the_same_keys),
	VT_CASE(queues_of_an_imported_context_work),
	VT_CASE(both_contexts_work_side_by_side),
	VT_CASE(the_first_may_be_closed_first),
	VT_CASE(a_region_that_was_deregistered_is_gone_for_all),
	VT_CASE(wrong_handles_are_refused),
	VT_CASE(device_memory_is_the_same),
	VT_CASE(events_of_both_come_by_either_descriptor),
	VT_CASE(channels_belong_to_the_context_that_made_them),
	VT_CASE(a_file_that_is_no_device_is_refused),
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
