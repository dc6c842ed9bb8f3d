/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A column of a matrix in one request: the elements lie a row apart, and a key
 * for that pattern makes them one message, without a copy.
 */
#include "pair.h"

#define HEIGHT 8
#define WIDTH 32
#define COLUMN 5

int main(void)
{
	struct arnicadv_mkey_init_attr attr = { .max_entries = 1 };
	double(*matrix)[WIDTH], *column;
	struct arnicadv_interleaved elements;
	struct arnicadv_mkey *mkey;
	struct ibv_qp_ex *ex;

	open_pair(NULL);
	attr.pd = pd;
	mkey = arnicadv_create_mkey(&attr);
	REQUIRE(mkey);
	matrix = (void *)owner.buffer;
	for (int row = 0; row < HEIGHT; row++)
		for (int at = 0; at < WIDTH; at++)
			matrix[row][at] = row + at / 100.0;

	elements = (struct arnicadv_interleaved){
		.addr = (uintptr_t)&matrix[0][COLUMN],
		.bytes_count = sizeof(double),
		.bytes_skip = (WIDTH - 1) * sizeof(double),
		.lkey = owner.mr->lkey,
	};
	REQUIRE(!arnicadv_set_mkey_interleaved(mkey, 0, HEIGHT, 1, &elements));
	post_receive(&peer);
	ex = start(&owner);
	ibv_wr_send(ex);
	ibv_wr_set_sge(ex, mkey->lkey, 0, HEIGHT * sizeof(double));
	REQUIRE(!ibv_wr_complete(ex));
	succeeds(&owner);
	succeeds(&peer);

	column = (void *)peer.buffer;
	for (int row = 0; row < HEIGHT; row++) {
		printf("%.2f\n", column[row]);
		REQUIRE(column[row] == matrix[row][COLUMN]);
	}
	REQUIRE(!arnicadv_destroy_mkey(mkey));
	close_pair();
	return 0;
}
