/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Ends: what may not be destroyed while it is used, regions that go while
 * receives wait in them, buffers that are given back to the system, and the
 * order in which a broken queue returns its requests.
 */
#include <pthread.h>
#include <sys/mman.h>

#include "vt.h"

#define ROOM_BYTES (1u << 16)

static struct vt_end a, b;

static void objects_in_use_are_busy(void)
{
	struct vt_wish wish = vt_defaults();
	struct ibv_pd *pd;
	struct ibv_mr *mr;

	wish.channel = true;
	vt_end_open(&a, &wish);
	VT_EQUAL(ibv_dealloc_pd(a.pd), EBUSY);
	VT_EQUAL(ibv_destroy_cq(a.send_cq), EBUSY);
	VT_EQUAL(ibv_destroy_cq(a.recv_cq), EBUSY);
	VT_EQUAL(ibv_destroy_comp_channel(a.channel), EBUSY);
	pd = ibv_alloc_pd(a.context);
	VT_CHECK(pd);
	mr = ibv_reg_mr(pd, a.buffer, 4096, IBV_ACCESS_LOCAL_WRITE);
	VT_CHECK(mr);
	VT_EQUAL(ibv_dealloc_pd(pd), EBUSY);
	VT_EQUAL(ibv_dereg_mr(mr), 0);
	VT_EQUAL(ibv_dealloc_pd(pd), 0);
	vt_end_close(&a); /* nothing of it was harmed */
}

static void address_handle_keeps_its_pd_busy(void)
{
	struct ibv_ah_attr attr = { .is_global = 1, .port_num = 1 };
	struct vt_wish wish = vt_defaults();
	struct ibv_pd *pd;
	struct ibv_ah *ah;

	vt_end_open(&a, &wish);
	pd = ibv_alloc_pd(a.context);
	VT_EQUAL(ibv_query_gid(a.context, 1, 0, &attr.grh.dgid), 0);
	ah = ibv_create_ah(pd, &attr);
	VT_CHECK(ah);
	VT_EQUAL(ibv_dealloc_pd(pd), EBUSY);
	VT_EQUAL(ibv_destroy_ah(ah), 0);
	VT_EQUAL(ibv_dealloc_pd(pd), 0);
	vt_end_close(&a);
}

/* A region with memory of its own, in which b's receives wait. */
struct room {
	uint8_t *memory;
	struct ibv_mr *mr;
};

static struct room open_room(void)
{
	struct room room;

	room.memory = mmap(NULL, ROOM_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	VT_CHECK(room.memory != MAP_FAILED);
	room.mr = ibv_reg_mr(b.pd, room.memory, ROOM_BYTES,
			     IBV_ACCESS_LOCAL_WRITE);
	VT_CHECK(room.mr);
	return room;
}

static void room_recv(const struct room *room, uint64_t id, size_t offset,
		      uint32_t length)
{
	struct ibv_sge sge = { .addr = (uintptr_t)room->memory + offset,
			       .length = length,
			       .lkey = room->mr->lkey };
	struct ibv_recv_wr wr = { .wr_id = id, .sg_list = &sge, .num_sge = 1 };
	struct ibv_recv_wr *bad;

	VT_EQUAL(ibv_post_recv(b.qp, &wr, &bad), 0);
}

static struct room start(bool one_context, uint32_t bytes, unsigned int count)
{
	struct vt_wish wish = vt_defaults();
	struct room room;

	vt_pair_open(&a, &b, &wish, one_context);
	room = open_room();
	for (unsigned int i = 0; i < count; i++)
		room_recv(&room, i, (size_t)i * bytes, bytes);
	return room;
}

static void send_all(uint32_t bytes, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		vt_fill(a.buffer, bytes, 1000 + i);
		vt_send(&a, i, 0, bytes);
		vt_expect(a.send_cq, i, IBV_WC_SUCCESS);
	}
}

/* What arrived before the end of the region is in the buffer afterwards. */
static void check_all(const uint8_t *memory, uint32_t bytes,
		      unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		vt_check_fill(memory + (size_t)i * bytes, bytes, 1000 + i,
			      "message that arrived before");
}

static void deregistration_places_what_has_arrived(uint32_t bytes)
{
	struct room room = start(false, bytes, 8);

	send_all(bytes, 8);
	VT_EQUAL(ibv_dereg_mr(room.mr), 0);
	check_all(room.memory, bytes, 8);
	VT_EQUAL(munmap(room.memory, ROOM_BYTES), 0);
	for (uint64_t i = 0; i < 8; i++)
		vt_expect(b.recv_cq, i, IBV_WC_SUCCESS);
	vt_pair_close(&a, &b);
}

