/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The fixture of the provider's tests; see fixture.h.
 */
#include "fixture.h"

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "calibrate.h"

#define DEVICE_BYTES 4096u

static void keep_device(struct arnica_abi_device *device)
{
	(void)device;
}

static const struct arnica_abi_device_ops device_ops = {
	.name = "arnica",
	.uninit_device = keep_device,
};

struct arnica_qp *fixture_add_qp_of(struct fixture *fixture,
				    struct arnica_cq *cq, enum ibv_qp_type type)
{
	struct ibv_qp_init_attr_ex attr = {
		.send_cq = ibv_cq_ex_to_cq(&cq->verbs),
		.recv_cq = ibv_cq_ex_to_cq(&cq->verbs),
		.cap = { FIXTURE_DEPTH, FIXTURE_DEPTH, FIXTURE_SGE, FIXTURE_SGE,
			 FIXTURE_INLINE },
		.qp_type = type,
		.comp_mask = IBV_QP_INIT_ATTR_PD |
			     IBV_QP_INIT_ATTR_SEND_OPS_FLAGS,
		.pd = fixture->pd,
		.send_ops_flags = IBV_QP_EX_WITH_SEND |
				  (type == IBV_QPT_UD ?
					   0 :
					   IBV_QP_EX_WITH_RDMA_WRITE),
	};
	struct ibv_qp *qp = ibv_create_qp_ex(fixture->ibv, &attr);

	return qp ? arnica_qp_of(qp) : NULL;
}

struct arnica_qp *fixture_add_qp(struct fixture *fixture)
{
	return fixture_add_qp_of(fixture, fixture->cq, IBV_QPT_RC);
}

int fixture_open(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	char *base;

	if (arnica_calibrate_library(&arnica_calibration) ||
	    arnica_calibrate_layout(&arnica_calibration))
		return -1;
	fixture->bus = fake_bus_create();
	fixture->device = calloc(1, DEVICE_BYTES);
	fixture->device->ops = &device_ops;
	fixture->device->refcount = 2;
	strcpy(fixture->device->device.name, "arnica0");
	base = arnica_context_alloc(&fixture->device->device, -1, NULL);
	if (!base)
		return -1;
	fixture->ibv = (struct ibv_context
				*)(void *)(base +
					   arnica_calibration.context_bytes -
					   sizeof(struct ibv_context));
	fixture->context = arnica_context_of(fixture->ibv);
	fixture->pd = ibv_alloc_pd(fixture->ibv);
	fixture->cq = arnica_cq_of(
		ibv_create_cq(fixture->ibv, 1024, NULL, NULL, 0));
	fixture->qp = fixture_add_qp(fixture);
	*state = fixture;
	return fixture->qp ? 0 : -1;
}

int fixture_close(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(ibv_destroy_qp(&fixture->qp->verbs.base), 0);
	assert_int_equal(ibv_destroy_cq(ibv_cq_ex_to_cq(&fixture->cq->verbs)),
			 0);
	assert_int_equal(ibv_dealloc_pd(fixture->pd), 0);
	ibv_close_device(fixture->ibv);
	fake_bus_destroy(fixture->bus);
	free(fixture->device);
	free(fixture);
	return 0;
}

void fixture_set_state(struct arnica_qp *qp, enum ibv_qp_state state)
{
	qp->verbs.base.state = state;
	arnica_qp_set_state(qp, state);
}

void fixture_complete(struct fixture *fixture, struct arnica_ring *ring,
		      uint32_t index, struct arnica_hw_cqe entry)
{
	fake_bus_publish(ring->entries, ring->mask, index, &entry);
	fake_bus_push(fixture->cq->record, ring->record, ring->number);
}

struct arnica_hw_cqe fixture_entry(uint32_t status, uint32_t opcode,
				   uint32_t flags, uint32_t wqe_index)
{
	return (struct arnica_hw_cqe){
		.wqe_index = arnica_to_le32(wqe_index),
		.info = arnica_to_le32(status | opcode << 8 | flags << 16),
	};
}

int fixture_post_send(struct arnica_qp *qp, uint64_t wr_id)
{
	struct ibv_send_wr wr = {
		.wr_id = wr_id,
		.opcode = IBV_WR_SEND,
		.send_flags = IBV_SEND_SIGNALED,
	};
	struct ibv_send_wr *bad;

	return ibv_post_send(&qp->verbs.base, &wr, &bad);
}

int fixture_post_receive(struct arnica_qp *qp, uint64_t wr_id, void *buffer,
			 uint32_t length)
{
	struct ibv_sge sge = { (uintptr_t)buffer, length, 0x200 };
	struct ibv_recv_wr wr = { .wr_id = wr_id,
				  .sg_list = &sge,
				  .num_sge = 1 };
	struct ibv_recv_wr *bad;

	return ibv_post_recv(&qp->verbs.base, &wr, &bad);
}
