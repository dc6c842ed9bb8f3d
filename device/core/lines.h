/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Who writes which cache line of what processes share, as the compiler checks
 * it. A line that two of them write goes back and forth with each message, at
 * the price of all the rest of it; so every line that a message touches has one
 * writer while the connection is busy:
 *
 *  structure              line  writer                    who reads it
 *  arnica_hw_queue_record 0     host that posts, polls    peer, where its copy ends
 *                         1     nobody, or who waits      both, at each message
 *  adev_qp_shared         0, 1  owner, modify_qp          peer
 *                         2     peer, under `lock`        peer
 *                         3     peers that need help      owner, when told to
 *  arnica_hw_cqe          all   who executes the queue    host's poll
 *  adev_cq_shared         0     nobody, unless armed      both
 *                         1     owner, create_cq          both
 *  arnica_hw_segment_     1     nobody, or who leaves     host's poll
 *    header                     work there
 *  adev_shared            agent, events: a line each, written when somebody
 *                         sleeps
 *  adev_slot              0     owner, at its begin, end  peers, at each message
 *                         1     its place on the wire     who sends packets
 *
 * What is on no such line changes hands with each message by design: the receive
 * entry, and the completion entry.
 */
#ifndef ADEV_CORE_LINES_H
#define ADEV_CORE_LINES_H

#include <stddef.h>

#include <arnica/hw/cqe.h>

#include "core/layout.h"
#include "domain/table.h"

#define ADEV_LINE_OF(type, field) (offsetof(type, field) / ARNICA_HW_LINE_BYTES)

/* The fields up to `last` have another writer than those from `first` on. */
#define ADEV_APART(type, last, first)                                          \
	_Static_assert(ADEV_LINE_OF(type, last) < ADEV_LINE_OF(type, first),   \
		       #type ": " #last " and " #first " in one line")
/* These begin and end within one line. */
#define ADEV_TOGETHER(type, first, last)                                       \
	_Static_assert(ADEV_LINE_OF(type, first) == ADEV_LINE_OF(type, last),  \
		       #type ": " #first " and " #last " in two lines")
/* An array of them shares no line either. */
#define ADEV_WHOLE_LINES(type)                                                 \
	_Static_assert(sizeof(type) % ARNICA_HW_LINE_BYTES == 0,               \
		       #type ": its neighbour begins in its last line")

ADEV_TOGETHER(struct arnica_hw_queue_record, producer, polled);
ADEV_APART(struct arnica_hw_queue_record, polled, waiting);
ADEV_TOGETHER(struct arnica_hw_queue_record, waiting, next);
ADEV_WHOLE_LINES(struct arnica_hw_queue_record);

ADEV_APART(struct adev_qp_shared, openers, lock);
ADEV_TOGETHER(struct adev_qp_shared, lock, uses);
ADEV_APART(struct adev_qp_shared, uses, needs);
ADEV_TOGETHER(struct adev_qp_shared, needs, srq_number);
ADEV_WHOLE_LINES(struct adev_qp_shared);

ADEV_TOGETHER(struct arnica_hw_cqe, data, sequence);
ADEV_WHOLE_LINES(struct arnica_hw_cqe);

ADEV_APART(struct adev_cq_shared, record.rescan, in_use);
ADEV_WHOLE_LINES(struct adev_cq_shared);

ADEV_APART(struct arnica_hw_segment_header, size_bytes, attention);
ADEV_WHOLE_LINES(struct arnica_hw_segment_header);

ADEV_APART(struct adev_shared, mirror_entries, agent_state);
ADEV_APART(struct adev_shared, inbox_ready, cq_events_summary);
ADEV_APART(struct adev_shared, qp_attention, cq_events);

ADEV_TOGETHER(struct adev_slot, life, status);
ADEV_APART(struct adev_slot, wake_inode, wire_handed);
ADEV_WHOLE_LINES(struct adev_slot);

ADEV_WHOLE_LINES(struct adev_tpt_entry);

#endif
