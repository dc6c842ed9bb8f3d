/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The port's limit, with a clock that the test turns: shares by weight, what one
 * does not want is the others', nobody is held up by who is stopped or gone, and
 * nothing that stands in the directory does more than make turns come late.
 */
#include <pthread.h>
#include <stdlib.h>

#include "domain/limit.h"
#include "random.h"
#include "test.h"

#define RATE 200000000ull /* bytes a second */
#define STEP_NS 10000ull
#define SECOND_NS 1000000000ull
#define MAX_PLAYERS 3u
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define LONG_MS 2000u
#define ROUNDS 3u
#else
#define LONG_MS 5000u
#define ROUNDS 20u
#endif
#define LONG_BYTES (RATE * LONG_MS / 1000)

struct player {
	struct adev_limit limit;
	uint64_t chunk;	 /* bytes of one step of its messages */
	uint32_t asks;	 /* in percent of the steps of the clock */
	uint64_t enough; /* it wants no more than so much a second; zero: all */
	uint64_t sent, again_ns;
};

struct game {
	struct adev_table *table;
	struct player players[MAX_PLAYERS];
	uint32_t count;
	uint64_t now_ns, began_ns;
};

static int set_up(void **state)
{
	struct game *game = calloc(1, sizeof(*game));

	game->table = calloc(1, sizeof(*game->table));
	game->now_ns = game->began_ns = 77 * SECOND_NS;
	random_state = 4711;
	adev_limit_set(game->table, RATE);
	*state = game;
	return 0;
}

static int tear_down(void **state)
{
	struct game *game = *state;

	free(game->table);
	free(game);
	return 0;
}

static struct player *add(struct game *game, uint32_t weight)
{
	struct player *player = &game->players[game->count];

	*player = (struct player){ .chunk = 65536, .asks = 50 };
	/* Neighbours in a word of the list, and far from each other. */
	adev_limit_enter(&player->limit, game->table,
			 (game->count++ * 63) % ADEV_FUNCTIONS, weight);
	return player;
}

static bool is_satisfied(const struct game *game, const struct player *player)
{
	return player->enough &&
	       player->sent >= player->enough *
				       (game->now_ns - game->began_ns) /
				       SECOND_NS;
}

static void ask(struct game *game, struct player *player)
{
	if (next_random() % 100 >= player->asks ||
	    is_satisfied(game, player) ||
	    !adev_limit_admits(&player->limit, game->now_ns,
			       &player->again_ns))
		return;
	adev_limit_charge(&player->limit, game->now_ns, player->chunk);
	player->sent += player->chunk;
}

/* Everybody asks in another order each time. */
static void play(struct game *game, uint64_t ms)
{
	uint64_t end_ns = game->now_ns + ms * 1000000;
	uint32_t i;

	for (; game->now_ns < end_ns; game->now_ns += STEP_NS) {
		uint32_t first = (uint32_t)next_random() % game->count;

		for (i = 0; i < game->count; i++)
			ask(game, &game->players[(first + i) % game->count]);
	}
}

static void start_again(struct game *game)
{
	uint32_t i;

	game->began_ns = game->now_ns;
	for (i = 0; i < game->count; i++)
		game->players[i].sent = 0;
}

static uint64_t total(const struct game *game)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < game->count; i++)
		sum += game->players[i].sent;
	return sum;
}

static void assert_about(uint64_t value, uint64_t expected, uint32_t percent)
{
	if (value < expected * (100 - percent) / 100 ||
	    value > expected * (100 + percent) / 100)
		fail_msg("%llu is not %llu within %u percent",
			 (unsigned long long)value,
			 (unsigned long long)expected, percent);
}

static void expect_shares(struct game *game, uint64_t bytes)
{
	uint32_t i, weights = 0;

	for (i = 0; i < game->count; i++)
		weights += game->players[i].limit.weight;
	assert_about(total(game), bytes, 3);
	for (i = 0; i < game->count; i++)
		assert_about(game->players[i].sent,
			     bytes * game->players[i].limit.weight / weights,
			     4);
}

static void one_alone_has_the_whole_port(void **state)
{
	struct game *game = *state;

	add(game, 1);
	play(game, 1000);
	expect_shares(game, RATE);
}

