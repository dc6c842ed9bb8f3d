/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Taking frames in. A packet socket shows them nearly as they were: a VLAN tag
 * that the kernel took off is put back, and a checksum that it left to the
 * hardware is computed. What the kernel put together or has not cut yet is not
 * a frame (it would be longer than any that the interface takes), and refused.
 */
#include "link/tap_state.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport/frame.h"

#define BUFFER_BYTES (4 << 20)

#define MAC_BYTES 12u /* both addresses: the tag stands behind them */

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

static int attach(int fd, const struct sock_filter *code, uint16_t length)
{
	const struct sock_fprog program = {
		.len = length,
		.filter = (struct sock_filter *)(uintptr_t)code,
	};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
			  sizeof(program)) ?
		       errno :
		       0;
}

#define LENGTH(code) (uint16_t)(sizeof(code) / sizeof((code)[0]))

/* Nothing. */
static int close_filter(int fd)
{
	static const struct sock_filter nothing[] = {
		BPF_STMT(BPF_RET | BPF_K, 0),
	};

	return attach(fd, nothing, LENGTH(nothing));
}

/* What comes in, and of what leaves that which has the mark. On the loopback
 * interface that comes in as well, so it is not taken as it leaves. Where this
 * host cannot mark what it sends, all that leaves counts. */
static int open_filter(int fd, bool loopback, bool marks)
{
	static const struct sock_filter incoming[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	static const struct sock_filter marked[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 (uint32_t)(SKF_AD_OFF + SKF_AD_MARK)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ADEV_TAP_MARK, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	static const struct sock_filter all[] = {
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};

	if (loopback)
		return attach(fd, incoming, LENGTH(incoming));
	return marks ? attach(fd, marked, LENGTH(marked)) :
		       attach(fd, all, LENGTH(all));
}

static void wish(int fd, int level, int option, int value)
{
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

/* What the socket took in for another interface, or under another filter. */
static void empty(int fd)
{
	char byte;

	while (recv(fd, &byte, 1, MSG_DONTWAIT | MSG_TRUNC) >= 0 ||
	       errno == ENETDOWN)
		;
}

/* Moves the socket to the interface of now. */
static int bind_here(struct adev_tap *tap)
{
	struct sockaddr_ll here = {
		.sll_family = AF_PACKET,
		.sll_protocol = __builtin_bswap16(ETH_P_ALL),
		.sll_ifindex = (int)atomic_load(&tap->interface_index),
	};
	int error;

	if (!here.sll_ifindex)
		return ENETDOWN;
	/* Until all of it is done it is to be done again. */
	tap->bound = 0;
	error = close_filter(tap->receive_fd);
	if (!error && bind(tap->receive_fd, (const void *)&here, sizeof(here)))
		error = errno;
	if (error)
		return error;
	empty(tap->receive_fd);
	error = open_filter(tap->receive_fd, atomic_load(&tap->loopback),
			    adev_tap_mark(tap->receive_fd));
	if (!error)
		tap->bound = (uint32_t)here.sll_ifindex;
	return error;
}

static int make_receiver(struct adev_tap *tap)
{
	const int on = 1, bytes = BUFFER_BYTES;
	int fd, error = adev_tap_socket(&fd);

	if (error)
		return error;
	if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on))) {
		close(fd);
		return EOPNOTSUPP;
	}
	wish(fd, SOL_PACKET, PACKET_AUXDATA, 1);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		wish(fd, SOL_SOCKET, SO_RCVBUF, bytes);
	tap->receive_fd = fd;
	return 0;
}

int adev_tap_listen(struct adev_tap *tap)
{
	int error = 0;

	if (tap->listens)
		return 0;
	adev_tap_look(tap);
	if (tap->receive_fd < 0)
		error = make_receiver(tap);
	if (!error)
		error = bind_here(tap);
	if (error)
		return error == EPERM || error == EMFILE || error == ENFILE ||
				       error == ENOMEM ?
			       error :
			       EOPNOTSUPP;
	tap->listens = true;
	return 0;
}

void adev_tap_deafen(struct adev_tap *tap)
{
	if (!tap->listens)
		return;
	tap->listens = false;
	(void)close_filter(tap->receive_fd);
	empty(tap->receive_fd);
}

bool adev_tap_follow(struct adev_tap *tap)
{
	adev_tap_look(tap);
	if (!tap->listens || tap->bound == atomic_load(&tap->interface_index))
		return false;
	return !bind_here(tap);
}