static void deregistration_places_short_messages(void)
{
	deregistration_places_what_has_arrived(24);
}

static void deregistration_places_middle_messages(void)
{
	deregistration_places_what_has_arrived(500);
}

static void deregistration_places_long_messages(void)
{
	deregistration_places_what_has_arrived(8000);
}

/* The same for the other ways in which a receive buffer loses its region. */
static void end_of_queue_places_what_has_arrived(enum ibv_qp_state state)
{
	struct room room = start(false, 200, 8);

	send_all(200, 5);
	VT_EQUAL(vt_set_state(b.qp, state), 0);
	check_all(room.memory, 200, 5);
	VT_EQUAL(ibv_dereg_mr(room.mr), 0);
	munmap(room.memory, ROOM_BYTES);
	if (state == IBV_QPS_ERR) {
		for (uint64_t i = 0; i < 8; i++)
			vt_expect(b.recv_cq, i, i < 5 ? IBV_WC_SUCCESS :
						       IBV_WC_WR_FLUSH_ERR);
	} else {
		vt_poll_nothing(b.recv_cq, 5);
	}
	vt_pair_close(&a, &b);
}

static void error_state_places_what_has_arrived(void)
{
	end_of_queue_places_what_has_arrived(IBV_QPS_ERR);
}

static void reset_state_places_what_has_arrived(void)
{
	end_of_queue_places_what_has_arrived(IBV_QPS_RESET);
}

static void destruction_places_what_has_arrived(void)
{
	struct room room = start(true, 24, 8);

	send_all(24, 6);
	VT_EQUAL(ibv_destroy_qp(b.qp), 0);
	b.qp = NULL;
	check_all(room.memory, 24, 6);
	VT_EQUAL(ibv_dereg_mr(room.mr), 0);
	munmap(room.memory, ROOM_BYTES);
	vt_poll_nothing(b.recv_cq, 5);
	vt_pair_close(&a, &b);
}

static void resize_of_the_cq_loses_nothing(void)
{
	struct room room = start(false, 24, 8);

	send_all(24, 8);
	VT_EQUAL(ibv_resize_cq(b.recv_cq, 1000), 0);
	VT_EQUAL(ibv_dereg_mr(room.mr), 0);
	check_all(room.memory, 24, 8);
	munmap(room.memory, ROOM_BYTES);
	for (uint64_t i = 0; i < 8; i++)
		vt_expect(b.recv_cq, i, IBV_WC_SUCCESS);
	vt_pair_close(&a, &b);
}

