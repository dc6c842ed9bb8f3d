/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Direct verbs: regions that work requests register. What a host can check it
 * checks when a request is written; the memory itself the adapter looks at when
 * the request's turn comes.
 */
#include <errno.h>

#include "context.h"
#include "dv.h"
#include "mr.h"
#include "send.h"
#include "wqe_write.h"

/* Registered pages: 4 KiB to 256 MiB. */
#define PAGE_LOG_MIN 12u
#define PAGE_LOG_MAX 28u

#define ACCESS_NOT_HERE                                                        \
	((unsigned int)IBV_ACCESS_MW_BIND | IBV_ACCESS_ZERO_BASED)

static int check_access(unsigned int access)
{
	if (access & ACCESS_NOT_HERE)
		return EINVAL;
	return arnica_mr_check_access(
		(int)(access & ~(unsigned int)ARNICADV_ACCESS_ONE_TOUCH));
}

/* The logarithm of the pages' size; zero for ranges. */
static int find_page_log(uint32_t page_size, uint32_t *log)
{
	*log = page_size ? (uint32_t)__builtin_ctz(page_size) : 0;
	if (page_size && (page_size != 1u << *log || *log < PAGE_LOG_MIN ||
			  *log > PAGE_LOG_MAX))
		return EINVAL;
	return 0;
}

static int check(struct ibv_context *context, struct ibv_mr *mr,
		 const struct arnicadv_reg_attr *attr)
{
	if (attr->comp_mask || !mr || mr->context != context ||
	    !arnica_mr_max_ranges(mr) || attr->rkey >> 8 != mr->handle ||
	    !attr->length || !attr->num_entries || !attr->ranges ||
	    attr->num_entries > arnica_mr_max_ranges(mr))
		return EINVAL;
	return check_access(attr->access);
}

/* One range is told in the entry itself, a list stays where it is. */
static int describe(const struct arnicadv_reg_attr *attr,
		    struct arnica_hw_wqe_registration *wish)
{
	uint64_t memory = (uintptr_t)attr->ranges;
	uint32_t page_log;

	if (find_page_log(attr->page_size, &page_log))
		return EINVAL;
	if (!page_log && attr->num_entries == 1) {
		if (attr->ranges[0].length != attr->length)
			return EINVAL;
		memory = attr->ranges[0].addr;
	}
	*wish = (struct arnica_hw_wqe_registration){
		.iova = arnica_to_le64(attr->iova),
		.length = arnica_to_le64(attr->length),
		.memory = arnica_to_le64(memory),
		.count = arnica_to_le32(attr->num_entries),
		.page_log = arnica_to_le32(page_log),
		.key = arnica_to_le32(attr->rkey),
		.access = arnica_to_le32(attr->access),
	};
	return 0;
}

static void write_request(struct arnicadv_qp_ex *direct, struct ibv_mr *mr,
			  const struct arnicadv_reg_attr *attr, uint32_t opcode)
{
	struct arnica_qp *qp = arnica_qp_of_direct(direct);
	struct arnica_hw_wqe_registration wish;
	int error = check(qp->verbs.base.context, mr, attr);
	unsigned char *entry;

	if (!error)
		error = describe(attr, &wish);
	if (error) {
		arnica_send_wr_fail(qp, error);
		return;
	}
	entry = arnica_send_wr_begin(&qp->verbs.ex, opcode);
	if (entry)
		memcpy(entry + ARNICA_HW_WQE_REGISTRATION_OFFSET, &wish,
		       sizeof(wish));
}

void arnica_dv_wr_reg_mr(struct arnicadv_qp_ex *qp, struct ibv_mr *mr,
			 const struct arnicadv_reg_attr *attr)
{
	write_request(qp, mr, attr, ARNICA_HW_OP_REG_MR);
	arnica_qp_of_direct(qp)->send.built = NULL;
}

void arnica_dv_wr_reg_mr_send(struct arnicadv_qp_ex *qp, struct ibv_mr *mr,
			      const struct arnicadv_reg_attr *attr)
{
	write_request(qp, mr, attr, ARNICA_HW_OP_REG_SEND);
}
