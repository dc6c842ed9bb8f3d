/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Commands of the control queue about memory: regions, windows, keys, device
 * memory, and what is imported from other functions.
 */
#ifndef ARNICA_HW_CQP_MEMORY_H
#define ARNICA_HW_CQP_MEMORY_H

#include "endian.h"
#include "format.h"

/* Access rights; the numbers are those of enum ibv_access_flags. */
enum arnica_hw_access {
	ARNICA_HW_ACCESS_LOCAL_WRITE = 1 << 0,
	ARNICA_HW_ACCESS_REMOTE_WRITE = 1 << 1,
	ARNICA_HW_ACCESS_REMOTE_READ = 1 << 2,
	ARNICA_HW_ACCESS_REMOTE_ATOMIC = 1 << 3,
	ARNICA_HW_ACCESS_MW_BIND = 1 << 4,
	ARNICA_HW_ACCESS_ZERO_BASED = 1 << 5,
	ARNICA_HW_ACCESS_ON_DEMAND = 1 << 6,
	ARNICA_HW_ACCESS_HUGETLB = 1 << 7,
	ARNICA_HW_ACCESS_FLUSH_GLOBAL = 1 << 8,
	ARNICA_HW_ACCESS_FLUSH_PERSISTENT = 1 << 9,
	ARNICA_HW_ACCESS_RELAXED_ORDERING = 1 << 20,
	/* Windows and regions of work requests: for one remote message. */
	ARNICA_HW_ACCESS_ONE_TOUCH = 1 << 30,
};

/*
 * BEGIN_MR is REG_MR that is answered before it is done: the keys exist, and
 * requests that use them wait until it is, or fail when it does.
 */
struct arnica_hw_cmd_reg_mr { /* REG_MR, REREG_MR, BEGIN_MR */
	arnica_le32 handle; /* REREG: the region; REG: zero */
	arnica_le32 change; /* REREG: enum arnica_hw_rereg; REG: zero */
	arnica_le32 pd;
	arnica_le32 access;  /* enum arnica_hw_access */
	arnica_le64 address; /* first byte, in the caller's address space */
	arnica_le64 length;  /* bytes; zero: a region that permits nothing */
	arnica_le64 iova;    /* address by which work requests name it */
};

/* Handles are those of the function that is imported from. Of a region the
 * answer is another one than that to its registration (arnica_hw_res_region);
 * its key is the same. A domain has the same handle here. */
struct arnica_hw_cmd_import { /* IMPORT_PD, IMPORT_MR, IMPORT_DM */
	arnica_le32 handle;
	arnica_le32 pd; /* MR: imported before; else zero */
};

enum arnica_hw_rereg { /* numbers of enum ibv_rereg_mr_flags */
	ARNICA_HW_REREG_TRANSLATION = 1 << 0,
	ARNICA_HW_REREG_PD = 1 << 1,
	ARNICA_HW_REREG_ACCESS = 1 << 2,
};

enum arnica_hw_window_type { /* numbers of enum ibv_mw_type */
	ARNICA_HW_WINDOW_1 = 1,
	ARNICA_HW_WINDOW_2 = 2,
};

struct arnica_hw_cmd_alloc_mw {
	arnica_le32 pd;
	arnica_le32 type; /* enum arnica_hw_window_type */
};

struct arnica_hw_cmd_alloc_null_mr {
	arnica_le32 pd;
	arnica_le32 reserved0; /* zero */
};

/* A region without memory: REG_MR of a send queue gives it some. */
struct arnica_hw_cmd_alloc_mr {
	arnica_le32 pd;
	arnica_le32 max_ranges; /* that it will have, at least one */
};

/* An indirect key: its memory is what it is set to by SET_MKEY, the command or
 * the work request. */
struct arnica_hw_cmd_create_mkey {
	arnica_le32 pd;
	arnica_le32 max_entries;
};

/* Where the host keeps its mirror of the table (mirror.h). */
struct arnica_hw_cmd_set_mirror {
	arnica_le64 address;     /* in the caller's address space */
	arnica_le32 num_entries;
	arnica_le32 entry_bytes; /* as the adapter knows them */
};

struct arnica_hw_cmd_set_mkey {
	arnica_le32 handle;
	arnica_le32 access; /* enum arnica_hw_access: LOCAL_WRITE, REMOTE_* */
	arnica_le64 rows;   /* at least one */
	/* struct arnica_hw_mkey_entry[num_entries], in the caller's address
	 * space */
	arnica_le64 entries;
	arnica_le32 num_entries;
	arnica_le32 reserved0; /* zero */
};

enum arnica_hw_dm_flags {
	/* For the program's own use: of any length that there is room for. */
	ARNICA_HW_DM_SHAREABLE = 1,
};

struct arnica_hw_cmd_alloc_dm {
	arnica_le64 length;    /* bytes, at least one */
	arnica_le32 log_align; /* of its start, at most ARNICA_HW_PAGE_SHIFT */
	arnica_le32 flags;     /* enum arnica_hw_dm_flags */
};

enum arnica_hw_advice { /* numbers of enum ibv_advise_mr_advice */
	ARNICA_HW_ADVICE_PREFETCH = 0,
	ARNICA_HW_ADVICE_PREFETCH_WRITE = 1,
	ARNICA_HW_ADVICE_PREFETCH_NO_FAULT = 2,
};

struct arnica_hw_cmd_advise_mr {
	arnica_le32 pd;
	arnica_le32 advice; /* enum arnica_hw_advice */
	arnica_le32 stag;
	arnica_le32 reserved0; /* zero */
	arnica_le64 iova;
	arnica_le64 length; /* bytes */
};

#endif
