/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Whose thread carries work out (docs/execution.md): whatever the application
 * does after it has posted, the work is done. Each side is a process; what has
 * arrived is seen through memory that both share, so that looking at it is no
 * call of verbs.
 */
#include <poll.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "vt.h"

#define LARGE (16u << 20)
#define SEED 9

/* What the peer has seen, without a call of verbs on either side. */
struct shared {
	_Atomic uint32_t arrived;
};

static struct shared *shared;

static struct vt_wish large_wish(void)
{
	struct vt_wish wish = vt_defaults();

	wish.buffer_bytes = LARGE;
	wish.channel = true;
	return wish;
}

static void share(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	VT_CHECK(shared != MAP_FAILED);
}

/* The last byte of a message is stored last. */
static void wait_for_last_byte(const struct vt_end *end)
{
	const volatile uint8_t *last = end->buffer + LARGE - 1;
	struct vt_patience patience = vt_patience(60000);

	while (*last != vt_byte(SEED, LARGE - 1)) {
		VT_CHECK(!vt_patience_ends(&patience));
		usleep(200);
	}
}

/* A target that has connected, and says when all of a message is there. */
static void target(int fd, void *unused)
{
	struct vt_wish wish = large_wish();
	struct vt_end end;

	(void)unused;
	vt_end_open(&end, &wish);
	end.buffer[LARGE - 1] = (uint8_t)~vt_byte(SEED, LARGE - 1);
	vt_meet(fd, &end);
	vt_sync(fd);
	wait_for_last_byte(&end);
	atomic_fetch_add(&shared->arrived, 1);
	vt_check_fill(end.buffer, LARGE, SEED, "written");
	vt_sync(fd);
	vt_end_close(&end);
}

/* Opens the initiator's side, which is ready to post. */
static struct vt_address begin(struct vt_peer *peer, struct vt_end *end)
{
	struct vt_wish wish = large_wish();
	struct vt_address address;

	share();
	*peer = vt_fork(target, NULL);
	vt_end_open(end, &wish);
	vt_fill(end->buffer, LARGE, SEED);
	address = vt_meet(peer->fd, end);
	vt_sync(peer->fd);
	return address;
}

static void finish(struct vt_peer *peer, struct vt_end *end)
{
	vt_sync(peer->fd);
	vt_end_close(end);
	vt_join(peer);
}

/* Computes until the peer has seen it: no call of verbs, none of the kernel. */
static void compute_until_arrived(void)
{
	struct vt_patience patience = vt_patience(60000);
	volatile double sum = 0;

	while (!atomic_load(&shared->arrived)) {
		for (int i = 1; i < 10000; i++)
			sum += 1.0 / i;
		VT_CHECK(!vt_patience_ends(&patience));
	}
}

static void one_who_posts_and_computes_is_served(void)
{
	struct vt_address address;
	struct vt_peer peer;
	struct vt_end end;
	struct ibv_wc wc;

	address = begin(&peer, &end);
	vt_rdma(&end, 1, IBV_WR_RDMA_WRITE, 0, LARGE, address.buffer,
		address.rkey);
	compute_until_arrived();
	/* The completion follows the data, and waits for nobody. */
	wc = vt_poll(end.send_cq);
	VT_EQUAL(wc.wr_id, 1);
	VT_STATUS(&wc, IBV_WC_SUCCESS);
	finish(&peer, &end);
}

/* More requests than one doorbell carries out, and the last is the one that is
 * looked for. */
static void many_requests_of_one_who_computes_are_carried_out(void)
{
	const size_t part = LARGE / 32;
	struct vt_address address;
	struct vt_peer peer;
	struct vt_end end;

	address = begin(&peer, &end);
	for (uint64_t i = 0; i < 32; i++)
		vt_rdma(&end, i, IBV_WR_RDMA_WRITE, i * part, part,
			address.buffer + i * part, address.rkey);
	compute_until_arrived();
	for (uint64_t i = 0; i < 32; i++)
		vt_expect(end.send_cq, i, IBV_WC_SUCCESS);
	finish(&peer, &end);
}

static void one_who_posts_and_sleeps_has_its_event(void)
{
	struct vt_address address;
	struct vt_peer peer;
	struct vt_end end;
	struct ibv_cq *cq;
	void *cookie;

	address = begin(&peer, &end);
	VT_EQUAL(ibv_req_notify_cq(end.send_cq, 0), 0);
	vt_rdma(&end, 1, IBV_WR_RDMA_WRITE, 0, LARGE, address.buffer,
		address.rkey);
	VT_EQUAL(ibv_get_cq_event(end.channel, &cq, &cookie), 0);
	VT_CHECK(cq == end.send_cq);
	ibv_ack_cq_events(cq, 1);
	vt_expect(end.send_cq, 1, IBV_WC_SUCCESS);
	finish(&peer, &end);
}

