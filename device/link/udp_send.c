/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Sending: a run of frames is one message with UDP_SEGMENT, and a system call
 * takes many messages. What the kernel does not take is lost, and counted by
 * its reason: the transport sends it again, as on any network.
 */
#include "link/udp_state.h"

#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/function.h"
#include "domain/gid.h"
#include "trace.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

#define MAX_MESSAGES 32u
#define FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL)
/* Of the four control messages below; the largest is struct in6_pktinfo. */
#define CONTROL_BYTES                                                          \
	(CMSG_SPACE(sizeof(struct in6_pktinfo)) + 3 * CMSG_SPACE(sizeof(int)))

/* How long a full socket is waited for: packets wait in an interface's queue
 * for less than that. */
#define FULL_WAIT_NS 2000000

/* Where a run leaves by. */
struct way {
	int fd;	      /* -1: the family is not there */
	bool at_home; /* the socket knows source and hop limit */
};

/* One system call's worth; a run each, all through one socket. */
struct outgoing {
	struct way way;
	uint32_t count;
	struct adev_frame *frames[MAX_MESSAGES]; /* the first of the run */
	uint32_t num_frames[MAX_MESSAGES];
	struct mmsghdr messages[MAX_MESSAGES];
	struct iovec vectors[MAX_MESSAGES];
	struct sockaddr_in6 names[MAX_MESSAGES];
	_Alignas(8) char controls[MAX_MESSAGES][CONTROL_BYTES];
};

struct adev_udp_sender *adev_udp_sender_of(struct adev_udp *udp,
					   const struct adev_path *path)
{
	return &udp->senders[path->source_port % ADEV_UDP_SENDERS];
}

uint16_t adev_udp_source_port(void *lower, const struct adev_path *path)
{
	return adev_udp_sender_of(lower, path)->port;
}

/* Groups have an interface that routes do not tell. */
static bool is_at_home(const struct adev_udp_home *home,
		       const struct adev_path *path)
{
	return home->hop_limit == path->hop_limit &&
	       !memcmp(home->source, path->source, sizeof(home->source)) &&
	       !adev_gid_is_multicast(path->destination);
}

/* `begun`: what goes with it leaves that way, unless its fd is -1. */
static struct way way_of(struct adev_udp *udp, const struct adev_path *path,
			 struct way begun)
{
	struct adev_udp_sender *sender = adev_udp_sender_of(udp, path);
	int fd;

	if (!adev_gid_is_ipv4(path->destination))
		return (struct way){ .fd = sender->fd6 };
	/* Both are as good; one system call is better than two. */
	if (begun.fd == sender->fd4)
		return begun;
	fd = atomic_load_explicit(&sender->home.fd, memory_order_acquire);
	if (fd >= 0 && is_at_home(&sender->home, path))
		return (struct way){ .fd = fd, .at_home = true };
	return (struct way){ .fd = sender->fd4 };
}

static void add_control(struct msghdr *header, int level, int type,
			const void *data, size_t bytes)
{
	struct cmsghdr *control = (void *)((char *)header->msg_control +
					   header->msg_controllen);

	control->cmsg_level = level;
	control->cmsg_type = type;
	control->cmsg_len = CMSG_LEN(bytes);
	memcpy(CMSG_DATA(control), data, bytes);
	header->msg_controllen += CMSG_SPACE(bytes);
}

static void address_ipv4(struct msghdr *header, const struct adev_path *path,
			 bool at_home)
{
	struct sockaddr_in *name = header->msg_name;
	struct in_pktinfo info = { 0 };
	const int traffic_class = path->traffic_class;
	const int hop_limit = path->hop_limit;

	memset(name, 0, sizeof(*name));
	name->sin_family = AF_INET;
	name->sin_port = htons(ROCE_UDP_PORT);
	memcpy(&name->sin_addr, path->destination + 12, 4);
	header->msg_namelen = sizeof(*name);
	if (traffic_class)
		add_control(header, SOL_IP, IP_TOS, &traffic_class,
			    sizeof(traffic_class));
	if (at_home)
		return;
	memcpy(&info.ipi_spec_dst, path->source + 12, 4);
	/* Routes say nothing of groups: the interface that has the address. */
	if (adev_gid_is_multicast(path->destination))
		info.ipi_ifindex = (int)path->interface_index;
	add_control(header, SOL_IP, IP_PKTINFO, &info, sizeof(info));
	if (hop_limit)
		add_control(header, SOL_IP, IP_TTL, &hop_limit,
			    sizeof(hop_limit));
}

static void address_ipv6(struct msghdr *header, const struct adev_path *path)
{
	struct sockaddr_in6 *name = header->msg_name;
	struct in6_pktinfo info = { 0 };
	const int traffic_class = path->traffic_class;
	const int hop_limit = path->hop_limit;

	memset(name, 0, sizeof(*name));
	name->sin6_family = AF_INET6;
	name->sin6_port = htons(ROCE_UDP_PORT);
	name->sin6_flowinfo = htonl(path->flow_label & 0xfffffu);
	memcpy(&name->sin6_addr, path->destination, 16);
	memcpy(&info.ipi6_addr, path->source, 16);
	/* The others are found by the routes, as an own address is. */
	if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr) ||
	    adev_gid_is_multicast(path->destination)) {
		name->sin6_scope_id = path->interface_index;
		info.ipi6_ifindex = path->interface_index;
	}
	header->msg_namelen = sizeof(*name);
	add_control(header, SOL_IPV6, IPV6_PKTINFO, &info, sizeof(info));
	if (traffic_class)
		add_control(header, SOL_IPV6, IPV6_TCLASS, &traffic_class,
			    sizeof(traffic_class));
	if (hop_limit)
		add_control(header, SOL_IPV6, IPV6_HOPLIMIT, &hop_limit,
			    sizeof(hop_limit));
}

