/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Indirect keys: what cannot be set, and what cannot be done by them. A refused
 * access touches nothing, whichever part of it is to blame.
 */
#include "keys_vt.h"

#define ALL                                                                    \
	(IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE |                    \
	 IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC)
#define LENGTH 3000u

static void lay(struct side *side, unsigned int access)
{
	struct ibv_sge sge[] = {
		first_range(side, 4096, 1000),
		second_range(side, 100, 1000),
		first_range(side, 20000, 1000),
	};

	VT_EQUAL(arnicadv_set_mkey_list(side->mkey, access, 3, sge), 0);
}

static void lay_all(struct side *side)
{
	lay(side, ALL);
}

static void lay_read_only(struct side *side)
{
	lay(side, IBV_ACCESS_REMOTE_READ);
}

static void lay_local_only(struct side *side)
{
	lay(side, IBV_ACCESS_LOCAL_WRITE);
}

static void nothing_beyond_the_end(void)
{
	begin(lay_all);
	remote_refused(IBV_WR_RDMA_WRITE, 1, LENGTH);
	finish();
}

static void nothing_by_addresses_of_the_process(void)
{
	begin(lay_all);
	remote_refused(IBV_WR_RDMA_WRITE, address.buffer + 4096, 8);
	finish();
}

static void a_right_that_was_not_given_is_missing(void)
{
	begin(lay_read_only);
	remote_is(IBV_WC_SUCCESS, IBV_WR_RDMA_READ, 0, LENGTH);
	remote_refused(IBV_WR_RDMA_WRITE, 0, 8);
	finish();
}

static void local_rights_are_not_for_peers(void)
{
	begin(lay_local_only);
	remote_refused(IBV_WR_RDMA_READ, 0, 8);
	finish();
}

static void a_key_that_was_never_set_is_no_key(void)
{
	begin(NULL);
	remote_refused(IBV_WR_RDMA_WRITE, 0, 8);
	finish();
}

/* The middle range is gone; the others may still be used. */
static void a_deregistered_range_is_missed(void)
{
	begin(lay_all);
	order(ORDER_DEREG);
	vt_fill(mine.end.buffer, LENGTH, 1);
	remote_is(IBV_WC_SUCCESS, IBV_WR_RDMA_WRITE, 0, 1000);
	vt_fill(expected.first + 4096, 1000, 1);
	remote_is(IBV_WC_SUCCESS, IBV_WR_RDMA_WRITE, 2000, 1000);
	vt_fill(expected.first + 20000, 1000, 1);
	vt_fill(mine.end.buffer, LENGTH, 2);
	remote_refused(IBV_WR_RDMA_WRITE, 0, LENGTH);
	finish();
}

static void a_read_of_a_deregistered_range_fails(void)
{
	begin(lay_all);
	order(ORDER_DEREG);
	memset(mine.end.buffer, 1, LENGTH);
	remote_refused(IBV_WR_RDMA_READ, 999, 2);
	for (size_t i = 0; i < LENGTH; i++)
		VT_EQUAL(mine.end.buffer[i], 1);
	finish();
}

static void lay_torn_word(struct side *side)
{
	struct ibv_sge sge[] = {
		first_range(side, 64, 4),
		second_range(side, 64, 64),
	};

	VT_EQUAL(arnicadv_set_mkey_list(side->mkey, ALL, 2, sge), 0);
}

static void an_atomic_needs_its_word_in_one_place(void)
{
	begin(lay_torn_word);
	remote_refused(IBV_WR_ATOMIC_FETCH_AND_ADD, 0, 8);
	finish();
}

static void receive_fails(uint64_t offset, uint64_t length)
{
	struct message receive = { ORDER_RECV, offset, length, NULL };
	struct ibv_wc wc;

	tell(receive);
	vt_send(&mine.end, 2, 0, length);
	vt_expect(mine.end.send_cq, 2, IBV_WC_REM_OP_ERR);
	order(ORDER_POLL);
	vt_hear(peer.fd, &wc, sizeof(wc));
	VT_STATUS(&wc, IBV_WC_LOC_PROT_ERR);
	check_theirs("refused");
}

static void a_receive_into_a_deregistered_range_fails(void)
{
	begin(lay_all);
	order(ORDER_DEREG);
	receive_fails(0, LENGTH);
	finish();
}

static void a_receive_needs_the_right_to_write(void)
{
	begin(lay_read_only);
	receive_fails(0, 100);
	finish();
}

static void by_own_key(enum ibv_wr_opcode opcode, uint64_t offset,
		       uint32_t length, enum ibv_wc_status status)
{
	struct ibv_sge sge = { offset, length, mine.mkey->lkey };
	struct ibv_send_wr wr = vt_send_wr(1, opcode, &sge);

	wr.wr.rdma.remote_addr = address.buffer;
	wr.wr.rdma.rkey = address.rkey;
	VT_EQUAL(vt_post_send(&mine.end, &wr), 0);
	vt_expect(mine.end.send_cq, 1, status);
}

