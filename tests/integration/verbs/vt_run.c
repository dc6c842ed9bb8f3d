/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Cases, their processes, and peers: see vt.h. Nothing here knows verbs.
 */
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vt.h"

#define VT_SKIPPED 77
#define VT_FAILED 1
#define VT_LIMIT_S 120u

void vt_fail(const char *file, int line, const char *format, ...)
{
	const char *slash = strrchr(file, '/');
	va_list arguments;

	printf("      %s:%d: ", slash ? slash + 1 : file, line);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	fflush(stdout);
	_exit(VT_FAILED);
}

void vt_skip(const char *format, ...)
{
	va_list arguments;

	printf("      skipped: ");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	fflush(stdout);
	_exit(VT_SKIPPED);
}

uint64_t vt_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct vt_patience vt_patience(uint64_t ms)
{
	return (struct vt_patience){ vt_now_ms(), ms };
}

bool vt_patience_ends(struct vt_patience *patience)
{
	uint64_t now_ms = vt_now_ms(), passed_ms = now_ms - patience->last_ms;

	if (passed_ms > 1000)
		passed_ms = 1000;
	patience->last_ms = now_ms;
	if (passed_ms > patience->left_ms)
		return true;
	patience->left_ms -= passed_ms;
	return false;
}

/* The child leads a process group, by which the runner kills it with all its
 * peers when it does not end. */
static int run_case(const struct vt_case *one)
{
	uint64_t limit_ms = 1000 * vt_setting("VT_LIMIT", one->limit_s ?
					      one->limit_s : VT_LIMIT_S);
	struct vt_patience patience;
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return VT_FAILED;
	if (pid == 0) {
		setpgid(0, 0);
		one->run();
		fflush(stdout);
		/* Not _exit(): what runs at exit (the adapter's, a leak
		 * check's) belongs to the test. */
		exit(0);
	}
	setpgid(pid, pid);
	patience = vt_patience(limit_ms);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (vt_patience_ends(&patience)) {
			printf("      did not end within %llu s\n",
			       (unsigned long long)(limit_ms / 1000));
			kill(-pid, SIGKILL);
			waitpid(pid, &status, 0);
			return VT_FAILED;
		}
		usleep(500);
	}
	kill(-pid, SIGKILL);
	if (WIFSIGNALED(status)) {
		printf("      killed by signal %d (%s)\n", WTERMSIG(status),
		       strsignal(WTERMSIG(status)));
		return VT_FAILED;
	}
	return WEXITSTATUS(status);
}

static bool wanted(int argc, char **argv, const char *name)
{
	if (argc < 2)
		return true;
	for (int i = 1; i < argc; i++)
		if (strstr(name, argv[i]))
			return true;
	return false;
}

int vt_main(int argc, char **argv, const struct vt_case *cases)
{
	unsigned int passed = 0, failed = 0, skipped = 0;

	for (; cases->name; cases++) {
		uint64_t begin = vt_now_ms();
		const char *word = "ok   ";
		int status;

		if (!wanted(argc, argv, cases->name))
			continue;
		status = run_case(cases);
		if (status == 0) {
			passed++;
		} else if (status == VT_SKIPPED) {
			word = "skip ";
			skipped++;
		} else {
			word = "FAIL ";
			failed++;
		}
		printf("%s %s (%.2f s)\n", word, cases->name,
		       (double)(vt_now_ms() - begin) / 1000);
		fflush(stdout);
	}
	printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
	if (failed)
		return 1;
	return passed ? 0 : VT_SKIPPED;
}

/* Meets the other machine's program at a TCP port; `host` of the one that
 * listens is NULL. */
