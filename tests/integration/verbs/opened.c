/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * XRC_RECV queue pairs that others open while their maker destroys them. Of the
 * two that meet, one comes first: either nobody can open it any more, or it
 * stays whole until the last one has closed it.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vt.h"

#define OPENERS 3u

/* What the maker and the openers share, threads or processes. */
struct meeting {
	pthread_barrier_t barrier;
	_Atomic uint32_t qpn;
	atomic_bool over;
	atomic_uint opened, refused;
	int file;
};

struct opener {
	struct meeting *meeting;
	uint64_t seed;
};

static struct meeting *new_meeting(void)
{
	char name[] = "/tmp/arnica-opened-XXXXXX";
	struct meeting *meeting = mmap(NULL, sizeof(*meeting),
				       PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_barrierattr_t attr;

	VT_CHECK(meeting != MAP_FAILED);
	VT_EQUAL(pthread_barrierattr_init(&attr), 0);
	VT_EQUAL(pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED),
		 0);
	VT_EQUAL(pthread_barrier_init(&meeting->barrier, &attr, OPENERS + 1),
		 0);
	meeting->file = mkstemp(name);
	VT_CHECK(meeting->file >= 0);
	VT_EQUAL(unlink(name), 0);
	return meeting;
}

static struct ibv_xrcd *open_domain(struct ibv_context *context, int fd)
{
	struct ibv_xrcd_init_attr attr = {
		.comp_mask = IBV_XRCD_INIT_ATTR_FD | IBV_XRCD_INIT_ATTR_OFLAGS,
		.fd = fd,
		.oflags = O_CREAT,
	};
	struct ibv_xrcd *xrcd = ibv_open_xrcd(context, &attr);

	VT_CHECK(xrcd);
	return xrcd;
}

static struct ibv_qp *make_receiver(struct ibv_context *context,
				    struct ibv_xrcd *xrcd)
{
	struct ibv_qp_init_attr_ex attr = {
		.qp_type = IBV_QPT_XRC_RECV,
		.comp_mask = IBV_QP_INIT_ATTR_XRCD,
		.xrcd = xrcd,
	};
	struct ibv_qp *qp = ibv_create_qp_ex(context, &attr);

	VT_CHECK(qp);
	return qp;
}

static struct ibv_qp *open_qp(struct ibv_context *context,
			      struct ibv_xrcd *xrcd, uint32_t qpn)
{
	struct ibv_qp_open_attr attr = {
		.comp_mask = IBV_QP_OPEN_ATTR_NUM | IBV_QP_OPEN_ATTR_XRCD |
			     IBV_QP_OPEN_ATTR_TYPE,
		.qp_num = qpn,
		.xrcd = xrcd,
		.qp_type = IBV_QPT_XRC_RECV,
	};
	struct ibv_qp *qp = ibv_open_qp(context, &attr);

	if (!qp)
		VT_EQUAL(errno, EINVAL);
	return qp;
}

static void meet(struct meeting *meeting)
{
	(void)pthread_barrier_wait(&meeting->barrier);
}

static void dither(uint64_t *seed)
{
	uint64_t turns = vt_random(seed) % 4000;

	while (turns--)
		atomic_signal_fence(memory_order_seq_cst);
	if (vt_random(seed) % 4 == 0)
		sched_yield();
}

/* One queue pair that its maker destroys at this moment. */
static void open_one(struct opener *opener, struct ibv_context *context,
		     struct ibv_xrcd *xrcd)
{
	struct meeting *meeting = opener->meeting;
	uint32_t qpn = atomic_load(&meeting->qpn);
	struct ibv_qp *first, *second;

	dither(&opener->seed);
	first = open_qp(context, xrcd, qpn);
	atomic_fetch_add(first ? &meeting->opened : &meeting->refused, 1);
	meet(meeting); /* it has been destroyed */
	second = open_qp(context, xrcd, qpn);
	/* Who came in time keeps it for everybody. */
	if (first)
		VT_CHECK(second);
	meet(meeting);
	if (second)
		VT_EQUAL(ibv_destroy_qp(second), 0);
	if (first)
		VT_EQUAL(ibv_destroy_qp(first), 0);
	meet(meeting); /* nobody has it open */
	meet(meeting); /* its maker has looked */
	VT_CHECK(!open_qp(context, xrcd, qpn));
}

