/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * deny PROGRAM [ARGUMENT...]: runs a program under a seccomp filter that answers
 * EPERM to process_vm_readv, process_vm_writev and userfaultfd, as containers,
 * sandboxes and Yama do. Needs no privilege; the filter is inherited by all
 * descendants.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REFUSE (SECCOMP_RET_ERRNO | EPERM)

/* Jumps count instructions from the next one. System calls of another
 * architecture have other numbers, but nothing here makes any. */
static struct sock_filter filter[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 3, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_writev, 2, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_userfaultfd, 1, 0),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	BPF_STMT(BPF_RET | BPF_K, REFUSE),
};

int main(int argc, char **argv)
{
	const struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(filter[0]), .filter = filter };

	if (argc < 2) {
		fprintf(stderr, "usage: deny PROGRAM [ARGUMENT...]\n");
		return 2;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
		fprintf(stderr, "deny: no filter: %s\n", strerror(errno));
		return 77;
	}
	if (syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0, 0) == 0) {
		fprintf(stderr, "deny: the filter refuses nothing\n");
		return 77;
	}
	execvp(argv[1], argv + 1);
	fprintf(stderr, "deny: %s: %s\n", argv[1], strerror(errno));
	return 127;
}
