/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Direct verbs of arnica: what an application may ask the provider beyond the
 * verbs interface. Link with -larnica. Each function has a man page.
 *
 * Attribute structs begin with comp_mask, which says which of the optional
 * fields are set; bits that this header does not name are refused.
 */
#ifndef INFINIBAND_ARNICADV_H
#define INFINIBAND_ARNICADV_H

#include <infiniband/verbs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Is this device an arnica adapter, served by this library? */
bool arnicadv_is_supported(struct ibv_device *device);

/* Access flags beside enum ibv_access_flags. */
enum arnicadv_access_flags {
	/* The window, or the region of a work request, is for one message of
	 * the peer and invalid after it. */
	ARNICADV_ACCESS_ONE_TOUCH = 1 << 30,
};

/*
 * Registration that is not waited for: arnicadv_reg_mr(3)
 */
enum arnicadv_reg_mr_attr_mask {
	ARNICADV_REG_MR_ATTR_IOVA = 1 << 0,
};

struct arnicadv_reg_mr_attr {
	uint64_t comp_mask; /* enum arnicadv_reg_mr_attr_mask */
	void *addr;
	size_t length;
	unsigned int access; /* enum ibv_access_flags */
	uint64_t iova;	     /* by which requests name the first byte */
};

/* The keys at once. Requests that use them before the region is registered wait
 * in the adapter, and fail if it cannot be. */
struct ibv_mr *arnicadv_reg_mr(struct ibv_pd *pd,
			       struct arnicadv_reg_mr_attr *attr);

/* 0: it is registered. EINPROGRESS: not yet. Else: why it cannot be. */
int arnicadv_query_mr(struct ibv_mr *mr);
/* Waits for that; ETIMEDOUT after so long. Below zero: as long as it takes. */
int arnicadv_wait_mr(struct ibv_mr *mr, int timeout_ms);

/*
 * Registration by work requests (arnicadv_alloc_mr(3), arnicadv_wr_reg_mr(3))
 */

struct arnicadv_mr_init_attr {
	uint64_t comp_mask;  /* zero */
	uint32_t max_ranges; /* most entries of a list for it, at least one */
};

/* A region without memory; ibv_dereg_mr() ends it. */
struct ibv_mr *arnicadv_alloc_mr(struct ibv_pd *pd,
				 struct arnicadv_mr_init_attr *attr);

enum arnicadv_qp_init_attr_mask {
	ARNICADV_QP_INIT_ATTR_SEND_OPS_FLAGS = 1 << 0,
	ARNICADV_QP_INIT_ATTR_REG_ERROR = 1 << 1,
};

enum arnicadv_qp_create_send_ops_flags {
	ARNICADV_QP_EX_WITH_REG_MR = 1 << 0,
	ARNICADV_QP_EX_WITH_REG_MR_SEND = 1 << 1,
};

/* Where a registration leads that is refused. */
enum arnicadv_reg_error {
	ARNICADV_REG_ERROR_ERR, /* to the error state, as any failure */
	ARNICADV_REG_ERROR_SQD, /* what follows it is flushed, no more */
};

struct arnicadv_qp_init_attr {
	uint64_t comp_mask;	 /* enum arnicadv_qp_init_attr_mask */
	uint64_t send_ops_flags; /* enum arnicadv_qp_create_send_ops_flags */
	enum arnicadv_reg_error reg_error;
};

/* ibv_create_qp_ex() with attributes of this adapter. */
struct ibv_qp *arnicadv_create_qp(struct ibv_context *context,
				  struct ibv_qp_init_attr_ex *qp_attr,
				  struct arnicadv_qp_init_attr *attr);

/* Memory of this process. */
struct arnicadv_range {
	uint64_t addr;
	uint64_t length; /* bytes */
};

struct arnicadv_reg_attr {
	uint64_t comp_mask; /* zero */
	uint32_t rkey;      /* lkey and rkey from now on; the low byte is free */
	unsigned int access; /* enum ibv_access_flags, arnicadv_access_flags */
	uint64_t iova;       /* by which requests name the first byte */
	uint64_t length;     /* bytes of the region */
	uint32_t num_entries;
	uint32_t page_size; /* zero: of `ranges`; else `pages` are so large */
	union {
		const struct arnicadv_range *ranges;
		const uint64_t *pages; /* addresses */
	};
};

