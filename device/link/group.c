/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "link/group.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/agent.h"
#include "core/clock.h"
#include "core/function.h"
#include "domain/directory.h"
#include "link/group_lock.h"
#include "link/group_members.h"
#include "link/port_complaint.h"
#include "link/steer.h"

/* For the lock: when it matters, and when it can be tried again later. */
#define PATIENCE_NS (2000 * ADEV_MS_NS)
#define SHORT_PATIENCE_NS (10 * ADEV_MS_NS)

/* A process that was killed has its sockets until its memory is freed. */
#define JOIN_ATTEMPTS 100u
#define JOIN_PAUSE_NS (10 * ADEV_MS_NS)

/* Probes are answered when their receivers look at their sockets: at once, but
 * for those that are stopped, or have ended and are not gone yet. */
#define FIRST_RETRY_NS (20 * ADEV_MS_NS)
#define LAST_RETRY_NS (5000 * ADEV_MS_NS)

static int set_reuse(int fd)
{
	const int one = 1;

	return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) ?
		       errno :
		       0;
}

static int bind_as_first(int fd, int family)
{
	int error = adev_udp_socket_bind(fd, family, ROCE_UDP_PORT);

	return error ? error : set_reuse(fd);
}

/* Among others, who are there before and after: so the port was theirs, and no
 * other group of this user's, at the time. */
static int bind_among(struct adev_udp *udp, int fd, int family)
{
	int error = set_reuse(fd);

	if (!error)
		error = adev_udp_socket_bind(fd, family, ROCE_UDP_PORT);
	if (!error && !adev_group_count(udp->fn->directory))
		error = EADDRINUSE;
	return error;
}

/* With the lock held. */
static int try_join(struct adev_udp *udp)
{
	uint32_t others = adev_group_count(udp->fn->directory);
	int family, fd;
	int error = adev_udp_socket_receive(&fd, &family);

	if (error)
		return error;
	error = others ? bind_among(udp, fd, family) :
			 bind_as_first(fd, family);
	if (error) {
		close(fd);
		return error;
	}
	udp->receive_fd = fd;
	adev_group_add(udp->fn->directory, &udp->self, others);
	return 0;
}

static int join_locked(struct adev_udp *udp)
{
	const struct timespec pause = { .tv_nsec = JOIN_PAUSE_NS };
	int error = try_join(udp);
	uint32_t i;

	for (i = 1; i < JOIN_ATTEMPTS && error == EADDRINUSE &&
		    adev_group_has_dead(udp->fn->directory);
	     i++) {
		nanosleep(&pause, NULL);
		error = try_join(udp);
	}
	if (!error)
		adev_group_steer(udp->fn->directory, udp->receive_fd);
	return error;
}

int adev_group_join(struct adev_udp *udp)
{
	static atomic_flag said = ATOMIC_FLAG_INIT;
	int lock;
	int error = adev_group_lock(PATIENCE_NS, &lock);

	if (!error) {
		error = join_locked(udp);
		adev_group_unlock(lock);
	}
	if (error && !atomic_flag_test_and_set(&said))
		adev_port_complain(error);
	return error;
}

void adev_group_leave(struct adev_udp *udp)
{
	int lock;
	int error;

	if (udp->receive_fd < 0)
		return;
	error = adev_group_lock(PATIENCE_NS, &lock);
	adev_group_remove(udp->fn->directory, &udp->self, !error);
	if (!error)
		adev_group_steer(udp->fn->directory, udp->receive_fd);
	close(udp->receive_fd);
	udp->receive_fd = -1;
	if (!error)
		adev_group_unlock(lock);
}

void adev_group_expect(struct adev_udp *udp, uint64_t when_ns)
{
	uint64_t due = atomic_load(&udp->refresh_ns);

	while (when_ns < due)
		if (atomic_compare_exchange_weak(&udp->refresh_ns, &due,
						 when_ns)) {
			/* The agent's own: who polls does not do it. */
			adev_function_left_work(udp->fn, when_ns);
			adev_agent_expect(when_ns);
			return;
		}
}