static void own_keys_are_checked_alike(void)
{
	begin(NULL);
	lay_all(&mine);
	by_own_key(IBV_WR_RDMA_WRITE, 0, LENGTH, IBV_WC_SUCCESS);
	memset(expected.first, GUARD, LENGTH);
	VT_EQUAL(ibv_dereg_mr(mine.second_mr), 0);
	mine.second_mr = NULL;
	memset(mine.end.buffer, 1, LOOK_BYTES);
	by_own_key(IBV_WR_RDMA_WRITE, 0, LENGTH, IBV_WC_LOC_PROT_ERR);
	check_theirs("refused");
	finish();
}

/* Nothing is accessed, so nothing is checked (IBTA C9-88). */
static void empty_requests_need_no_key(void)
{
	begin(lay_all);
	lay_read_only(&mine);
	remote_is(IBV_WC_SUCCESS, IBV_WR_RDMA_WRITE, LENGTH + 1, 0);
	remote_is(IBV_WC_SUCCESS, IBV_WR_RDMA_READ, 0, 0);
	by_own_key(IBV_WR_RDMA_READ, LENGTH + 1, 0, IBV_WC_SUCCESS);
	by_own_key(IBV_WR_RDMA_WRITE, 0, 0, IBV_WC_SUCCESS);
	check_theirs("nothing");
	finish();
}

static void a_read_needs_the_right_to_write(void)
{
	begin(NULL);
	lay_read_only(&mine);
	by_own_key(IBV_WR_RDMA_READ, 0, 8, IBV_WC_LOC_PROT_ERR);
	finish();
}

static void own_bounds_are_bounds(void)
{
	begin(NULL);
	lay_all(&mine);
	by_own_key(IBV_WR_RDMA_WRITE, LENGTH - 7, 8, IBV_WC_LOC_PROT_ERR);
	finish();
}

/* Keys in keys in keys: one too many. */
static void depth_has_a_limit(void)
{
	struct arnicadv_mkey_caps caps = { 0 };
	struct arnicadv_mkey *keys[16];
	struct ibv_sge sge;
	uint32_t i;

	begin(NULL);
	VT_EQUAL(arnicadv_query_mkey_caps(mine.end.context, &caps), 0);
	VT_CHECK(caps.max_depth < 16);
	sge = first_range(&mine, 0, 64);
	for (i = 0; i < caps.max_depth; i++) {
		keys[i] = make_key(&mine, 1);
		VT_EQUAL(arnicadv_set_mkey_list(keys[i], ALL, 1, &sge), 0);
		sge = (struct ibv_sge){ 0, 64, keys[i]->lkey };
	}
	VT_EQUAL(arnicadv_set_mkey_list(mine.mkey, ALL, 1, &sge), EINVAL);
	/* Behind the back of those that name it. */
	sge.lkey = keys[0]->lkey;
	VT_EQUAL(arnicadv_set_mkey_list(mine.mkey, ALL, 1, &sge), 0);
	sge.lkey = keys[caps.max_depth - 1]->lkey;
	VT_EQUAL(arnicadv_set_mkey_list(keys[0], ALL, 1, &sge), EINVAL);
	by_own_key(IBV_WR_RDMA_WRITE, 0, 64, IBV_WC_SUCCESS);
	sge.lkey = mine.mkey->lkey;
	VT_EQUAL(arnicadv_set_mkey_list(mine.inner, ALL, 1, &sge), 0);
	sge.lkey = mine.inner->lkey;
	VT_EQUAL(arnicadv_set_mkey_list(keys[0], ALL, 1, &sge), 0);
	by_own_key(IBV_WR_RDMA_WRITE, 0, 64, IBV_WC_LOC_PROT_ERR);
	for (i = 0; i < caps.max_depth; i++)
		VT_EQUAL(arnicadv_destroy_mkey(keys[i]), 0);
	finish();
}

static void set_fails(unsigned int access, struct ibv_sge sge)
{
	VT_EQUAL(arnicadv_set_mkey_list(mine.mkey, access, 1, &sge), EINVAL);
	VT_EQUAL(errno, EINVAL);
}

