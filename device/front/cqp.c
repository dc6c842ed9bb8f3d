/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The control queue: takes posted commands in order, has them executed, and
 * answers. A command is copied once; what the host does to the slot after that
 * changes nothing.
 */
#include <errno.h>
#include <string.h>

#include "core/cancel.h"
#include "core/counters.h"
#include "front/command.h"
#include "trace.h"

static const adev_command_handler handlers[] = {
	[ARNICA_HW_CMD_QUERY_DEVICE] = adev_command_query_device,
	[ARNICA_HW_CMD_QUERY_PORT] = adev_command_query_port,
	[ARNICA_HW_CMD_ALLOC_PD] = adev_command_alloc_pd,
	[ARNICA_HW_CMD_DEALLOC_PD] = adev_command_dealloc_pd,
	[ARNICA_HW_CMD_REG_MR] = adev_command_reg_mr,
	[ARNICA_HW_CMD_REREG_MR] = adev_command_rereg_mr,
	[ARNICA_HW_CMD_DEREG_MR] = adev_command_dereg_mr,
	[ARNICA_HW_CMD_CREATE_CQ] = adev_command_create_cq,
	[ARNICA_HW_CMD_RESIZE_CQ] = adev_command_resize_cq,
	[ARNICA_HW_CMD_MODIFY_CQ] = adev_command_modify_cq,
	[ARNICA_HW_CMD_DESTROY_CQ] = adev_command_destroy_cq,
	[ARNICA_HW_CMD_CREATE_QP] = adev_command_create_qp,
	[ARNICA_HW_CMD_MODIFY_QP] = adev_command_modify_qp,
	[ARNICA_HW_CMD_QUERY_QP] = adev_command_query_qp,
	[ARNICA_HW_CMD_DESTROY_QP] = adev_command_destroy_qp,
	[ARNICA_HW_CMD_CREATE_AH] = adev_command_create_ah,
	[ARNICA_HW_CMD_DESTROY_AH] = adev_command_destroy_ah,
	[ARNICA_HW_CMD_ATTACH_MCAST] = adev_command_attach_mcast,
	[ARNICA_HW_CMD_DETACH_MCAST] = adev_command_detach_mcast,
	[ARNICA_HW_CMD_ALLOC_DM] = adev_command_alloc_dm,
	[ARNICA_HW_CMD_FREE_DM] = adev_command_free_dm,
	[ARNICA_HW_CMD_ADVISE_MR] = adev_command_advise_mr,
	[ARNICA_HW_CMD_CREATE_SRQ] = adev_command_create_srq,
	[ARNICA_HW_CMD_MODIFY_SRQ] = adev_command_modify_srq,
	[ARNICA_HW_CMD_QUERY_SRQ] = adev_command_query_srq,
	[ARNICA_HW_CMD_DESTROY_SRQ] = adev_command_destroy_srq,
	[ARNICA_HW_CMD_GROW_SRQ] = adev_command_grow_srq,
	[ARNICA_HW_CMD_GROW_RING] = adev_command_grow_ring,
	[ARNICA_HW_CMD_ALLOC_MW] = adev_command_alloc_mw,
	[ARNICA_HW_CMD_DEALLOC_MW] = adev_command_dealloc_mw,
	[ARNICA_HW_CMD_ALLOC_NULL_MR] = adev_command_alloc_null_mr,
	[ARNICA_HW_CMD_ALLOC_MR] = adev_command_alloc_mr,
	[ARNICA_HW_CMD_BEGIN_MR] = adev_command_begin_mr,
	[ARNICA_HW_CMD_QUERY_BEGUN] = adev_command_query_begun,
	[ARNICA_HW_CMD_CREATE_MKEY] = adev_command_create_mkey,
	[ARNICA_HW_CMD_DESTROY_MKEY] = adev_command_destroy_mkey,
	[ARNICA_HW_CMD_SET_MKEY] = adev_command_set_mkey,
	[ARNICA_HW_CMD_SET_MIRROR] = adev_command_set_mirror,
	[ARNICA_HW_CMD_QUERY_STAG] = adev_command_query_stag,
	[ARNICA_HW_CMD_SET_SCHEDULER] = adev_command_set_scheduler,
	[ARNICA_HW_CMD_QUERY_SCHEDULER] = adev_command_query_scheduler,
	[ARNICA_HW_CMD_QUERY_PD] = adev_command_query_pd,
	[ARNICA_HW_CMD_QUERY_MR] = adev_command_query_mr,
	[ARNICA_HW_CMD_QUERY_DM] = adev_command_query_dm,
	[ARNICA_HW_CMD_OPEN_XRCD] = adev_command_open_xrcd,
	[ARNICA_HW_CMD_CLOSE_XRCD] = adev_command_close_xrcd,
	[ARNICA_HW_CMD_OPEN_QP] = adev_command_open_qp,
	[ARNICA_HW_CMD_CLOSE_QP] = adev_command_close_qp,
	[ARNICA_HW_CMD_IMPORT_PD] = adev_command_import_pd,
	[ARNICA_HW_CMD_IMPORT_MR] = adev_command_import_mr,
	[ARNICA_HW_CMD_IMPORT_DM] = adev_command_import_dm,
	[ARNICA_HW_CMD_UNIMPORT_MR] = adev_command_unimport_mr,
	[ARNICA_HW_CMD_UNIMPORT_DM] = adev_command_unimport_dm,
	[ARNICA_HW_CMD_CREATE_FLOW] = adev_command_create_flow,
	[ARNICA_HW_CMD_DESTROY_FLOW] = adev_command_destroy_flow,
	[ARNICA_HW_CMD_QUERY_FLOW] = adev_command_query_flow,
	[ARNICA_HW_CMD_CREATE_RWQ_TABLE] = adev_command_create_rwq_table,
	[ARNICA_HW_CMD_DESTROY_RWQ_TABLE] = adev_command_destroy_rwq_table,
};

