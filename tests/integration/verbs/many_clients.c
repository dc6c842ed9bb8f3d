/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * many_clients COUNT: one server process with one open device serves COUNT
 * client processes, one after another. Each connects to a QP of its own, sends
 * messages that come back, and ends; every tenth ends without saying so.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vt.h"

#define MESSAGES 20

static void client(int fd, void *argument)
{
	unsigned int number = *(unsigned int *)argument;
	struct vt_wish wish = vt_defaults();
	struct vt_end end;

	vt_end_open(&end, &wish);
	vt_meet(fd, &end);
	for (uint64_t i = 0; i < MESSAGES; i++) {
		uint32_t length = 1 + (uint32_t)(number * 131 + i * 977) % 9000;

		vt_fill(end.buffer, length, number * 1000 + i);
		vt_recv(&end, i, 65536, 65536);
		vt_send(&end, i, 0, length);
		vt_expect(end.send_cq, i, IBV_WC_SUCCESS);
		vt_expect(end.recv_cq, i, IBV_WC_SUCCESS);
		vt_check_fill(end.buffer + 65536, length, number * 1000 + i,
			      "echo");
	}
	if (number % 10 == 9)
		raise(SIGKILL);
	vt_end_close(&end);
}

static void serve(struct vt_end *listener, unsigned int number)
{
	struct vt_wish wish = vt_defaults();
	struct vt_peer peer = vt_fork(client, &number);
	struct vt_end end;
	int status;

	/* The first end only keeps the device open from client to client. */
	if (!listener->context)
		vt_end_open(listener, &wish);
	vt_end_open_in(&end, listener, &wish);
	VT_EQUAL(vt_to_init(&end), 0);
	for (uint64_t i = 0; i < 2; i++)
		vt_recv(&end, i, i * 65536, 65536);
	vt_meet(peer.fd, &end);
	for (uint64_t i = 0; i < MESSAGES; i++) {
		struct ibv_wc wc = vt_poll(end.recv_cq);

		VT_STATUS(&wc, IBV_WC_SUCCESS);
		vt_send(&end, i, wc.wr_id * 65536, wc.byte_len);
		vt_expect(end.send_cq, i, IBV_WC_SUCCESS);
		vt_recv(&end, wc.wr_id, wc.wr_id * 65536, 65536);
	}
	VT_EQUAL(waitpid(peer.pid, &status, 0), peer.pid);
	close(peer.fd);
	if (number % 10 == 9)
		VT_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	else
		VT_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	vt_end_close(&end);
}

int main(int argc, char **argv)
{
	unsigned int count = argc > 1 ? (unsigned int)atoi(argv[1]) : 100;
	static struct vt_end listener;

	for (unsigned int i = 0; i < count; i++) {
		serve(&listener, i);
		if (i % 25 == 24)
			printf("%u clients served\n", i + 1);
	}
	vt_end_close(&listener);
	return 0;
}
