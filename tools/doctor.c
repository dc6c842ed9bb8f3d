/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * arnica doctor: what this machine permits, one line for each check: a status
 * word, what is the case and what that means, and what to do about it.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "doctor.h"

static const struct doctor_check checks[] = {
	{ "libraries", doctor_check_libraries },
	{ "configuration", doctor_check_settings },
	{ "domain folder", doctor_check_domain },
	{ "memfd", doctor_check_memfd },
	{ "peer segments", doctor_check_segments },
	{ "robust futex", doctor_check_robust_futex },
	{ "pidfd", doctor_check_pidfd },
	{ "process_vm", doctor_check_process_vm },
	{ "yama", doctor_check_yama },
	{ "userfaultfd", doctor_check_userfaultfd },
	{ "shared memory", doctor_check_shm },
	{ "cgroup memory", doctor_check_cgroup },
	{ "limits", doctor_check_limits },
	{ "memlock", doctor_check_memlock },
	{ "port 4791", doctor_check_port },
	{ "kernel RDMA", doctor_check_kernel_rdma },
	{ "device", doctor_check_device }, /* last: it decides */
};

#define NUM_CHECKS (sizeof(checks) / sizeof(checks[0]))

void doctor_report(struct doctor_finding *finding, enum doctor_status status,
		   const char *format, ...)
{
	va_list arguments;

	finding->status = status;
	va_start(arguments, format);
	vsnprintf(finding->found, sizeof(finding->found), format, arguments);
	va_end(arguments);
}

void doctor_advise(struct doctor_finding *finding, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(finding->advice, sizeof(finding->advice), format, arguments);
	va_end(arguments);
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	argp_error(state, "unexpected argument '%s'", argument);
	return EINVAL;
}

static void print_finding(const char *name,
			  const struct doctor_finding *finding)
{
	static const char *const words[] = { [DOCTOR_OK] = "ok",
					     [DOCTOR_WARN] = "warn",
					     [DOCTOR_FAIL] = "fail" };

	printf("%-4s  %-13s  %s%s%s\n", words[finding->status], name,
	       finding->found, finding->advice[0] ? "; to do: " : "",
	       finding->advice);
	fflush(stdout); /* the next check may fork */
}

int tool_command_doctor(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse_option,
		.doc = "Checks what this machine permits, and what that means "
		       "for the device.\v"
		       "Exit status: 0 if the device can be opened, else 1.",
	};
	struct doctor_finding finding;

	if (argp_parse(&argp, argc, argv, 0, NULL, NULL))
		return TOOL_EXIT_USAGE;
	/* What a limit of file sizes refuses is to be told, not the end. */
	signal(SIGXFSZ, SIG_IGN);
	for (size_t i = 0; i < NUM_CHECKS; i++) {
		memset(&finding, 0, sizeof(finding));
		checks[i].run(&finding);
		print_finding(checks[i].name, &finding);
		if (checks[i].run == doctor_check_settings)
			doctor_list_settings(print_finding);
	}
	return finding.status == DOCTOR_FAIL ? TOOL_EXIT_FAILED : TOOL_EXIT_OK;
}
