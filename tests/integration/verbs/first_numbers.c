/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* first_numbers [COUNT]: prints the numbers that the first objects of a newly
 * opened device get, for a test that looks whether they can be foretold. */
#include "vt.h"

int main(int argc, char **argv)
{
	struct vt_wish wish = vt_defaults();
	int count = argc > 1 ? atoi(argv[1]) : 1;
	struct vt_end first;

	vt_end_open(&first, &wish);
	printf("qpn 0x%x lkey 0x%x rkey 0x%x\n", first.qp->qp_num,
	       first.mr->lkey, first.mr->rkey);
	for (int i = 1; i < count; i++) {
		struct vt_end other;

		vt_end_open_in(&other, &first, &wish);
		printf("qpn 0x%x lkey 0x%x rkey 0x%x\n", other.qp->qp_num,
		       other.mr->lkey, other.mr->rkey);
		vt_end_close(&other);
	}
	vt_end_close(&first);
	return 0;
}
