/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A connection that strangers attack: netns_foreign.py sends it packets. Prints
 * the processes, QP numbers and first PSNs of both sides, then waits for words
 * on its standard input:
 *
 *   check   twenty messages of each kind, every byte of both buffers compared
 *           with a model, both QPs still connected; answers "whole"
 *   (end)   closes everything
 *
 * Every message takes one PSN, so that who listens knows which come next.
 */
#include <unistd.h>

#include "vt.h"

#define ROUNDS 20u
#define MESSAGE 200u
#define AREA 4096u /* of each kind, in the buffer */
#define BYTES (4 * AREA)

struct side {
	int fd;
	struct vt_end end;
	struct vt_address peer;
	uint8_t *model;
	uint32_t round;
};

/* What both sides know of themselves, for the printed line. */
struct name {
	uint32_t pid, qpn, psn;
};

static void open_side(struct side *side, int fd)
{
	struct vt_wish wish = vt_defaults();

	wish.buffer_bytes = BYTES;
	wish.all_signaled = true;
	side->fd = fd;
	vt_end_open(&side->end, &wish);
	side->model = calloc(1, BYTES);
	VT_CHECK(side->model);
	side->peer = vt_meet(fd, &side->end);
}

static void close_side(struct side *side)
{
	vt_sync(side->fd);
	vt_end_close(&side->end);
	free(side->model);
}

static struct name name_of(const struct side *side)
{
	return (struct name){ (uint32_t)getpid(), side->end.qp->qp_num,
			      side->end.psn };
}

static void check_whole(const struct side *side)
{
	VT_CHECK(!memcmp(side->end.buffer, side->model, BYTES));
	VT_EQUAL(vt_state(side->end.qp), IBV_QPS_RTS);
}

/* The requester's four areas: sent, written, read into, atomics' results. The
 * responder's: received, written to, read from, counted in. */
static void request_round(struct side *side, uint32_t round)
{
	struct vt_end *end = &side->end;
	uint64_t remote = side->peer.buffer, before = round;

	vt_fill(end->buffer, MESSAGE, 2 * round);
	vt_fill(end->buffer + AREA, MESSAGE, 2 * round + 1);
	memcpy(side->model, end->buffer, 2 * AREA);
	vt_send(end, 0, 0, MESSAGE);
	vt_expect(end->send_cq, 0, IBV_WC_SUCCESS);
	vt_rdma(end, 1, IBV_WR_RDMA_WRITE, AREA, MESSAGE, remote + AREA,
		side->peer.rkey);
	vt_expect(end->send_cq, 1, IBV_WC_SUCCESS);
	vt_rdma(end, 2, IBV_WR_RDMA_READ, 2 * AREA, MESSAGE, remote + AREA,
		side->peer.rkey);
	vt_expect(end->send_cq, 2, IBV_WC_SUCCESS);
	vt_fill(side->model + 2 * AREA, MESSAGE, 2 * round + 1);
	vt_rdma(end, 3, IBV_WR_ATOMIC_FETCH_AND_ADD, 3 * AREA, 8,
		remote + 3 * AREA, side->peer.rkey);
	vt_expect(end->send_cq, 3, IBV_WC_SUCCESS);
	memcpy(side->model + 3 * AREA, &before, sizeof(before));
}

static void request_rounds(struct side *side)
{
	uint32_t last = side->round + ROUNDS;

	for (; side->round < last; side->round++) {
		vt_sync(side->fd);
		request_round(side, side->round);
		vt_sync(side->fd);
	}
	check_whole(side);
}

static void respond_rounds(struct side *side)
{
	uint32_t last = side->round + ROUNDS;
	struct vt_end *end = &side->end;

	for (; side->round < last; side->round++) {
		uint64_t count = side->round + 1;

		vt_recv(end, 0, 0, MESSAGE);
		vt_sync(side->fd);
		vt_expect(end->recv_cq, 0, IBV_WC_SUCCESS);
		vt_sync(side->fd);
		vt_fill(side->model, MESSAGE, 2 * side->round);
		vt_fill(side->model + AREA, MESSAGE, 2 * side->round + 1);
		memcpy(side->model + 3 * AREA, &count, sizeof(count));
	}
	check_whole(side);
}

static void responder(int fd, void *unused)
{
	struct side side = { .round = 0 };
	struct name name;
	char word;

	(void)unused;
	vt_enter_peer_network();
	open_side(&side, fd);
	name = name_of(&side);
	vt_tell(fd, &name, sizeof(name));
	for (vt_hear(fd, &word, 1); word == 'c'; vt_hear(fd, &word, 1))
		respond_rounds(&side);
	close_side(&side);
}

int main(void)
{
	struct vt_peer peer = vt_fork(responder, NULL);
	struct side side = { .round = 0 };
	struct name a, b;
	char line[64], end = 'e';

	open_side(&side, peer.fd);
	a = name_of(&side);
	vt_hear(peer.fd, &b, sizeof(b));
	printf("requester pid %u qpn %u psn %u\n", a.pid, a.qpn, a.psn);
	printf("responder pid %u qpn %u psn %u\n", b.pid, b.qpn, b.psn);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		vt_tell(peer.fd, line, 1);
		request_rounds(&side);
		printf("whole\n");
		fflush(stdout);
	}
	vt_tell(peer.fd, &end, 1);
	close_side(&side);
	vt_join(&peer);
	return 0;
}
