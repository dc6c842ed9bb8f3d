/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Receiving: one system call takes in up to NUM_BUFFERS datagrams, each of
 * which may be many packets that the kernel put together (or never took apart).
 */
#include "link/udp_state.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/agent.h"
#include "core/function.h"
#include "link/group.h"
#include "link/hand_on.h"
#include "link/steer.h"
#include "trace.h"

#ifndef IPV6_FLOWINFO
#define IPV6_FLOWINFO 11
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

#define NUM_BUFFERS 16u
#define BUFFER_BYTES 65536u
/* The beginnings of the buffers, which is all that small packets use, must not
 * fall into the same set of the cache. */
#define BUFFER_STRIDE (BUFFER_BYTES + 4096u + 192u)
#define CONTROL_BYTES 256u

struct adev_udp_receiver {
	struct mmsghdr messages[NUM_BUFFERS];
	struct iovec vectors[NUM_BUFFERS];
	struct sockaddr_in6 names[NUM_BUFFERS];
	_Alignas(8) char controls[NUM_BUFFERS][CONTROL_BYTES];
	/* What was taken in and not handed on yet. */
	uint32_t count, next;
	uint32_t offset;       /* within the datagram `next` */
	uint32_t segment;      /* bytes; zero: `next` was not looked at */
	uint32_t number;       /* of the segment */
	bool drained;	       /* there was no more when it was taken */
	bool idle;	       /* nor anything */
	uint32_t overflows;    /* as the kernel last counted them */
	struct adev_path path; /* of the datagram `next` */
	uint8_t buffers[];
};

#define RECEIVER_BYTES                                                         \
	(sizeof(struct adev_udp_receiver) + NUM_BUFFERS * BUFFER_STRIDE)

struct adev_udp_receiver *adev_udp_receiver_create(void)
{
	/* Populated as far as it is used. */
	struct adev_udp_receiver *receiver = mmap(
		NULL, RECEIVER_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint32_t i;

	if (receiver == MAP_FAILED)
		return NULL;
	for (i = 0; i < NUM_BUFFERS; i++) {
		receiver->vectors[i].iov_base = receiver->buffers +
						i * BUFFER_STRIDE;
		receiver->vectors[i].iov_len = BUFFER_BYTES;
		receiver->messages[i].msg_hdr = (struct msghdr){
			.msg_name = &receiver->names[i],
			.msg_namelen = sizeof(receiver->names[i]),
			.msg_iov = &receiver->vectors[i],
			.msg_iovlen = 1,
			.msg_control = receiver->controls[i],
			.msg_controllen = CONTROL_BYTES,
		};
	}
	return receiver;
}

void adev_udp_receiver_destroy(struct adev_udp_receiver *receiver)
{
	munmap(receiver, RECEIVER_BYTES);
}

/* The system calls directly: in the C library they would be cancellation
 * points, in a thread of the application that holds locks of the adapter. */
static uint32_t receive_many(struct adev_udp *udp)
{
	long got;

	do {
		got = syscall(SYS_recvmmsg, udp->receive_fd,
			      udp->receiver->messages, NUM_BUFFERS,
			      MSG_DONTWAIT, NULL);
	} while (got < 0 && errno == EINTR);
	return got > 0 ? (uint32_t)got : 0;
}

/* To ask an empty socket, and to take the message that somebody waits for, is
 * cheaper for one. */
static uint32_t receive_one(struct adev_udp *udp)
{
	struct mmsghdr *message = &udp->receiver->messages[0];
	long got;

	do {
		got = syscall(SYS_recvmsg, udp->receive_fd, &message->msg_hdr,
			      MSG_DONTWAIT);
	} while (got < 0 && errno == EINTR);
	message->msg_len = got > 0 ? (unsigned int)got : 0;
	return got >= 0;
}

/* Where there was nothing before, the agent gets all of it, and another thread
 * the first; what is behind that comes with the next. */
static void refill(struct adev_udp *udp)
{
	struct adev_udp_receiver *receiver = udp->receiver;
	bool one = receiver->idle && !adev_agent_is_self();
	uint32_t got, i;

	if (udp->receive_fd < 0) {
		receiver->count = 0;
		receiver->next = 0;
		receiver->drained = true;
		return;
	}
	for (i = 0; i < receiver->count; i++) {
		struct msghdr *header = &receiver->messages[i].msg_hdr;

		header->msg_namelen = sizeof(receiver->names[i]);
		header->msg_controllen = CONTROL_BYTES;
	}
	got = one ? receive_one(udp) : receive_many(udp);
	receiver->drained = got < (one ? 1 : NUM_BUFFERS);
	receiver->idle = !got;
	receiver->count = got;
	receiver->next = 0;
	receiver->segment = 0;
}

static void set_ipv4(uint8_t address[16], const void *from)
{
	memset(address, 0, 10);
	memset(address + 10, 0xff, 2);
	memcpy(address + 12, from, 4);
}

static void read_name(const struct sockaddr_in6 *name, struct adev_path *path)
{
	const struct sockaddr_in *name4 = (const void *)name;

	if (name->sin6_family == AF_INET) {
		set_ipv4(path->source, &name4->sin_addr);
		path->source_port = ntohs(name4->sin_port);
	} else {
		memcpy(path->source, &name->sin6_addr, 16);
		path->source_port = ntohs(name->sin6_port);
	}
}

static int int_of(const struct cmsghdr *control)
{
	int value = 0;

	memcpy(&value, CMSG_DATA(control), sizeof(value));
	return value;
}

static void read_ipv4(const struct cmsghdr *control, struct adev_path *path)
{
	struct in_pktinfo info;

	if (control->cmsg_type == IP_PKTINFO) {
		memcpy(&info, CMSG_DATA(control), sizeof(info));
		set_ipv4(path->destination, &info.ipi_addr);
		path->interface_index = (uint32_t)info.ipi_ifindex;
	} else if (control->cmsg_type == IP_TOS) {
		path->traffic_class = *CMSG_DATA(control);
	} else if (control->cmsg_type == IP_TTL) {
		path->hop_limit = (uint8_t)int_of(control);
	}
}

static void read_ipv6(const struct cmsghdr *control, struct adev_path *path)
{
	struct in6_pktinfo info;

	if (control->cmsg_type == IPV6_PKTINFO) {
		memcpy(&info, CMSG_DATA(control), sizeof(info));
		memcpy(path->destination, &info.ipi6_addr, 16);
		path->interface_index = info.ipi6_ifindex;
	} else if (control->cmsg_type == IPV6_TCLASS) {
		path->traffic_class = (uint8_t)int_of(control);
	} else if (control->cmsg_type == IPV6_HOPLIMIT) {
		path->hop_limit = (uint8_t)int_of(control);
	} else if (control->cmsg_type == IPV6_FLOWINFO) {
		path->flow_label = ntohl((uint32_t)int_of(control)) & 0xfffffu;
	}
}

/* The kernel's count of what the socket had no room for. */
static void count_overflows(struct adev_udp *udp, uint32_t overflows)
{
	adev_count_add(udp->counters, wire_overflows,
		       overflows - udp->receiver->overflows);
	arnica_trace_wire_overflow(overflows, udp->receiver->overflows);
	udp->receiver->overflows = overflows;
}

/* Reads what came with the datagram `next`; false: it is not whole. */
static bool open_next(struct adev_udp *udp)
{
	struct adev_udp_receiver *receiver = udp->receiver;
	struct mmsghdr *message = &receiver->messages[receiver->next];
	struct msghdr *header = &message->msg_hdr;
	struct adev_path *path = &receiver->path;
	struct cmsghdr *control;

	if (header->msg_flags & (MSG_TRUNC | MSG_CTRUNC) || !message->msg_len) {
		adev_count(udp->counters, wire_bad_packet);
		arnica_trace_wire_bad_packet(ROCE_BAD_LENGTH, message->msg_len);
		return false;
	}
	memset(path, 0, sizeof(*path));
	read_name(&receiver->names[receiver->next], path);
	receiver->segment = message->msg_len;
	receiver->offset = 0;
	receiver->number = 0;
	for (control = CMSG_FIRSTHDR(header); control;
	     control = CMSG_NXTHDR(header, control)) {
		if (control->cmsg_level == SOL_IP)
			read_ipv4(control, path);
		else if (control->cmsg_level == SOL_IPV6)
			read_ipv6(control, path);
		else if (control->cmsg_level == SOL_UDP &&
			 control->cmsg_type == UDP_GRO && int_of(control) > 0)
			receiver->segment = (uint32_t)int_of(control);
		else if (control->cmsg_level == SOL_SOCKET &&
			 control->cmsg_type == SO_RXQ_OVFL &&
			 (uint32_t)int_of(control) != receiver->overflows)
			count_overflows(udp, (uint32_t)int_of(control));
	}
	return true;
}

/* The next packet of the datagram `next`. */
static void take_segment(struct adev_udp_receiver *receiver,
			 struct adev_datagram *datagram)
{
	uint32_t left = receiver->messages[receiver->next].msg_len -
			receiver->offset;
	const uint8_t *bytes = receiver->vectors[receiver->next].iov_base;

