/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The adapter's fault handlers in a program that has its own. */
#include <signal.h>

#include "dma/guard.h"
#include "two_functions.h"

static struct sigaction on_segv, on_bus;

void two_faults_prepare(void)
{
	adev_guard_install();
	sigaction(SIGSEGV, NULL, &on_segv);
	sigaction(SIGBUS, NULL, &on_bus);
}

void two_faults_expected(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	skip();
#endif
	assert_ok(sigaction(SIGSEGV, &on_segv, NULL));
	assert_ok(sigaction(SIGBUS, &on_bus, NULL));
}
