/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A network namespace for a test that changes interfaces: it has lo and a veth
 * pair, p0 with 10.9.0.1 and p1, both up, without the kernel's link-local
 * addresses, which come a second later.
 */
#ifndef TEST_DOMAIN_NAMESPACE_H
#define TEST_DOMAIN_NAMESPACE_H

#include <stdio.h>
#include <unistd.h>

/* For processes in which cmocka has no say. */
#define child_check(condition)                                                 \
	do {                                                                   \
		if (!(condition)) {                                            \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__,     \
				#condition);                                   \
			_exit(1);                                              \
		}                                                              \
	} while (0)

/* Runs `body` in a process and namespace of its own, where child_check() must
 * hold. Skips the test where none can be made. */
void namespace_test(void (*body)(void));

/* Shell commands, which must succeed. */
void namespace_run(const char *commands);

/* From now on netlink sockets are refused to this process. */
void namespace_deny_netlink(void);

#endif
