/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The limit of the port as processes share it: bandwidth goes by their weights
 * while all have a backlog, all together send no more than the limit, and who is
 * stopped or killed in the middle holds nobody up.
 *
 * The limit belongs to the host domain, so this program has one of its own.
 */
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vt.h"

/* Bytes a second, of a window of time, and what may come at once. By packets it
 * must be less than what the windows of the connections let through. */
#define RATE vt_setting("VT_RATE", 200000000)
#define WINDOW_BYTES (RATE / 8)
#define BURST_BYTES (RATE / 100)
#define BYTES 65536u
/* A backlog, also when the program gets no processor for a while: the adapter
 * goes on without it. */
#define DEPTH 1024u
#define MAX_SENDERS 3u
#define WINDOWS 20u

struct shared {
	_Atomic uint64_t sent[MAX_SENDERS];
	_Atomic bool end;
};
static struct shared *shared;

struct sender {
	uint32_t number, weight;
};

static void post_one(struct vt_end *end, const struct vt_address *peer)
{
	vt_rdma(end, 0, IBV_WR_RDMA_WRITE, 0, BYTES, peer->buffer, peer->rkey);
}

/* Always has work in its queue, also at the end. */
static void send_on(int fd, void *argument)
{
	const struct sender *sender = argument;
	struct vt_wish wish = vt_defaults();
	struct vt_address peer;
	uint32_t posted;
	struct vt_end end;
	char text[16];

	snprintf(text, sizeof(text), "%u", sender->weight);
	setenv("ARNICA_WEIGHT", text, 1);
	wish.mtu = IBV_MTU_4096;
	wish.send_depth = DEPTH;
	wish.cqe = DEPTH;
	vt_end_open(&end, &wish);
	peer = vt_meet(fd, &end);
	vt_sync(fd);
	for (posted = 0; posted < DEPTH; posted++)
		post_one(&end, &peer);
	while (!atomic_load(&shared->end)) {
		vt_expect(end.send_cq, 0, IBV_WC_SUCCESS);
		atomic_fetch_add(&shared->sent[sender->number], BYTES);
		post_one(&end, &peer);
	}
	vt_sync(fd);
	vt_end_close(&end);
}

struct receivers {
	uint32_t count;
	uint64_t began_ms;
	struct sender senders[MAX_SENDERS];
	struct vt_peer peers[MAX_SENDERS];
	struct vt_end ends[MAX_SENDERS];
};

/* Forked before the first device is opened. */
static void start(struct receivers *these, uint32_t count,
		  const uint32_t *weights)
{
	struct vt_wish wish = vt_defaults();
	uint32_t i;

	wish.mtu = IBV_MTU_4096;
	these->count = count;
	memset(shared, 0, sizeof(*shared));
	for (i = 0; i < count; i++) {
		these->senders[i] = (struct sender){ i, weights[i] };
		these->peers[i] = vt_fork(send_on, &these->senders[i]);
	}
	for (i = 0; i < count; i++) {
		if (i == 0)
			vt_end_open(&these->ends[0], &wish);
		else
			vt_end_open_in(&these->ends[i], &these->ends[0],
				       &wish);
		(void)vt_meet(these->peers[i].fd, &these->ends[i]);
	}
	these->began_ms = vt_now_ms();
	for (i = 0; i < count; i++)
		vt_sync(these->peers[i].fd);
}

/* Takes in what comes by packets. */
static void look(struct receivers *these)
{
	struct ibv_wc wc;

	VT_EQUAL(ibv_poll_cq(these->ends[0].recv_cq, 1, &wc), 0);
	usleep(200);
}

static uint64_t total(const struct receivers *these, const uint64_t *from)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < these->count; i++)
		sum += atomic_load(&shared->sent[i]) - (from ? from[i] : 0);
	return sum;
}

static void note(const struct receivers *these, uint64_t *sent)
{
	uint32_t i;

	for (i = 0; i < these->count; i++)
		sent[i] = atomic_load(&shared->sent[i]);
}

/* Waits until so much was sent; what each of them did is in `sent`. */
static void watch(struct receivers *these, uint64_t bytes, uint64_t *sent)
{
	uint64_t from[MAX_SENDERS], all, limit;
	uint32_t i;

	note(these, from);
	while (total(these, from) < bytes)
		look(these);
	note(these, sent);
	for (i = 0; i < these->count; i++)
		sent[i] -= from[i];
	/* Since the beginning: what was sent may be polled much later. The
	 * clock is read last: they go on while this process does not run. */
	all = total(these, NULL);
	limit = RATE * (vt_now_ms() - these->began_ms + 1) / 1000 + BURST_BYTES;
	VT_CHECK(all <= limit + limit / 20);
}

static bool is_share(uint64_t sent, uint32_t weight, uint32_t weights)
{
	uint64_t share = WINDOW_BYTES / weights * weight;

	return sent >= share - share / 10 && sent <= share + share / 10;
}

static void stop(struct receivers *these)
{
	uint32_t i;

	atomic_store(&shared->end, true);
	for (i = 0; i < these->count; i++) {
		char token;

		if (!these->peers[i].pid)
			continue;
		while (!vt_readable(these->peers[i].fd, 0))
			look(these);
		vt_hear(these->peers[i].fd, &token, 1);
		vt_tell(these->peers[i].fd, &token, 1);
		vt_join(&these->peers[i]);
	}
	for (i = these->count; i-- > 0;)
		vt_end_close(&these->ends[i]);
}