static void *run_opener(void *argument)
{
	struct opener *opener = argument;
	struct meeting *meeting = opener->meeting;
	struct ibv_context *context = vt_open();
	struct ibv_xrcd *xrcd = open_domain(context, meeting->file);

	for (;;) {
		meet(meeting);
		if (atomic_load(&meeting->over))
			break;
		open_one(opener, context, xrcd);
	}
	VT_EQUAL(ibv_close_xrcd(xrcd), 0);
	VT_EQUAL(ibv_close_device(context), 0);
	return NULL;
}

static void run_maker(struct meeting *meeting)
{
	uint64_t rounds = vt_setting("VT_ROUNDS", 300), seed = 77;
	struct ibv_context *context = vt_open();
	struct ibv_xrcd *xrcd = open_domain(context, meeting->file);

	while (rounds--) {
		struct ibv_qp *qp = make_receiver(context, xrcd);

		atomic_store(&meeting->qpn, qp->qp_num);
		meet(meeting);
		dither(&seed);
		VT_EQUAL(ibv_destroy_qp(qp), 0);
		meet(meeting);
		meet(meeting);
		meet(meeting);
		/* With a later command the last of it ends. */
		VT_EQUAL(ibv_destroy_qp(make_receiver(context, xrcd)), 0);
		meet(meeting);
	}
	atomic_store(&meeting->over, true);
	meet(meeting);
	VT_EQUAL(ibv_close_xrcd(xrcd), 0);
	VT_EQUAL(ibv_close_device(context), 0);
	printf("      opened %u times, refused %u times\n",
	       atomic_load(&meeting->opened), atomic_load(&meeting->refused));
}

static void threads_open_what_is_destroyed(void)
{
	struct meeting *meeting = new_meeting();
	struct opener openers[OPENERS];
	pthread_t threads[OPENERS];

	for (uint32_t i = 0; i < OPENERS; i++) {
		openers[i] = (struct opener){ meeting, i + 1 };
		VT_EQUAL(pthread_create(&threads[i], NULL, run_opener,
					&openers[i]),
			 0);
	}
	run_maker(meeting);
	for (uint32_t i = 0; i < OPENERS; i++)
		VT_EQUAL(pthread_join(threads[i], NULL), 0);
}

static void run_process(int fd, void *argument)
{
	(void)fd;
	(void)run_opener(argument);
}

static void processes_open_what_is_destroyed(void)
{
	struct meeting *meeting = new_meeting();
	struct opener openers[OPENERS];
	struct vt_peer peers[OPENERS];

	for (uint32_t i = 0; i < OPENERS; i++) {
		openers[i] = (struct opener){ meeting, i + 1 };
		peers[i] = vt_fork(run_process, &openers[i]);
	}
	run_maker(meeting);
	for (uint32_t i = 0; i < OPENERS; i++)
		vt_join(&peers[i]);
}