#define NUM_HANDLERS (sizeof(handlers) / sizeof(handlers[0]))

/* C7: pairs with the host's release of the opcode, written last. */
static uint32_t load_opcode(const struct arnica_hw_cqp_slot *slot)
{
	arnica_le32 word = { __atomic_load_n(&slot->command.opcode.raw,
					     __ATOMIC_ACQUIRE) };

	return arnica_from_le32(word);
}

enum arnica_hw_command_status adev_command_status(int error)
{
	switch (error) {
	case 0:
		return ARNICA_HW_COMMAND_OK;
	case ENOMEM:
		return ARNICA_HW_COMMAND_NO_MEMORY;
	case EMFILE:
	case ENFILE:
		return ARNICA_HW_COMMAND_NO_FILES;
	case EFAULT:
		return ARNICA_HW_COMMAND_FAULT;
	case EINVAL:
		return ARNICA_HW_COMMAND_INVALID;
	case EBUSY:
		return ARNICA_HW_COMMAND_BUSY;
	case ENETUNREACH:
		return ARNICA_HW_COMMAND_UNREACHABLE;
	default:
		return ARNICA_HW_COMMAND_IO;
	}
}

static enum arnica_hw_command_status dispatch(
	struct adev_function *fn, uint32_t opcode,
	const struct arnica_hw_command *command,
	struct arnica_hw_completion *completion)
{
	if (opcode >= NUM_HANDLERS || !handlers[opcode])
		return ARNICA_HW_COMMAND_NO_SUCH_COMMAND;
	if (arnica_from_le32(command->reserved0))
		return ARNICA_HW_COMMAND_INVALID;
	return handlers[opcode](fn, command, completion);
}

static void answer(struct arnica_hw_cqp_slot *slot,
		   const struct arnica_hw_completion *completion,
		   uint32_t status, uint32_t sequence)
{
	memcpy(slot->completion.bytes, completion->bytes,
	       sizeof(completion->bytes));
	slot->completion.status = arnica_to_le32(status);
	/* Before the completion: the host may use the slot again after it. */
	__atomic_store_n(&slot->command.opcode.raw, 0, __ATOMIC_RELAXED);
	/* P7: publishes the answer; pairs with the host's wait. */
	arnica_store32(&slot->completion.sequence, sequence,
		       memory_order_release);
}

static bool run_one(struct adev_function *fn)
{
	struct arnica_hw_cqp_slot *slots = (void *)(fn->view.base +
						    fn->view.layout.cqp_offset);
	struct arnica_hw_cqp_slot *slot =
		&slots[fn->cqp_index % ARNICA_HW_CQP_DEPTH];
	struct arnica_hw_completion completion;
	struct arnica_hw_command command;
	enum arnica_hw_command_status status;
	uint32_t opcode = load_opcode(slot);

	if (!opcode)
		return false;
	memcpy(&command, &slot->command, sizeof(command));
	command.opcode = arnica_to_le32(opcode);
	memset(&completion, 0, sizeof(completion));
	status = dispatch(fn, opcode, &command, &completion);
	if (status != ARNICA_HW_COMMAND_OK) {
		adev_count(&fn->counters, commands_refused);
		arnica_trace_command_refused(opcode, status);
		memset(completion.bytes, 0, sizeof(completion.bytes));
	}
	answer(slot, &completion, status, ++fn->cqp_index);
	return true;
}

void adev_cqp_run(struct adev_function *fn)
{
	int cancel = adev_cancel_off();
	uint32_t i;

	pthread_mutex_lock(&fn->command_lock);
	/* At most one round: a host that posts without end has only itself. */
	for (i = 0; i < ARNICA_HW_CQP_DEPTH && run_one(fn); i++)
		;
	pthread_mutex_unlock(&fn->command_lock);
	adev_cancel_restore(cancel);
}
