/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "link/witness.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "domain/wake.h"
#include "link/udp_state.h"

/* Headers that were seen, the newest at `next - 1`. More than one look reads,
 * as it may have read far ahead of the datagram that it is asked about. */
#define NUM_SEEN 1024u
/* An IP header with options, UDP, BTH. */
#define SNAP_BYTES (60u + 8u + ROCE_BTH_BYTES)
#define BATCH 32u
/* More than there is room for in the socket; in a flood some are not seen. */
#define MAX_BATCHES 16u

struct seen {
	uint8_t source[4];
	uint16_t source_port;
	uint16_t ip_id;
	uint8_t bth[ROCE_BTH_BYTES];
};

struct adev_witness {
	int fd;	      /* -1: not opened */
	bool refused; /* not asked again */
	uint32_t next;
	struct seen seen[NUM_SEEN];
};

struct adev_witness *adev_witness_create(void)
{
	struct adev_witness *witness = calloc(1, sizeof(*witness));

	if (witness)
		witness->fd = -1;
	return witness;
}

void adev_witness_destroy(struct adev_witness *witness)
{
	if (witness->fd >= 0)
		close(witness->fd);
	free(witness);
}

/* Of datagrams to port 4791 the first bytes, of others nothing. */
static int attach_filter(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ROCE_UDP_PORT, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SNAP_BYTES),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog program = {
		.len = sizeof(code) / sizeof(code[0]),
		.filter = code,
	};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
			  sizeof(program));
}

static void open_socket(struct adev_witness *witness)
{
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			IPPROTO_UDP);

	witness->refused = true;
	if (fd < 0)
		return;
	if (attach_filter(fd)) {
		close(fd);
		return;
	}
	/* As the socket has whose datagrams it witnesses. */
	adev_udp_socket_ask_room(fd);
	witness->fd = adev_fd_high(fd);
}

static void keep(struct adev_witness *witness, const uint8_t *bytes,
		 uint32_t length)
{
	struct seen *seen = &witness->seen[witness->next % NUM_SEEN];
	struct iphdr ip;
	struct udphdr udp;
	uint32_t header_bytes;

	if (length < sizeof(ip))
		return;
	memcpy(&ip, bytes, sizeof(ip));
	header_bytes = ip.ihl * 4u;
	if (length < header_bytes + sizeof(udp) + ROCE_BTH_BYTES)
		return;
	memcpy(&udp, bytes + header_bytes, sizeof(udp));
	memcpy(seen->source, &ip.saddr, 4);
	seen->source_port = ntohs(udp.source);
	seen->ip_id = ntohs(ip.id);
	memcpy(seen->bth, bytes + header_bytes + sizeof(udp), ROCE_BTH_BYTES);
	witness->next++;
}

/* Some of what came: the kernel shows a datagram here before it hands it to the
 * UDP socket. False: there is no more. Directly, as the C library's would be a
 * cancellation point. */
static bool look(struct adev_witness *witness)
{
	uint8_t bytes[BATCH][SNAP_BYTES];
	struct iovec vectors[BATCH];
	struct mmsghdr messages[BATCH];
	long got, i;

	for (i = 0; i < (long)BATCH; i++) {
		vectors[i] = (struct iovec){ bytes[i], SNAP_BYTES };
		messages[i] = (struct mmsghdr){
			.msg_hdr = { .msg_iov = &vectors[i], .msg_iovlen = 1 },
		};
	}
	got = syscall(SYS_recvmmsg, witness->fd, messages, BATCH, MSG_DONTWAIT,
		      NULL);
	for (i = 0; i < got; i++)
		keep(witness, bytes[i], messages[i].msg_len);
	return got == (long)BATCH;
}

static bool is_of(const struct seen *seen, const struct adev_datagram *datagram)
{
	return seen->source_port == datagram->path.source_port &&
	       !memcmp(seen->source, datagram->path.source + 12, 4) &&
	       !memcmp(seen->bth, datagram->bytes, ROCE_BTH_BYTES);
}

enum sight { NOT_SEEN, SEEN_OTHERWISE, SEEN };

/* One that was sent again is there twice, with two identifications. */
static enum sight find(const struct adev_witness *witness,
		       const struct adev_datagram *datagram, uint16_t ip_id)
{
	enum sight sight = NOT_SEEN;
	uint32_t i;

	for (i = 1; i <= NUM_SEEN && i <= witness->next; i++) {
		const struct seen *seen =
			&witness->seen[(witness->next - i) % NUM_SEEN];

		if (!is_of(seen, datagram))
			continue;
		if (seen->ip_id == ip_id)
			return SEEN;
		sight = SEEN_OTHERWISE;
	}
	return sight;
}

bool adev_witness_agrees(struct adev_witness *witness,
			 const struct adev_datagram *datagram, uint16_t ip_id)
{
	enum sight sight;
	bool more = true;
	uint32_t i;

	if (witness->fd < 0 && !witness->refused) {
		open_socket(witness);
		return true;
	}
	/* Of what the kernel put together it shows the first one's header. */
	if (witness->fd < 0 || datagram->segment)
		return true;
	/* No further than needed: what comes after it is of no use, and would
	 * take the place of what others are still asked about. */
	sight = find(witness, datagram, ip_id);
	for (i = 0; sight != SEEN && more && i < MAX_BATCHES; i++) {
		more = look(witness);
		sight = find(witness, datagram, ip_id);
	}
	/* Not seen at all: there was no room for it. */
	return sight != SEEN_OTHERWISE;
}
