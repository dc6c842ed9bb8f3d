/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The libraries, the domain, and the proof: a child of `arnica run` opens the
 * device through the system's own libibverbs, as any program would. What the
 * provider thinks of this libibverbs (its calibration) shows there too.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "adapter.h"
#include "doctor.h"

#define PROBE_TIMEOUT_MS 15000

void doctor_check_libraries(struct doctor_finding *finding)
{
	struct tool_layout layout;
	char provider[PATH_MAX + 16];
	int err = tool_locate(&layout);

	if (err) {
		doctor_report(
			finding, DOCTOR_FAIL,
			"libarnica-standin.so is not where it should be: %s",
			strerror(err));
		doctor_advise(finding,
			      "build it, or install the package again");
		return;
	}
	snprintf(provider, sizeof(provider), "%s-rdmav34.so", layout.drivers);
	if (access(layout.device, R_OK) || access(provider, R_OK)) {
		doctor_report(finding, DOCTOR_FAIL, "%s is missing",
			      access(provider, R_OK) ? provider :
						       layout.device);
		doctor_advise(finding,
			      "build it, or install the package again");
		return;
	}
	doctor_report(finding, DOCTOR_OK, "%.200s", layout.standin);
}

void doctor_check_domain(struct doctor_finding *finding)
{
	struct arnica_bus_identity identity;
	struct tool_layout layout;
	int err = tool_locate(&layout);

	if (doctor_settings_are_refused()) {
		doctor_report(finding, DOCTOR_FAIL,
			      "not made while the settings are refused");
		doctor_advise(finding, "see the lines above");
		return;
	}
	if (!err)
		err = tool_adapter_identity("arnica doctor", &layout,
					    &identity);
	if (err) {
		doctor_report(finding, DOCTOR_FAIL,
			      "the adapter does not answer: %s", strerror(err));
		doctor_advise(finding, "see the lines on stderr");
		return;
	}
	doctor_report(finding, DOCTOR_OK, "%s: processes that use it share %s",
		      identity.domain_path, identity.device_name);
}

/* Output of the probe, up to its end or the time limit. */
struct probe {
	char output[2048];
	size_t length;
	int status; /* of waitpid(); -1: it was killed at the time limit */
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static pid_t start_probe(int *fd)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return -1;
	pid = fork();
	if (!pid) {
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		execl("/proc/self/exe", "arnica", "run", "--", "/proc/self/exe",
		      "probe", NULL);
		_exit(127);
	}
	close(ends[1]);
	if (pid < 0)
		close(ends[0]);
	*fd = ends[0];
	return pid;
}

/* Reads until the end of file; false at the time limit. */
static bool collect(int fd, struct probe *probe)
{
	int64_t end = now_ms() + PROBE_TIMEOUT_MS;
	struct pollfd poller = { .fd = fd, .events = POLLIN };

	for (;;) {
		int64_t left = end - now_ms();
		char rest[512];
		bool full = probe->length == sizeof(probe->output) - 1;
		ssize_t length;

		if (left <= 0 || poll(&poller, 1, (int)left) <= 0)
			return false;
		length = full ? read(fd, rest, sizeof(rest)) :
				read(fd, probe->output + probe->length,
				     sizeof(probe->output) - 1 - probe->length);
		if (length <= 0)
			return true;
		if (!full)
			probe->length += (size_t)length;
	}
}

static int run_probe(struct probe *probe)
{
	int fd;
	pid_t pid;
	bool ended;

	memset(probe, 0, sizeof(*probe));
	pid = start_probe(&fd);
	if (pid < 0)
		return errno;
	ended = collect(fd, probe);
	if (!ended)
		kill(pid, SIGKILL);
	close(fd);
	waitpid(pid, &probe->status, 0);
	if (!ended)
		probe->status = -1;
	return 0;
}

/* The value of a line "key value" of the probe's output. */
static void value_of(const struct probe *probe, const char *key, char *value,
		     size_t bytes)
{
	const char *line = probe->output;
	size_t length = strlen(key);

	snprintf(value, bytes, "unknown");
	while (line && *line) {
		if (!strncmp(line, key, length) && line[length] == ' ') {
			line += length + 1;
			snprintf(value, bytes, "%.*s", (int)strcspn(line, "\n"),
				 line);
			return;
		}
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
}

/* The first line of the adapter, which knows best; without one the last that is
 * not one of the probe's own. */
static void reason_of(const struct probe *probe, char *reason, size_t bytes)
{
	static const char *const keys[] = { "library ", "version ", "device " };
	static const char adapter[] = "arnica: ";
	const char *line = probe->output;

	snprintf(reason, bytes, "no reason given");
	while (*line) {
		size_t length = strcspn(line, "\n");
		bool own = !length;

		if (!strncmp(line, adapter, sizeof(adapter) - 1)) {
			line += sizeof(adapter) - 1;
			length -= sizeof(adapter) - 1;
			snprintf(reason, bytes, "%.*s", (int)length, line);
			return;
		}
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			own |= !strncmp(line, keys[i], strlen(keys[i]));
		if (!own)
			snprintf(reason, bytes, "%.*s", (int)length, line);
		line += length + (line[length] == '\n');
	}
}

void doctor_check_device(struct doctor_finding *finding)
{
	struct probe probe;
	char library[160];
	char version[32];
	char text[200];
	int err = run_probe(&probe);

	if (err) {
		doctor_report(finding, DOCTOR_FAIL, "no process: %s",
			      strerror(err));
		return;
	}
	value_of(&probe, "library", library, sizeof(library));
	value_of(&probe, "version", version, sizeof(version));
	if (WIFEXITED(probe.status) && !WEXITSTATUS(probe.status)) {
		value_of(&probe, "device", text, sizeof(text));
		doctor_report(
			finding, DOCTOR_OK,
			"%s opens through rdma-core %s (%s), whose layouts the provider knows",
			text, version, library);
		return;
	}
	if (probe.status == -1)
		snprintf(text, sizeof(text), "no answer in %d s",
			 PROBE_TIMEOUT_MS / 1000);
	else
		reason_of(&probe, text, sizeof(text));
	doctor_report(finding, DOCTOR_FAIL,
		      "cannot be opened through rdma-core %s: %s", version,
		      text);
	doctor_advise(finding, !strcmp(version, "unknown") ?
				       "install libibverbs1" :
				       "see the lines above");
}