/* Why a registration was refused: vendor_err of its completion. */
enum arnicadv_reg_refusal {
	ARNICADV_REG_REFUSED_KEY = 1,    /* no region of that domain */
	ARNICADV_REG_REFUSED_IN_USE = 2, /* it has memory already */
	ARNICADV_REG_REFUSED_ACCESS = 3, /* rights that it cannot have */
	ARNICADV_REG_REFUSED_RANGES = 4, /* wrong list or length */
	ARNICADV_REG_REFUSED_MEMORY = 5, /* not mapped, or not for that */
};

/* Opcode of the completion of arnicadv_wr_reg_mr(). */
#define ARNICADV_WC_REG_MR IBV_WC_DRIVER1

struct arnicadv_qp_ex {
	uint64_t comp_mask;
	void (*wr_reg_mr)(struct arnicadv_qp_ex *qp, struct ibv_mr *mr,
			  const struct arnicadv_reg_attr *attr);
	void (*wr_reg_mr_send)(struct arnicadv_qp_ex *qp, struct ibv_mr *mr,
			       const struct arnicadv_reg_attr *attr);
};

/* The further requests of a QP of arnicadv_create_qp(); NULL: it has none. */
struct arnicadv_qp_ex *arnicadv_qp_ex_from_ibv_qp_ex(struct ibv_qp_ex *qp);

/* Between ibv_wr_start() and ibv_wr_complete(), as ibv_wr_send(). */
static inline void arnicadv_wr_reg_mr(struct arnicadv_qp_ex *qp,
				      struct ibv_mr *mr,
				      const struct arnicadv_reg_attr *attr)
{
	qp->wr_reg_mr(qp, mr, attr);
}

/* The same, and a SEND in one request: ibv_wr_set_sge() and the like follow. */
static inline void arnicadv_wr_reg_mr_send(struct arnicadv_qp_ex *qp,
					   struct ibv_mr *mr,
					   const struct arnicadv_reg_attr *attr)
{
	qp->wr_reg_mr_send(qp, mr, attr);
}

/*
 * Indirect keys: one key for the bytes of many ranges, or of a pattern. They are
 * used as lkey and as rkey; the first byte has address zero.
 */
struct arnicadv_mkey {
	uint32_t lkey;
	uint32_t rkey;
};

struct arnicadv_mkey_init_attr {
	uint64_t comp_mask; /* zero */
	struct ibv_pd *pd;
	uint32_t max_entries; /* ranges or sources that it may get */
};

/* A source of a pattern: in each round bytes_count bytes, and bytes_skip to the
 * ones of the next round. */
struct arnicadv_interleaved {
	uint64_t addr;
	uint32_t bytes_count;
	uint32_t bytes_skip;
	uint32_t lkey;
};

struct arnicadv_mkey_caps {
	uint64_t comp_mask;	 /* zero */
	uint32_t max_mkeys;	 /* regions and windows count, too */
	uint32_t max_entries;	 /* of one key */
	uint32_t max_wr_entries; /* set by one work request */
	uint32_t max_depth;	 /* keys within each other */
	uint32_t max_ranges;	 /* that one work request goes through */
};

int arnicadv_query_mkey_caps(struct ibv_context *context,
			     struct arnicadv_mkey_caps *caps);

struct arnicadv_mkey *
arnicadv_create_mkey(const struct arnicadv_mkey_init_attr *attr);
int arnicadv_destroy_mkey(struct arnicadv_mkey *mkey);

/* What the key is from now on: ranges one after the other; or repeat_count
 * rounds of pieces of the sources in turn. */
int arnicadv_set_mkey_list(struct arnicadv_mkey *mkey, unsigned int access,
			   uint32_t num_sge, const struct ibv_sge *sge);
int arnicadv_set_mkey_interleaved(struct arnicadv_mkey *mkey,
				  unsigned int access, uint64_t repeat_count,
				  uint32_t num_interleaved,
				  const struct arnicadv_interleaved *data);

/* The same by work request, between ibv_wr_start() and ibv_wr_complete(). Opcode
 * of the completion: ARNICADV_WC_MKEY. */
void arnicadv_wr_mkey_list(struct ibv_qp_ex *qp, struct arnicadv_mkey *mkey,
			   unsigned int access, uint32_t num_sge,
			   const struct ibv_sge *sge);
void arnicadv_wr_mkey_interleaved(struct ibv_qp_ex *qp,
				  struct arnicadv_mkey *mkey,
				  unsigned int access, uint64_t repeat_count,
				  uint32_t num_interleaved,
				  const struct arnicadv_interleaved *data);