static void shares_follow_the_weights(void **state)
{
	static const uint32_t weights[][MAX_PLAYERS] = {
		{ 1, 1, 0 },  { 3, 1, 0 }, { 10, 1, 0 },   { 1, 1, 1 },
		{ 10, 3, 1 }, { 2, 5, 9 }, { 1000, 10, 0 },
	};
	struct game *game = *state;
	uint32_t i, j;

	for (i = 0; i < sizeof(weights) / sizeof(weights[0]); i++) {
		game->count = 0;
		for (j = 0; j < MAX_PLAYERS && weights[i][j]; j++)
			add(game, weights[i][j]);
		play(game, 100);
		start_again(game);
		play(game, LONG_MS);
		expect_shares(game, LONG_BYTES);
	}
}

/* Who sends in larger pieces, or asks more often, gets no more. */
static void shares_do_not_depend_on_pieces_and_zeal(void **state)
{
	struct game *game = *state;
	struct player *large = add(game, 1), *lazy = add(game, 3);

	large->chunk = 1 << 20;
	large->asks = 100;
	lazy->chunk = 8192;
	lazy->asks = 20;
	adev_limit_set(game->table, RATE / 4);
	play(game, LONG_MS);
	assert_about(lazy->sent, 3 * large->sent, 5);
	assert_about(total(game), LONG_BYTES / 4, 3);
}

static void what_one_does_not_want_is_the_others(void **state)
{
	struct game *game = *state;
	struct player *modest = add(game, 10), *first = add(game, 3),
		      *second = add(game, 1);

	modest->enough = RATE / 10;
	modest->chunk = 16384;
	play(game, 100);
	start_again(game);
	play(game, LONG_MS);
	assert_about(modest->sent, LONG_BYTES / 10, 5);
	assert_about(first->sent, LONG_BYTES * 9 / 10 * 3 / 4, 5);
	assert_about(second->sent, LONG_BYTES * 9 / 10 / 4, 5);
	assert_about(total(game), LONG_BYTES, 3);
}

/* Killed or stopped while it wants, before or after any of its stores. */
static void who_is_stopped_holds_nobody_up(void **state)
{
	struct game *game = *state;
	struct player *stopped = add(game, 1000), *other = add(game, 1);

	play(game, 500);
	stopped->asks = 0;
	play(game, 2 * ADEV_LIMIT_WANTS_NS / 1000000);
	start_again(game);
	play(game, 1000);
	assert_int_equal(stopped->sent, 0);
	assert_about(other->sent, RATE, 3);
	/* And when it goes on it has no claim to the time that it lost. */
	stopped->limit.weight = 1;
	game->table->slots[stopped->limit.function].limit_weight = 1;
	stopped->asks = 50;
	start_again(game);
	play(game, 1000);
	assert_about(other->sent, RATE / 2, 5);
}

/* It was about to add its first message to its time, and has not. */
static void half_a_charge_puts_nobody_ahead(void **state)
{
	struct game *game = *state;
	struct player *player = add(game, 1);
	struct adev_slot *slot = &game->table->slots[5];
	uint64_t again_ns;

	atomic_store(&slot->limit_weight, 1);
	atomic_store(&slot->limit_last, 65536);
	atomic_store(&slot->limit_wants_ns,
		     game->now_ns + ADEV_LIMIT_WANTS_NS);
	atomic_store(&game->table->header.limit_members[0], 1ull << 5);
	assert_true(adev_limit_admits(&player->limit, game->now_ns,
				      &again_ns));
}

static void who_comes_late_is_not_preferred(void **state)
{
	struct game *game = *state;
	struct player *early = add(game, 1), *late;

	play(game, 3000);
	late = add(game, 1);
	start_again(game);
	play(game, 1000);
	assert_about(late->sent, RATE / 2, 5);
	assert_about(early->sent, RATE / 2, 5);
}

static void a_pause_saves_up_no_more_than_a_moment(void **state)
{
	struct game *game = *state;

	add(game, 1);
	play(game, 100);
	game->now_ns += 100 * SECOND_NS;
	start_again(game);
	play(game, 100);
	assert_about(total(game), RATE / 10, 8);
}

