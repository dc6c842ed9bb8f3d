/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What UDP can do by itself, to compare the wire with: nothing but the system
 * calls that move datagrams, as few as possible.
 *
 *   udp_floor receive plain|offload          ADDRESS SECONDS
 *                                            prints bytes and seconds
 *   udp_floor send    plain|offload|messages ADDRESS SECONDS
 *   udp_floor echo    -                      ADDRESS SECONDS
 *   udp_floor ping    -                      ADDRESS COUNT
 *                                            prints us, one way
 *
 * plain: many datagrams for each system call. offload: the kernel cuts large
 * ones (UDP_SEGMENT) and puts them together (UDP_GRO). messages: the same, in
 * the pieces that RDMA WRITEs of 64 KiB have at a path MTU of 4096: the first
 * packet of each is longer than the others, and the kernel cuts into equal
 * parts only. ping and echo never sleep.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORT 40791
#define PAYLOAD 4096u
#define SEGMENTS 15u /* 61440 bytes: what fits into a datagram */
#define BATCH 32u
#define PING_BYTES 8u
#define BUFFER_BYTES (8 << 20)

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "udp_floor: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_socket(const char *address, bool bound)
{
	struct sockaddr_in name = { .sin_family = AF_INET,
				    .sin_port = htons(PORT) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), bytes = BUFFER_BYTES;

	if (fd < 0 || inet_pton(AF_INET, address, &name.sin_addr) != 1)
		give_up(address);
	/* What the system permits will do. */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	if (bound ? bind(fd, (struct sockaddr *)&name, sizeof(name)) :
		    connect(fd, (struct sockaddr *)&name, sizeof(name)))
		give_up(address);
	return fd;
}

static uint64_t sum_of(const struct mmsghdr *messages, int count)
{
	uint64_t bytes = 0;

	for (int i = 0; i < count; i++)
		bytes += messages[i].msg_len;
	return bytes;
}

static void receive(int fd, bool offload, double seconds)
{
	static char memory[BATCH][1 << 16];
	struct mmsghdr messages[BATCH];
	struct iovec pieces[BATCH];
	double begin = 0, end = now() + seconds + 30;
	uint64_t bytes = 0;
	int on = 1;

	if (offload && setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on)))
		give_up("UDP_GRO");
	memset(messages, 0, sizeof(messages));
	for (unsigned int i = 0; i < BATCH; i++) {
		pieces[i] = (struct iovec){ memory[i], sizeof(memory[i]) };
		messages[i].msg_hdr.msg_iov = &pieces[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	while (now() < end) {
		int got = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);

		if (got > 0 && !bytes) {
			begin = now();
			end = begin + seconds;
		}
		if (got > 0)
			bytes += sum_of(messages, got);
		else if (errno != EAGAIN && errno != EINTR)
			give_up("recvmmsg");
	}
	printf("%llu bytes in %.6f s\n", (unsigned long long)bytes,
	       now() - begin);
}

static void send_plain(int fd, double end)
{
	static char memory[PAYLOAD];
	struct iovec piece = { memory, sizeof(memory) };
	struct mmsghdr messages[BATCH];

	memset(messages, 0, sizeof(messages));
	for (unsigned int i = 0; i < BATCH; i++) {
		messages[i].msg_hdr.msg_iov = &piece;
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	while (now() < end)
		if (sendmmsg(fd, messages, BATCH, 0) < 0 &&
		    errno != ECONNREFUSED && errno != ENOBUFS)
			give_up("sendmmsg");
}

static void send_offload(int fd, double end)
{
	static char memory[SEGMENTS * PAYLOAD];
	int size = PAYLOAD;

	if (setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)))
		give_up("UDP_SEGMENT");
	while (now() < end)
		if (send(fd, memory, sizeof(memory), 0) < 0 &&
		    errno != ECONNREFUSED && errno != ENOBUFS)
			give_up("send");
}