#define ARNICADV_WC_MKEY IBV_WC_DRIVER2

/*
 * Memory of whole pages, zeroed, that other processes of this host reach by
 * loads and stores when it is registered with ibv_reg_mr(), whatever the process
 * is like. It is the adapter's: it ends with the device context, and children of
 * a fork have none of it.
 */
void *arnicadv_alloc_shareable(struct ibv_context *context, size_t length);
int arnicadv_free_shareable(struct ibv_context *context, void *address);

/*
 * What is known of an STag (lkey, rkey): arnicadv_query_stag(3)
 */
enum arnicadv_stag_type {
	ARNICADV_STAG_REGION = 1,
	ARNICADV_STAG_NULL = 2,
	ARNICADV_STAG_WINDOW_1 = 3,
	ARNICADV_STAG_WINDOW_2 = 4,
	ARNICADV_STAG_FAST_REGION = 6, /* of arnicadv_alloc_mr() */
	ARNICADV_STAG_IMPORTED = 7,    /* of ibv_import_mr(), from a process */
	ARNICADV_STAG_MKEY = 8,	       /* indirect key */
};

enum arnicadv_stag_state {
	ARNICADV_STAG_FREE = 0, /* it exists, and permits nothing */
	ARNICADV_STAG_VALID = 1,
	ARNICADV_STAG_PENDING = 2, /* arnicadv_reg_mr() goes on */
};

enum arnicadv_query_stag_flags {
	/* What the adapter's table says, not what the program's side knows. */
	ARNICADV_QUERY_STAG_TABLE = 1 << 0,
};

struct arnicadv_stag_attr {
	uint64_t comp_mask; /* zero */
	enum arnicadv_stag_type type;
	enum arnicadv_stag_state state;
	uint32_t stag;
	uint8_t instance;    /* low eight bits of it */
	unsigned int access; /* enum ibv_access_flags, arnicadv_access_flags */
	uint64_t addr;	     /* first byte, as requests name it */
	uint64_t length;     /* bytes */
	uint32_t pd_handle;
	uint32_t parent; /* a window: STag of its region */
};

int arnicadv_query_stag(struct ibv_context *context, uint32_t stag,
			uint32_t flags, struct arnicadv_stag_attr *attr);

/*
 * The adapter's scheduler: arnicadv_set_scheduler(3). Each device context has its
 * own. A class of service is a service level.
 */
#define ARNICADV_NUM_CLASSES 16
#define ARNICADV_MAX_ENGINES 16
#define ARNICADV_MAX_GATHER_ENGINES 8
#define ARNICADV_MAX_WATERMARK 16

enum arnicadv_scheduler_policy {
	ARNICADV_SCHEDULER_STRICT = 0,	 /* the highest class first */
	ARNICADV_SCHEDULER_WEIGHTED = 1, /* shares of the bytes by weight */
};

enum arnicadv_scheduler_attr_mask {
	ARNICADV_SCHEDULER_POLICY = 1 << 0,
	ARNICADV_SCHEDULER_ENGINES = 1 << 1, /* both numbers */
	ARNICADV_SCHEDULER_CLASS_WEIGHTS = 1 << 2,
	ARNICADV_SCHEDULER_WATERMARKS = 1 << 3,
	ARNICADV_SCHEDULER_CLASS_ENGINES = 1 << 4,
	ARNICADV_SCHEDULER_ENGINE_WEIGHTS = 1 << 5,
};

struct arnicadv_scheduler_attr {
	uint64_t comp_mask; /* enum arnicadv_scheduler_attr_mask */
	enum arnicadv_scheduler_policy policy;
	uint32_t num_engines;	     /* execution engines */
	uint32_t num_gather_engines; /* at most as many */
	uint8_t class_weight[ARNICADV_NUM_CLASSES];   /* at least 1 */
	uint8_t watermark[ARNICADV_NUM_CLASSES];      /* descriptors */
	uint16_t class_engines[ARNICADV_NUM_CLASSES]; /* a bit for each */
	uint8_t engine_weight[ARNICADV_MAX_ENGINES];  /* at least 1 */
};

/* Fills in everything. */
int arnicadv_query_scheduler(struct ibv_context *context,
			     struct arnicadv_scheduler_attr *attr);

/* Changes what comp_mask names; the rest stays. */
int arnicadv_set_scheduler(struct ibv_context *context,
			   const struct arnicadv_scheduler_attr *attr);

#ifdef __cplusplus
}
#endif

#endif