/* What `arnica stat` says of a sender, where the tool is. */
static void expect_shown(pid_t pid, uint32_t weight, uint32_t weights)
{
	const char *tool = getenv("VT_TOOL");
	unsigned int found = 0, of = 0, tries;
	unsigned long long rate = 0;
	char line[256];
	FILE *output;

	/* At the moment of a look one may just have got its turn. */
	for (tries = 0; tool && tries < 200 && of != weights; tries++) {
		snprintf(line, sizeof(line), "%s stat %d", tool, (int)pid);
		output = popen(line, "r");
		VT_CHECK(output);
		while (fgets(line, sizeof(line), output))
			(void)!sscanf(line,
				      " port_limit %llu bytes a second; weight %u of %u",
				      &rate, &found, &of);
		VT_EQUAL(pclose(output), 0);
		VT_EQUAL(rate, RATE);
		VT_EQUAL(found, weight);
	}
	VT_CHECK(!tool || of == weights);
}

/* A process that gets no processor for a while cannot send its share; a window in
 * which all got enough must show the shares. */
static void expect_shares(uint32_t count, const uint32_t *weights)
{
	struct receivers these;
	uint64_t sent[MAX_SENDERS];
	uint32_t window, i, sum = 0;
	bool right = false;

	for (i = 0; i < count; i++)
		sum += weights[i];
	start(&these, count, weights);
	watch(&these, WINDOW_BYTES / 4, sent);
	for (window = 0; window < WINDOWS && !right; window++) {
		watch(&these, WINDOW_BYTES, sent);
		right = true;
		for (i = 0; i < count; i++)
			right &= is_share(sent[i], weights[i], sum);
	}
	expect_shown(these.peers[0].pid, weights[0], sum);
	if (!right)
		vt_fail(__FILE__, __LINE__,
			"the last shares: %llu, %llu, %llu bytes",
			(unsigned long long)sent[0],
			(unsigned long long)sent[1],
			(unsigned long long)(count > 2 ? sent[2] : 0));
	stop(&these);
}

static void equal_weights_share_equally(void)
{
	expect_shares(2, (const uint32_t[]){ 1, 1 });
}

static void three_to_one_is_three_to_one(void)
{
	expect_shares(2, (const uint32_t[]){ 3, 1 });
}

static void ten_to_one_is_ten_to_one(void)
{
	expect_shares(2, (const uint32_t[]){ 10, 1 });
}

static void three_processes_share_by_weight(void)
{
	expect_shares(3, (const uint32_t[]){ 3, 1, 1 });
}

/* Whichever goes on has the port to itself. */
static void who_is_stopped_or_killed_holds_nobody_up(void)
{
	struct receivers these;
	uint64_t sent[MAX_SENDERS];
	uint32_t window = 0;
	int status;

	start(&these, 2, (const uint32_t[]){ 100, 1 });
	watch(&these, WINDOW_BYTES / 4, sent);
	VT_EQUAL(kill(these.peers[0].pid, SIGSTOP), 0);
	watch(&these, WINDOW_BYTES, sent);
	VT_CHECK(sent[1] > WINDOW_BYTES / 2);
	VT_EQUAL(kill(these.peers[0].pid, SIGCONT), 0);
	/* It may be a while until it gets a processor. */
	do
		watch(&these, WINDOW_BYTES, sent);
	while (!sent[0] && ++window < WINDOWS);
	VT_CHECK(sent[0] > 0);
	VT_EQUAL(kill(these.peers[0].pid, SIGKILL), 0);
	VT_EQUAL(waitpid(these.peers[0].pid, &status, 0), these.peers[0].pid);
	watch(&these, WINDOW_BYTES, sent);
	VT_CHECK(sent[1] > WINDOW_BYTES / 2);
	these.peers[0].pid = 0;
	close(these.peers[0].fd);
	stop(&these);
}

/* A folder for this program, which starts itself once more in it. */
static void isolate(char **argv)
{
	char folder[] = "/tmp/arnica-limit-XXXXXX", rate[32];

	if (getenv("VT_LIMIT_INSIDE"))
		return;
	VT_CHECK(mkdtemp(folder));
	setenv("ARNICA_RUNTIME_DIR", folder, 1);
	snprintf(rate, sizeof(rate), "%llu", (unsigned long long)RATE);
	setenv("ARNICA_RATE", rate, 1);
	setenv("VT_LIMIT_INSIDE", folder, 1);
	execv("/proc/self/exe", argv);
	VT_CHECK(false);
}

int main(int argc, char **argv)
{
	static const struct vt_case cases[] = {
		VT_CASE(equal_weights_share_equally),
		VT_CASE(three_to_one_is_three_to_one),
		VT_CASE(ten_to_one_is_ten_to_one),
		VT_CASE(three_processes_share_by_weight),
		VT_CASE(who_is_stopped_or_killed_holds_nobody_up),
		{ 0 },
	};
	char command[128];
	int result;

	isolate(argv);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	VT_CHECK(shared != MAP_FAILED);
	result = vt_main(argc, argv, cases);
	/* The device's folder must not come back meanwhile. */
	unsetenv("LD_PRELOAD");
	snprintf(command, sizeof(command), "rm -r %s",
		 getenv("VT_LIMIT_INSIDE"));
	return system(command) ? 1 : result;
}
