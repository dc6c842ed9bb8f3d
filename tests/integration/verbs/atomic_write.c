/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Atomic writes as applications use them: by ibv_wr_atomic_write() and by
 * ibv_post_send(), to a peer in another process whose thread looks on.
 */
#include <dlfcn.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "vt.h"

#define ROUNDS 100u
#define LAST UINT64_MAX

/* Both halves of a word, so that a torn one can be told. */
static uint64_t pattern(uint64_t round)
{
	return round << 32 | (~round & 0xffffffff);
}

static struct vt_wish wish_of(int access)
{
	struct vt_wish wish = vt_defaults();

	wish.rd_atomic = 4;
	wish.qp_access = access;
	return wish;
}

static struct vt_wish wish_of_the_call(void)
{
	struct vt_wish wish = wish_of(VT_ALL_ACCESS);

	wish.extended = true;
	wish.send_ops = IBV_QP_EX_WITH_ATOMIC_WRITE;
	return wish;
}

/* Of rdma-core, as the loaded library's file is named; zero: it is not named
 * so. */
static unsigned int release_of_library(void)
{
	struct ibv_device **(*function)(int *) = ibv_get_device_list;
	unsigned int release;
	const char *number;
	Dl_info info;
	void *address;
	char *path;

	memcpy(&address, &function, sizeof(address));
	VT_CHECK(dladdr(address, &info));
	path = realpath(info.dli_fname, NULL);
	VT_CHECK(path);
	number = strstr(path, "libibverbs.so.1.");
	if (!number ||
	    sscanf(number, "libibverbs.so.1.%*u.%u.", &release) != 1)
		release = 0;
	free(path);
	return release;
}

/* The call came with release 44; the header has it at a place where a queue pair
 * of an older library has something else. */
static void need_the_call(void)
{
	unsigned int release = release_of_library();

	if (release && release < 44)
		vt_skip("libibverbs %u has no ibv_wr_atomic_write()", release);
}

static void watching_peer(int fd, void *unused)
{
	struct vt_wish wish = wish_of_the_call();
	struct vt_patience patience = vt_patience(60000);
	_Atomic uint64_t *word;
	struct vt_end end;
	uint64_t seen = 0, looks = 0, now;

	(void)unused;
	vt_end_open(&end, &wish);
	word = (_Atomic uint64_t *)(void *)(end.buffer + 64);
	atomic_store(word, pattern(0));
	(void)vt_meet(fd, &end);
	while ((now = atomic_load_explicit(word, memory_order_acquire)) !=
	       LAST) {
		VT_EQUAL(now, pattern(now >> 32));
		VT_CHECK(now >> 32 >= seen);
		seen = now >> 32;
		if (looks++ % 64)
			continue;
		/* Does the adapter's part, where it has one. */
		vt_poll_nothing(end.recv_cq, 0);
		/* There may be fewer processors than processes. */
		sched_yield();
		VT_CHECK(!vt_patience_ends(&patience));
	}
	vt_sync(fd);
	vt_end_close(&end);
}

static void write_word(struct vt_end *end, uint64_t id, uint64_t remote,
		       uint32_t rkey, uint64_t value)
{
	struct ibv_qp_ex *ex = ibv_qp_to_qp_ex(end->qp);

	ibv_wr_start(ex);
	ex->wr_id = id;
	ex->wr_flags = IBV_SEND_SIGNALED;
	ibv_wr_atomic_write(ex, rkey, remote, &value);
	VT_EQUAL(ibv_wr_complete(ex), 0);
}

static void words_are_never_torn(void)
{
	struct vt_wish wish = wish_of_the_call();
	struct vt_address far;
	struct vt_peer peer;
	struct vt_end end;
	uint64_t round;

	need_the_call();
	peer = vt_fork(watching_peer, NULL);
	vt_end_open(&end, &wish);
	far = vt_meet(peer.fd, &end);
	for (round = 1; round <= ROUNDS; round++) {
		struct ibv_wc wc;

		write_word(&end, round, far.buffer + 64, far.rkey,
			   round == ROUNDS ? LAST : pattern(round));
		wc = vt_poll(end.send_cq);
		VT_STATUS(&wc, IBV_WC_SUCCESS);
		VT_EQUAL(wc.wr_id, round);
		VT_EQUAL(wc.opcode, IBV_WC_ATOMIC_WRITE);
	}
	vt_sync(peer.fd);
	vt_end_close(&end);
	vt_join(&peer);
}

static struct vt_end a, b;

static void the_device_says_that_it_has_them(void)
{
	struct vt_wish wish = vt_defaults();
	struct ibv_device_attr_ex device;

	vt_end_open(&a, &wish);
	VT_EQUAL(ibv_query_device_ex(a.context, NULL, &device), 0);
	VT_CHECK(device.device_cap_flags_ex >> 40 & 1);
	vt_end_close(&a);
}

