/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * XRC: who sends, who receives, and whose the SRQ is, in up to four processes.
 * The case itself is the sender; each keeper is a process of its own that does
 * what it is told: it has an XRC SRQ, and XRC_RECV queue pairs.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vt.h"

#define BUFFER_BYTES (1u << 20)
#define LONG_BYTES 200000u

enum order {
	ORDER_POST,    /* a receive of `length` bytes at `offset` */
	ORDER_WAIT,    /* the next completion of the SRQ */
	ORDER_CONNECT, /* an XRC_RECV queue pair to `peer` */
	ORDER_EVENT,   /* an event of type `id`, and the QP's state */
	ORDER_DESTROY, /* the QP; or when it has none, one that it makes */
	ORDER_LOOK,    /* is memory filled with seed `id`? */
	ORDER_RESIZE,  /* the SRQ: `length` receives */
	ORDER_END,
};

struct request {
	enum order order;
	uint64_t id;
	uint32_t offset, length;
	struct vt_address peer;
};

struct reply {
	struct vt_address address;
	uint32_t srqn;
	struct ibv_wc wc;
	enum ibv_qp_state state;
};

struct keeper {
	struct vt_peer peer;
	struct vt_address address; /* of its memory, and of the last QP */
	uint32_t srqn;
};

/* What a keeper has; the case has one as well, for its domain. */
static struct vt_end end;
static struct ibv_xrcd *domain;
static struct ibv_srq *srq;
static int domain_file = -1;

static struct ibv_xrcd *open_domain(struct ibv_context *context, int fd,
				    int oflags)
{
	struct ibv_xrcd_init_attr attr = {
		.comp_mask = IBV_XRCD_INIT_ATTR_FD | IBV_XRCD_INIT_ATTR_OFLAGS,
		.fd = fd,
		.oflags = oflags,
	};

	return ibv_open_xrcd(context, &attr);
}

static void make_file(void)
{
	char name[] = "/tmp/arnica-xrcd-XXXXXX";

	domain_file = mkstemp(name);
	VT_CHECK(domain_file >= 0);
	VT_EQUAL(unlink(name), 0);
}

static struct ibv_srq *make_srq(struct vt_end *of, struct ibv_xrcd *xrcd)
{
	struct ibv_srq_init_attr_ex attr = {
		.attr = { .max_wr = 16, .max_sge = 2 },
		.comp_mask = IBV_SRQ_INIT_ATTR_TYPE | IBV_SRQ_INIT_ATTR_PD |
			     IBV_SRQ_INIT_ATTR_XRCD | IBV_SRQ_INIT_ATTR_CQ,
		.srq_type = IBV_SRQT_XRC,
		.pd = of->pd,
		.xrcd = xrcd,
		.cq = of->recv_cq,
	};

	return ibv_create_srq_ex(of->context, &attr);
}

static struct ibv_qp *make_receiver(struct vt_end *of, struct ibv_xrcd *xrcd)
{
	struct ibv_qp_init_attr_ex attr = {
		.qp_type = IBV_QPT_XRC_RECV,
		.comp_mask = IBV_QP_INIT_ATTR_XRCD,
		.xrcd = xrcd,
	};

	return ibv_create_qp_ex(of->context, &attr);
}

/* An end with a QP of type XRC_SEND that is no end's peer so far. */
static void open_sender(struct vt_end *sender)
{
	struct vt_wish wish = vt_defaults();

	wish.type = IBV_QPT_XRC_SEND;
	wish.buffer_bytes = BUFFER_BYTES;
	vt_end_open(sender, &wish);
}

static int modify(struct ibv_qp *qp, const struct vt_end *of,
		  const struct vt_address *peer, enum ibv_qp_state state)
{
	struct ibv_qp_attr attr = {
		.qp_state = state,
		.port_num = 1,
		.qp_access_flags = VT_ALL_ACCESS,
		.path_mtu = IBV_MTU_1024,
		.rq_psn = peer ? peer->psn : 0,
		.dest_qp_num = peer ? peer->qpn : 0,
		.sq_psn = of->psn,
		.max_dest_rd_atomic = 4,
		.max_rd_atomic = 4,
		.min_rnr_timer = 1,
		.timeout = of->wish.timeout,
		.retry_cnt = 7,
		.rnr_retry = 7,
		.ah_attr = { .is_global = 1,
			     .port_num = 1,
			     .grh = { .sgid_index = (uint8_t)vt_setting(
					      "VT_GID", 0),
				      .hop_limit = 1 } },
	};
	int mask = IBV_QP_STATE;

	if (peer)
		attr.ah_attr.grh.dgid = peer->gid;
	if (state == IBV_QPS_INIT)
		mask |= IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS;
	if (state == IBV_QPS_RTR)
		mask |= IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
			IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC |
			IBV_QP_MIN_RNR_TIMER;
	if (state == IBV_QPS_RTS)
		mask |= IBV_QP_SQ_PSN | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
			IBV_QP_RNR_RETRY | IBV_QP_MAX_QP_RD_ATOMIC;
	return ibv_modify_qp(qp, &attr, mask);
}

