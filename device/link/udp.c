/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "link/udp.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/function.h"
#include "domain/log.h"
#include "link/group.h"
#include "link/group_lock.h"
#include "link/hand_on.h"
#include "link/udp_state.h"
#include "link/witness.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

uint16_t adev_path_port(uint32_t flow_label, uint32_t qpn, uint32_t dest_qpn)
{
	uint32_t flow = flow_label;

	/* IBTA A17.9.3 leaves it open how a zero label is made up. */
	if (!flow)
		flow = (uint32_t)(((uint64_t)qpn << 24 | dest_qpn) *
					  0x9e3779b97f4a7c15ull >>
				  44);
	return (uint16_t)(0xc000u | ((flow ^ flow >> 14) & 0x3fffu));
}

/* Once for each process: all its functions meet the same. */
static void complain(const char *what, int error)
{
	static atomic_flag said = ATOMIC_FLAG_INIT;

	if (!atomic_flag_test_and_set(&said))
		adev_log_error("%s: %s; other hosts cannot be reached", what,
			       strerror(error));
}

/* A kernel that does not know the option would send a run as one packet. */
static bool can_segment(const struct adev_udp_sender *sender)
{
	int value;
	socklen_t bytes = sizeof(value);

	return !getsockopt(sender->fd4 >= 0 ? sender->fd4 : sender->fd6,
			   SOL_UDP, UDP_SEGMENT, &value, &bytes);
}

static int open_senders(struct adev_udp *udp)
{
	uint32_t i;
	int error;

	for (i = 0; i < ADEV_UDP_SENDERS; i++) {
		error = adev_udp_socket_send(&udp->senders[i]);
		if (error)
			goto err_close;
	}
	atomic_init(&udp->max_run,
		    can_segment(&udp->senders[0]) ? ADEV_UDP_MAX_RUN : 1);
	return 0;

err_close:
	while (i--)
		adev_udp_socket_close(&udp->senders[i]);
	complain("cannot make sockets to send from", error);
	return error;
}

/* What is received with, and then the share of the port. */
static int open_receiver(struct adev_udp *udp)
{
	int error;

	udp->receiver = adev_udp_receiver_create();
	if (!udp->receiver)
		return ENOMEM;
	error = ENOMEM;
	udp->witness = adev_witness_create();
	if (!udp->witness)
		goto err_receiver;
	error = adev_hand_on_open(udp);
	if (error) {
		complain("cannot make a private socket", error);
		goto err_witness;
	}
	error = adev_group_join(udp);
	if (error)
		goto err_private;
	return 0;

err_private:
	adev_hand_on_close(udp);
err_witness:
	adev_witness_destroy(udp->witness);
err_receiver:
	adev_udp_receiver_destroy(udp->receiver);
	return error;
}

static void close_senders(struct adev_udp *udp)
{
	uint32_t i;

	for (i = 0; i < ADEV_UDP_SENDERS; i++)
		adev_udp_socket_close(&udp->senders[i]);
}

int adev_udp_open(struct adev_function *fn, void **lower)
{
	struct adev_udp *udp = calloc(1, sizeof(*udp));
	int error;

	if (!udp)
		return ENOMEM;
	udp->fn = fn;
	udp->counters = &fn->counters;
	udp->self.function = fn->view.function;
	udp->self.generation = fn->view.generation;
	udp->receive_fd = -1;
	atomic_init(&udp->refresh_ns, ADEV_NEVER_NS);
	error = open_senders(udp);
	if (error)
		goto err_free;
	error = open_receiver(udp);
	if (error)
		goto err_senders;
	*lower = udp;
	return 0;

err_senders:
	close_senders(udp);
err_free:
	free(udp);
	return error;
}

static void leave(void *lower)
{
	adev_group_leave(lower);
}

/* Frees what the process has of it, and nothing that others see. */
static void forget(void *lower)
{
	struct adev_udp *udp = lower;

	if (udp->receive_fd >= 0)
		close(udp->receive_fd);
	adev_udp_part_all(udp);
	adev_hand_on_close(udp);
	adev_witness_destroy(udp->witness);
	close_senders(udp);
	adev_udp_receiver_destroy(udp->receiver);
	free(udp);
}

static void forget_in_child(void *lower)
{
	adev_group_lock_forget();
	forget(lower);
}

static void close_udp(void *lower)
{
	adev_group_leave(lower);
	forget(lower);
}

static bool agrees(void *lower, const struct adev_datagram *datagram,
		   uint16_t ip_id)
{
	struct adev_udp *udp = lower;

	return adev_witness_agrees(udp->witness, datagram, ip_id);
}

static void maintain(void *lower, uint64_t now_ns)
{
	adev_group_refresh(lower, now_ns);
}

static uint64_t deadline(void *lower)
{
	struct adev_udp *udp = lower;

	return atomic_load(&udp->refresh_ns);
}

static void leased(void *lower)
{
	adev_group_expect(lower, adev_now_ns());
}

static uint32_t max_run(void *lower)
{
	struct adev_udp *udp = lower;

	return atomic_load_explicit(&udp->max_run, memory_order_relaxed);
}

static uint32_t descriptors(void *lower, int fds[ADEV_WIRE_DESCRIPTORS])
{
	struct adev_udp *udp = lower;

	atomic_store(&udp->look_there, true);
	fds[0] = udp->private_fd;
	fds[1] = udp->receive_fd;
	return udp->receive_fd >= 0 ? 2 : 1;
}

const struct adev_wire_ops adev_udp_ops = {
	.max_run = max_run,
	.source_port = adev_udp_source_port,
	.transmit = adev_udp_transmit,
	.receive = adev_udp_receive,
	.descriptors = descriptors,
	.close = close_udp,
	.agrees = agrees,
	.hand_on = adev_hand_on,
	.maintain = maintain,
	.deadline = deadline,
	.leased = leased,
	.connected = adev_udp_connected,
	.join = adev_udp_join,
	.part = adev_udp_part,
	.leave = leave,
	.forget = forget_in_child,
};
