/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Checks of `arnica doctor`. Each is one function that tries, rather than
 * guesses, and fills in one finding.
 */
#ifndef ARNICA_TOOLS_DOCTOR_H
#define ARNICA_TOOLS_DOCTOR_H

#include <stdbool.h>
#include <sys/types.h>

enum doctor_status {
	DOCTOR_OK,
	DOCTOR_WARN, /* works, but slower or with less */
	DOCTOR_FAIL, /* does not work */
};

struct doctor_finding {
	enum doctor_status status;
	char found[256];  /* what is the case, and what it means */
	char advice[256]; /* what to do; "" for nothing */
};

struct doctor_check {
	const char *name;
	void (*run)(struct doctor_finding *finding);
};

void doctor_report(struct doctor_finding *finding, enum doctor_status status,
		   const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void doctor_advise(struct doctor_finding *finding, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* doctor_peer.c: what processes may do to each other */
void doctor_check_process_vm(struct doctor_finding *finding);
void doctor_check_segments(struct doctor_finding *finding);
void doctor_check_yama(struct doctor_finding *finding);
void doctor_check_pidfd(struct doctor_finding *finding);
void doctor_check_robust_futex(struct doctor_finding *finding);

/* doctor_memory.c: memory and its limits */
void doctor_check_memfd(struct doctor_finding *finding);
void doctor_check_userfaultfd(struct doctor_finding *finding);
void doctor_check_shm(struct doctor_finding *finding);
void doctor_check_cgroup(struct doctor_finding *finding);
void doctor_check_limits(struct doctor_finding *finding);
void doctor_check_memlock(struct doctor_finding *finding);

/* doctor_network.c: the port, and the kernel's own RDMA */
void doctor_check_port(struct doctor_finding *finding);
void doctor_check_kernel_rdma(struct doctor_finding *finding);

/* doctor_settings.c: the configuration file, and what is set by whom */
void doctor_check_settings(struct doctor_finding *finding);
void doctor_list_settings(void (*found)(const char *name,
					const struct doctor_finding *finding));

/* As doctor_check_settings() found: then the adapter answers nothing else. */
bool doctor_settings_are_refused(void);

/* doctor_device.c: the libraries, and the device itself */
void doctor_check_libraries(struct doctor_finding *finding);
void doctor_check_domain(struct doctor_finding *finding);
void doctor_check_device(struct doctor_finding *finding);

#endif
