/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * For tests of importing from another process. The case itself imports; an owner
 * has what it imports, and a third process is whom both talk to. The two do what
 * they are ordered to.
 */
#ifndef IMPORTS_VT_H
#define IMPORTS_VT_H

#include <sys/socket.h>
#include <unistd.h>

#include "vt.h"

#define BYTES 65536u
#define ODD_BYTES 5001u

enum order {
	FILL,	  /* seed, bytes: the memory that is exported */
	CHECK,	  /* seed, bytes */
	END_MR,	  /* answers errno */
	END_PD,	  /* ... of the spare domain */
	FREE_DM,  /* ... of the spare device memory; takes another one then */
	REREG,	  /* the same place, with other rights */
	CLOSE,	  /* the device */
	SEND,	  /* from its own buffer, seed, bytes; answers the status */
	RECEIVE,  /* into its own buffer, bytes */
	RECEIVED, /* ... which has come, seed */
	WRITE,	  /* seed, bytes, remote, rkey; answers the status */
	READ,	  /* seed, bytes, remote, rkey: checks, too */
	ADD,	  /* remote, rkey */
	MEET,	  /* connects with the importer anew */
};

struct request {
	enum order order;
	uint64_t seed, bytes, remote;
	uint32_t rkey;
};

/* What the owner tells. */
struct handles {
	uint32_t pd, mr, rkey, spare_pd, spare_mr, dm, spare_dm, odd_mr;
	uint64_t iova;
	bool private;
};

static struct vt_peer owner, third;
static struct vt_end me; /* the importer's */
static struct ibv_mr *my_mr;
static struct handles has;
static uint8_t *my_buffer;
static int device_fd;

/* The servants. */

struct servant {
	int fd;
	struct vt_end end;
	struct ibv_dm *dm, *spare_dm;
	struct ibv_mr *mr, *odd_mr, *spare_mr;
	struct ibv_pd *spare_pd;
	uint8_t *memory; /* NULL: device memory */
	void *odd;
	bool closed;
};