static void connect_qp(struct ibv_qp *qp, const struct vt_end *of,
		       const struct vt_address *peer)
{
	VT_EQUAL(modify(qp, of, NULL, IBV_QPS_INIT), 0);
	VT_EQUAL(modify(qp, of, peer, IBV_QPS_RTR), 0);
	VT_EQUAL(modify(qp, of, peer, IBV_QPS_RTS), 0);
}

static void post(uint64_t id, uint32_t offset, uint32_t length)
{
	struct ibv_sge sge = vt_sge(&end, offset, length);
	struct ibv_recv_wr wr = { .wr_id = id, .sg_list = &sge, .num_sge = 1 };
	struct ibv_recv_wr *bad;

	VT_EQUAL(ibv_post_srq_recv(srq, &wr, &bad), 0);
}

/* The keeper's process. */
static void resize(uint32_t depth)
{
	struct ibv_srq_attr attr = { .max_wr = depth };

	VT_EQUAL(ibv_modify_srq(srq, &attr, IBV_SRQ_MAX_WR), 0);
	VT_EQUAL(ibv_query_srq(srq, &attr), 0);
	VT_EQUAL(attr.max_wr, depth);
}

static void obey(int fd, void *argument)
{
	struct vt_wish wish = vt_defaults();
	struct ibv_qp *qp = NULL;
	struct request request;

	(void)argument;
	wish.buffer_bytes = BUFFER_BYTES;
	vt_end_open(&end, &wish);
	domain = open_domain(end.context, domain_file, O_CREAT);
	VT_CHECK(domain);
	srq = make_srq(&end, domain);
	VT_CHECK(srq);
	do {
		struct reply reply = { .address = vt_address_of(&end) };

		VT_EQUAL(ibv_get_srq_num(srq, &reply.srqn), 0);
		vt_hear(fd, &request, sizeof(request));
		switch (request.order) {
		case ORDER_POST:
			post(request.id, request.offset, request.length);
			break;
		case ORDER_WAIT:
			reply.wc = vt_poll(end.recv_cq);
			break;
		case ORDER_CONNECT:
			qp = make_receiver(&end, domain);
			VT_CHECK(qp);
			connect_qp(qp, &end, &request.peer);
			reply.address.qpn = qp->qp_num;
			break;
		case ORDER_EVENT:
			vt_event(end.context, (enum ibv_event_type)request.id);
			vt_wait_state(qp, IBV_QPS_ERR);
			break;
		case ORDER_DESTROY:
			if (!qp)
				qp = make_receiver(&end, domain);
			VT_CHECK(qp);
			VT_EQUAL(ibv_destroy_qp(qp), 0);
			qp = NULL;
			break;
		case ORDER_LOOK:
			vt_check_fill(end.buffer + request.offset,
				      request.length, request.id, "message");
			break;
		case ORDER_RESIZE:
			resize(request.length);
			break;
		case ORDER_END:
			break;
		}
		vt_tell(fd, &reply, sizeof(reply));
	} while (request.order != ORDER_END);
}

static struct reply tell(struct keeper *keeper, struct request request)
{
	struct reply reply;

	vt_tell(keeper->peer.fd, &request, sizeof(request));
	vt_hear(keeper->peer.fd, &reply, sizeof(reply));
	return reply;
}

static void start_keeper(struct keeper *keeper)
{
	keeper->peer = vt_fork(obey, NULL);
}

/* Once the case itself may have a device open. */
static void meet_keeper(struct keeper *keeper)
{
	struct reply reply = tell(keeper, (struct request){
						  .order = ORDER_LOOK });

	keeper->address = reply.address;
	keeper->srqn = reply.srqn;
}