/* It has polled busily until a moment ago, which says nothing of now. */
static void one_who_polled_and_then_computes_is_served(void)
{
	struct vt_address address;
	struct vt_peer peer;
	struct vt_end end;

	address = begin(&peer, &end);
	for (uint64_t i = 0; i < 50; i++) {
		vt_rdma(&end, i, IBV_WR_RDMA_WRITE, 0, 1u << 20,
			address.buffer, address.rkey);
		vt_expect(end.send_cq, i, IBV_WC_SUCCESS);
	}
	vt_rdma(&end, 77, IBV_WR_RDMA_WRITE, 0, LARGE, address.buffer,
		address.rkey);
	for (uint32_t i = 0; i < 10; i++) {
		struct ibv_wc wc;

		VT_EQUAL(ibv_poll_cq(end.recv_cq, 1, &wc), 0);
	}
	compute_until_arrived();
	vt_expect(end.send_cq, 77, IBV_WC_SUCCESS);
	finish(&peer, &end);
}

/* Another queue pair's CQ, which has nothing: whoever polls serves all. */
static void polling_one_queue_goes_on_with_the_others(void)
{
	struct vt_patience patience = vt_patience(60000);
	struct vt_address address;
	struct vt_wish wish = vt_defaults();
	struct vt_end end, other;
	struct vt_peer peer;
	struct ibv_wc wc;

	address = begin(&peer, &end);
	vt_end_open_in(&other, &end, &wish);
	vt_rdma(&end, 1, IBV_WR_RDMA_WRITE, 0, LARGE, address.buffer,
		address.rkey);
	while (!atomic_load(&shared->arrived)) {
		VT_EQUAL(ibv_poll_cq(other.send_cq, 1, &wc), 0);
		VT_CHECK(!vt_patience_ends(&patience));
	}
	vt_expect(end.send_cq, 1, IBV_WC_SUCCESS);
	vt_end_close(&other);
	finish(&peer, &end);
}

/* Waits for a receive that comes when nobody polls any more. */
static void late_receiver(int fd, void *unused)
{
	struct vt_wish wish = large_wish();
	struct vt_end end;

	(void)unused;
	vt_end_open(&end, &wish);
	vt_meet(fd, &end);
	vt_sync(fd);
	vt_recv(&end, 5, 0, 4096);
	vt_expect(end.recv_cq, 5, IBV_WC_SUCCESS);
	atomic_fetch_add(&shared->arrived, 1);
	vt_sync(fd);
	vt_end_close(&end);
}

static void a_parked_message_goes_on_without_its_poster(void)
{
	struct vt_wish wish = large_wish();
	struct vt_peer peer;
	struct vt_end end;

	share();
	peer = vt_fork(late_receiver, NULL);
	vt_end_open(&end, &wish);
	vt_meet(peer.fd, &end);
	vt_send(&end, 1, 0, 4096);
	vt_sync(peer.fd);
	compute_until_arrived();
	vt_expect(end.send_cq, 1, IBV_WC_SUCCESS);
	finish(&peer, &end);
}

/* Others may be at its work at that moment; the peer sees an orderly end. */
#define LEAVERS 4

static void leaver(int fd, void *unused)
{
	struct vt_wish wish = large_wish();
	struct vt_address address;
	struct vt_end end;

	(void)unused;
	vt_end_open(&end, &wish);
	address = vt_meet(fd, &end);
	vt_sync(fd);
	vt_rdma(&end, 1, IBV_WR_RDMA_WRITE, 0, LARGE, address.buffer,
		address.rkey);
	exit(0);
}

static void one_who_exits_in_the_middle_makes_no_error(void)
{
	struct vt_wish wish = large_wish();
	struct vt_peer peers[LEAVERS];
	struct vt_end ends[LEAVERS];

	for (uint32_t i = 0; i < LEAVERS; i++)
		peers[i] = vt_fork(leaver, NULL);
	for (uint32_t i = 0; i < LEAVERS; i++) {
		vt_end_open(&ends[i], &wish);
		vt_meet(peers[i].fd, &ends[i]);
		vt_sync(peers[i].fd);
		vt_join(&peers[i]);
		VT_CHECK(!vt_readable(ends[i].context->async_fd, 20));
		VT_EQUAL(vt_state(ends[i].qp), IBV_QPS_RTS);
	}
	for (uint32_t i = 0; i < LEAVERS; i++)
		vt_end_close(&ends[i]);
}

