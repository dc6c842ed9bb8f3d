/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Counters of a function. Each refusal has one; `arnica stat` shows them. They
 * are written by the function's own process with relaxed atomics.
 */
#ifndef ADEV_CORE_COUNTERS_H
#define ADEV_CORE_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

#define ADEV_COUNTER_LIST(X)                                                   \
	X(doorbells, "doorbells that announced work")                          \
	X(bf_hit, "descriptors taken from the priority area")                  \
	X(posts_held, "posts that waited for more, or for the next poll")      \
	X(bf_fallback, "priority area not whole: read from the queue")         \
	X(refused_offset, "doorbells at an unknown offset")                    \
	X(refused_queue, "doorbells for no queue, or somebody else's")         \
	X(refused_index, "doorbells beyond the queue's depth")                 \
	X(wqe_fetched, "descriptors fetched from memory")                      \
	X(wqe_fetches, "... times that the queue was read for them")           \
	X(wqe_invalid, "descriptors that are not well formed")                 \
	X(local_protection, "local keys, bounds or rights that were wrong")    \
	X(remote_access, "remote keys, bounds or rights that were wrong")      \
	X(xrc_refused, "XRC messages to no SRQ of the domain")                 \
	X(remote_invalid, "requests that the responder cannot accept")         \
	X(windows_refused, "binds and local invalidations that were refused")  \
	X(registrations, "regions that work requests registered")              \
	X(registrations_refused, "... and that were refused")                   \
	X(registrations_begun, "regions whose keys were used before they were") \
	X(registrations_failed, "... and whose registration failed")           \
	X(registrations_awaited, "requests that waited for that")              \
	X(mkeys_refused, "layouts of indirect keys that were refused")         \
	X(polls_aside, "times that a poll let another on the processor")       \
	X(messages, "messages delivered")                                      \
	X(bytes, "payload bytes delivered")                                    \
	X(lost_no_qp, "messages of UC and UD to a number that nobody has")     \
	X(lost_not_ready, "... to a queue pair that did not take them")        \
	X(lost_qkey, "... with another Q_Key than the destination's")          \
	X(lost_no_receive, "... for which no receive was posted")              \
	X(lost_refused, "... with a length, key or right that was wrong")      \
	X(lost_no_room, "... that could not be kept until the host polls")     \
	X(lost_busy, "... to a destination that was locked for too long")      \
	X(lost_no_path, "... to another host that cannot be reached")          \
	X(raw_received, "frames that raw packet queue pairs wanted")           \
	X(raw_refused, "... that were longer than the interface's are")        \
	X(rnr, "messages that waited for a receive")                           \
	X(retries, "messages that waited for the peer")                        \
	X(wire_resent, "packets that were sent again")                         \
	X(wire_losses, "losses that the peer told of")                         \
	X(wire_timeouts, "times that the peer was silent for too long")        \
	X(wire_probes, "times that it was asked before that")                  \
	X(wire_stale_answers, "answers to nothing that is outstanding")        \
	X(wire_bad_answers, "answers that are not what was asked for")         \
	X(wire_notifications, "congestion notifications")                      \
	X(limit_bytes, "payload bytes charged to the port's limit")            \
	X(limit_waits, "times that the port's limit was waited for")           \
	X(pace_waits, "times that a queue pair's own rate was waited for")     \
	X(dma_process_vm, "transfers by process_vm")                           \
	X(dma_bounce, "transfers by bounce buffers")                           \
	X(dma_shared, "transfers by copies into or out of shared memory")      \
	X(adopt_taken, "ranges of the program that peers reach directly")      \
	X(adopt_returned, "... that were turned back into private memory")     \
	X(adopt_kept, "... that could not be turned back at once")             \
	X(adopt_unfit, "... that stay private: not plain private memory")      \
	X(adopt_unsafe, "... because others may touch them meanwhile")         \
	X(adopt_costly, "... because it would take too much time")             \
	X(adopt_no_room, "... because there are enough, or no room")           \
	X(adopt_failed, "... because a step failed, and was undone")           \
	X(inbox_served, "requests of peers served")                            \
	X(turns_by_agent, "turns of queues with a backlog that the agent ran")  \
	X(turns_by_engines, "... that engine threads ran")                     \
	X(peers_died, "peers that died")                                       \
	X(wire_sent, "packets sent")                                           \
	X(wire_received, "packets received whose ICRC is right")               \
	X(wire_overflows, "datagrams that the socket had no room for")         \
	X(wire_bad_packet, "datagrams that are no packets")                    \
	X(wire_bad_opcode, "packets of no opcode that is spoken")              \
	X(wire_bad_icrc, "packets whose ICRC is wrong")                        \
	X(wire_port_qp, "packets for QP 0")                                    \
	X(mads_sent, "MADs sent")                                              \
	X(mads_received, "MADs that came from the wire")                       \
	X(mads_refused, "packets for QP 1 that are no MADs that are spoken")   \
	X(mads_to_nobody, "MADs for a service or a connection of nobody")      \
	X(mads_lost_full, "MADs lost: their receiver does not take them")      \
	X(wire_handed_on, "packets handed on to the function they are for")    \
	X(wire_lost_strayed, "packets for another function that were lost")    \
	X(wire_lost_full, "packets lost: no room in a socket or queue")        \
	X(wire_lost_size, "packets lost: larger than the path's MTU")          \
	X(wire_lost_forbidden, "packets lost: forbidden by a filter")          \
	X(wire_lost_unreachable, "packets lost: no way to the destination")    \
	X(wire_lost_other, "packets lost: refused for another reason")         \
	X(commands_refused, "commands that were refused")                      \
	X(exports, "regions and device memory that others imported")           \
	X(calls_refused, "questions of importers that were refused")           \
	X(imports_revoked, "imported regions that their owner ended")          \
	X(events_deferred, "events that waited for room in a channel")         \
	X(fault_dropped, "packets dropped on purpose")                         \
	X(fault_duplicated, "packets doubled on purpose")                      \
	X(fault_reordered, "packets held back on purpose")                     \
	X(fault_corrupted, "packets damaged on purpose")                       \
	X(fault_delayed, "packets delayed on purpose")                         \
	X(wire_no_qp, "packets for no queue pair of this function")            \
	X(wire_no_group, "packets of multicast that nobody is attached for")      \
	X(wire_not_joined, "multicast groups that no interface could join")      \
	X(wire_type, "packets of another transport than their queue pair's")   \
	X(wire_pkey, "packets of another partition")                           \
	X(wire_source, "packets from elsewhere than the queue pair's peer")    \
	X(wire_state, "requests to a queue pair that takes none")              \
	X(wire_busy, "requests lost because the queue pair was locked")        \
	X(wire_early, "requests dropped because one before them is missing")   \
	X(wire_duplicates, "requests that had come before")                    \
	X(wire_ghosts, "repeated reads and atomics too old to be answered")    \
	X(wire_uc_dropped, "unreliable messages that lost a part")             \
	X(wire_rnr_naks, "requests refused for want of a receive")             \
	X(wire_naks, "requests refused for other reasons")                     \
	X(wire_cnps, "congestion notifications sent")

struct adev_counters {
#define ADEV_COUNTER_FIELD(name, text) _Atomic uint64_t name;
	ADEV_COUNTER_LIST(ADEV_COUNTER_FIELD)
#undef ADEV_COUNTER_FIELD
};

/* A load and a store, not a locked instruction: two threads that count at the
 * same time may lose a count, never corrupt it. */
#define adev_count(counters, name)                                             \
	atomic_store_explicit(                                                 \
		&(counters)->name,                                             \
		atomic_load_explicit(&(counters)->name,                        \
				     memory_order_relaxed) + 1,                \
		memory_order_relaxed)
#define adev_count_add(counters, name, amount)                                 \
	atomic_store_explicit(                                                 \
		&(counters)->name,                                             \
		atomic_load_explicit(&(counters)->name,                        \
				     memory_order_relaxed) + (amount),         \
		memory_order_relaxed)

#endif
