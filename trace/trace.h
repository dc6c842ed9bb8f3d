/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Trace events as static probes (USDT): arnica_trace_<event>(first, second).
 * A probe that nobody watches is one instruction that does nothing. Watch with
 *
 *   bpftrace -e 'usdt:/usr/lib/x86_64-linux-gnu/libarnica-device.so:arnica:*
 *                { printf("%s %x %x\n", probe, arg0, arg1); }'
 *
 * or with perf probe. Without <sys/sdt.h> at build time they are empty.
 */
#ifndef ARNICA_TRACE_TRACE_H
#define ARNICA_TRACE_TRACE_H

#include <stdint.h>

#ifdef ARNICA_HAVE_SDT
#include <sys/sdt.h>
#define ARNICA_PROBE2(name, a, b) DTRACE_PROBE2(arnica, name, a, b)
#else
#define ARNICA_PROBE2(name, a, b)                                              \
	do {                                                                   \
		(void)(a);                                                     \
		(void)(b);                                                     \
	} while (0)
#endif

#define ARNICA_EVENT2(name, first, second, text)                               \
	static inline void arnica_trace_##name(uint64_t first,                 \
					       uint64_t second)                \
	{                                                                      \
		ARNICA_PROBE2(name, first, second);                            \
	}
#include "events.def"
#undef ARNICA_EVENT2

#endif