static void end_keeper(struct keeper *keeper)
{
	(void)tell(keeper, (struct request){ .order = ORDER_END });
	vt_join(&keeper->peer);
}

/* One that receives, and one that has the SRQ, in a new domain. */
static void start_two(struct keeper *receiver, struct keeper *owner)
{
	make_file();
	start_keeper(receiver);
	start_keeper(owner);
	meet_keeper(receiver);
	meet_keeper(owner);
}

/* The keeper receives what the sender's QP sends, to whatever SRQ. */
static uint32_t connect_to(struct vt_end *sender, struct keeper *keeper)
{
	struct reply reply = tell(keeper, (struct request){
						  .order = ORDER_CONNECT,
						  .peer = vt_address_of(sender) });

	connect_qp(sender->qp, sender, &reply.address);
	return reply.address.qpn;
}

static struct ibv_send_wr wr_to(const struct keeper *to, uint64_t id,
				enum ibv_wr_opcode opcode, struct ibv_sge *sge)
{
	struct ibv_send_wr wr = vt_send_wr(id, opcode, sge);

	wr.qp_type.xrc.remote_srqn = to->srqn;
	wr.imm_data = 0x12345678;
	if (opcode == IBV_WR_ATOMIC_FETCH_AND_ADD) {
		wr.wr.atomic.remote_addr = to->address.buffer;
		wr.wr.atomic.rkey = to->address.rkey;
		wr.wr.atomic.compare_add = 3;
	} else {
		wr.wr.rdma.remote_addr = to->address.buffer + 4096;
		wr.wr.rdma.rkey = to->address.rkey;
	}
	return wr;
}

static void send_to(struct vt_end *sender, const struct keeper *to, uint64_t id,
		    enum ibv_wr_opcode opcode, uint32_t length)
{
	struct ibv_sge sge = vt_sge(sender, 0, length);
	struct ibv_send_wr wr = wr_to(to, id, opcode, &sge);

	if (opcode != IBV_WR_RDMA_READ)
		vt_fill(sender->buffer, length, id);
	VT_EQUAL(vt_post_send(sender, &wr), 0);
}

/* A message to the keeper's SRQ, through the QP with this number. */
static void pass(struct vt_end *sender, struct keeper *to, uint32_t qpn,
		 uint64_t id, uint32_t length)
{
	struct reply reply;

	(void)tell(to, (struct request){ .order = ORDER_POST, .id = id,
					 .offset = 8192, .length = length });
	send_to(sender, to, id, IBV_WR_SEND, length);
	vt_expect(sender->send_cq, id, IBV_WC_SUCCESS);
	reply = tell(to, (struct request){ .order = ORDER_WAIT });
	VT_EQUAL(reply.wc.wr_id, id);
	VT_STATUS(&reply.wc, IBV_WC_SUCCESS);
	VT_EQUAL(reply.wc.opcode, IBV_WC_RECV);
	VT_EQUAL(reply.wc.byte_len, length);
	VT_EQUAL(reply.wc.qp_num, qpn);
	(void)tell(to, (struct request){ .order = ORDER_LOOK, .id = id,
					 .offset = 8192, .length = length });
}