void adev_tap_want(struct adev_tap *tap, const uint8_t mac[6], bool wanted)
{
	struct packet_mreq request = {
		.mr_ifindex = (int)tap->bound,
		.mr_type = PACKET_MR_PROMISC,
	};

	if (mac) {
		request.mr_type = adev_mac_is_multicast(mac) ?
					  PACKET_MR_MULTICAST :
					  PACKET_MR_UNICAST;
		request.mr_alen = 6;
		memcpy(request.mr_address, mac, 6);
	}
	/* An interface that cannot takes everything in, or is gone. */
	(void)setsockopt(tap->receive_fd, SOL_PACKET,
			 wanted ? PACKET_ADD_MEMBERSHIP :
				  PACKET_DROP_MEMBERSHIP,
			 &request, sizeof(request));
}

/* One's complement sum of what stands in network order. */
static uint16_t checksum(const uint8_t *bytes, uint32_t length)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i + 1 < length; i += 2)
		sum += (uint64_t)bytes[i] << 8 | bytes[i + 1];
	if (length & 1)
		sum += (uint64_t)bytes[length - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* The hardware would have done it: over all from `start` on, of which the field
 * holds the sum of the pseudo-header. */
static bool finish_checksum(uint8_t *frame, uint32_t length,
			    const struct virtio_net_hdr *header)
{
	uint32_t start = header->csum_start;
	uint32_t field = start + header->csum_offset;
	uint16_t sum;

	if (!(header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return true;
	if (start >= length || length - start < 2 || field > length - 2)
		return false;
	sum = checksum(frame + start, length - start);
	/* Zero would say that there is none (RFC 768); the other zero is as
	 * good in every protocol. */
	if (!sum)
		sum = 0xffff;
	frame[field] = (uint8_t)(sum >> 8);
	frame[field + 1] = (uint8_t)sum;
	return true;
}

/* Where the kernel took the tag off, there are four bytes before the frame. */
static uint8_t *put_tag_back(uint8_t *frame, const struct msghdr *message)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(message);
	struct tpacket_auxdata aux;
	uint16_t type = ETH_P_8021Q;

	if (!control || control->cmsg_level != SOL_PACKET ||
	    control->cmsg_type != PACKET_AUXDATA ||
	    control->cmsg_len < CMSG_LEN(sizeof(aux)))
		return frame;
	memcpy(&aux, CMSG_DATA(control), sizeof(aux));
	if (!(aux.tp_status & TP_STATUS_VLAN_VALID))
		return frame;
	if (aux.tp_status & TP_STATUS_VLAN_TPID_VALID)
		type = aux.tp_vlan_tpid;
	memmove(frame - ADEV_FRAME_VLAN_BYTES, frame, MAC_BYTES);
	frame -= ADEV_FRAME_VLAN_BYTES;
	frame[MAC_BYTES] = (uint8_t)(type >> 8);
	frame[MAC_BYTES + 1] = (uint8_t)type;
	frame[MAC_BYTES + 2] = (uint8_t)(aux.tp_vlan_tci >> 8);
	frame[MAC_BYTES + 3] = (uint8_t)aux.tp_vlan_tci;
	return frame;
}

/* Is it a frame that the interface could have had from its link? */
static bool is_frame(const struct adev_tap *tap, uint32_t length,
		     const struct virtio_net_hdr *header)
{
	return header->gso_type == VIRTIO_NET_HDR_GSO_NONE &&
	       length >= ADEV_FRAME_HEADER_BYTES &&
	       length <= atomic_load(&tap->mtu) + ADEV_FRAME_HEADER_BYTES +
				 ADEV_FRAME_VLAN_BYTES;
}

enum adev_tap_took adev_tap_receive(struct adev_tap *tap, uint8_t *room,
				    struct adev_tap_frame *frame)
{
	uint8_t *at = room + ADEV_FRAME_VLAN_BYTES;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} control;
	struct virtio_net_hdr header;
	struct iovec parts[] = {
		{ .iov_base = &header, .iov_len = sizeof(header) },
		{ .iov_base = at,
		  .iov_len = ADEV_TAP_ROOM - ADEV_FRAME_VLAN_BYTES },
	};
	struct msghdr message = {
		.msg_iov = parts,
		.msg_iovlen = 2,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t got = recvmsg(tap->receive_fd, &message, MSG_DONTWAIT);
	uint32_t length;

	frame->length = 0;
	if (got < 0)
		return ADEV_TAP_NOTHING;
	if ((size_t)got < sizeof(header) || message.msg_flags & MSG_TRUNC)
		return ADEV_TAP_REFUSED;
	length = (uint32_t)((size_t)got - sizeof(header));
	frame->length = length;
	if (!is_frame(tap, length, &header) ||
	    !finish_checksum(at, length, &header))
		return ADEV_TAP_REFUSED;
	frame->bytes = put_tag_back(at, &message);
	frame->length = length + (uint32_t)(at - frame->bytes);
	return ADEV_TAP_FRAME;
}