static void wrong_ranges_cannot_be_set(void)
{
	struct arnicadv_interleaved source;
	struct ibv_sge good;
	struct ibv_mr *read_only;
	struct vt_end other;

	begin(NULL);
	good = first_range(&mine, 0, 64);
	set_fails(ALL, (struct ibv_sge){ good.addr, 0, good.lkey });
	set_fails(ALL, (struct ibv_sge){ good.addr - 1, 8, good.lkey });
	set_fails(ALL, (struct ibv_sge){ good.addr + (1 << 20) - 7, 8,
					 good.lkey });
	set_fails(ALL, (struct ibv_sge){ good.addr, 8, good.lkey ^ 1 });
	set_fails(ALL, (struct ibv_sge){ good.addr, 8, 0 });
	set_fails(ALL, (struct ibv_sge){ 0, 8, mine.mkey->lkey });
	set_fails(ALL, (struct ibv_sge){ 0, 8, mine.inner->lkey });
	set_fails(IBV_ACCESS_REMOTE_WRITE, good);
	set_fails(ALL | IBV_ACCESS_MW_BIND, good);
	set_fails(1u << 15, good);
	VT_EQUAL(arnicadv_set_mkey_list(mine.mkey, 0, 0, &good), EINVAL);
	read_only = ibv_reg_mr(mine.end.pd, mine.end.buffer, 64,
			       IBV_ACCESS_REMOTE_READ);
	VT_CHECK(read_only);
	good.lkey = read_only->lkey;
	set_fails(IBV_ACCESS_LOCAL_WRITE, good);
	VT_EQUAL(arnicadv_set_mkey_list(mine.mkey, IBV_ACCESS_REMOTE_READ, 1,
					&good),
		 0);
	VT_EQUAL(ibv_dereg_mr(read_only), 0);
	vt_end_open_in(&other, &mine.end, &mine.end.wish);
	set_fails(0, vt_sge(&other, 0, 64));
	vt_end_close(&other);
	source = (struct arnicadv_interleaved){
		(uintptr_t)mine.end.buffer, 8, 1016, mine.end.mr->lkey,
	};
	VT_EQUAL(arnicadv_set_mkey_interleaved(mine.mkey, ALL, 1024, 1,
					       &source),
		 0);
	source.addr += 1017;
	VT_EQUAL(arnicadv_set_mkey_interleaved(mine.mkey, ALL, 1024, 1,
					       &source),
		 EINVAL);
	VT_EQUAL(arnicadv_set_mkey_interleaved(mine.mkey, ALL, 0, 1, &source),
		 EINVAL);
	/* What was set before is still there. */
	by_own_key(IBV_WR_RDMA_WRITE, 0, 8 * 1024, IBV_WC_SUCCESS);
	finish();
}

static void windows_and_advice_are_not_for_them(void)
{
	struct ibv_sge sge;
	/* A provider's region is more than what the library shows of it. */
	static union {
		struct ibv_mr mr;
		char bytes[512];
	} fake;
	struct ibv_send_wr wr;
	struct ibv_mw *window;

	begin(NULL);
	lay_all(&mine);
	sge = (struct ibv_sge){ 0, 8, mine.mkey->lkey };
	VT_EQUAL(ibv_advise_mr(mine.end.pd, IBV_ADVISE_MR_ADVICE_PREFETCH, 0,
			       &sge, 1),
		 ENOENT);
	window = ibv_alloc_mw(mine.end.pd, IBV_MW_TYPE_2);
	VT_CHECK(window);
	fake.mr = *mine.end.mr;
	fake.mr.lkey = mine.mkey->lkey;
	wr = (struct ibv_send_wr){
		.wr_id = 4,
		.opcode = IBV_WR_BIND_MW,
		.send_flags = IBV_SEND_SIGNALED,
		.bind_mw = { .mw = window,
			     .rkey = ibv_inc_rkey(window->rkey),
			     .bind_info = { .mr = &fake.mr,
					    .length = 8,
					    .mw_access_flags =
						    IBV_ACCESS_REMOTE_READ } },
	};
	VT_EQUAL(vt_post_send(&mine.end, &wr), 0);
	vt_expect(mine.end.send_cq, 4, IBV_WC_MW_BIND_ERR);
	VT_EQUAL(ibv_dealloc_mw(window), 0);
	finish();
}

static struct ibv_qp_ex *begin_extended(void)
{
	struct vt_wish wish = vt_defaults();

	wish.extended = true;
	wish.inline_bytes = 64; /* room for two entries */
	wish.send_sge = 1;
	begin_with(wish, NULL);
	return ibv_qp_to_qp_ex(mine.end.qp);
}

