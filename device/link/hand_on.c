/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "link/hand_on.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/function.h"
#include "domain/directory.h"
#include "domain/wake.h"
#include "link/group.h"
#include "link/group_members.h"
#include "trace.h"

/* The largest packet is 4096 bytes and its headers. */
#define PACKET_BYTES 4608u
#define NUM_PACKETS 16u

/* Kinds of private address in slot.wire_address: a UDP port, or the number in
 * the name that the kernel gave to a local socket. */
#define LOCAL_ADDRESS 0x80000000u
#define LOCAL_NUMBER_MASK 0xfffffu

struct handed_on {
	uint64_t secret;
	struct adev_path path;
	uint16_t segment;
	uint16_t reserved0;
	uint8_t packet[PACKET_BYTES];
};

#define PREFIX_BYTES offsetof(struct handed_on, packet)

struct adev_handed_on {
	struct handed_on packets[NUM_PACKETS];
};

static struct adev_slot *slot_of(const struct adev_udp *udp, uint32_t function)
{
	return &udp->fn->directory->table->slots[function % ADEV_FUNCTIONS];
}

static int open_loopback(int *fd, uint32_t *address)
{
	struct sockaddr_in name = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t bytes = sizeof(name);
	int error = 0;

	*fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0)
		return errno;
	if (bind(*fd, (const void *)&name, sizeof(name)) ||
	    getsockname(*fd, (void *)&name, &bytes))
		error = errno;
	*address = ntohs(name.sin_port);
	if (error)
		close(*fd);
	return error;
}

/* Named by the kernel: a zero byte and five hexadecimal digits. */
static int open_local(int *fd, uint32_t *address)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	socklen_t bytes = sizeof(name.sun_family);
	unsigned int number = 0;
	int error = 0;

	*fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0)
		return errno;
	if (bind(*fd, (const void *)&name, bytes))
		error = errno;
	bytes = sizeof(name);
	if (!error && getsockname(*fd, (void *)&name, &bytes))
		error = errno;
	if (!error && sscanf(name.sun_path + 1, "%5x", &number) != 1)
		error = EPROTO;
	*address = LOCAL_ADDRESS | number;
	if (error)
		close(*fd);
	return error;
}

/* Is there a way from here to 127.0.0.1? */
static bool is_loopback_up(int fd, uint32_t port)
{
	const struct sockaddr_in name = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	char byte;

	return sendto(fd, "", 1, MSG_DONTWAIT, (const void *)&name,
		      sizeof(name)) == 1 &&
	       recv(fd, &byte, 1, MSG_DONTWAIT) == 1;
}

int adev_hand_on_open(struct adev_udp *udp)
{
	struct adev_slot *slot = slot_of(udp, udp->self.function);
	uint32_t address;
	int error;

	udp->handed_on = malloc(sizeof(*udp->handed_on));
	if (!udp->handed_on)
		return ENOMEM;
	error = open_loopback(&udp->private_fd, &address);
	if (!error && !is_loopback_up(udp->private_fd, address)) {
		close(udp->private_fd);
		error = ENETUNREACH;
	}
	if (error)
		error = open_local(&udp->private_fd, &address);
	if (error) {
		free(udp->handed_on);
		return error;
	}
	udp->private_fd = adev_fd_high(udp->private_fd);
	udp->handed_seen = atomic_load(&slot->wire_handed);
	atomic_store(&slot->wire_address, address);
	return 0;
}

void adev_hand_on_close(struct adev_udp *udp)
{
	close(udp->private_fd);
	free(udp->handed_on);
}

static socklen_t name_of(uint32_t address, struct sockaddr_storage *storage)
{
	struct sockaddr_in *name = (void *)storage;
	struct sockaddr_un *local = (void *)storage;

	memset(storage, 0, sizeof(*storage));
	if (address & LOCAL_ADDRESS) {
		local->sun_family = AF_UNIX;
		snprintf(local->sun_path + 1, 6, "%05x",
			 address & LOCAL_NUMBER_MASK);
		return offsetof(struct sockaddr_un, sun_path) + 6;
	}
	name->sin_family = AF_INET;
	name->sin_port = htons((uint16_t)address);
	name->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sizeof(*name);
}