	datagram->bytes = bytes + receiver->offset;
	datagram->length = left < receiver->segment ? left : receiver->segment;
	datagram->segment = (uint16_t)receiver->number++;
	datagram->handed_on = false;
	datagram->path = receiver->path;
	receiver->offset += datagram->length;
	if (datagram->length == left) {
		receiver->next++;
		receiver->segment = 0;
	}
}

static bool is_probe(struct adev_udp *udp, const struct adev_datagram *datagram)
{
	return __builtin_expect(datagram->bytes[0] == ADEV_STEER_PROBE, 0) &&
	       adev_group_probed(udp, datagram->bytes, datagram->length);
}

/* Into the private socket: only if another member says so, or the agent was
 * woken, perhaps by what a stranger sent there. */
static bool must_look_there(struct adev_udp *udp)
{
	return __builtin_expect(
		adev_hand_on_waits(udp) ||
			(atomic_load_explicit(&udp->look_there,
					      memory_order_relaxed) &&
			 atomic_exchange(&udp->look_there, false)),
		0);
}

uint32_t adev_udp_receive(void *lower, struct adev_datagram *datagrams,
			  uint32_t max, bool *more)
{
	struct adev_udp *udp = lower;
	struct adev_udp_receiver *receiver = udp->receiver;
	uint32_t count = 0;

	if (must_look_there(udp)) {
		count = adev_hand_on_receive(udp, datagrams, max);
		*more = true;
		if (count)
			return count;
	}
	if (receiver->next == receiver->count)
		refill(udp);
	while (count < max && receiver->next < receiver->count) {
		if (!receiver->segment && !open_next(udp)) {
			receiver->next++;
			continue;
		}
		take_segment(receiver, &datagrams[count]);
		if (!is_probe(udp, &datagrams[count]))
			count++;
	}
	*more = receiver->next < receiver->count || !receiver->drained;
	return count;
}
