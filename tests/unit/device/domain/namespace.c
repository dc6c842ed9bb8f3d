/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "test.h"

#define CANNOT 77

void namespace_run(const char *commands)
{
	char line[1024];

	snprintf(line, sizeof(line), "( set -e; %s ) 2>&1", commands);
	child_check(system(line) == 0);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		_exit(CANNOT);
	close(fd);
}

static void enter(void)
{
	char map[32];
	uid_t uid = geteuid();

	if (uid && unshare(CLONE_NEWUSER) != 0)
		_exit(CANNOT);
	if (uid) {
		snprintf(map, sizeof(map), "0 %u 1", (unsigned int)uid);
		write_file("/proc/self/uid_map", map);
	}
	if (unshare(CLONE_NEWNET) != 0 ||
	    system("( ip link set lo up && ip link add p0 type veth peer name p1 "
		   "&& ip link set p0 addrgenmode none "
		   "&& ip link set p1 addrgenmode none ) >/dev/null 2>&1") != 0)
		_exit(CANNOT);
	namespace_run("ip link set p0 up; ip link set p1 up; "
		      "ip addr add 10.9.0.1/24 dev p0");
}

void namespace_test(void (*body)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		enter();
		body();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT) {
		print_message("no network namespace can be made here\n");
		skip();
	}
	assert_int_equal(status, 0);
}

void namespace_deny_netlink(void)
{
	/* The low half of the first argument of socket(). */
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {
		.len = sizeof(code) / sizeof(code[0]),
		.filter = code,
	};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		_exit(CANNOT);
	child_check(socket(AF_NETLINK, SOCK_RAW, 0) < 0);
}
