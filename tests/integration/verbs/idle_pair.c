/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* idle_pair SECONDS: two connected processes exchange a message, do nothing for
 * some seconds, and print how much CPU they used meanwhile. */
#include <sys/resource.h>
#include <unistd.h>

#include "vt.h"

static unsigned int seconds = 10;

static double used_ms(void)
{
	struct rusage usage;

	VT_EQUAL(getrusage(RUSAGE_SELF, &usage), 0);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

static void side(int fd, void *unused)
{
	struct vt_wish wish = vt_defaults();
	struct vt_end end;
	double before;

	(void)unused;
	vt_end_open(&end, &wish);
	vt_meet(fd, &end);
	vt_recv(&end, 1, 0, 100);
	vt_sync(fd);
	vt_send(&end, 2, 4096, 100);
	vt_expect(end.send_cq, 2, IBV_WC_SUCCESS);
	vt_expect(end.recv_cq, 1, IBV_WC_SUCCESS);
	vt_sync(fd);
	usleep(300000);
	before = used_ms();
	sleep(seconds);
	printf("%.3f ms of CPU while idle\n", used_ms() - before);
	vt_sync(fd);
	vt_end_close(&end);
}

int main(int argc, char **argv)
{
	struct vt_peer peer;

	if (argc > 1)
		seconds = (unsigned int)atoi(argv[1]);
	peer = vt_fork(side, NULL);
	side(peer.fd, NULL);
	vt_join(&peer);
	return 0;
}