struct probe {
	uint8_t opcode;	   /* ADEV_STEER_PROBE */
	uint8_t reserved0; /* zero */
	uint16_t place;	   /* in wire order: the program reads it */
	uint32_t dest_qpn; /* zero */
	uint64_t secret;
	uint32_t epoch;
	uint32_t reserved1; /* zero */
};

/* To whoever has the place, from the private socket. Where the loopback
 * interface is down nobody is asked, and places stay in doubt. */
static void ask(struct adev_udp *udp, uint32_t places)
{
	struct adev_directory *directory = udp->fn->directory;
	const struct sockaddr_in name = {
		.sin_family = AF_INET,
		.sin_port = htons(ROCE_UDP_PORT),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct probe probe = {
		.opcode = ADEV_STEER_PROBE,
		.secret = adev_group_secret(directory),
		.epoch = adev_group_epoch(directory),
	};
	uint32_t i;

	for (i = 0; i < places; i++) {
		probe.place = htons((uint16_t)i);
		(void)sendto(udp->senders[0].fd4, &probe, sizeof(probe),
			     MSG_DONTWAIT | MSG_NOSIGNAL, (const void *)&name,
			     sizeof(name));
	}
}

/* Asks for all places, and again after a pause that grows: a member that is
 * stopped does not answer. */
static void probe(struct adev_udp *udp, uint32_t places, uint64_t now_ns)
{
	uint64_t retry_ns = atomic_load(&udp->retry_ns);

	adev_group_doubt(udp->fn->directory);
	udp->probe_again_ns = now_ns + retry_ns;
	if (retry_ns < LAST_RETRY_NS)
		adev_group_expect(udp, udp->probe_again_ns);
	atomic_store(&udp->retry_ns, retry_ns * 2);
	ask(udp, places);
}

void adev_group_refresh(struct adev_udp *udp, uint64_t now_ns)
{
	struct adev_directory *directory = udp->fn->directory;
	uint32_t places;
	int lock, error;

	if (now_ns < atomic_load(&udp->refresh_ns))
		return;
	atomic_store(&udp->refresh_ns, ADEV_NEVER_NS);
	if (udp->receive_fd < 0)
		return;
	error = adev_group_lock(SHORT_PATIENCE_NS, &lock);
	if (error == EBUSY)
		adev_group_expect(udp, now_ns + FIRST_RETRY_NS);
	if (error)
		return;
	if (adev_group_settled(directory, &places))
		atomic_store(&udp->retry_ns, FIRST_RETRY_NS);
	else if (now_ns >= udp->probe_again_ns)
		probe(udp, places, now_ns);
	else
		adev_group_expect(udp, udp->probe_again_ns);
	adev_group_steer(directory, udp->receive_fd);
	adev_group_unlock(lock);
}

void adev_group_strayed(struct adev_udp *udp)
{
	uint64_t now_ns = adev_now_ns();

	/* Now and then: where the kernel takes no program it goes on. */
	if (now_ns < udp->stray_again_ns)
		return;
	if (now_ns > udp->stray_again_ns + LAST_RETRY_NS)
		udp->stray_pause_ns = FIRST_RETRY_NS;
	udp->stray_again_ns = now_ns + udp->stray_pause_ns;
	if (udp->stray_pause_ns < LAST_RETRY_NS)
		udp->stray_pause_ns *= 2;
	adev_group_doubt(udp->fn->directory);
	atomic_store(&udp->retry_ns, FIRST_RETRY_NS);
	adev_group_expect(udp, now_ns);
}

bool adev_group_probed(struct adev_udp *udp, const uint8_t *bytes,
		       uint32_t length)
{
	struct adev_directory *directory = udp->fn->directory;
	struct probe probe;

	if (length != sizeof(probe))
		return false;
	memcpy(&probe, bytes, sizeof(probe));
	if (probe.secret != adev_group_secret(directory))
		return false;
	adev_group_learn(directory, &udp->self, ntohs(probe.place),
			 probe.epoch);
	adev_group_expect(udp, adev_now_ns());
	return true;
}
