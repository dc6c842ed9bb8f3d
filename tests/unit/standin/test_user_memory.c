/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* standin/user_memory.c: copies whose addresses a program named. */
#include <cmocka.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "user_memory.h"

static int copies_work(void)
{
	char from[300];
	char to[300];

	memset(from, 'a', sizeof(from));
	memset(to, 0, sizeof(to));
	if (standin_user_read(to, (uintptr_t)from, sizeof(to)) ||
	    memcmp(from, to, sizeof(to)))
		return 1;
	memset(from, 'b', sizeof(from));
	if (standin_user_write((uintptr_t)to, from, sizeof(to)) ||
	    memcmp(from, to, sizeof(to)))
		return 2;
	return standin_user_read(to, 0, 1) != EFAULT ||
	       standin_user_write(0, to, 1) != EFAULT;
}

static void bytes_are_copied(void **state)
{
	(void)state;
	assert_int_equal(copies_work(), 0);
}

static void wrong_addresses_are_faults(void **state)
{
	char byte[8] = "1234567";
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_int_equal(standin_user_read(byte, 8, 1), EFAULT);
	assert_int_equal(standin_user_read(byte, UINT64_MAX, 1), EFAULT);
	assert_int_equal(mprotect(pages + 4096, 4096, PROT_NONE), 0);
	assert_int_equal(standin_user_read(byte, (uintptr_t)pages + 4092, 8),
			 EFAULT);
	assert_int_equal(standin_user_write((uintptr_t)pages + 4092, byte, 8),
			 EFAULT);
	assert_int_equal(mprotect(pages, 4096, PROT_READ), 0);
	assert_int_equal(standin_user_read(byte, (uintptr_t)pages, 8), 0);
	assert_int_equal(standin_user_write((uintptr_t)pages, byte, 8), EFAULT);
	munmap(pages, 8192);
}

static int refuse_process_vm(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_writev, 0,
			 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { sizeof(code) / sizeof(*code),
					    code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void copies_work_where_process_vm_is_refused(void **state)
{
	int status;
	pid_t child = fork();

	(void)state;
	if (!child)
		_exit(refuse_process_vm() ? 77 : copies_work());
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_copied),
		cmocka_unit_test(wrong_addresses_are_faults),
		cmocka_unit_test(copies_work_where_process_vm_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