static int meet_over_tcp(const char *host, const char *port)
{
	const struct addrinfo wish = { .ai_socktype = SOCK_STREAM,
				       .ai_flags = host ? 0 : AI_PASSIVE,
				       .ai_family = AF_INET };
	struct addrinfo *address;
	const int on = 1;
	int fd, connected;

	VT_EQUAL(getaddrinfo(host, port, &wish, &address), 0);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	VT_CHECK(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (host) {
		VT_EQUAL(connect(fd, address->ai_addr, address->ai_addrlen), 0);
	} else {
		VT_EQUAL(bind(fd, address->ai_addr, address->ai_addrlen), 0);
		VT_EQUAL(listen(fd, 1), 0);
		connected = accept(fd, NULL, NULL);
		VT_CHECK(connected >= 0);
		close(fd);
		fd = connected;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	freeaddrinfo(address);
	return fd;
}

struct vt_peer vt_fork(void (*run)(int fd, void *argument), void *argument)
{
	const char *host = getenv("VT_PEER_HOST");
	const char *port = getenv("VT_PEER_PORT");
	struct vt_peer peer;
	int fds[2];

	if (port && host) {
		peer.pid = 0;
		peer.fd = meet_over_tcp(host, port);
		return peer;
	}
	if (port) {
		run(meet_over_tcp(NULL, port), argument);
		fflush(stdout);
		exit(0);
	}
	VT_EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	fflush(stdout);
	peer.pid = fork();
	VT_CHECK(peer.pid >= 0);
	if (peer.pid == 0) {
		close(fds[0]);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run(fds[1], argument);
		fflush(stdout);
		exit(0);
	}
	close(fds[1]);
	peer.fd = fds[0];
	return peer;
}

void vt_enter_peer_network(void)
{
	const char *name = getenv("VT_PEER_NETWORK");
	int fd;

	if (!name)
		return;
	fd = open(name, O_RDONLY | O_CLOEXEC);
	VT_CHECK(fd >= 0);
	VT_EQUAL(setns(fd, CLONE_NEWNET), 0);
	close(fd);
}

void vt_join(struct vt_peer *peer)
{
	int status;

	if (!peer->pid) { /* on another machine, where its status is seen */
		close(peer->fd);
		return;
	}
	VT_EQUAL(waitpid(peer->pid, &status, 0), peer->pid);
	close(peer->fd);
	if (WIFSIGNALED(status))
		vt_fail(__FILE__, __LINE__, "peer killed by signal %d",
			WTERMSIG(status));
	if (WEXITSTATUS(status) == VT_SKIPPED)
		_exit(VT_SKIPPED);
	if (WEXITSTATUS(status))
		vt_fail(__FILE__, __LINE__, "peer ended with status %d",
			WEXITSTATUS(status));
}

void vt_tell(int fd, const void *data, size_t bytes)
{
	VT_EQUAL(send(fd, data, bytes, MSG_NOSIGNAL), bytes);
}

void vt_hear(int fd, void *data, size_t bytes)
{
	ssize_t got = recv(fd, data, bytes, MSG_WAITALL);

	if (got == 0 && bytes)
		vt_fail(__FILE__, __LINE__, "the peer process has ended");
	VT_EQUAL(got, bytes);
}

void vt_sync(int fd)
{
	char token = 's';

	vt_tell(fd, &token, 1);
	vt_hear(fd, &token, 1);
}

bool vt_readable(int fd, unsigned int ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, (int)ms) == 1;
}

uint64_t vt_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

uint64_t vt_setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

uint8_t vt_byte(uint64_t seed, size_t position)
{
	uint64_t block = seed * 0x9e3779b97f4a7c15ull +
			 (position / 8 + 1) * 0xd1342543de82ef95ull;

	block ^= block >> 29;
	block *= 0xbf58476d1ce4e5b9ull;
	block ^= block >> 32;
	return (uint8_t)(block >> (position % 8 * 8));
}

void vt_fill(void *data, size_t bytes, uint64_t seed)
{
	uint8_t *out = data;

	for (size_t i = 0; i < bytes; i++)
		out[i] = vt_byte(seed, i);
}

void vt_check_fill(const void *data, size_t bytes, uint64_t seed,
		   const char *what)
{
	const uint8_t *in = data;

	for (size_t i = 0; i < bytes; i++)
		if (in[i] != vt_byte(seed, i))
			vt_fail(__FILE__, __LINE__,
				"%s: byte %zu of %zu is 0x%02x, not 0x%02x",
				what, i, bytes, in[i], vt_byte(seed, i));
}
