/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Random operations between two processes, with every byte checked against a
 * model.
 *
 * Both processes draw the same operations from the same seed. The requester
 * posts them in batches; the responder posts the receives that a batch needs,
 * and afterwards looks at every completion, every receive buffer (with the
 * bytes between and behind its pieces) and its whole exposed memory. The
 * requester checks what reads and atomic operations returned. Each side keeps
 * the model of the responder's memory for itself.
 *
 * An operation that could overtake an earlier read or atomic operation on the
 * same bytes is fenced, as 10.8.3.3 demands of applications; all else relies
 * on the order that RC promises.
 *
 * VT_SEED chooses the sequence, VT_BATCHES its length (or VT_MBYTES, in
 * megabytes that are moved), VT_MAX the largest message, VT_KINDS the
 * operations: all, send, write, read or atomic. With VT_PEER_NETWORK the
 * responder runs in another network namespace.
 */
#include <sys/mman.h>

#include "vt.h"

#define EXPOSED_BYTES (2u << 20)
#define SOURCE_BYTES (2u << 20)
#define SINK_BYTES (24u << 20)
#define ROOM_BYTES (24u << 20)
#define MAX_OPS 16
#define MAX_PIECES 30
#define GUARD 0xee

enum kind { SEND, SEND_IMM, WRITE, WRITE_IMM, READ, CAS, FETCH_ADD, KINDS };

static const enum ibv_wr_opcode opcodes[KINDS] = {
	IBV_WR_SEND,		      IBV_WR_SEND_WITH_IMM,
	IBV_WR_RDMA_WRITE,	      IBV_WR_RDMA_WRITE_WITH_IMM,
	IBV_WR_RDMA_READ,	      IBV_WR_ATOMIC_CMP_AND_SWP,
	IBV_WR_ATOMIC_FETCH_AND_ADD,
};

/* VT_KINDS: a range of the operations above. */
static const struct family {
	const char *name;
	enum kind first;
	unsigned int count;
} families[] = {
	{ "all", SEND, KINDS }, { "send", SEND, 2 }, { "write", WRITE, 2 },
	{ "read", READ, 1 },	{ "atomic", CAS, 2 },
};

struct piece {
	uint32_t offset, length;
};

struct op {
	enum kind kind;
	uint32_t length, remote, imm;
	uint64_t add, swap;
	bool wants_inline, signaled, solicited, fenced;
	unsigned int num_local, num_recv;
	struct piece local[MAX_PIECES]; /* of source (or sink, for reads) */
	struct piece recv[MAX_PIECES];	/* of the room for receives */
	uint64_t expected;		/* what an atomic operation returns */
};

struct plan {
	uint64_t random;
	const struct family *family;
	uint32_t max_length;
	uint32_t sink_used, room_used;
	unsigned int num_ops;
	struct op ops[MAX_OPS];
};

/* One direction: requester process and responder process have one each. */
struct side {
	int fd;
	struct vt_end end;
	struct vt_address peer;
	uint8_t *source, *sink, *exposed, *room;
	uint8_t *source_model, *exposed_model, *sink_model;
	struct plan plan;
	uint64_t batch;
	uint64_t bytes; /* that were moved */
};

static uint32_t below(uint64_t *state, uint64_t limit)
{
	return limit ? (uint32_t)(vt_random(state) % limit) : 0;
}

static uint32_t random_length(struct plan *plan)
{
	static const uint32_t tops[] = { 1,    33,     33,	  257,
					 257,  4097,   4097,	  70000,
					 9000, 300000, 1u << 20, 16 };
	uint32_t top = tops[below(&plan->random, 12)];

	if (top > plan->max_length)
		top = plan->max_length;
	return below(&plan->random, (uint64_t)top + 1);
}

/* Cuts `length` bytes into pieces at random places of [start, start + room);
 * pieces of no bytes among them. Returns the bytes of room used. */
static unsigned int cut(struct plan *plan, uint32_t length, uint32_t start,
			uint32_t gap, unsigned int most, struct piece *pieces,
			uint32_t *used)
{
	unsigned int count = below(&plan->random, 3) ?
				     1 + below(&plan->random, 3) :
				     1 + below(&plan->random, most);
	uint32_t at = start;

	if (length == 0 && below(&plan->random, 2))
		count = 0;
	for (unsigned int i = 0; i < count; i++) {
		uint32_t part = i == count - 1 ? length :
				below(&plan->random, (uint64_t)length + 1);

		at += below(&plan->random, gap);
		pieces[i] = (struct piece){ at, part };
		at += part;
		length -= part;
	}
	*used = at - start;
	return count;
}