static bool send_on(struct adev_udp *udp, uint32_t function,
		    const struct adev_datagram *datagram)
{
	struct adev_slot *slot = slot_of(udp, function);
	uint32_t address = atomic_load(&slot->wire_address);
	struct handed_on handed = {
		.secret = adev_group_secret(udp->fn->directory),
		.path = datagram->path,
		.segment = datagram->segment,
	};
	struct iovec vectors[] = {
		{ &handed, PREFIX_BYTES },
		{ (void *)(uintptr_t)datagram->bytes, datagram->length },
	};
	struct sockaddr_storage name;
	const struct msghdr message = {
		.msg_name = &name,
		.msg_namelen = name_of(address, &name),
		.msg_iov = vectors,
		.msg_iovlen = 2,
	};
	const int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
	int fd = udp->private_fd;

	if (!address || datagram->length > PACKET_BYTES)
		return false;
	/* Of another kind than our own: when the interface came or went. */
	if (sendmsg(fd, &message, flags) < 0)
		return false;
	/* H1: after the packet; pairs with adev_hand_on_waits(). */
	atomic_fetch_add_explicit(&slot->wire_handed, 1, memory_order_release);
	return true;
}

bool adev_hand_on(void *lower, const struct adev_datagram *datagram,
		  uint32_t dest_qpn)
{
	struct adev_udp *udp = lower;
	const struct adev_directory *directory = udp->fn->directory;
	uint64_t word = atomic_load_explicit(
		&directory->table->blocks[dest_qpn / ADEV_BLOCK_QPNS],
		memory_order_relaxed);
	uint32_t function, lease;
	uint64_t generation;

	if (__builtin_expect(
		    (word & ADEV_BLOCK_FUNCTION_MASK) == udp->self.function, 1))
		return false;
	if (datagram->handed_on ||
	    adev_directory_find(directory, dest_qpn, &function, &generation,
				&lease))
		return false;
	arnica_trace_wire_handed_on(dest_qpn, function);
	if (send_on(udp, function, datagram))
		adev_count(udp->counters, wire_handed_on);
	else
		adev_count(udp->counters, wire_lost_strayed);
	adev_group_strayed(udp);
	return true;
}

bool adev_hand_on_waits(struct adev_udp *udp)
{
	uint32_t handed = atomic_load_explicit(
		&slot_of(udp, udp->self.function)->wire_handed,
		memory_order_acquire);

	return handed != udp->handed_seen;
}

static bool is_genuine(struct adev_udp *udp, const struct handed_on *handed,
		       ssize_t bytes)
{
	if (bytes > (ssize_t)PREFIX_BYTES &&
	    bytes <= (ssize_t)sizeof(*handed) &&
	    handed->secret == adev_group_secret(udp->fn->directory))
		return true;
	adev_count(udp->counters, wire_bad_packet);
	arnica_trace_wire_bad_packet(ROCE_BAD_LENGTH, (uint64_t)bytes);
	return false;
}

uint32_t adev_hand_on_receive(struct adev_udp *udp,
			      struct adev_datagram *datagrams, uint32_t max)
{
	uint32_t handed = atomic_load_explicit(
		&slot_of(udp, udp->self.function)->wire_handed,
		memory_order_acquire);
	uint32_t count = 0, i;
	ssize_t bytes = 0;

	for (i = 0; i < NUM_PACKETS && count < max; i++) {
		struct handed_on *packet = &udp->handed_on->packets[count];

		bytes = recv(udp->private_fd, packet, sizeof(*packet),
			     MSG_DONTWAIT | MSG_TRUNC);
		if (bytes < 0)
			break;
		if (!is_genuine(udp, packet, bytes))
			continue;
		datagrams[count++] = (struct adev_datagram){
			.bytes = packet->packet,
			.length = (uint32_t)bytes - (uint32_t)PREFIX_BYTES,
			.segment = packet->segment,
			.handed_on = true,
			.path = packet->path,
		};
	}
	if (bytes < 0)
		udp->handed_seen = handed;
	return count;
}