static inline void send_descriptor(int to, int fd)
{
	char room[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = room,
				  .msg_controllen = sizeof(room) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	VT_EQUAL(sendmsg(to, &message, 0), 1);
}

static inline int receive_descriptor(int from)
{
	char room[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = room,
				  .msg_controllen = sizeof(room) };
	int fd;

	VT_EQUAL(recvmsg(from, &message, MSG_CMSG_CLOEXEC), 1);
	VT_CHECK(CMSG_FIRSTHDR(&message));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

static inline struct ibv_dm *alloc_dm(struct ibv_context *context)
{
	struct ibv_alloc_dm_attr attr = { .length = BYTES };
	struct ibv_dm *dm = ibv_alloc_dm(context, &attr);

	VT_CHECK(dm);
	return dm;
}

static inline void fill(struct servant *servant, uint64_t seed, uint64_t bytes)
{
	uint8_t data[BYTES];

	vt_fill(data, BYTES, seed);
	if (servant->memory)
		memcpy(servant->memory, data, bytes);
	else
		VT_EQUAL(ibv_memcpy_to_dm(servant->dm, 0, data, BYTES), 0);
}

static inline void check(struct servant *servant, uint64_t seed, uint64_t bytes)
{
	uint8_t data[BYTES];

	if (servant->memory)
		memcpy(data, servant->memory, BYTES);
	else
		VT_EQUAL(ibv_memcpy_from_dm(data, servant->dm, 0, BYTES), 0);
	vt_check_fill(data, bytes, seed, "the owner's memory");
}

static inline int close_all(struct servant *servant)
{
	if (servant->mr)
		VT_EQUAL(ibv_dereg_mr(servant->mr), 0);
	VT_EQUAL(ibv_dereg_mr(servant->odd_mr), 0);
	free(servant->odd);
	VT_EQUAL(ibv_dereg_mr(servant->spare_mr), 0);
	VT_EQUAL(ibv_dealloc_pd(servant->spare_pd), 0);
	VT_EQUAL(ibv_free_dm(servant->dm), 0);
	VT_EQUAL(ibv_free_dm(servant->spare_dm), 0);
	vt_end_close(&servant->end);
	servant->closed = true;
	return 0;
}

static inline uint64_t rdma(struct servant *servant,
			    const struct request *request,
		     enum ibv_wr_opcode opcode)
{
	struct vt_end *end = &servant->end;
	struct ibv_wc wc;

	if (opcode == IBV_WR_RDMA_WRITE || opcode == IBV_WR_SEND)
		vt_fill(end->buffer, request->bytes, request->seed);
	if (opcode == IBV_WR_SEND)
		vt_send(end, 1, 0, request->bytes);
	else
		vt_rdma(end, 1, opcode, 0, request->bytes, request->remote,
			request->rkey);
	wc = vt_poll(end->send_cq);
	if (opcode == IBV_WR_RDMA_READ && wc.status == IBV_WC_SUCCESS)
		vt_check_fill(end->buffer, request->bytes, request->seed,
			      "what was read");
	return wc.status;
}

static inline uint64_t add(struct servant *servant,
			    const struct request *request)
{
	struct vt_end *end = &servant->end;
	struct ibv_sge sge = vt_sge(end, 0, 8);
	struct ibv_send_wr wr = vt_send_wr(1, IBV_WR_ATOMIC_FETCH_AND_ADD,
					   &sge);

	wr.wr.atomic.remote_addr = request->remote;
	wr.wr.atomic.rkey = request->rkey;
	wr.wr.atomic.compare_add = 1;
	VT_EQUAL(vt_post_send(end, &wr), 0);
	return vt_poll(end->send_cq).status;
}

static inline uint64_t obey(struct servant *servant,
			    const struct request *request)
{
	struct vt_end *end = &servant->end;

	switch (request->order) {
	case FILL:
		fill(servant, request->seed, request->bytes);
		return 0;
	case CHECK:
		check(servant, request->seed, request->bytes);
		return 0;
	case END_MR: {
		int error = ibv_dereg_mr(servant->mr);

		if (!error)
			servant->mr = NULL;
		return (uint64_t)error;
	}
	case END_PD:
		VT_EQUAL(ibv_dereg_mr(servant->spare_mr), 0);
		VT_EQUAL(ibv_dealloc_pd(servant->spare_pd), 0);
		servant->spare_pd = ibv_alloc_pd(end->context);
		VT_CHECK(servant->spare_pd);
		servant->spare_mr = ibv_reg_mr(servant->spare_pd, end->buffer,
					       BYTES, VT_ALL_ACCESS);
		VT_CHECK(servant->spare_mr);
		return servant->spare_pd->handle;
	case FREE_DM: {
		int error = ibv_free_dm(servant->spare_dm);

		servant->spare_dm = alloc_dm(end->context);
		return (uint64_t)error;
	}
	case REREG:
		return (uint64_t)ibv_rereg_mr(
			servant->mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL, 0,
			IBV_ACCESS_LOCAL_WRITE);
	case CLOSE:
		return (uint64_t)close_all(servant);
	case SEND:
		return rdma(servant, request, IBV_WR_SEND);
	case RECEIVE:
		vt_recv(end, 2, 0, request->bytes);
		return 0;
	case RECEIVED:
		vt_expect(end->recv_cq, 2, IBV_WC_SUCCESS);
		vt_check_fill(end->buffer, request->bytes, request->seed,
			      "what was received");
		return 0;
	case WRITE:
		return rdma(servant, request, IBV_WR_RDMA_WRITE);
	case READ:
		return rdma(servant, request, IBV_WR_RDMA_READ);
	case ADD:
		return add(servant, request);
	case MEET:
		vt_set_state(end->qp, IBV_QPS_RESET);
		vt_meet(servant->fd, end);
		return 0;
	}
	vt_fail(__FILE__, __LINE__, "no such order");
}

static inline void serve(struct servant *servant)
{
	struct request request;

	while (recv(servant->fd, &request, sizeof(request), MSG_WAITALL) ==
	       sizeof(request)) {
		uint64_t answer = obey(servant, &request);

		vt_tell(servant->fd, &answer, sizeof(answer));
	}
}

static inline void run_third(int fd, void *unused)
{
	struct vt_wish wish = vt_defaults();
	struct servant servant = { .fd = fd };

	(void)unused;
	vt_end_open(&servant.end, &wish);
	serve(&servant);
	vt_end_close(&servant.end);
}

/* What the owner exports: memory of its own, or the adapter's. */
static inline void run_owner(int fd, void *private)
{
	struct vt_wish wish = vt_defaults();
	struct servant servant = { .fd = fd };
	struct vt_end *end = &servant.end;
	struct handles handles = { .private = private != NULL };

	vt_end_open(end, &wish);
	servant.dm = alloc_dm(end->context);
	servant.spare_dm = alloc_dm(end->context);
	servant.spare_pd = ibv_alloc_pd(end->context);
	VT_CHECK(servant.spare_pd);
	servant.spare_mr = ibv_reg_mr(servant.spare_pd, end->buffer, BYTES,
				      VT_ALL_ACCESS);
	servant.odd = malloc(ODD_BYTES);
	VT_CHECK(servant.odd);
	servant.odd_mr = ibv_reg_mr(end->pd, servant.odd, ODD_BYTES,
				    VT_ALL_ACCESS);
	if (private) {
		servant.memory = end->buffer + BYTES;
		servant.mr = ibv_reg_mr(end->pd, servant.memory, BYTES,
					VT_ALL_ACCESS);
		handles.iova = (uintptr_t)servant.memory;
	} else {
		servant.mr = ibv_reg_dm_mr(end->pd, servant.dm, 0, BYTES,
					   VT_ALL_ACCESS |
						   IBV_ACCESS_ZERO_BASED);
	}
	VT_CHECK(servant.mr && servant.spare_mr && servant.odd_mr);
	handles.pd = end->pd->handle;
	handles.mr = servant.mr->handle;
	handles.rkey = servant.mr->rkey;
	handles.spare_pd = servant.spare_pd->handle;
	handles.spare_mr = servant.spare_mr->handle;
	handles.dm = servant.dm->handle;
	handles.spare_dm = servant.spare_dm->handle;
	handles.odd_mr = servant.odd_mr->handle;
	send_descriptor(fd, end->context->cmd_fd);
	vt_tell(fd, &handles, sizeof(handles));
	serve(&servant);
	if (!servant.closed)
		close_all(&servant);
}

/* The importer. */

static inline uint64_t ask(const struct vt_peer *peer, struct request request)
{
	uint64_t answer;

	vt_tell(peer->fd, &request, sizeof(request));
	vt_hear(peer->fd, &answer, sizeof(answer));
	return answer;
}

#define ASK(peer, ...) ASK_WITH(peer, __VA_ARGS__, 0, 0, 0, 0, 0)
#define ASK_WITH(peer, order_, seed_, bytes_, remote_, rkey_, ...)             \
	ask(&(peer), (struct request){ .order = (order_),                      \
				       .seed = (seed_),                        \
				       .bytes = (bytes_),                      \
				       .remote = (remote_),                    \
				       .rkey = (rkey_) })

static inline void start_owner(bool private)
{
	owner = vt_fork(run_owner, private ? &owner : NULL);
	device_fd = receive_descriptor(owner.fd);
	vt_hear(owner.fd, &has, sizeof(has));
}

static inline void make_queues(void)
{
	struct ibv_qp_init_attr attr = {
		.cap = { .max_send_wr = 64,
			 .max_recv_wr = 64,
			 .max_send_sge = 2,
			 .max_recv_sge = 2 },
		.qp_type = IBV_QPT_RC,
	};

	me.send_cq = ibv_create_cq(me.context, 128, NULL, NULL, 0);
	me.recv_cq = ibv_create_cq(me.context, 128, NULL, NULL, 0);
	VT_CHECK(me.send_cq && me.recv_cq);
	attr.send_cq = me.send_cq;
	attr.recv_cq = me.recv_cq;
	me.qp = ibv_create_qp(me.pd, &attr);
	VT_CHECK(me.qp);
	me.psn = 4711;
}

static inline void import(void)
{
	memset(&me, 0, sizeof(me));
	me.wish = vt_defaults();
	me.context = ibv_import_device(device_fd);
	VT_CHECK(me.context);
	me.pd = ibv_import_pd(me.context, has.pd);
	VT_CHECK(me.pd);
	me.mr = ibv_import_mr(me.pd, has.mr);
	/* Memory that cannot be adopted here is not importable. */
	if (!me.mr && has.private && errno == EOPNOTSUPP)
		vt_skip("private memory is not adopted here");
	VT_CHECK(me.mr);
	me.buffer = (uint8_t *)(uintptr_t)has.iova;
	make_queues();
	my_buffer = aligned_alloc(4096, BYTES);
	VT_CHECK(my_buffer);
	my_mr = ibv_reg_mr(me.pd, my_buffer, BYTES, VT_ALL_ACCESS);
	VT_CHECK(my_mr);
}

static inline void connect_third(void)
{
	struct request request = { .order = MEET };
	uint64_t answer;

	vt_tell(third.fd, &request, sizeof(request));
	vt_set_state(me.qp, IBV_QPS_RESET);
	vt_meet(third.fd, &me);
	vt_hear(third.fd, &answer, sizeof(answer));
}

static inline void start(bool private)
{
	start_owner(private);
	third = vt_fork(run_third, NULL);
	import();
	connect_third();
}

static inline void stop_importing(void)
{
	VT_EQUAL(ibv_destroy_qp(me.qp), 0);
	VT_EQUAL(ibv_destroy_cq(me.send_cq), 0);
	VT_EQUAL(ibv_destroy_cq(me.recv_cq), 0);
	VT_EQUAL(ibv_dereg_mr(my_mr), 0);
	ibv_unimport_mr(me.mr);
	ibv_unimport_pd(me.pd);
	VT_EQUAL(ibv_close_device(me.context), 0);
	free(my_buffer);
}

static inline void end_peer(struct vt_peer *peer)
{
	shutdown(peer->fd, SHUT_WR);
	vt_join(peer);
}

static inline void stop(void)
{
	stop_importing();
	end_peer(&third);
	end_peer(&owner);
}

static inline int post(enum ibv_wr_opcode opcode, uint32_t lkey,
		       uint64_t address, uint32_t bytes, uint64_t remote,
		       uint32_t rkey)
{
	struct ibv_sge sge = { address, bytes, lkey };
	struct ibv_send_wr wr = vt_send_wr(3, opcode, &sge);

	wr.wr.rdma.remote_addr = remote;
	wr.wr.rdma.rkey = rkey;
	VT_EQUAL(vt_post_send(&me, &wr), 0);
	return vt_poll(me.send_cq).status;
}

static inline void post_recv(struct ibv_mr *mr, uint64_t address, uint32_t bytes)
{
	struct ibv_sge sge = { address, bytes, mr->lkey };
	struct ibv_recv_wr wr = { .wr_id = 4, .sg_list = &sge, .num_sge = 1 };
	struct ibv_recv_wr *bad;

	VT_EQUAL(ibv_post_recv(me.qp, &wr, &bad), 0);
}

/* From the owner's memory, by the importer's queue, to the third. */
static inline void check_sends(uint64_t seed, uint32_t bytes)
{
	VT_EQUAL(ASK(owner, FILL, seed, BYTES), 0);
	VT_EQUAL(ASK(third, RECEIVE, seed, bytes), 0);
	VT_EQUAL(post(IBV_WR_SEND, me.mr->lkey, has.iova, bytes, 0, 0),
		 IBV_WC_SUCCESS);
	VT_EQUAL(ASK(third, RECEIVED, seed, bytes), 0);
}

/* From the third, by the importer's queue, into the owner's memory. */
static inline void check_receives(uint64_t seed, uint32_t bytes)
{
	VT_EQUAL(ASK(owner, FILL, seed + 1, BYTES), 0);
	post_recv(me.mr, has.iova, bytes);
	VT_EQUAL(ASK(third, SEND, seed, bytes), IBV_WC_SUCCESS);
	/* It is there when the completion is. */
	vt_expect(me.recv_cq, 4, IBV_WC_SUCCESS);
	VT_EQUAL(ASK(owner, CHECK, seed, bytes), 0);
}

/* By the owner's key, through the importer's queue pair. */
static inline void check_remote(uint64_t seed, uint32_t bytes)
{
	VT_EQUAL(ASK(third, WRITE, seed, bytes, has.iova, has.rkey),
		 IBV_WC_SUCCESS);
	VT_EQUAL(ASK(owner, CHECK, seed, bytes), 0);
	VT_EQUAL(ASK(owner, FILL, seed + 1, BYTES), 0);
	VT_EQUAL(ASK(third, READ, seed + 1, bytes, has.iova, has.rkey),
		 IBV_WC_SUCCESS);
	VT_EQUAL(ASK(third, ADD, 0, 0, has.iova + 8, has.rkey),
		 IBV_WC_SUCCESS);
}

static inline void check_all(uint64_t seed)
{
	static const uint32_t sizes[] = { 8, 33, 2000, BYTES };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		check_sends(seed++, sizes[i]);
		check_receives(seed++, sizes[i]);
		check_remote(seed++, sizes[i]);
	}
}

#define REFUSED(call, error)                                                   \
	do {                                                                   \
		errno = 0;                                                     \
		VT_CHECK(!(call));                                             \
		VT_EQUAL(errno, error);                                        \
	} while (0)

#endif