static bool receives(const struct op *op)
{
	return op->kind <= SEND_IMM || op->kind == WRITE_IMM;
}

static void plan_op(struct plan *plan, struct op *op, bool last)
{
	uint32_t used, slack;

	memset(op, 0, sizeof(*op));
	op->kind = (enum kind)(plan->family->first +
			       below(&plan->random, plan->family->count));
	op->length = op->kind >= CAS ? 8 : random_length(plan);
	op->remote = below(&plan->random, EXPOSED_BYTES - op->length);
	if (op->kind >= CAS) /* few places, so that they meet */
		op->remote = 8 * below(&plan->random, 64);
	op->imm = (uint32_t)vt_random(&plan->random);
	op->add = below(&plan->random, 2) ? vt_random(&plan->random) : 1;
	op->swap = vt_random(&plan->random);
	op->wants_inline = below(&plan->random, 3) == 0;
	op->signaled = last || below(&plan->random, 2);
	op->solicited = below(&plan->random, 4) == 0;
	op->fenced = below(&plan->random, 8) == 0;
	if (op->kind >= READ) {
		op->num_local = cut(plan, op->length, plan->sink_used, 40,
				    op->kind == READ ? MAX_PIECES : 1,
				    op->local, &used);
		if (op->kind >= CAS) { /* one piece of eight bytes */
			op->num_local = 1;
			op->local[0] = (struct piece){
				(plan->sink_used + 7) & ~7u, 8 };
			used += 16;
		}
		plan->sink_used += used + below(&plan->random, 64);
	} else {
		op->num_local = cut(plan, op->length,
				    below(&plan->random,
					  SOURCE_BYTES - op->length - 4096),
				    40, MAX_PIECES, op->local, &used);
	}
	if (!receives(op))
		return;
	slack = below(&plan->random, 2) ? below(&plan->random, 100) : 0;
	op->num_recv = cut(plan,
			   op->kind == WRITE_IMM ? 0 : op->length + slack,
			   plan->room_used, 40, MAX_PIECES, op->recv, &used);
	plan->room_used += used + below(&plan->random, 64);
}

static bool overlaps(uint32_t a, uint32_t a_bytes, uint32_t b,
		     uint32_t b_bytes)
{
	return a < b + b_bytes && b < a + a_bytes;
}

/* Two atomic operations, and two reads, keep their order without a fence. */
static bool may_overtake(const struct op *later, const struct op *earlier)
{
	if (earlier->kind < READ || later->kind < WRITE)
		return false;
	return (later->kind >= CAS) != (earlier->kind >= CAS) ||
	       later->kind < READ;
}

static void plan_fences(struct plan *plan)
{
	for (unsigned int i = 1; i < plan->num_ops; i++)
		for (unsigned int k = 0; k < i; k++)
			if (may_overtake(&plan->ops[i], &plan->ops[k]) &&
			    overlaps(plan->ops[i].remote, plan->ops[i].length,
				     plan->ops[k].remote, plan->ops[k].length))
				plan->ops[i].fenced = true;
}

static void plan_batch(struct plan *plan)
{
	plan->sink_used = plan->room_used = 0;
	plan->num_ops = 1 + below(&plan->random, MAX_OPS);
	for (unsigned int i = 0; i < plan->num_ops; i++)
		plan_op(plan, &plan->ops[i], i == plan->num_ops - 1);
	plan_fences(plan);
}

/* The bytes that an operation carries, as the model has them. */
static void gather(const struct side *side, const struct op *op, uint8_t *to)
{
	for (unsigned int i = 0; i < op->num_local; i++) {
		memcpy(to, side->source_model + op->local[i].offset,
		       op->local[i].length);
		to += op->local[i].length;
	}
}

static void apply_atomic(struct side *side, struct op *op)
{
	uint64_t value;

	memcpy(&value, side->exposed_model + op->remote, 8);
	op->expected = value;
	if (op->kind == FETCH_ADD)
		value += op->add;
	else if (op->imm % 2 == 0) /* the compare value is the right one */
		value = op->swap;
	memcpy(side->exposed_model + op->remote, &value, 8);
}