/* Fills in message `at` for a run of `count` frames. */
static void compose(struct outgoing *out, uint32_t at, struct adev_frame *frame,
		    uint32_t count)
{
	struct msghdr *header = &out->messages[at].msg_hdr;
	const uint16_t segment = (uint16_t)frame->length;
	const struct adev_frame *last = &frame[count - 1];

	out->frames[at] = frame;
	out->num_frames[at] = count;
	out->vectors[at].iov_base = frame->bytes;
	out->vectors[at].iov_len = (size_t)(last->bytes - frame->bytes) +
				   last->length;
	*header = (struct msghdr){
		.msg_name = &out->names[at],
		.msg_iov = &out->vectors[at],
		.msg_iovlen = 1,
		.msg_control = out->controls[at],
	};
	if (adev_gid_is_ipv4(frame->path->destination))
		address_ipv4(header, frame->path, out->way.at_home);
	else
		address_ipv6(header, frame->path);
	if (count > 1)
		add_control(header, SOL_UDP, UDP_SEGMENT, &segment,
			    sizeof(segment));
}

static void count_lost(struct adev_udp *udp, int error, uint32_t count)
{
	arnica_trace_wire_lost((uint64_t)error, count);
	switch (error) {
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		adev_count_add(udp->counters, wire_lost_full, count);
		break;
	case EMSGSIZE:
		adev_count_add(udp->counters, wire_lost_size, count);
		break;
	case EPERM:
	case EACCES:
		adev_count_add(udp->counters, wire_lost_forbidden, count);
		break;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EADDRNOTAVAIL:
	case ENODEV:
		adev_count_add(udp->counters, wire_lost_unreachable, count);
		break;
	default:
		adev_count_add(udp->counters, wire_lost_other, count);
	}
}

/* As if it were one of several, for less. */
static long send_one(int fd, const struct msghdr *message)
{
	return syscall(SYS_sendmsg, fd, message, FLAGS) < 0 ? -1 : 1;
}

/* Sends messages [first, count): how many were taken; zero: *error says why the
 * first was not. Directly, as the C library's would be cancellation points. */
static uint32_t send_some(struct outgoing *out, uint32_t first, int *error)
{
	const struct timespec moment = { .tv_nsec = FULL_WAIT_NS };
	struct pollfd writable = { .fd = out->way.fd, .events = POLLOUT };
	bool waited = false;
	long sent;

	for (;;) {
		sent = out->count - first == 1 ?
			       send_one(out->way.fd,
					&out->messages[first].msg_hdr) :
			       syscall(SYS_sendmmsg, out->way.fd,
				       out->messages + first,
				       out->count - first, FLAGS);
		if (sent > 0)
			return (uint32_t)sent;
		if (sent == 0 || errno == EINTR)
			continue;
		*error = errno;
		if (errno != EAGAIN || waited)
			return 0;
		waited = true;
		(void)syscall(SYS_ppoll, &writable, 1, &moment, NULL, 0);
	}
}

/* The kernel, or the interface, does not make segments: one by one. */
static void send_run_singly(struct adev_udp *udp, struct way way,
			    struct adev_frame *frames, uint32_t count)
{
	struct outgoing out = { .way = way, .count = 1 };
	uint32_t i;
	int error;

	for (i = 0; i < count; i++) {
		if (frames[i].ip_id) {
			frames[i].ip_id = 0;
			roce_icrc_write(frames[i].lead, 0, frames[i].bytes,
					frames[i].length);
		}
		compose(&out, 0, &frames[i], 1);
		if (send_some(&out, 0, &error))
			atomic_store_explicit(&udp->max_run, 1,
					      memory_order_relaxed);
		else
			count_lost(udp, error, 1);
	}
}

static bool refuses_segments(int error)
{
	return error == EINVAL || error == EIO || error == EMSGSIZE ||
	       error == EOPNOTSUPP;
}

static void send_all(struct adev_udp *udp, struct outgoing *out)
{
	uint32_t done = 0;
	int error = 0;

	while (done < out->count) {
		uint32_t sent = send_some(out, done, &error);

		done += sent;
		if (sent)
			continue;
		if (out->num_frames[done] > 1 && refuses_segments(error))
			send_run_singly(udp, out->way, out->frames[done],
					out->num_frames[done]);
		else
			count_lost(udp, error, out->num_frames[done]);
		done++;
	}
	out->count = 0;
}

static uint32_t run_length(const struct adev_frame *frames, uint32_t count)
{
	uint32_t i;

	for (i = 1; i < count && frames[i].ip_id; i++)
		;
	return i;
}

void adev_udp_transmit(void *lower, struct adev_frame *frames, uint32_t count)
{
	struct adev_udp *udp = lower;
	struct outgoing out;
	uint32_t i, run;

	out.count = 0;
	out.way = (struct way){ .fd = -1 };
	for (i = 0; i < count; i += run) {
		struct way way = way_of(udp, frames[i].path, out.way);

		run = run_length(frames + i, count - i);
		if (way.fd < 0) {
			count_lost(udp, ENETUNREACH, run);
			continue;
		}
		if (out.count &&
		    (way.fd != out.way.fd || out.count == MAX_MESSAGES))
			send_all(udp, &out);
		out.way = way;
		compose(&out, out.count++, &frames[i], run);
	}
	if (out.count)
		send_all(udp, &out);
}
