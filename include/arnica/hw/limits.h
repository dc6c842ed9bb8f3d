/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Limits that both sides of the contract are built for. What an adapter really
 * grants is in struct arnica_hw_device_caps; it never exceeds these numbers.
 */
#ifndef ARNICA_HW_LIMITS_H
#define ARNICA_HW_LIMITS_H

#define ARNICA_HW_VERSION 1u

#define ARNICA_HW_PAGE_BYTES 4096u
#define ARNICA_HW_PAGE_SHIFT 12u
#define ARNICA_HW_LINE_BYTES 64u

#define ARNICA_HW_MAX_QP 65536u         /* queue pairs of one function */
#define ARNICA_HW_MAX_CQ 65536u         /* completion queues */
#define ARNICA_HW_MAX_PD 65536u         /* protection domains */
#define ARNICA_HW_MAX_SRQ 4096u         /* shared receive queues */
#define ARNICA_HW_MAX_MR (1u << 20)     /* entries of the TPT */
#define ARNICA_HW_MAX_QUEUE_DEPTH 32768u /* work requests of one queue */
#define ARNICA_HW_MAX_CQE (1u << 22)    /* entries of one CQ */
#define ARNICA_HW_MAX_SGE 30u           /* scatter/gather entries of a request */
#define ARNICA_HW_MAX_INLINE 448u       /* bytes; header and data fit 512 */
#define ARNICA_HW_MAX_WQE_BYTES 512u    /* largest stride of a send queue */
#define ARNICA_HW_MAX_RQE_BYTES 512u    /* largest stride of a receive queue */
#define ARNICA_HW_MAX_MESSAGE (1u << 31) /* bytes of one message */
#define ARNICA_HW_MAX_RD_ATOMIC 128u    /* outstanding reads and atomics */
#define ARNICA_HW_MAX_RANGES 4096u      /* of a region that requests register */
#define ARNICA_HW_MAX_DM 4096u          /* ranges of device memory */
#define ARNICA_HW_MAX_DM_BYTES (16u << 20) /* one range */
#define ARNICA_HW_MAX_MKEY_ENTRIES 4096u /* of one indirect key */
#define ARNICA_HW_MAX_MKEY_DEPTH 4u      /* indirect keys within each other */
#define ARNICA_HW_MAX_MCAST_GRP 1024u   /* groups with a queue pair attached */
#define ARNICA_HW_MAX_MCAST_QP 256u     /* queue pairs attached to a group */
#define ARNICA_HW_MAX_MCAST_ATTACH 4096u /* to all groups together */
#define ARNICA_HW_MAX_FLOWS 1024u       /* rules of one function */
#define ARNICA_HW_MAX_RWQ_TABLES 1024u  /* of receive queues */
#define ARNICA_HW_MAX_RWQ_TABLE 2048u   /* entries of one */
#define ARNICA_HW_MAX_MKEY_RANGES 65536u /* that one access goes through */
#define ARNICA_HW_MAX_MODERATION_COUNT 65535u /* completions per event */
#define ARNICA_HW_MAX_MODERATION_US 4095u /* until the event of fewer */
#define ARNICA_HW_MIN_RATE_LIMIT 1000u /* kbit/s, of a queue pair */
#define ARNICA_HW_MAX_RATE_LIMIT 400000000u
#define ARNICA_HW_COMP_VECTORS 8u
#define ARNICA_HW_GID_TABLE_LEN 16u
#define ARNICA_HW_QPN_MASK 0xffffffu
#define ARNICA_HW_QPN_MCAST 0xffffffu /* of all who are attached to a group */
#define ARNICA_HW_FLOW_LABEL_MASK 0xfffffu

#endif