/*
 * The passive target: all of its threads sleep, however much is written into
 * its memory, and read from it. Counted are the times that one of them had a
 * processor; the thread that waits to be told of the end has it for that, and
 * the agent looks after its peers once a second.
 */
#define PASSIVE_WRITES 20000u
#define PASSIVE_READS 1000u

static long switches(void)
{
	struct rusage usage;

	VT_EQUAL(getrusage(RUSAGE_SELF, &usage), 0);
	return usage.ru_nvcsw + usage.ru_nivcsw;
}

static long used_us(void)
{
	struct rusage usage;

	VT_EQUAL(getrusage(RUSAGE_SELF, &usage), 0);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
	       usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static void passive_target(int fd, void *unused)
{
	struct vt_wish wish = large_wish();
	uint64_t begin_ms, seconds;
	struct vt_end end;
	long before, used;

	(void)unused;
	vt_end_open(&end, &wish);
	vt_meet(fd, &end);
	vt_fill(end.buffer + LARGE / 2, 4096, SEED);
	vt_sync(fd);
	/* The first writes have been: links and memory are ready. */
	vt_sync(fd);
	usleep(20000);
	before = switches();
	used = used_us();
	begin_ms = vt_now_ms();
	vt_sync(fd);
	vt_sync(fd);
	seconds = (vt_now_ms() - begin_ms) / 1000 + 1;
	used = used_us() - used;
	before = switches() - before;
	printf("      passive target: %ld switches, %ld us\n", before, used);
	VT_CHECK(before <= 8 + 4 * (long)seconds);
	VT_CHECK(used <= 5000 + 1000 * (long)seconds);
	vt_check_fill(end.buffer, 1u << 20, SEED, "written");
	vt_sync(fd);
	vt_end_close(&end);
}

static void a_passive_target_sleeps_while_it_is_written_to(void)
{
	struct vt_wish wish = large_wish();
	struct vt_address address;
	struct vt_peer peer;
	struct vt_end end;

	if (getenv("VT_BOUNCE"))
		vt_skip("its memory cannot be reached without its threads");
	share();
	peer = vt_fork(passive_target, NULL);
	vt_end_open(&end, &wish);
	vt_fill(end.buffer, 1u << 20, SEED);
	address = vt_meet(peer.fd, &end);
	vt_sync(peer.fd);
	vt_rdma(&end, 1, IBV_WR_RDMA_WRITE, 0, 1u << 20, address.buffer,
		address.rkey);
	vt_expect(end.send_cq, 1, IBV_WC_SUCCESS);
	vt_sync(peer.fd);
	vt_sync(peer.fd);
	for (uint32_t i = 0; i < PASSIVE_WRITES; i++) {
		vt_rdma(&end, i, IBV_WR_RDMA_WRITE, i % 4096 * 8, 8,
			address.buffer + i % 4096 * 8, address.rkey);
		vt_expect(end.send_cq, i, IBV_WC_SUCCESS);
	}
	for (uint32_t i = 0; i < PASSIVE_READS; i++) {
		vt_rdma(&end, i, IBV_WR_RDMA_READ, LARGE / 2, 4096,
			address.buffer + LARGE / 2, address.rkey);
		vt_expect(end.send_cq, i, IBV_WC_SUCCESS);
	}
	vt_check_fill(end.buffer + LARGE / 2, 4096, SEED, "read");
	for (uint32_t i = 0; i < 16; i++) {
		vt_rdma(&end, i, IBV_WR_RDMA_WRITE, 0, LARGE / 4,
			address.buffer, address.rkey);
		vt_expect(end.send_cq, i, IBV_WC_SUCCESS);
	}
	vt_sync(peer.fd);
	finish(&peer, &end);
}

static const struct vt_case cases[] = {
	VT_CASE(one_who_posts_and_computes_is_served),
	VT_CASE(many_requests_of_one_who_computes_are_carried_out),
	VT_CASE(one_who_posts_and_sleeps_has_its_event),
	VT_CASE(one_who_polled_and_then_computes_is_served),
	VT_CASE(polling_one_queue_goes_on_with_the_others),
	VT_CASE(a_parked_message_goes_on_without_its_poster),
	VT_CASE(one_who_exits_in_the_middle_makes_no_error),
	VT_CASE(a_passive_target_sleeps_while_it_is_written_to),
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