static void a_wrong_request_fails_at_its_place(void)
{
	struct ibv_qp_ex *qp = begin_extended();
	struct ibv_sge sge = first_range(&mine, (1 << 20) - 7, 8);

	lay_all(&mine);
	ibv_wr_start(qp);
	qp->wr_flags = IBV_SEND_SIGNALED;
	qp->wr_id = 1;
	ibv_wr_rdma_write(qp, address.rkey, address.buffer);
	ibv_wr_set_sge(qp, mine.mkey->lkey, 0, 8);
	qp->wr_id = 2;
	arnicadv_wr_mkey_list(qp, mine.mkey, ALL, 1, &sge);
	qp->wr_id = 3;
	ibv_wr_rdma_write(qp, address.rkey, address.buffer);
	ibv_wr_set_sge(qp, mine.mkey->lkey, 0, 8);
	VT_EQUAL(ibv_wr_complete(qp), 0);
	vt_expect(mine.end.send_cq, 1, IBV_WC_SUCCESS);
	vt_expect(mine.end.send_cq, 2, IBV_WC_MW_BIND_ERR);
	vt_expect(mine.end.send_cq, 3, IBV_WC_WR_FLUSH_ERR);
	finish();
}

static void too_long_requests_are_not_posted(void)
{
	struct ibv_qp_ex *qp = begin_extended();
	struct ibv_sge sge[20];

	for (uint32_t i = 0; i < 20; i++)
		sge[i] = first_range(&mine, i, 1);
	ibv_wr_start(qp);
	arnicadv_wr_mkey_list(qp, mine.mkey, 0, 20, sge);
	VT_EQUAL(ibv_wr_complete(qp), EINVAL);
	ibv_wr_start(qp);
	arnicadv_wr_mkey_list(qp, mine.mkey, 0, 4, sge);
	VT_EQUAL(ibv_wr_complete(qp), EINVAL);
	ibv_wr_start(qp);
	arnicadv_wr_mkey_list(qp, mine.mkey, 0, 0, sge);
	VT_EQUAL(ibv_wr_complete(qp), EINVAL);
	ibv_wr_start(qp);
	arnicadv_wr_mkey_list(qp, mine.mkey, 1u << 20, 1, sge);
	VT_EQUAL(ibv_wr_complete(qp), EINVAL);
	by_own_key(IBV_WR_RDMA_WRITE, 0, 1, IBV_WC_LOC_PROT_ERR);
	finish();
}

static void a_key_of_another_domain_cannot_be_set(void)
{
	struct ibv_qp_ex *qp = begin_extended();
	struct arnicadv_mkey_init_attr attr = { .max_entries = 1 };
	struct ibv_sge sge = first_range(&mine, 0, 8);
	struct arnicadv_mkey *key;

	attr.pd = ibv_alloc_pd(mine.end.context);
	VT_CHECK(attr.pd);
	key = arnicadv_create_mkey(&attr);
	VT_CHECK(key);
	/* It is its domain's, too. */
	VT_EQUAL(ibv_dealloc_pd(attr.pd), EBUSY);
	ibv_wr_start(qp);
	qp->wr_flags = IBV_SEND_SIGNALED;
	qp->wr_id = 1;
	arnicadv_wr_mkey_list(qp, key, 0, 1, &sge);
	VT_EQUAL(ibv_wr_complete(qp), 0);
	vt_expect(mine.end.send_cq, 1, IBV_WC_MW_BIND_ERR);
	VT_EQUAL(arnicadv_destroy_mkey(key), 0);
	VT_EQUAL(ibv_dealloc_pd(attr.pd), 0);
	attr.pd = mine.end.pd;
	attr.comp_mask = 1;
	VT_CHECK(!arnicadv_create_mkey(&attr));
	VT_EQUAL(errno, EINVAL);
	attr.comp_mask = 0;
	attr.max_entries = 0;
	VT_CHECK(!arnicadv_create_mkey(&attr));
	VT_EQUAL(errno, EINVAL);
	finish();
}

int main(int argc, char **argv)
{
	static const struct vt_case cases[] = {
		VT_CASE(nothing_beyond_the_end),
		VT_CASE(nothing_by_addresses_of_the_process),
		VT_CASE(a_right_that_was_not_given_is_missing),
		VT_CASE(local_rights_are_not_for_peers),
		VT_CASE(a_key_that_was_never_set_is_no_key),
		VT_CASE(a_deregistered_range_is_missed),
		VT_CASE(a_read_of_a_deregistered_range_fails),
		VT_CASE(an_atomic_needs_its_word_in_one_place),
		VT_CASE(a_receive_into_a_deregistered_range_fails),
		VT_CASE(a_receive_needs_the_right_to_write),
		VT_CASE(own_keys_are_checked_alike),
		VT_CASE(empty_requests_need_no_key),
		VT_CASE(a_read_needs_the_right_to_write),
		VT_CASE(own_bounds_are_bounds),
		VT_CASE(depth_has_a_limit),
		VT_CASE(wrong_ranges_cannot_be_set),
		VT_CASE(windows_and_advice_are_not_for_them),
		VT_CASE(a_wrong_request_fails_at_its_place),
		VT_CASE(too_long_requests_are_not_posted),
		VT_CASE(a_key_of_another_domain_cannot_be_set),
		{ NULL, NULL, 0 },
	};

	return vt_main(argc, argv, cases);
}