static void open_pair(int access)
{
	struct vt_wish wish = wish_of(access);

	vt_pair_open(&a, &b, &wish, false);
	memset(b.buffer, 0, 64);
}

static void post(uint64_t id, struct ibv_sge *sge, unsigned int flags,
		 uint64_t remote)
{
	struct ibv_send_wr wr = vt_send_wr(id, IBV_WR_ATOMIC_WRITE, sge);

	wr.send_flags |= flags;
	wr.wr.rdma.remote_addr = remote;
	wr.wr.rdma.rkey = b.mr->rkey;
	VT_EQUAL(vt_post_send(&a, &wr), 0);
}

/* The peer's thread polls meanwhile: it may have a part in it. */
static void expect(uint64_t id, enum ibv_wc_status status)
{
	struct ibv_wc wc = vt_poll_of(a.send_cq, b.recv_cq);

	VT_EQUAL(wc.wr_id, id);
	VT_EQUAL(wc.status, status);
}

static void data_may_come_from_memory_or_inline(void)
{
	uint64_t words[2] = { 0x1111222233334444, 0x5555666677778888 };
	struct ibv_sge parts[2], sge = { (uintptr_t)words, 8, 0 };
	struct ibv_send_wr wr;

	open_pair(VT_ALL_ACCESS);
	memcpy(a.buffer, words, 8);
	parts[0] = vt_sge(&a, 0, 3);
	parts[1] = vt_sge(&a, 3, 5);
	wr = vt_send_wr(1, IBV_WR_ATOMIC_WRITE, parts);
	wr.num_sge = 2;
	wr.wr.rdma.remote_addr = (uintptr_t)b.buffer;
	wr.wr.rdma.rkey = b.mr->rkey;
	VT_EQUAL(vt_post_send(&a, &wr), 0);
	expect(1, IBV_WC_SUCCESS);
	sge.addr = (uintptr_t)&words[1];
	post(2, &sge, IBV_SEND_INLINE, (uintptr_t)b.buffer + 8);
	expect(2, IBV_WC_SUCCESS);
	VT_CHECK(!memcmp(b.buffer, words, sizeof(words)));
	vt_pair_close(&a, &b);
}

static void fails(int access, size_t bytes, size_t offset,
		  enum ibv_wc_status status)
{
	static const uint8_t zeros[64];
	struct ibv_sge sge;

	open_pair(access);
	memset(a.buffer, 0xff, 64);
	sge = vt_sge(&a, 0, bytes);
	post(1, &sge, 0, (uintptr_t)b.buffer + offset);
	expect(1, status);
	VT_CHECK(!memcmp(b.buffer, zeros, sizeof(zeros)));
	vt_wait_state(a.qp, IBV_QPS_ERR);
	vt_pair_close(&a, &b);
}

static void only_eight_bytes_are_written(void)
{
	fails(VT_ALL_ACCESS, 4, 0, IBV_WC_LOC_LEN_ERR);
	fails(VT_ALL_ACCESS, 16, 0, IBV_WC_LOC_LEN_ERR);
}

static void the_address_must_be_aligned(void)
{
	fails(VT_ALL_ACCESS, 8, 4, IBV_WC_REM_INV_REQ_ERR);
}

static void the_right_to_write_is_needed(void)
{
	fails(IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC, 8, 0,
	      IBV_WC_REM_INV_REQ_ERR);
}

/* Refused when it is posted: unreliable services have no responses. */
static void other_services_have_none(void)
{
	struct vt_wish wish = vt_defaults();
	struct ibv_send_wr wr, *bad;
	struct ibv_sge sge;

	wish.type = IBV_QPT_UC;
	vt_pair_open(&a, &b, &wish, false);
	sge = vt_sge(&a, 0, 8);
	wr = vt_send_wr(1, IBV_WR_ATOMIC_WRITE, &sge);
	wr.wr.rdma.remote_addr = (uintptr_t)b.buffer;
	wr.wr.rdma.rkey = b.mr->rkey;
	VT_EQUAL(ibv_post_send(a.qp, &wr, &bad), EINVAL);
	VT_CHECK(bad == &wr);
	vt_pair_close(&a, &b);
}

static const struct vt_case cases[] = {
	VT_CASE(the_device_says_that_it_has_them),
	VT_CASE(words_are_never_torn),
	VT_CASE(data_may_come_from_memory_or_inline),
	VT_CASE(only_eight_bytes_are_written),
	VT_CASE(the_address_must_be_aligned),
	VT_CASE(the_right_to_write_is_needed),
	VT_CASE(other_services_have_none),
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
