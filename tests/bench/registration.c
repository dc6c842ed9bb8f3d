/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What registering costs; see registration.py.
 *
 *   registration size BYTES ROUNDS [peer]
 *       medians in us: memset of fresh memory, ibv_reg_mr(), ibv_dereg_mr();
 *       with `peer`, while a queue pair of the program is connected
 *   registration many COUNT
 *       so many small regions: us for one at the start and at the end, bytes of
 *       memory for each, and ns for an RDMA WRITE of 8 bytes through one region
 *       and through regions in turn, before and after
 */
#include <sys/mman.h>
#include <unistd.h>

#include "figures.h"
#include "vt.h"

#define SAMPLE 1000u
#define WRITES 200000u
#define TURN 64u /* regions that take turns */

static double *make_table(size_t count)
{
	double *table = calloc(count, sizeof(*table));

	VT_CHECK(table);
	return table;
}

static void measure_size(struct ibv_pd *pd, size_t bytes, uint32_t rounds)
{
	double *set = make_table(rounds), *reg = make_table(rounds);
	double *dereg = make_table(rounds);

	for (uint32_t i = 0; i < rounds; i++) {
		char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		struct ibv_mr *mr;

		VT_CHECK(memory != MAP_FAILED);
		set[i] = -now_us();
		memset(memory, 1, bytes);
		set[i] += now_us();
		reg[i] = -now_us();
		mr = ibv_reg_mr(pd, memory, bytes, VT_ALL_ACCESS);
		reg[i] += now_us();
		VT_CHECK(mr);
		dereg[i] = -now_us();
		VT_CHECK(!ibv_dereg_mr(mr));
		dereg[i] += now_us();
		munmap(memory, bytes);
	}
	printf("memset_us %.3f reg_us %.3f dereg_us %.3f\n",
	       median(set, rounds), median(reg, rounds),
	       median(dereg, rounds));
	free(set);
	free(reg);
	free(dereg);
}

/* All memory of the process, shared memory included. */
static double resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	long total, resident;

	VT_CHECK(file && fscanf(file, "%ld %ld", &total, &resident) == 2);
	fclose(file);
	return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

/* ns for a write through these regions in turn. */
static double measure_writes(struct vt_end *a, struct vt_end *b,
			     struct ibv_mr *const *mrs, uint32_t count)
{
	double began = now_us();

	for (uint32_t i = 0; i < WRITES; i++) {
		const struct ibv_mr *mr = mrs[i % count];
		struct ibv_wc wc;

		vt_rdma(a, i, IBV_WR_RDMA_WRITE, 0, 8, (uintptr_t)mr->addr,
			mr->rkey);
		while (!ibv_poll_cq(a->send_cq, 1, &wc))
			;
		VT_STATUS(&wc, IBV_WC_SUCCESS);
	}
	(void)b;
	return (now_us() - began) * 1e3 / WRITES;
}

static struct ibv_mr *reg_small(struct vt_end *end)
{
	struct ibv_mr *mr = ibv_reg_mr(end->pd, end->buffer, 64, VT_ALL_ACCESS);

	VT_CHECK(mr);
	return mr;
}

static double best_of(struct vt_end *a, struct vt_end *b,
		      struct ibv_mr *const *mrs, uint32_t count)
{
	double best = measure_writes(a, b, mrs, count);

	for (int i = 0; i < 4; i++) {
		double again = measure_writes(a, b, mrs, count);

		best = again < best ? again : best;
	}
	return best;
}

static void measure_many(uint32_t count)
{
	struct vt_wish wish = vt_defaults();
	struct ibv_mr **mrs = calloc(count, sizeof(*mrs)), *spread[TURN];
	double first = 0, last = 0, memory, one, turn, one_after, turn_after;
	struct vt_end a, b;

	VT_CHECK(mrs && count >= 4 * SAMPLE);
	memset(mrs, 1, count * sizeof(*mrs));
	vt_pair_open(&a, &b, &wish, false);
	for (uint32_t i = 0; i < SAMPLE; i++)
		mrs[i] = reg_small(&b);
	one = best_of(&a, &b, mrs, 1);
	turn = best_of(&a, &b, mrs, TURN);
	memory = resident_bytes();
	for (uint32_t i = SAMPLE; i < count; i++) {
		double began = now_us();

		mrs[i] = reg_small(&b);
		if (i < 2 * SAMPLE)
			first += now_us() - began;
		else if (i >= count - SAMPLE)
			last += now_us() - began;
	}
	memory = resident_bytes() - memory;
	one_after = best_of(&a, &b, mrs + count - 1, 1);
	for (uint32_t i = 0; i < TURN; i++)
		spread[i] = mrs[(uint64_t)i * count / TURN];
	turn_after = best_of(&a, &b, spread, TURN);
	printf("reg_us %.3f reg_last_us %.3f bytes %.0f one_ns %.0f "
	       "one_after_ns %.0f turn_ns %.0f turn_after_ns %.0f\n",
	       first / SAMPLE, last / SAMPLE, memory / (count - SAMPLE), one,
	       one_after, turn, turn_after);
	for (uint32_t i = 0; i < count; i++)
		VT_CHECK(!ibv_dereg_mr(mrs[i]));
	vt_pair_close(&a, &b);
	free(mrs);
}

static void open_and_measure(size_t bytes, uint32_t rounds, bool peer)
{
	struct vt_wish wish = vt_defaults();
	struct vt_end a, b;

	if (peer) {
		vt_pair_open(&a, &b, &wish, true);
		measure_size(a.pd, bytes, rounds);
		vt_pair_close(&a, &b);
	} else {
		vt_end_open(&a, &wish);
		measure_size(a.pd, bytes, rounds);
		vt_end_close(&a);
	}
}

int main(int argc, char **argv)
{
	if (argc >= 4 && !strcmp(argv[1], "size"))
		open_and_measure(strtoull(argv[2], NULL, 0),
				 (uint32_t)atoi(argv[3]), argc > 4);
	else if (argc == 3 && !strcmp(argv[1], "many"))
		measure_many((uint32_t)atoi(argv[2]));
	else
		return 2;
	return 0;
}