static void pass_all(struct vt_end *sender, struct keeper *to, uint32_t qpn)
{
	static const uint32_t lengths[] = { 1, 32, 33, 1024, 1025, 9000,
					    LONG_BYTES };
	struct reply reply;

	for (uint32_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		pass(sender, to, qpn, i + 1, lengths[i]);
	send_to(sender, to, 20, IBV_WR_RDMA_WRITE, LONG_BYTES);
	vt_expect(sender->send_cq, 20, IBV_WC_SUCCESS);
	(void)tell(to, (struct request){ .order = ORDER_LOOK, .id = 20,
					 .offset = 4096,
					 .length = LONG_BYTES });
	memset(sender->buffer, 0, LONG_BYTES);
	send_to(sender, to, 21, IBV_WR_RDMA_READ, LONG_BYTES);
	vt_expect(sender->send_cq, 21, IBV_WC_SUCCESS);
	vt_check_fill(sender->buffer, LONG_BYTES, 20, "what was read");
	for (uint64_t i = 0; i < 3; i++) {
		uint64_t before;

		send_to(sender, to, 22, IBV_WR_ATOMIC_FETCH_AND_ADD, 8);
		vt_expect(sender->send_cq, 22, IBV_WC_SUCCESS);
		memcpy(&before, sender->buffer, sizeof(before));
		VT_EQUAL(before, 3 * i);
	}
	send_to(sender, to, 25, IBV_WR_ATOMIC_WRITE, 8);
	vt_expect(sender->send_cq, 25, IBV_WC_SUCCESS);
	(void)tell(to, (struct request){ .order = ORDER_LOOK, .id = 25,
					 .offset = 4096, .length = 8 });
	/* No receive is posted yet. */
	send_to(sender, to, 23, IBV_WR_RDMA_WRITE_WITH_IMM, 100);
	vt_poll_nothing(sender->send_cq, 20);
	(void)tell(to, (struct request){ .order = ORDER_POST, .id = 24 });
	vt_expect(sender->send_cq, 23, IBV_WC_SUCCESS);
	reply = tell(to, (struct request){ .order = ORDER_WAIT });
	VT_STATUS(&reply.wc, IBV_WC_SUCCESS);
	VT_EQUAL(reply.wc.opcode, IBV_WC_RECV_RDMA_WITH_IMM);
	VT_EQUAL(reply.wc.imm_data, 0x12345678);
	VT_EQUAL(reply.wc.wr_id, 24);
	VT_EQUAL(reply.wc.qp_num, qpn);
}

static void every_operation_reaches_the_srq(void)
{
	struct keeper keeper;
	struct vt_end sender;

	make_file();
	start_keeper(&keeper);
	meet_keeper(&keeper);
	open_sender(&sender);
	pass_all(&sender, &keeper, connect_to(&sender, &keeper));
	vt_end_close(&sender);
	end_keeper(&keeper);
}

static void the_srq_may_be_another_process_s(void)
{
	struct keeper receiver, owner;
	struct vt_end sender;
	uint32_t qpn;

	start_two(&receiver, &owner);
	open_sender(&sender);
	qpn = connect_to(&sender, &receiver);
	pass_all(&sender, &owner, qpn);
	pass(&sender, &receiver, qpn, 50, 5000);
	pass(&sender, &owner, qpn, 51, 5000);
	vt_end_close(&sender);
	end_keeper(&owner);
	end_keeper(&receiver);
}

static void refused(struct vt_end *sender, struct keeper *receiver)
{
	vt_expect(sender->send_cq, 9, IBV_WC_REM_INV_REQ_ERR);
	vt_wait_state(sender->qp, IBV_QPS_ERR);
	(void)tell(receiver, (struct request){ .order = ORDER_EVENT,
					       .id = IBV_EVENT_QP_REQ_ERR });
}

static void no_srq_of_the_domain_is_refused(void)
{
	struct keeper receiver, stranger;
	struct vt_end sender;

	make_file();
	start_keeper(&receiver);
	make_file();
	start_keeper(&stranger);
	meet_keeper(&receiver);
	meet_keeper(&stranger);
	open_sender(&sender);
	(void)connect_to(&sender, &receiver);
	send_to(&sender, &stranger, 9, IBV_WR_SEND, 8);
	refused(&sender, &receiver);
	vt_end_close(&sender);
	/* The number of the receiving queue pair is not that of an SRQ. */
	open_sender(&sender);
	stranger.srqn = connect_to(&sender, &receiver);
	send_to(&sender, &stranger, 9, IBV_WR_RDMA_WRITE, 8);
	refused(&sender, &receiver);
	vt_end_close(&sender);
	open_sender(&sender);
	pass(&sender, &receiver, connect_to(&sender, &receiver), 1, 100);
	vt_end_close(&sender);
	end_keeper(&stranger);
	end_keeper(&receiver);
}

static void a_message_that_is_too_long_ends_its_connection(void)
{
	struct keeper keeper;
	struct vt_end sender;
	struct reply reply;
	uint32_t qpn;

	make_file();
	start_keeper(&keeper);
	meet_keeper(&keeper);
	open_sender(&sender);
	qpn = connect_to(&sender, &keeper);
	(void)tell(&keeper, (struct request){ .order = ORDER_POST, .id = 5,
					      .length = 100 });
	send_to(&sender, &keeper, 9, IBV_WR_SEND, 5000);
	vt_expect(sender.send_cq, 9, IBV_WC_REM_INV_REQ_ERR);
	reply = tell(&keeper, (struct request){ .order = ORDER_WAIT });
	VT_STATUS(&reply.wc, IBV_WC_LOC_LEN_ERR);
	VT_EQUAL(reply.wc.wr_id, 5);
	VT_EQUAL(reply.wc.qp_num, qpn);
	vt_end_close(&sender);
	open_sender(&sender);
	pass(&sender, &keeper, connect_to(&sender, &keeper), 1, 100);
	vt_end_close(&sender);
	end_keeper(&keeper);
}

static void kill_keeper(struct keeper *keeper)
{
	VT_EQUAL(kill(keeper->peer.pid, SIGKILL), 0);
	VT_EQUAL(waitpid(keeper->peer.pid, NULL, 0), keeper->peer.pid);
	close(keeper->peer.fd);
}

static void the_death_of_an_srq_is_that_of_its_messages(void)
{
	struct keeper receiver, owner;
	struct vt_end sender, other;
	uint32_t qpn;

	start_two(&receiver, &owner);
	open_sender(&sender);
	open_sender(&other);
	qpn = connect_to(&other, &receiver);
	pass(&sender, &owner, connect_to(&sender, &receiver), 1, LONG_BYTES);
	pass(&other, &owner, qpn, 2, 100);
	kill_keeper(&owner);
	send_to(&sender, &owner, 9, IBV_WR_SEND, 8);
	vt_expect(sender.send_cq, 9, IBV_WC_REM_INV_REQ_ERR);
	pass(&other, &receiver, qpn, 3, LONG_BYTES);
	vt_end_close(&other);
	vt_end_close(&sender);
	end_keeper(&receiver);
}

/* How often the threads of a process have gone to sleep. */
static long sleeps_of(pid_t pid)
{
	static const char label[] = "voluntary_ctxt_switches:";
	char name[64], line[256];
	const struct dirent *entry;
	long sleeps = 0;
	DIR *tasks;

	snprintf(name, sizeof(name), "/proc/%d/task", (int)pid);
	tasks = opendir(name);
	VT_CHECK(tasks);
	while ((entry = readdir(tasks))) {
		FILE *status;

		snprintf(name, sizeof(name), "/proc/%d/task/%.16s/status",
			 (int)pid, entry->d_name);
		status = fopen(name, "r");
		while (status && fgets(line, sizeof(line), status))
			if (!strncmp(line, label, sizeof(label) - 1))
				sleeps += strtol(line + sizeof(label) - 1,
						 NULL, 10);
		if (status)
			(void)fclose(status);
	}
	(void)closedir(tasks);
	return sleeps;
}

/* What its process alone can do waits for it; what others can do does not. */
static void a_stopped_srq_keeps_others_from_nothing(void)
{
	struct keeper receiver, owner;
	struct vt_wish wish = vt_defaults();
	struct vt_end sender, other;
	uint32_t sender_qpn, qpn;
	long sleeps;

	start_two(&receiver, &owner);
	wish.type = IBV_QPT_XRC_SEND;
	wish.buffer_bytes = BUFFER_BYTES;
	wish.timeout = 18; /* about eight seconds of patience */
	vt_end_open(&sender, &wish);
	vt_end_open(&other, &wish);
	sender_qpn = connect_to(&sender, &receiver);
	pass(&sender, &owner, sender_qpn, 1, LONG_BYTES);
	send_to(&sender, &owner, 2, IBV_WR_RDMA_WRITE, LONG_BYTES);
	vt_expect(sender.send_cq, 2, IBV_WC_SUCCESS);
	qpn = connect_to(&other, &receiver);
	VT_EQUAL(kill(owner.peer.pid, SIGSTOP), 0);
	memset(sender.buffer, 0, LONG_BYTES);
	send_to(&sender, &owner, 3, IBV_WR_RDMA_READ, LONG_BYTES);
	for (uint64_t id = 10; id < 30; id++)
		pass(&other, &receiver, qpn, id, 3000);
	/* It is waited for when it is asked, some milliseconds, and not in
	 * between. */
	sleeps = sleeps_of(receiver.peer.pid);
	usleep(300000);
	VT_CHECK(sleeps_of(receiver.peer.pid) - sleeps < 1000);
	VT_EQUAL(kill(owner.peer.pid, SIGCONT), 0);
	vt_expect(sender.send_cq, 3, IBV_WC_SUCCESS);
	vt_check_fill(sender.buffer, LONG_BYTES, 2, "what was read");
	pass(&sender, &owner, sender_qpn, 4, 100);
	vt_end_close(&other);
	vt_end_close(&sender);
	end_keeper(&owner);
	end_keeper(&receiver);
}

/* Sends until it is killed. */
static void pour(int fd, void *argument)
{
	struct keeper *keeper = argument;
	struct vt_end sender;
	struct vt_address peer;

	vt_hear(fd, keeper, sizeof(*keeper));
	/* Where nobody else writes. */
	keeper->address.buffer += BUFFER_BYTES / 2;
	open_sender(&sender);
	peer = vt_address_of(&sender);
	vt_tell(fd, &peer, sizeof(peer));
	vt_hear(fd, &peer, sizeof(peer));
	connect_qp(sender.qp, &sender, &peer);
	vt_sync(fd);
	for (;;) {
		send_to(&sender, keeper, 1, IBV_WR_RDMA_WRITE, LONG_BYTES);
		vt_expect(sender.send_cq, 1, IBV_WC_SUCCESS);
	}
}

/* The completions of another process's connection move with it. */
static void an_srq_changes_its_size(void)
{
	static const uint32_t depths[] = { 17, 64, 20, 300, 301 };
	struct keeper receiver, owner;
	struct vt_end sender;
	uint32_t qpn;

	start_two(&receiver, &owner);
	open_sender(&sender);
	qpn = connect_to(&sender, &receiver);
	for (int i = 0; i < 5; i++) {
		for (uint64_t id = 0; id < 16; id++) {
			(void)tell(&owner, (struct request){
						   .order = ORDER_POST,
						   .id = id,
						   .offset = 8192,
						   .length = 3000 });
			send_to(&sender, &owner, id, IBV_WR_SEND, 3000);
			vt_expect(sender.send_cq, id, IBV_WC_SUCCESS);
		}
		(void)tell(&owner, (struct request){ .order = ORDER_RESIZE,
						     .length = depths[i] });
		for (uint64_t id = 0; id < 16; id++) {
			struct reply reply = tell(&owner, (struct request){
						.order = ORDER_WAIT });

			VT_EQUAL(reply.wc.wr_id, id);
			VT_STATUS(&reply.wc, IBV_WC_SUCCESS);
			VT_EQUAL(reply.wc.byte_len, 3000);
		}
		pass(&sender, &owner, qpn, 1, LONG_BYTES);
	}
	vt_end_close(&sender);
	end_keeper(&owner);
	end_keeper(&receiver);
}

static void a_sender_that_is_killed_harms_nobody_else(void)
{
	struct keeper keeper, copy;
	struct vt_peer peers[3];
	struct vt_end sender;
	uint32_t qpn;

	make_file();
	start_keeper(&keeper);
	for (int i = 0; i < 3; i++)
		peers[i] = vt_fork(pour, &copy);
	meet_keeper(&keeper);
	open_sender(&sender);
	qpn = connect_to(&sender, &keeper);
	for (int i = 0; i < 3; i++) {
		struct request request = { .order = ORDER_CONNECT };
		struct reply reply;

		vt_tell(peers[i].fd, &keeper, sizeof(keeper));
		vt_hear(peers[i].fd, &request.peer, sizeof(request.peer));
		reply = tell(&keeper, request);
		vt_tell(peers[i].fd, &reply.address, sizeof(reply.address));
		vt_sync(peers[i].fd);
		for (uint64_t id = 1; id < 10; id++)
			pass(&sender, &keeper, qpn, id, 3000);
		VT_EQUAL(kill(peers[i].pid, SIGKILL), 0);
		VT_EQUAL(waitpid(peers[i].pid, NULL, 0), peers[i].pid);
		(void)tell(&keeper, (struct request){ .order = ORDER_RESIZE,
						      .length = 40u << i });
		for (uint64_t id = 10; id < 20; id++)
			pass(&sender, &keeper, qpn, id, 3000);
	}
	vt_end_close(&sender);
	end_keeper(&keeper);
}

static void domains_are_those_of_files(void)
{
	struct vt_wish wish = vt_defaults();
	struct ibv_xrcd *first, *second;
	int other;

	make_file();
	other = domain_file;
	make_file();
	vt_end_open(&end, &wish);
	VT_CHECK(!open_domain(end.context, domain_file, 0));
	VT_EQUAL(errno, EAGAIN);
	VT_CHECK(!open_domain(end.context, 12345, O_CREAT));
	VT_EQUAL(errno, EBADF);
	first = open_domain(end.context, domain_file, O_CREAT | O_EXCL);
	VT_CHECK(first);
	VT_CHECK(!open_domain(end.context, domain_file, O_CREAT | O_EXCL));
	VT_EQUAL(errno, EINVAL);
	VT_CHECK(!open_domain(end.context, other, 0));
	second = open_domain(end.context, domain_file, 0);
	VT_CHECK(second);
	VT_EQUAL(ibv_close_xrcd(first), 0);
	first = open_domain(end.context, domain_file, 0);
	VT_CHECK(first);
	VT_EQUAL(ibv_close_xrcd(first), 0);
	VT_EQUAL(ibv_close_xrcd(second), 0);
	VT_CHECK(!open_domain(end.context, domain_file, 0));
	VT_EQUAL(errno, EAGAIN);
	first = open_domain(end.context, -1, O_CREAT);
	VT_CHECK(first);
	VT_EQUAL(ibv_close_xrcd(first), 0);
	vt_end_close(&end);
	close(other);
}

static void processes_share_a_domain(void)
{
	struct vt_wish wish = vt_defaults();
	struct keeper keeper;

	make_file();
	start_keeper(&keeper);
	meet_keeper(&keeper);
	vt_end_open(&end, &wish);
	VT_CHECK(!open_domain(end.context, domain_file, O_CREAT | O_EXCL));
	VT_EQUAL(errno, EINVAL);
	domain = open_domain(end.context, domain_file, 0);
	VT_CHECK(domain);
	VT_EQUAL(ibv_close_xrcd(domain), 0);
	kill_keeper(&keeper);
	VT_CHECK(!open_domain(end.context, domain_file, 0));
	VT_EQUAL(errno, EAGAIN);
	vt_end_close(&end);
}

static struct ibv_qp *open_qp(struct ibv_context *context,
			      struct ibv_xrcd *xrcd, uint32_t qpn)
{
	struct ibv_qp_open_attr attr = {
		.comp_mask = IBV_QP_OPEN_ATTR_NUM | IBV_QP_OPEN_ATTR_XRCD |
			     IBV_QP_OPEN_ATTR_TYPE | IBV_QP_OPEN_ATTR_CONTEXT,
		.qp_num = qpn,
		.xrcd = xrcd,
		.qp_context = &end,
		.qp_type = IBV_QPT_XRC_RECV,
	};

	return ibv_open_qp(context, &attr);
}

/* The keeper's queue pair goes on for one who has it open when the keeper gives
 * it up, and no longer. */
static void a_queue_pair_stays_for_who_has_it_open(void)
{
	struct keeper keeper;
	struct vt_end sender;
	struct ibv_xrcd *other;
	struct ibv_qp *qp;
	uint32_t qpn;

	make_file();
	start_keeper(&keeper);
	meet_keeper(&keeper);
	open_sender(&sender);
	qpn = connect_to(&sender, &keeper);
	domain = open_domain(sender.context, domain_file, 0);
	other = open_domain(sender.context, -1, O_CREAT);
	VT_CHECK(domain && other);
	VT_CHECK(!open_qp(sender.context, other, qpn));
	VT_EQUAL(errno, EINVAL);
	VT_CHECK(!open_qp(sender.context, domain, sender.qp->qp_num));
	VT_CHECK(!open_qp(sender.context, domain, keeper.srqn));
	qp = open_qp(sender.context, domain, qpn);
	VT_CHECK(qp);
	VT_EQUAL(qp->qp_num, qpn);
	VT_CHECK(qp->qp_context == &end);
	VT_EQUAL(vt_set_state(qp, IBV_QPS_ERR), EOPNOTSUPP);
	VT_EQUAL(ibv_close_xrcd(domain), EBUSY);
	(void)tell(&keeper, (struct request){ .order = ORDER_DESTROY });
	pass(&sender, &keeper, qpn, 1, 5000);
	VT_EQUAL(ibv_destroy_qp(qp), 0);
	(void)tell(&keeper, (struct request){ .order = ORDER_DESTROY });
	VT_CHECK(!open_qp(sender.context, domain, qpn));
	VT_EQUAL(ibv_close_xrcd(domain), 0);
	VT_EQUAL(ibv_close_xrcd(other), 0);
	vt_end_close(&sender);
	end_keeper(&keeper);
}

static void a_domain_stays_while_it_is_used(void)
{
	struct vt_wish wish = vt_defaults();
	struct ibv_qp_init_attr init = { 0 };
	struct ibv_recv_wr wr = { 0 }, *bad;
	struct ibv_device_attr device;
	uint32_t first, second;
	struct ibv_srq *other;
	struct ibv_qp *qp;

	vt_end_open(&end, &wish);
	VT_EQUAL(ibv_query_device(end.context, &device), 0);
	VT_CHECK(device.device_cap_flags & IBV_DEVICE_XRC);
	domain = open_domain(end.context, -1, O_CREAT);
	VT_CHECK(domain);
	srq = make_srq(&end, domain);
	other = make_srq(&end, domain);
	VT_CHECK(srq && other);
	VT_EQUAL(ibv_get_srq_num(srq, &first), 0);
	VT_EQUAL(ibv_get_srq_num(other, &second), 0);
	VT_CHECK(first != second);
	VT_EQUAL(ibv_close_xrcd(domain), EBUSY);
	VT_EQUAL(ibv_destroy_cq(end.recv_cq), EBUSY);
	init.send_cq = init.recv_cq = end.send_cq;
	init.srq = srq;
	init.qp_type = IBV_QPT_RC;
	VT_CHECK(!ibv_create_qp(end.pd, &init));
	VT_EQUAL(errno, EINVAL);
	VT_EQUAL(ibv_destroy_srq(srq), 0);
	VT_EQUAL(ibv_destroy_srq(other), 0);
	qp = make_receiver(&end, domain);
	VT_CHECK(qp);
	VT_EQUAL(ibv_close_xrcd(domain), EBUSY);
	VT_EQUAL(ibv_post_recv(qp, &wr, &bad), EINVAL);
	VT_EQUAL(ibv_destroy_qp(qp), 0);
	VT_EQUAL(ibv_close_xrcd(domain), 0);
	vt_end_close(&end);
}

/* librdmacm takes it from there for the SRQ that it makes. The queue pair does
 * not hold it. */
static void a_receiver_shows_the_protection_domain_it_was_made_with(void)
{
	struct vt_wish wish = vt_defaults();
	struct ibv_qp_init_attr_ex attr = {
		.qp_type = IBV_QPT_XRC_RECV,
		.comp_mask = IBV_QP_INIT_ATTR_XRCD | IBV_QP_INIT_ATTR_PD,
	};
	struct ibv_qp *qp;

	vt_end_open(&end, &wish);
	domain = open_domain(end.context, -1, O_CREAT);
	attr.xrcd = domain;
	attr.pd = ibv_alloc_pd(end.context);
	VT_CHECK(domain && attr.pd);
	qp = ibv_create_qp_ex(end.context, &attr);
	VT_CHECK(qp && qp->pd == attr.pd);
	VT_EQUAL(ibv_dealloc_pd(attr.pd), 0);
	VT_EQUAL(ibv_destroy_qp(qp), 0);
	VT_EQUAL(ibv_close_xrcd(domain), 0);
	vt_end_close(&end);
}

int main(int argc, char **argv)
{
	static const struct vt_case cases[] = {
		VT_CASE(domains_are_those_of_files),
		VT_CASE(processes_share_a_domain),
		VT_CASE(a_domain_stays_while_it_is_used),
		VT_CASE(a_receiver_shows_the_protection_domain_it_was_made_with),
		VT_CASE(every_operation_reaches_the_srq),
		VT_CASE(a_queue_pair_stays_for_who_has_it_open),
		VT_CASE(the_srq_may_be_another_process_s),
		VT_CASE(no_srq_of_the_domain_is_refused),
		VT_CASE(a_message_that_is_too_long_ends_its_connection),
		VT_CASE(the_death_of_an_srq_is_that_of_its_messages),
		VT_CASE(a_stopped_srq_keeps_others_from_nothing),
		VT_CASE(an_srq_changes_its_size),
		VT_CASE(a_sender_that_is_killed_harms_nobody_else),
		{ 0 },
	};

	return vt_main(argc, argv, cases);
}
