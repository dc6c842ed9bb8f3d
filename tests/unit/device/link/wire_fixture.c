/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "wire_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "domain/directory.h"

struct wire_arrival wire_arrivals[WIRE_MAX_ARRIVALS];
_Atomic uint32_t wire_num_arrivals;
_Atomic uint32_t wire_num_settles;

/* Of two functions one may be drained by the test and one by the agent. */
static pthread_mutex_t arrivals_lock = PTHREAD_MUTEX_INITIALIZER;

void __wrap_adev_transport_receive(struct adev_function *fn,
				   const struct adev_arrival *arrival);
bool __wrap_adev_transport_settle(struct adev_function *fn, bool answers_only);

void __wrap_adev_transport_receive(struct adev_function *fn,
				   const struct adev_arrival *arrival)
{
	struct wire_arrival *kept;
	uint32_t index;

	pthread_mutex_lock(&arrivals_lock);
	index = atomic_load(&wire_num_arrivals);
	assert_true(index < WIRE_MAX_ARRIVALS);
	kept = &wire_arrivals[index];
	kept->fn = fn;
	kept->arrival = *arrival;
	if (arrival->packet.payload_bytes <= sizeof(kept->payload))
		memcpy(kept->payload, arrival->packet.payload,
		       arrival->packet.payload_bytes);
	kept->arrival.packet.payload = kept->payload;
	atomic_store(&wire_num_arrivals, index + 1);
	pthread_mutex_unlock(&arrivals_lock);
}

bool __wrap_adev_transport_settle(struct adev_function *fn, bool answers_only)
{
	(void)fn;
	(void)answers_only;
	wire_num_settles++;
	return false;
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written;

	if (fd < 0)
		return false;
	written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return written;
}

static bool leave_network(void)
{
	char map[64];
	unsigned int uid = (unsigned int)geteuid();

	if (unshare(CLONE_NEWNET) == 0)
		return true;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return false;
	snprintf(map, sizeof(map), "%u %u 1", uid, uid);
	return write_file("/proc/self/uid_map", map);
}

bool wire_isolate(void)
{
	struct ifreq request = { .ifr_name = "lo" };
	int fd;
	bool up;

	if (!leave_network())
		return false;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	request.ifr_flags = IFF_UP;
	up = ioctl(fd, SIOCSIFFLAGS, &request) == 0;
	close(fd);
	return up;
}

void wire_open_or_skip(struct adev_function *fn)
{
	int error = adev_wire_open(fn);

	if (error == EADDRINUSE) {
		puts("port 4791 is taken, and a network namespace not allowed");
		skip();
	}
	assert_ok(error);
}

static void read_address(const char *text, uint8_t address[16])
{
	memset(address, 0, 10);
	memset(address + 10, 0xff, 2);
	if (inet_pton(AF_INET, text, address + 12) != 1)
		assert_int_equal(inet_pton(AF_INET6, text, address), 1);
}

struct adev_path wire_path(const char *source, const char *destination)
{
	struct adev_path path = { .source_port = 0xc123 };

	read_address(source, path.source);
	read_address(destination, path.destination);
	return path;
}

void wire_add(struct adev_batch *batch, const struct adev_path *path,
	      uint8_t opcode, uint32_t dest_qpn, uint32_t psn, uint32_t bytes)
{
	const struct roce_packet packet = {
		.opcode = opcode,
		.pkey = ROCE_DEFAULT_PKEY,
		.dest_qpn = dest_qpn,
		.psn = psn,
		.payload_bytes = bytes,
	};
	uint8_t *payload = adev_batch_add(batch, path, &packet);

	two_fill(payload, bytes, psn);
}

void wire_wait(struct adev_function *a, struct adev_function *b, uint32_t count)
{
	uint64_t until = 0;

	while (wire_num_arrivals < count) {
		if (a)
			adev_wire_drain(a, 64);
		if (b)
			adev_wire_drain(b, 64);
		(void)two_patience(&until);
	}
}

uint32_t wire_qpn(struct adev_function *fn)
{
	uint32_t block;
	uint32_t lease;

	for (lease = ADEV_MAX_LEASES - 1; fn->leases[lease]; lease--)
		;
	assert_ok(adev_directory_lease(fn->directory, fn->view.function, lease,
				       &block));
	fn->leases[lease] = block;
	return block * ADEV_LEASE_QPNS + 5;
}

void wire_forget_arrivals(void)
{
	pthread_mutex_lock(&arrivals_lock);
	atomic_store(&wire_num_arrivals, 0);
	atomic_store(&wire_num_settles, 0);
	pthread_mutex_unlock(&arrivals_lock);
}
