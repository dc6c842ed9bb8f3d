/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A small MPI program for mpi.py: collectives, and large messages around a ring,
 * with their contents checked. Prints "ring of N is whole" on rank 0.
 */
#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define WORDS (1u << 20) /* of a rank */
#define ROUNDS 5

static uint32_t word_of(int rank, uint32_t at)
{
	return ((uint32_t)rank << 24 | at) * 2654435761u;
}

static void fill(uint32_t *words, int rank)
{
	for (uint32_t i = 0; i < WORDS; i++)
		words[i] = word_of(rank, i);
}

static bool is_of(const uint32_t *words, int rank)
{
	for (uint32_t i = 0; i < WORDS; i++)
		if (words[i] != word_of(rank, i))
			return false;
	return true;
}

static bool collectives(uint32_t *out, uint32_t *in, int rank, int count)
{
	long one = rank + 1, sum = 0;
	uint32_t share = WORDS / (uint32_t)count, i;
	int from;

	MPI_Allreduce(&one, &sum, 1, MPI_LONG, MPI_SUM, MPI_COMM_WORLD);
	if (sum != (long)count * (count + 1) / 2)
		return false;
	fill(out, rank);
	MPI_Alltoall(out, (int)share, MPI_UINT32_T, in, (int)share,
		     MPI_UINT32_T, MPI_COMM_WORLD);
	for (from = 0; from < count; from++)
		for (i = 0; i < share; i++)
			if (in[(uint32_t)from * share + i] !=
			    word_of(from, (uint32_t)rank * share + i))
				return false;
	MPI_Bcast(out, WORDS, MPI_UINT32_T, 0, MPI_COMM_WORLD);
	return is_of(out, 0);
}

static bool ring(uint32_t *out, uint32_t *in, int rank, int count)
{
	int before = (rank + count - 1) % count, after = (rank + 1) % count;

	for (int round = 0; round < ROUNDS; round++) {
		fill(out, rank);
		MPI_Sendrecv(out, WORDS, MPI_UINT32_T, after, round, in, WORDS,
			     MPI_UINT32_T, before, round, MPI_COMM_WORLD,
			     MPI_STATUS_IGNORE);
		if (!is_of(in, before))
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	uint32_t *out = malloc(WORDS * sizeof(*out));
	uint32_t *in = malloc(WORDS * sizeof(*in));
	int rank, count, good, all = 0;

	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &count);
	good = out && in && collectives(out, in, rank, count) &&
	       ring(out, in, rank, count);
	MPI_Allreduce(&good, &all, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
	if (!rank && all)
		printf("ring of %d is whole\n", count);
	MPI_Finalize();
	free(out);
	free(in);
	return all ? 0 : 1;
}