/* Carries the batch out on the model of exposed memory and sink. */
static void apply(struct side *side)
{
	for (unsigned int i = 0; i < side->plan.num_ops; i++) {
		struct op *op = &side->plan.ops[i];
		const uint8_t *from = side->exposed_model + op->remote;

		if (op->kind == WRITE || op->kind == WRITE_IMM)
			gather(side, op, side->exposed_model + op->remote);
		if (op->kind >= CAS) {
			apply_atomic(side, op);
			memcpy(side->sink_model + op->local[0].offset,
			       &op->expected, 8);
		}
		for (unsigned int k = 0; op->kind == READ && k < op->num_local;
		     k++) {
			memcpy(side->sink_model + op->local[k].offset, from,
			       op->local[k].length);
			from += op->local[k].length;
		}
	}
}

static void build(struct side *side, const struct op *op,
		  struct ibv_send_wr *wr, struct ibv_sge *sge)
{
	uint8_t *base = op->kind >= READ ? side->sink : side->source;

	for (unsigned int i = 0; i < op->num_local; i++)
		sge[i] = (struct ibv_sge){
			.addr = (uintptr_t)base + op->local[i].offset,
			.length = op->local[i].length,
			.lkey = side->end.mr->lkey };
	*wr = vt_send_wr((uint64_t)(op - side->plan.ops), opcodes[op->kind],
			 sge);
	wr->num_sge = (int)op->num_local;
	wr->imm_data = htobe32(op->imm);
	wr->send_flags = (op->signaled ? IBV_SEND_SIGNALED : 0) |
			 (op->solicited ? IBV_SEND_SOLICITED : 0) |
			 (op->fenced ? IBV_SEND_FENCE : 0);
	if (op->wants_inline && op->kind <= WRITE_IMM &&
	    op->length <= side->end.cap.max_inline_data)
		wr->send_flags |= IBV_SEND_INLINE;
	if (op->kind >= CAS) {
		wr->wr.atomic.remote_addr = side->peer.buffer + op->remote;
		wr->wr.atomic.rkey = side->peer.rkey;
		wr->wr.atomic.compare_add = op->kind == FETCH_ADD ? op->add :
					    op->imm % 2 ? op->expected + 1 :
							  op->expected;
		wr->wr.atomic.swap = op->swap;
	} else {
		wr->wr.rdma.remote_addr = side->peer.buffer + op->remote;
		wr->wr.rdma.rkey = side->peer.rkey;
	}
}

static void request(struct side *side)
{
	static struct ibv_sge sge[MAX_OPS][MAX_PIECES];
	struct ibv_send_wr wr[MAX_OPS], *bad;
	struct plan *plan = &side->plan;
	bool as_list = below(&plan->random, 2);

	for (unsigned int i = 0; i < plan->num_ops; i++) {
		build(side, &plan->ops[i], &wr[i], sge[i]);
		if (as_list && i)
			wr[i - 1].next = &wr[i];
	}
	for (unsigned int i = 0; i < (as_list ? 1 : plan->num_ops); i++)
		VT_EQUAL(ibv_post_send(side->end.qp, &wr[i], &bad), 0);
	for (unsigned int i = 0; i < plan->num_ops; i++) {
		struct op *op = &plan->ops[i];
		struct ibv_wc wc;

		if (!op->signaled)
			continue;
		wc = vt_poll(side->end.send_cq);
		VT_STATUS(&wc, IBV_WC_SUCCESS);
		VT_EQUAL(wc.wr_id, i);
		VT_EQUAL(wc.opcode, op->kind <= SEND_IMM  ? IBV_WC_SEND :
				    op->kind <= WRITE_IMM ? IBV_WC_RDMA_WRITE :
				    op->kind == READ	  ? IBV_WC_RDMA_READ :
				    op->kind == CAS	  ? IBV_WC_COMP_SWAP :
							    IBV_WC_FETCH_ADD);
	}
}

static void compare(const char *what, const struct side *side,
		    const uint8_t *real, const uint8_t *model, size_t bytes)
{
	if (!memcmp(real, model, bytes))
		return;
	for (size_t i = 0; i < bytes; i++)
		if (real[i] != model[i])
			vt_fail(__FILE__, __LINE__,
				"batch %llu: %s: byte %zu is 0x%02x, not "
				"0x%02x", (unsigned long long)side->batch,
				what, i, real[i], model[i]);
}

/* Both sides count alike, so they end alike. */
static bool is_done(const struct side *side, uint64_t batches)
{
	uint64_t mbytes = vt_setting("VT_MBYTES", 0);

	return mbytes ? side->bytes >= mbytes << 20 : side->batch >= batches;
}

static void next_batch(struct side *side)
{
	plan_batch(&side->plan);
	for (unsigned int i = 0; i < side->plan.num_ops; i++)
		side->bytes += side->plan.ops[i].length;
}