static void without_a_limit_everybody_may(void **state)
{
	struct game *game = *state;
	struct player *player = add(game, 1);
	uint64_t again_ns;

	adev_limit_set(game->table, 0);
	adev_limit_charge(&player->limit, game->now_ns, 1ull << 40);
	assert_true(adev_limit_admits(&player->limit, game->now_ns,
				      &again_ns));
	assert_int_equal(adev_limit_rate(game->table), 0);
}

static void weights_of_those_who_want_are_known(void **state)
{
	struct game *game = *state;
	struct player *one = add(game, 3);

	add(game, 1);
	play(game, 100);
	assert_int_equal(adev_limit_weights(&one->limit, game->now_ns), 4);
	assert_int_equal(adev_limit_weights(&one->limit,
					    game->now_ns + SECOND_NS),
			 3);
}

static void store_anything(struct game *game)
{
	struct adev_table_header *header = &game->table->header;
	uint32_t function = (uint32_t)next_random() % 130;
	struct adev_slot *slot = &game->table->slots[function];
	uint64_t value = next_random() >> next_random() % 64;

	if (next_random() % 2)
		value += game->now_ns;
	switch (next_random() % 6) {
	case 0:
		atomic_store(&header->limit_rate, value);
		break;
	case 1:
		atomic_store(&header->limit_free_ns, value);
		break;
	case 2:
		atomic_store(&header->limit_members[function / 64], value);
		break;
	case 3:
		atomic_store(&slot->limit_time, value);
		break;
	case 4:
		atomic_store(&slot->limit_wants_ns, value);
		break;
	default:
		atomic_store(&slot->limit_weight, (uint32_t)value);
	}
}

/* A rogue process cannot be kept from slowing the port down; but when it is
 * gone the port is what it was. */
static void wrong_contents_pass(void **state)
{
	struct game *game = *state;
	uint32_t i, round;

	add(game, 1);
	add(game, 1);
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < 1000; i++) {
			store_anything(game);
			play(game, 0);
			game->now_ns += STEP_NS;
			ask(game, &game->players[i % 2]);
		}
		adev_limit_set(game->table, RATE);
		atomic_store(&game->table->header.limit_free_ns, 0);
		play(game, 2 * ADEV_LIMIT_WANTS_NS / 1000000);
		start_again(game);
		play(game, 200);
		assert_about(total(game), RATE / 5, 10);
	}
}

static void *run(void *argument)
{
	struct player *player = argument;
	uint64_t now_ns, again_ns;

	for (now_ns = SECOND_NS; now_ns < 2 * SECOND_NS; now_ns += STEP_NS)
		if (adev_limit_admits(&player->limit, now_ns, &again_ns)) {
			adev_limit_charge(&player->limit, now_ns,
					  player->chunk);
			player->sent += player->chunk;
		}
	return NULL;
}

/* Each with a clock of its own: whoever is first, the bucket loses nothing. */
static void threads_at_one_bucket_send_no_more_than_it_gives(void **state)
{
	struct game *game = *state;
	pthread_t threads[MAX_PLAYERS];
	uint32_t i;

	for (i = 0; i < MAX_PLAYERS; i++)
		add(game, 1 + i);
	for (i = 0; i < MAX_PLAYERS; i++)
		assert_ok(pthread_create(&threads[i], NULL, run,
					 &game->players[i]));
	for (i = 0; i < MAX_PLAYERS; i++)
		assert_ok(pthread_join(threads[i], NULL));
	/* Every clock runs a second; what one let pass none gets. */
	assert_true(total(game) <= RATE * 103 / 100);
	assert_true(total(game) > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_alone_has_the_whole_port),
		TEST(shares_follow_the_weights),
		TEST(shares_do_not_depend_on_pieces_and_zeal),
		TEST(what_one_does_not_want_is_the_others),
		TEST(who_is_stopped_holds_nobody_up),
		TEST(half_a_charge_puts_nobody_ahead),
		TEST(who_comes_late_is_not_preferred),
		TEST(a_pause_saves_up_no_more_than_a_moment),
		TEST(without_a_limit_everybody_may),
		TEST(weights_of_those_who_want_are_known),
		TEST(wrong_contents_pass),
		TEST(threads_at_one_bucket_send_no_more_than_it_gives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
