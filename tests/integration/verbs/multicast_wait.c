/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A queue pair in a group of each family, until the program is killed. */
#include <arpa/inet.h>
#include <unistd.h>

#include "vt.h"

int main(void)
{
	static const char *const groups[] = { "::ffff:239.7.8.9",
					      "ff15::7:8:9" };
	struct vt_wish wish = vt_defaults();
	struct vt_end end;
	union ibv_gid gid;

	wish.type = IBV_QPT_UD;
	vt_end_open(&end, &wish);
	for (int i = 0; i < 2; i++) {
		if (inet_pton(AF_INET6, groups[i], &gid) != 1 ||
		    ibv_attach_mcast(end.qp, &gid, 0))
			return 1;
	}
	printf("attached\n");
	fflush(stdout);
	for (;;)
		pause();
}