static void run_requester(struct side *side, uint64_t batches)
{
	for (side->batch = 0; !is_done(side, batches); side->batch++) {
		next_batch(side);
		memset(side->sink, GUARD, side->plan.sink_used + 64);
		memset(side->sink_model, GUARD, side->plan.sink_used + 64);
		apply(side);
		vt_sync(side->fd); /* receives are posted */
		request(side);
		compare("what was read", side, side->sink, side->sink_model,
			side->plan.sink_used + 64);
		compare("source", side, side->source, side->source_model,
			SOURCE_BYTES);
		vt_sync(side->fd); /* all is done */
	}
}

static void post_receives(struct side *side)
{
	memset(side->room, GUARD, side->plan.room_used + 64);
	for (unsigned int i = 0; i < side->plan.num_ops; i++) {
		const struct op *op = &side->plan.ops[i];
		struct ibv_recv_wr wr = { .wr_id = i }, *bad;
		struct ibv_sge sge[MAX_PIECES];

		if (!receives(op))
			continue;
		for (unsigned int k = 0; k < op->num_recv; k++)
			sge[k] = (struct ibv_sge){
				.addr = (uintptr_t)side->room +
					op->recv[k].offset,
				.length = op->recv[k].length,
				.lkey = side->end.mr->lkey };
		wr.sg_list = sge;
		wr.num_sge = (int)op->num_recv;
		VT_EQUAL(ibv_post_recv(side->end.qp, &wr, &bad), 0);
	}
}

/* The room as it must be: payloads scattered, all else untouched. */
static void check_room(struct side *side)
{
	static uint8_t *model, *payload;
	struct plan *plan = &side->plan;

	if (!model) {
		model = malloc(ROOM_BYTES);
		payload = malloc(SOURCE_BYTES);
		VT_CHECK(model && payload);
	}
	memset(model, GUARD, plan->room_used + 64);
	for (unsigned int i = 0; i < plan->num_ops; i++) {
		const struct op *op = &plan->ops[i];
		uint32_t left = op->length, done = 0;

		if (op->kind > SEND_IMM)
			continue;
		gather(side, op, payload);
		for (unsigned int k = 0; k < op->num_recv && left; k++) {
			uint32_t part = op->recv[k].length < left ?
						op->recv[k].length : left;

			memcpy(model + op->recv[k].offset, payload + done,
			       part);
			done += part;
			left -= part;
		}
	}
	compare("receive buffers", side, side->room, model,
		plan->room_used + 64);
}

static struct ibv_wc next_receive(struct side *side, bool *slept)
{
	struct ibv_wc wc;
	struct ibv_cq *cq;
	void *cookie;

	if (ibv_poll_cq(side->end.recv_cq, 1, &wc) == 1)
		return wc;
	if (!*slept) { /* sleep once for each batch, then poll */
		*slept = true;
		VT_EQUAL(ibv_req_notify_cq(side->end.recv_cq, 0), 0);
		if (ibv_poll_cq(side->end.recv_cq, 1, &wc) == 1)
			return wc;
		VT_CHECK(vt_readable(side->end.channel->fd, 20000));
		VT_EQUAL(ibv_get_cq_event(side->end.channel, &cq, &cookie), 0);
		ibv_ack_cq_events(cq, 1);
	}
	return vt_poll(side->end.recv_cq);
}

static void run_responder(struct side *side, uint64_t batches)
{
	for (side->batch = 0; !is_done(side, batches); side->batch++) {
		struct plan *plan = &side->plan;
		bool slept = side->batch % 3 != 0;

		next_batch(side);
		apply(side);
		post_receives(side);
		vt_sync(side->fd);
		below(&plan->random, 2); /* as the requester draws */
		for (unsigned int i = 0; i < plan->num_ops; i++) {
			const struct op *op = &plan->ops[i];
			struct ibv_wc wc;

			if (!receives(op))
				continue;
			wc = next_receive(side, &slept);
			VT_STATUS(&wc, IBV_WC_SUCCESS);
			VT_EQUAL(wc.wr_id, i);
			VT_EQUAL(wc.byte_len, op->length);
			VT_EQUAL(wc.opcode, op->kind == WRITE_IMM ?
					    IBV_WC_RECV_RDMA_WITH_IMM :
					    IBV_WC_RECV);
			VT_EQUAL(!!(wc.wc_flags & IBV_WC_WITH_IMM),
				 op->kind != SEND);
			if (op->kind != SEND)
				VT_EQUAL(be32toh(wc.imm_data), op->imm);
		}
		check_room(side);
		vt_sync(side->fd);
		compare("exposed memory", side, side->exposed,
			side->exposed_model, EXPOSED_BYTES);
	}
}