static void rereg_places_what_has_arrived(void)
{
	struct room room = start(true, 24, 8);
	uint8_t *elsewhere = mmap(NULL, ROOM_BYTES, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	send_all(24, 8);
	VT_EQUAL(ibv_rereg_mr(room.mr, IBV_REREG_MR_CHANGE_TRANSLATION, NULL,
			      elsewhere, ROOM_BYTES, 0), 0);
	check_all(room.memory, 24, 8);
	munmap(room.memory, ROOM_BYTES);
	for (uint64_t i = 0; i < 8; i++)
		vt_expect(b.recv_cq, i, IBV_WC_SUCCESS);
	room.memory = elsewhere;
	room_recv(&room, 30, 0, 24);
	vt_fill(a.buffer, 24, 77);
	vt_send(&a, 31, 0, 24);
	vt_expect(a.send_cq, 31, IBV_WC_SUCCESS);
	vt_expect(b.recv_cq, 30, IBV_WC_SUCCESS);
	vt_check_fill(elsewhere, 24, 77, "message to the new place");
	VT_EQUAL(ibv_dereg_mr(room.mr), 0);
	munmap(elsewhere, ROOM_BYTES);
	vt_pair_close(&a, &b);
}

/* A receive whose region is gone: as a wrong key, 9.7.5.2.7. */
static void message_to_a_deregistered_buffer_is_an_error(void)
{
	struct room room = start(false, 64, 2);

	VT_EQUAL(ibv_dereg_mr(room.mr), 0);
	munmap(room.memory, ROOM_BYTES);
	vt_send(&a, 1, 0, 32);
	vt_expect(a.send_cq, 1, IBV_WC_REM_OP_ERR);
	vt_expect(b.recv_cq, 0, IBV_WC_LOC_PROT_ERR);
	vt_expect(b.recv_cq, 1, IBV_WC_WR_FLUSH_ERR);
	vt_pair_close(&a, &b);
}

/* A buffer that is given back to the system without a deregistration. On a
 * card the pages stay pinned and nobody notices; here the message may fail,
 * but neither process may crash, and nothing may hang. */
static void need_fault_handlers(void)
{
	if (VT_SANITIZED)
		vt_skip("the sanitizer takes the faults that are expected");
}

static void unmapped_buffer(uint32_t bytes, bool before)
{
	struct room room;
	struct ibv_wc wc;

	need_fault_handlers();
	room = start(false, bytes, 2);
	if (before)
		munmap(room.memory, ROOM_BYTES);
	vt_send(&a, 1, 0, bytes);
	if (!before) {
		vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
		munmap(room.memory, ROOM_BYTES);
	}
	wc = vt_poll(b.recv_cq);
	VT_EQUAL(wc.wr_id, 0);
	VT_CHECK(wc.status == IBV_WC_SUCCESS ||
		 wc.status == IBV_WC_LOC_PROT_ERR ||
		 wc.status == IBV_WC_LOC_ACCESS_ERR);
	if (before) {
		wc = vt_poll(a.send_cq);
		VT_ONE_OF(wc.status, IBV_WC_SUCCESS, IBV_WC_REM_OP_ERR);
	}
	VT_EQUAL(ibv_dereg_mr(room.mr), 0);
	vt_pair_close(&a, &b);
}

static void buffer_unmapped_after_a_short_message(void)
{
	unmapped_buffer(16, false);
}

static void buffer_unmapped_after_a_middle_message(void)
{
	unmapped_buffer(1000, false);
}

static void buffer_unmapped_after_a_long_message(void)
{
	unmapped_buffer(20000, false);
}

static void buffer_unmapped_before_a_short_message(void)
{
	unmapped_buffer(16, true);
}

static void buffer_unmapped_before_a_long_message(void)
{
	unmapped_buffer(20000, true);
}

/* The requester's own buffer is not there: a local error, never a crash. */
static void unmapped_source_is_a_local_error(void)
{
	struct ibv_send_wr wr;
	struct ibv_sge sge;
	struct room room;
	struct ibv_wc wc;

	need_fault_handlers();
	room = start(false, 64, 0); /* b has the hole, and sends from it */
	munmap(room.memory, ROOM_BYTES);
	vt_recv(&a, 9, 0, 64);
	sge = (struct ibv_sge){ .addr = (uintptr_t)room.memory,
				.length = 64,
				.lkey = room.mr->lkey };
	wr = vt_send_wr(1, IBV_WR_SEND, &sge);
	VT_EQUAL(vt_post_send(&b, &wr), 0);
	wc = vt_poll(b.send_cq);
	VT_EQUAL(wc.status, IBV_WC_LOC_PROT_ERR);
	VT_EQUAL(ibv_dereg_mr(room.mr), 0);
	vt_pair_close(&a, &b);
}

static void rdma_to_an_unmapped_region(enum ibv_wr_opcode opcode)
{
	struct vt_wish wish = vt_defaults();
	uint8_t *memory;
	struct ibv_mr *mr;
	struct ibv_wc wc;

	need_fault_handlers();
	vt_pair_open(&a, &b, &wish, false);
	memory = mmap(NULL, ROOM_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mr = ibv_reg_mr(b.pd, memory, ROOM_BYTES, VT_ALL_ACCESS);
	VT_CHECK(mr);
	munmap(memory, ROOM_BYTES);
	vt_rdma(&a, 1, opcode, 0, 8, (uintptr_t)memory, mr->rkey);
	wc = vt_poll(a.send_cq);
	VT_CHECK(wc.status == IBV_WC_SUCCESS ||
		 wc.status == IBV_WC_REM_ACCESS_ERR ||
		 wc.status == IBV_WC_REM_OP_ERR);
	VT_EQUAL(ibv_dereg_mr(mr), 0);
	vt_pair_close(&a, &b);
}

static void write_to_an_unmapped_region(void)
{
	rdma_to_an_unmapped_region(IBV_WR_RDMA_WRITE);
}

static void read_of_an_unmapped_region(void)
{
	rdma_to_an_unmapped_region(IBV_WR_RDMA_READ);
}

static void atomic_on_an_unmapped_region(void)
{
	rdma_to_an_unmapped_region(IBV_WR_ATOMIC_FETCH_AND_ADD);
}

/* Both queues return everything, in order, once (10.3.1.7). */
static void error_state_flushes_in_order(void)
{
	struct vt_wish wish = vt_defaults();

	vt_pair_open(&a, &b, &wish, false);
	for (uint64_t i = 0; i < 20; i++) {
		struct ibv_sge sge = vt_sge(&a, 0, 32);
		struct ibv_send_wr wr = vt_send_wr(i, IBV_WR_SEND, &sge);

		if (i % 3)
			wr.send_flags = 0; /* errors are always signaled */
		VT_EQUAL(vt_post_send(&a, &wr), 0); /* b has no receive */
		vt_recv(&a, 100 + i, 4096, 64);
	}
	VT_EQUAL(vt_set_state(a.qp, IBV_QPS_ERR), 0);
	for (uint64_t i = 0; i < 20; i++) {
		vt_expect(a.send_cq, i, IBV_WC_WR_FLUSH_ERR);
		vt_expect(a.recv_cq, 100 + i, IBV_WC_WR_FLUSH_ERR);
	}
	vt_recv(&a, 130, 4096, 64); /* also what is posted later */
	vt_expect(a.recv_cq, 130, IBV_WC_WR_FLUSH_ERR);
	vt_send(&a, 31, 0, 8);
	vt_expect(a.send_cq, 31, IBV_WC_WR_FLUSH_ERR);
	vt_poll_nothing(a.send_cq, 5);
	vt_poll_nothing(a.recv_cq, 5);
	vt_pair_close(&a, &b);
}

/* On a CQ of both queues the error comes before what it flushed, at whichever
 * queue it happened: that is how a program learns the reason. */
static void cause_of_a_flush_comes_first(void)
{
	struct vt_wish wish = vt_defaults();

	wish.common_cq = true;
	for (unsigned int turn = 0; turn < 8; turn++) {
		vt_pair_open(&a, &b, &wish, false);
		for (uint64_t i = 0; i < 4 + turn; i++)
			vt_recv(&a, 100 + i, 4096, 64);
		vt_recv(&b, 200, 0, 8);
		vt_recv(&b, 201, 0, 8);
		vt_send(&b, 300, 0, 8);
		vt_expect(b.send_cq, 300, IBV_WC_SUCCESS);
		vt_expect(a.recv_cq, 100, IBV_WC_SUCCESS);
		vt_send(&a, 1, 0, 64); /* too long for what b has posted */
		vt_wait_state(a.qp, IBV_QPS_ERR);
		vt_expect(a.send_cq, 1, IBV_WC_REM_INV_REQ_ERR);
		vt_wait_state(b.qp, IBV_QPS_ERR);
		vt_send(&b, 301, 0, 8);
		vt_expect(b.recv_cq, 200, IBV_WC_LOC_LEN_ERR);
		vt_pair_close(&a, &b);
	}
}

/* Completions before the error are kept, those of other QPs are not touched. */
static void error_of_one_queue_spares_its_neighbour_on_the_cq(void)
{
	struct vt_wish wish = vt_defaults();
	struct ibv_qp_init_attr attr;
	struct ibv_qp *other;

	vt_pair_open(&a, &b, &wish, true);
	attr = (struct ibv_qp_init_attr){ .send_cq = a.send_cq,
					  .recv_cq = a.recv_cq,
					  .cap = a.cap,
					  .qp_type = IBV_QPT_RC };
	other = ibv_create_qp(a.pd, &attr);
	VT_CHECK(other);
	vt_recv(&b, 1, 0, 64);
	vt_send(&a, 1, 0, 64);
	VT_EQUAL(ibv_destroy_qp(other), 0);
	vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
	vt_expect(b.recv_cq, 1, IBV_WC_SUCCESS);
	vt_pair_close(&a, &b);
}

/* Destroying a QP removes its completions from a shared CQ. */
static void destruction_removes_its_completions(void)
{
	struct vt_wish wish = vt_defaults();

	wish.common_cq = true;
	vt_pair_open(&a, &b, &wish, false);
	for (uint64_t i = 0; i < 4; i++)
		vt_recv(&b, i, 0, 64);
	for (uint64_t i = 0; i < 4; i++)
		vt_send(&a, i, 0, 16);
	vt_expect(b.recv_cq, 0, IBV_WC_SUCCESS);
	VT_EQUAL(ibv_destroy_qp(b.qp), 0);
	b.qp = NULL;
	vt_poll_nothing(b.recv_cq, 10);
	vt_pair_close(&a, &b);
}

/* The peer goes in order while messages are under way: the requester's end is
 * an error completion, as with a card whose peer has gone. */
static void destroyed_peer_ends_the_requester(void)
{
	struct vt_wish wish = vt_defaults();
	struct ibv_wc wc;

	wish.timeout = 8;
	wish.retry_cnt = 2;
	vt_pair_open(&a, &b, &wish, false);
	vt_send(&a, 1, 0, 64); /* waits for a receive */
	VT_EQUAL(ibv_destroy_qp(b.qp), 0);
	b.qp = NULL;
	wc = vt_poll(a.send_cq);
	VT_STATUS(&wc, IBV_WC_RETRY_EXC_ERR);
	vt_pair_close(&a, &b);
}

static int steps_done;

/* It is to end, and does at the first cancellation point: inside a verb there
 * must be none. */
static void *cancelled(void *unused)
{
	struct vt_address to_a = vt_address_of(&a), to_b = vt_address_of(&b);
	struct ibv_wc wc;

	pthread_cancel(pthread_self());
	vt_connect(&a, &to_b);
	vt_connect(&b, &to_a);
	steps_done++;
	/* The peer sleeps for an event, so its agent has to be woken. */
	VT_EQUAL(ibv_req_notify_cq(b.recv_cq, 0), 0);
	vt_recv(&b, 1, 0, 64);
	vt_send(&a, 1, 0, 64);
	steps_done++;
	while (!ibv_poll_cq(a.send_cq, 1, &wc))
		;
	while (!ibv_poll_cq(b.recv_cq, 1, &wc))
		;
	steps_done++;
	VT_EQUAL(ibv_dereg_mr(a.mr), 0);
	a.mr = ibv_reg_mr(a.pd, a.buffer, a.wish.buffer_bytes,
			   VT_ALL_ACCESS);
	VT_CHECK(a.mr);
	steps_done++;
	pthread_testcancel();
	return unused;
}

static void cancelled_thread_leaves_no_lock(void)
{
	struct vt_wish wish = vt_defaults();
	pthread_t thread;
	void *result;

	wish.channel = true;
	vt_end_open(&a, &wish);
	vt_end_open(&b, &wish);
	VT_EQUAL(pthread_create(&thread, NULL, cancelled, NULL), 0);
	VT_EQUAL(pthread_join(thread, &result), 0);
	VT_CHECK(result == PTHREAD_CANCELED);
	VT_EQUAL(steps_done, 4);
	vt_recv(&b, 2, 0, 64);
	vt_send(&a, 2, 0, 64);
	vt_expect(a.send_cq, 2, IBV_WC_SUCCESS);
	vt_expect(b.recv_cq, 2, IBV_WC_SUCCESS);
	vt_pair_close(&a, &b);
}

static const struct vt_case cases[] = {
	VT_CASE(objects_in_use_are_busy),
	VT_CASE(address_handle_keeps_its_pd_busy),
	VT_CASE(deregistration_places_short_messages),
	VT_CASE(deregistration_places_middle_messages),
	VT_CASE(deregistration_places_long_messages),
	VT_CASE(error_state_places_what_has_arrived),
	VT_CASE(reset_state_places_what_has_arrived),
	VT_CASE(destruction_places_what_has_arrived),
	VT_CASE(resize_of_the_cq_loses_nothing),
	VT_CASE(rereg_places_what_has_arrived),
	VT_CASE(message_to_a_deregistered_buffer_is_an_error),
	VT_CASE(buffer_unmapped_after_a_short_message),
	VT_CASE(buffer_unmapped_after_a_middle_message),
	VT_CASE(buffer_unmapped_after_a_long_message),
	VT_CASE(buffer_unmapped_before_a_short_message),
	VT_CASE(buffer_unmapped_before_a_long_message),
	VT_CASE(unmapped_source_is_a_local_error),
	VT_CASE(write_to_an_unmapped_region),
	VT_CASE(read_of_an_unmapped_region),
	VT_CASE(atomic_on_an_unmapped_region),
	VT_CASE(error_state_flushes_in_order),
	VT_CASE(cause_of_a_flush_comes_first),
	VT_CASE(error_of_one_queue_spares_its_neighbour_on_the_cq),
	VT_CASE(destruction_removes_its_completions),
	VT_CASE(destroyed_peer_ends_the_requester),
	VT_CASE(cancelled_thread_leaves_no_lock),
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