/* What happens to one that others have still is none of its maker's business. */
static void who_has_destroyed_it_hears_no_more(void)
{
	struct vt_wish wish = vt_defaults();
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_INIT,
		.port_num = 1,
		.path_mtu = IBV_MTU_1024,
		.max_dest_rd_atomic = 1,
		.min_rnr_timer = 1,
		.ah_attr = { .is_global = 1, .port_num = 1 },
	};
	struct meeting *meeting = new_meeting();
	struct ibv_context *maker = vt_open();
	struct ibv_xrcd *made, *opened;
	struct vt_address of_sender, of_receiver;
	struct ibv_send_wr wr;
	struct ibv_sge sge;
	struct vt_end sender;
	struct ibv_qp *qp, *other;

	wish.type = IBV_QPT_XRC_SEND;
	vt_end_open(&sender, &wish);
	made = open_domain(maker, meeting->file);
	opened = open_domain(sender.context, meeting->file);
	qp = make_receiver(maker, made);
	of_sender = of_receiver = vt_address_of(&sender);
	of_receiver.qpn = qp->qp_num;
	VT_EQUAL(ibv_modify_qp(qp, &attr,
			       IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
				       IBV_QP_ACCESS_FLAGS),
		 0);
	attr.qp_state = IBV_QPS_RTR;
	attr.dest_qp_num = of_sender.qpn;
	attr.rq_psn = of_sender.psn;
	attr.ah_attr.grh.dgid = of_sender.gid;
	attr.ah_attr.grh.hop_limit = 1;
	attr.ah_attr.grh.sgid_index = (uint8_t)vt_setting("VT_GID", 0);
	VT_EQUAL(ibv_modify_qp(qp, &attr,
			       IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU |
				       IBV_QP_DEST_QPN | IBV_QP_RQ_PSN |
				       IBV_QP_MAX_DEST_RD_ATOMIC |
				       IBV_QP_MIN_RNR_TIMER),
		 0);
	vt_connect(&sender, &of_receiver);
	other = open_qp(sender.context, opened, qp->qp_num);
	VT_CHECK(other);
	VT_EQUAL(ibv_destroy_qp(qp), 0);
	/* There is no such SRQ. */
	sge = vt_sge(&sender, 0, 8);
	wr = vt_send_wr(1, IBV_WR_SEND, &sge);
	wr.qp_type.xrc.remote_srqn = 0x123456;
	VT_EQUAL(vt_post_send(&sender, &wr), 0);
	vt_expect(sender.send_cq, 1, IBV_WC_REM_INV_REQ_ERR);
	VT_CHECK(!vt_readable(maker->async_fd, 30));
	VT_EQUAL(ibv_destroy_qp(other), 0);
	VT_EQUAL(ibv_close_xrcd(made), 0);
	VT_EQUAL(ibv_close_xrcd(opened), 0);
	vt_end_close(&sender);
	VT_EQUAL(ibv_close_device(maker), 0);
}

/* How many descriptors a child has when it has closed the device. */
static int left_in_a_child(struct ibv_context *context)
{
	int status, left = 0;
	pid_t pid = fork();

	VT_CHECK(pid >= 0);
	if (pid == 0) {
		VT_EQUAL(ibv_close_device(context), 0);
		for (int fd = 0; fd < 1024; fd++)
			left += fcntl(fd, F_GETFD) >= 0;
		exit(left);
	}
	VT_EQUAL(waitpid(pid, &status, 0), pid);
	VT_CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void make_and_wait(int fd, void *argument)
{
	struct meeting *meeting = argument;
	struct ibv_context *maker = vt_open();
	struct ibv_xrcd *xrcd = open_domain(maker, meeting->file);
	struct ibv_qp *qp = make_receiver(maker, xrcd);

	atomic_store(&meeting->qpn, qp->qp_num);
	vt_sync(fd);
	vt_sync(fd);
	VT_EQUAL(ibv_destroy_qp(qp), 0);
	vt_sync(fd);
	vt_sync(fd);
	VT_EQUAL(ibv_close_xrcd(xrcd), 0);
	VT_EQUAL(ibv_close_device(maker), 0);
}

/* ... which has none of them open, and whose parent has them still. */
static void a_child_keeps_nothing_of_what_its_parent_has_open(void)
{
	struct meeting *meeting = new_meeting();
	struct vt_peer maker = vt_fork(make_and_wait, meeting);
	struct ibv_context *context = vt_open();
	struct ibv_xrcd *xrcd = open_domain(context, meeting->file);
	struct ibv_qp *first, *second;
	uint32_t qpn;
	int left;

	vt_sync(maker.fd);
	qpn = atomic_load(&meeting->qpn);
	left = left_in_a_child(context);
	first = open_qp(context, xrcd, qpn);
	VT_CHECK(first);
	VT_EQUAL(left_in_a_child(context), left);
	vt_sync(maker.fd);
	vt_sync(maker.fd);
	second = open_qp(context, xrcd, qpn);
	VT_CHECK(second);
	VT_EQUAL(ibv_destroy_qp(second), 0);
	VT_EQUAL(ibv_destroy_qp(first), 0);
	VT_EQUAL(ibv_close_xrcd(xrcd), 0);
	VT_EQUAL(ibv_close_device(context), 0);
	vt_sync(maker.fd);
	vt_join(&maker);
}

int main(int argc, char **argv)
{
	static const struct vt_case cases[] = {
		VT_CASE(who_has_destroyed_it_hears_no_more),
		VT_CASE(a_child_keeps_nothing_of_what_its_parent_has_open),
		VT_CASE(threads_open_what_is_destroyed),
		VT_CASE(processes_open_what_is_destroyed),
		{ 0 },
	};

	return vt_main(argc, argv, cases);
}