static const struct family *chosen_family(void)
{
	const char *name = getenv("VT_KINDS");

	for (size_t i = 0; name && i < sizeof(families) / sizeof(*families);
	     i++)
		if (!strcmp(families[i].name, name))
			return &families[i];
	VT_CHECK(!name);
	return &families[0];
}

static void open_side(struct side *side, int fd, uint64_t seed)
{
	struct vt_wish wish = vt_defaults();

	side->fd = fd;
	wish.send_sge = wish.recv_sge = MAX_PIECES;
	wish.send_depth = wish.recv_depth = MAX_OPS;
	wish.inline_bytes = 256;
	wish.channel = true;
	wish.rd_atomic = 1 + (uint8_t)(seed % 8);
	wish.mtu = seed % 2 ? IBV_MTU_4096 : IBV_MTU_256;
	wish.buffer_bytes = EXPOSED_BYTES + SOURCE_BYTES + SINK_BYTES +
			    ROOM_BYTES;
	vt_end_open(&side->end, &wish);
	VT_CHECK(side->end.cap.max_send_sge >= MAX_PIECES);
	VT_CHECK(side->end.cap.max_inline_data >= 256);
	side->exposed = side->end.buffer;
	side->source = side->exposed + EXPOSED_BYTES;
	side->sink = side->source + SOURCE_BYTES;
	side->room = side->sink + SINK_BYTES;
	side->source_model = malloc(SOURCE_BYTES);
	side->exposed_model = malloc(EXPOSED_BYTES);
	side->sink_model = malloc(SINK_BYTES);
	VT_CHECK(side->source_model && side->exposed_model &&
		 side->sink_model);
	vt_fill(side->source, SOURCE_BYTES, seed);
	memcpy(side->source_model, side->source, SOURCE_BYTES);
	memset(side->exposed, 0, EXPOSED_BYTES);
	memset(side->exposed_model, 0, EXPOSED_BYTES);
	side->plan.random = seed;
	side->plan.family = chosen_family();
	side->plan.max_length = (uint32_t)vt_setting("VT_MAX", 1 << 20);
	side->peer = vt_meet(fd, &side->end);
}

static void close_side(struct side *side)
{
	vt_sync(side->fd);
	vt_end_close(&side->end);
	free(side->source_model);
	free(side->exposed_model);
	free(side->sink_model);
}

static void responder_process(int fd, void *seed)
{
	static struct side side;

	vt_enter_peer_network();
	open_side(&side, fd, *(uint64_t *)seed);
	run_responder(&side, vt_setting("VT_BATCHES", 150));
	close_side(&side);
}

static void two_processes(uint64_t seed)
{
	static struct side side;
	struct vt_peer peer = vt_fork(responder_process, &seed);

	open_side(&side, peer.fd, seed);
	run_requester(&side, vt_setting("VT_BATCHES", 150));
	close_side(&side);
	vt_join(&peer);
}

static void random_operations_of_the_first_seed(void)
{
	two_processes(vt_setting("VT_SEED", 1));
}

static void random_operations_of_the_second_seed(void)
{
	two_processes(vt_setting("VT_SEED", 1) + 1001);
}

static void reverse_process(int fd, void *seed)
{
	static struct side side;

	vt_enter_peer_network();
	open_side(&side, fd, *(uint64_t *)seed);
	run_requester(&side, vt_setting("VT_BATCHES", 150) / 3);
	close_side(&side);
}

static void forward_process(int fd, void *seed)
{
	(void)fd;
	two_processes(*(uint64_t *)seed);
}

/* Four processes, two pairs at once, in opposite directions. */
static void random_operations_of_two_pairs_at_once(void)
{
	uint64_t seed = vt_setting("VT_SEED", 1) + 2002, other = seed + 1;
	struct vt_peer pair = vt_fork(forward_process, &other);
	struct vt_peer peer = vt_fork(reverse_process, &seed);
	static struct side side;

	open_side(&side, peer.fd, seed);
	run_responder(&side, vt_setting("VT_BATCHES", 150) / 3);
	close_side(&side);
	vt_join(&peer);
	vt_join(&pair);
}

static const struct vt_case cases[] = {
	{ "random_operations_of_the_first_seed",
	  random_operations_of_the_first_seed, 600 },
	{ "random_operations_of_the_second_seed",
	  random_operations_of_the_second_seed, 600 },
	{ "random_operations_of_two_pairs_at_once",
	  random_operations_of_two_pairs_at_once, 600 },
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
