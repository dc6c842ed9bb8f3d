/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What processes of one user may do to each other. It is tried between two
 * children of this process that are no relatives in line, as two programs are:
 * a target that waits, and an actor that reaches for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "doctor.h"

#define PATTERN 0x61726e6963610001ull

/* Shared by the two children; the target's own variables lie at the same
 * addresses as the actor's, because both are forks of this process. */
struct stage {
	uint64_t cell; /* private to each process after fork */
	int memfd;
};

static struct stage stage;

static pid_t start_target(bool permit)
{
	int ready[2];
	pid_t pid;
	char byte;

	if (pipe2(ready, O_CLOEXEC))
		return -1;
	pid = fork();
	if (!pid) {
		if (permit)
			prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		stage.cell = PATTERN;
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (pid > 0 && read(ready[0], &byte, 1) != 1) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		pid = -1;
	}
	close(ready[0]);
	return pid;
}

/* Runs the act against a fresh target; its errno. */
static int act_on_target(int (*act)(pid_t target), bool permit)
{
	pid_t target = start_target(permit);
	pid_t actor;
	int status = 0;

	if (target < 0)
		return EAGAIN;
	actor = fork();
	if (!actor)
		_exit(act(target));
	if (actor < 0 || waitpid(actor, &status, 0) != actor)
		status = EAGAIN << 8;
	kill(target, SIGKILL);
	waitpid(target, NULL, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : EFAULT;
}

static int act_process_vm(pid_t target)
{
	uint64_t value = 0;
	struct iovec local = { &value, sizeof(value) };
	struct iovec remote = { &stage.cell, sizeof(stage.cell) };

	if (process_vm_readv(target, &local, 1, &remote, 1, 0) != sizeof(value))
		return errno ? errno : EIO;
	if (value != PATTERN)
		return EIO;
	value = PATTERN + 1;
	if (process_vm_writev(target, &local, 1, &remote, 1, 0) !=
	    sizeof(value))
		return errno ? errno : EIO;
	value = 0;
	if (process_vm_readv(target, &local, 1, &remote, 1, 0) != sizeof(value))
		return errno ? errno : EIO;
	return value == PATTERN + 1 ? 0 : EIO;
}

void doctor_check_process_vm(struct doctor_finding *finding)
{
	int err = act_on_target(act_process_vm, false);

	if (!err) {
		doctor_report(
			finding, DOCTOR_OK,
			"processes of yours read and write each other's memory: messages are copied once");
		return;
	}
	if (!act_on_target(act_process_vm, true)) {
		doctor_report(
			finding, DOCTOR_OK,
			"works for processes that permit it, as the device does: messages are copied once");
		return;
	}
	doctor_report(
		finding, DOCTOR_WARN,
		"refused (%s): messages are copied twice, large transfers are slower",
		strerror(err));
	doctor_advise(
		finding,
		"in a container: docker run --cap-add SYS_PTRACE, or a seccomp profile that permits process_vm_readv and process_vm_writev");
}

static int act_open_segment(pid_t target)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", target, stage.memfd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? errno : 0;
}

void doctor_check_segments(struct doctor_finding *finding)
{
	int err;

	stage.memfd = (int)syscall(SYS_memfd_create, "doctor", MFD_CLOEXEC);
	if (stage.memfd < 0) {
		doctor_report(finding, DOCTOR_FAIL, "no memfd: %s",
			      strerror(errno));
		return;
	}
	err = act_on_target(act_open_segment, false);
	close(stage.memfd);
	if (!err) {
		doctor_report(
			finding, DOCTOR_OK,
			"processes of yours can open each other's segments: they share one adapter");
		return;
	}
	doctor_report(
		finding, DOCTOR_FAIL,
		"/proc/PID/fd of another process is closed to you (%s): two processes cannot connect",
		strerror(err));
	doctor_advise(
		finding,
		"mount /proc without hidepid, and run both processes as one user in one pid namespace");
}

void doctor_check_yama(struct doctor_finding *finding)
{
	static const char *const meanings[] = {
		"0: no restriction",
		"1: only descendants, or processes that permit it, as the device does",
		"2: only with CAP_SYS_PTRACE; messages between processes are copied twice",
		"3: nobody; messages between processes are copied twice",
	};
	FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope = -1;

	if (!file) {
		doctor_report(finding, DOCTOR_OK, "not active in this kernel");
		return;
	}
	if (fscanf(file, "%d", &scope) != 1 || scope < 0 || scope > 3)
		scope = -1;
	fclose(file);
	if (scope < 0) {
		doctor_report(finding, DOCTOR_WARN,
			      "ptrace_scope has an unknown value");
		return;
	}
	doctor_report(finding, scope < 2 ? DOCTOR_OK : DOCTOR_WARN,
		      "ptrace_scope is %s", meanings[scope]);
	if (scope >= 2)
		doctor_advise(finding, "sysctl kernel.yama.ptrace_scope=1");
}

void doctor_check_pidfd(struct doctor_finding *finding)
{
	pid_t pid = fork();
	struct pollfd poller = { .events = POLLIN };

	if (!pid) {
		pause();
		_exit(0);
	}
	poller.fd = pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
	if (poller.fd < 0)
		doctor_report(
			finding, DOCTOR_WARN,
			"refused (%s): the death of a peer is noticed by its life word only",
			strerror(errno));
	if (pid > 0)
		kill(pid, SIGKILL);
	if (poller.fd >= 0 && poll(&poller, 1, 2000) == 1)
		doctor_report(
			finding, DOCTOR_OK,
			"a process that sleeps is woken when its peer dies");
	else if (poller.fd >= 0)
		doctor_report(finding, DOCTOR_WARN,
			      "does not report the end of a process");
	if (pid > 0)
		waitpid(pid, NULL, 0);
	if (poller.fd >= 0)
		close(poller.fd);
}

/* A child takes a robust mutex with it into death. */
static int try_robust(pthread_mutex_t *mutex)
{
	pthread_mutexattr_t attributes;
	pid_t pid;
	int err;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	err = pthread_mutex_init(mutex, &attributes);
	pthread_mutexattr_destroy(&attributes);
	if (err)
		return err;
	pid = fork();
	if (!pid) {
		if (pthread_mutex_lock(mutex))
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		return EAGAIN;
	err = pthread_mutex_trylock(mutex);
	return err == EOWNERDEAD ? 0 : err ? err : EIO;
}

void doctor_check_robust_futex(struct doctor_finding *finding)
{
	pthread_mutex_t *mutex = mmap(NULL, sizeof(*mutex),
				      PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int err = mutex == MAP_FAILED ? errno : try_robust(mutex);

	if (mutex != MAP_FAILED)
		munmap(mutex, sizeof(*mutex));
	if (err)
		doctor_report(
			finding, DOCTOR_FAIL,
			"the kernel does not hand over the locks of dead processes (%s): a killed process would look alive to its peers",
			strerror(err));
	else
		doctor_report(
			finding, DOCTOR_OK,
			"the kernel marks what a killed process held: its peers see that it is dead");
}