#define FIRST_BYTES 4128u  /* BTH, RETH, data, ICRC */
#define MIDDLE_BYTES 4112u /* BTH, data, ICRC */
#define MIDDLES 15u
#define MESSAGES 8u /* for each system call */

static void send_messages(int fd, double end)
{
	static char memory[MIDDLES * MIDDLE_BYTES];
	struct iovec first = { memory, FIRST_BYTES };
	struct iovec others = { memory, sizeof(memory) };
	struct mmsghdr datagrams[2 * MESSAGES];
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(uint16_t))];
	} control = { .header = { .cmsg_level = IPPROTO_UDP,
				  .cmsg_type = UDP_SEGMENT,
				  .cmsg_len = CMSG_LEN(sizeof(uint16_t)) } };

	*(uint16_t *)(void *)CMSG_DATA(&control.header) = MIDDLE_BYTES;
	memset(datagrams, 0, sizeof(datagrams));
	for (unsigned int i = 0; i < 2 * MESSAGES; i++) {
		struct msghdr *header = &datagrams[i].msg_hdr;

		header->msg_iov = i % 2 ? &others : &first;
		header->msg_iovlen = 1;
		if (i % 2) {
			header->msg_control = &control;
			header->msg_controllen = sizeof(control.room);
		}
	}
	while (now() < end)
		if (sendmmsg(fd, datagrams, 2 * MESSAGES, 0) < 0 &&
		    errno != ECONNREFUSED && errno != ENOBUFS)
			give_up("sendmmsg");
}

static void echo(int fd, double seconds)
{
	double end = now() + seconds;
	struct sockaddr_in from;
	char memory[64];

	while (now() < end) {
		socklen_t size = sizeof(from);
		ssize_t got = recvfrom(fd, memory, sizeof(memory), MSG_DONTWAIT,
				       (struct sockaddr *)&from, &size);

		if (got > 0)
			(void)!sendto(fd, memory, (size_t)got, 0,
				      (struct sockaddr *)&from, size);
	}
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

/* One round; false when the datagram was lost. */
static bool round_trip(int fd)
{
	char memory[64] = { 0 };
	double patience = now() + 0.1;

	if (send(fd, memory, PING_BYTES, 0) < 0)
		return false;
	while (now() < patience)
		if (recv(fd, memory, sizeof(memory), MSG_DONTWAIT) > 0)
			return true;
	return false;
}

static void ping(int fd, uint32_t count)
{
	double *times = calloc(count, sizeof(*times));
	uint32_t good = 0, tries;

	if (!times)
		give_up("memory");
	for (tries = 0; tries < 4 * count && good < count; tries++) {
		double begin = now();

		if (round_trip(fd))
			times[good++] = now() - begin;
	}
	if (good < count / 2 + 1)
		give_up("no answers");
	qsort(times, good, sizeof(*times), compare);
	printf("%.3f us\n", times[good / 2] / 2 * 1e6);
	free(times);
}

int main(int argc, char **argv)
{
	bool offload, bound;
	double amount;
	int fd;

	if (argc != 5) {
		fprintf(stderr, "usage: see udp_floor.c\n");
		return 2;
	}
	offload = !strcmp(argv[2], "offload");
	bound = !strcmp(argv[1], "receive") || !strcmp(argv[1], "echo");
	amount = atof(argv[4]);
	fd = open_socket(argv[3], bound);
	if (!strcmp(argv[1], "receive"))
		receive(fd, offload, amount);
	else if (!strcmp(argv[1], "echo"))
		echo(fd, amount);
	else if (!strcmp(argv[1], "ping"))
		ping(fd, (uint32_t)amount);
	else if (!strcmp(argv[2], "messages"))
		send_messages(fd, now() + amount);
	else if (offload)
		send_offload(fd, now() + amount);
	else
		send_plain(fd, now() + amount);
	close(fd);
	return 0;
}
