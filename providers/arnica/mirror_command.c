/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What answered commands say about the adapter's table; see mirror.h. */
#include "context.h"
#include "mirror_table.h"

static struct arnica_hw_mirror_entry *make(
	struct arnica_mirror *mirror, const struct arnica_hw_res_mr *answer,
	enum arnica_hw_stag_kind kind, arnica_le32 pd)
{
	struct arnica_hw_mirror_entry *entry = arnica_mirror_entry(
		mirror, arnica_from_le32(answer->handle));

	if (!entry)
		return NULL;
	*entry = (struct arnica_hw_mirror_entry){
		.stag = arnica_from_le32(answer->stag),
		.kind = (uint16_t)kind,
		.pd = arnica_from_le32(pd),
	};
	return entry;
}

static void make_window(struct arnica_mirror *mirror,
			const struct arnica_hw_command *command,
			const struct arnica_hw_completion *answer)
{
	uint32_t index = arnica_from_le32(answer->mr.handle);
	bool two = arnica_from_le32(command->alloc_mw.type) ==
		   ARNICA_HW_WINDOW_2;
	struct arnica_hw_mirror_entry *entry = make(
		mirror, &answer->mr,
		two ? ARNICA_HW_STAG_WINDOW_2 : ARNICA_HW_STAG_WINDOW_1,
		command->alloc_mw.pd);

	if (!entry)
		return;
	entry->next = mirror->windows;
	mirror->before[index] = 0;
	if (entry->next)
		mirror->before[entry->next] = index;
	mirror->windows = index;
}

/* There may be a million of them: none is looked for. */
static void forget_window(struct arnica_mirror *mirror, uint32_t index)
{
	const struct arnica_hw_mirror_entry *entry = arnica_mirror_entry(
		mirror, index);
	uint32_t before;

	if (!entry || (entry->kind != ARNICA_HW_STAG_WINDOW_1 &&
		       entry->kind != ARNICA_HW_STAG_WINDOW_2))
		return;
	before = mirror->before[index];
	if (before)
		mirror->entries[before].next = entry->next;
	else
		mirror->windows = entry->next;
	if (entry->next)
		mirror->before[entry->next] = before;
}

static void make_region(struct arnica_mirror *mirror,
			const struct arnica_hw_cmd_reg_mr *command,
			const struct arnica_hw_res_mr *answer,
			enum arnica_hw_stag_state state)
{
	struct arnica_hw_mirror_entry *entry = make(
		mirror, answer, ARNICA_HW_STAG_REGION, command->pd);

	if (!entry)
		return;
	entry->access = arnica_from_le32(command->access) &
			~ARNICA_MIRROR_ACCESS_OPTIONAL;
	entry->iova = arnica_from_le64(command->iova);
	entry->length = arnica_from_le64(command->length);
	entry->state = (uint16_t)state;
}

/* What became of a registration that was begun. */
static void end_begun(struct arnica_mirror *mirror, uint32_t index,
		      const struct arnica_hw_res_begun *answer)
{
	struct arnica_hw_mirror_entry *entry = arnica_mirror_entry(mirror,
								   index);

	if (entry && entry->state == ARNICA_HW_STAG_PENDING)
		entry->state = (uint16_t)arnica_from_le32(answer->state);
}

/* That its owner ends it, nobody tells. */
static void import_region(struct arnica_mirror *mirror,
			  const struct arnica_hw_cmd_import *command,
			  const struct arnica_hw_res_region *answer)
{
	const struct arnica_hw_res_mr same = { .handle = command->handle,
					       .stag = answer->stag };
	struct arnica_hw_mirror_entry *entry = make(
		mirror, &same, ARNICA_HW_STAG_IMPORTED, command->pd);

	if (!entry)
		return;
	entry->access = arnica_from_le32(answer->access);
	entry->iova = arnica_from_le64(answer->iova);
	entry->length = arnica_from_le64(answer->length);
	entry->state = ARNICA_HW_STAG_VALID;
}

static void change_region(struct arnica_mirror *mirror,
			  const struct arnica_hw_cmd_reg_mr *command)
{
	struct arnica_hw_mirror_entry *entry = arnica_mirror_entry(
		mirror, arnica_from_le32(command->handle));
	uint32_t change = arnica_from_le32(command->change);

	if (!entry)
		return;
	if (change & ARNICA_HW_REREG_TRANSLATION) {
		entry->iova = arnica_from_le64(command->iova);
		entry->length = arnica_from_le64(command->length);
	}
	if (change & ARNICA_HW_REREG_PD)
		entry->pd = arnica_from_le32(command->pd);
	if (change & ARNICA_HW_REREG_ACCESS)
		entry->access = arnica_from_le32(command->access) &
				~ARNICA_MIRROR_ACCESS_OPTIONAL;
	/* It waited for the end of a registration that was begun. */
	entry->state = ARNICA_HW_STAG_VALID;
}

static void make_null(struct arnica_mirror *mirror,
		      const struct arnica_hw_command *command,
		      const struct arnica_hw_completion *answer)
{
	struct arnica_hw_mirror_entry *entry = make(mirror, &answer->mr,
						    ARNICA_HW_STAG_NULL,
						    command->alloc_null_mr.pd);

	if (!entry)
		return;
	entry->access = ARNICA_HW_ACCESS_LOCAL_WRITE;
	entry->state = ARNICA_HW_STAG_VALID;
}

static void command_set_mkey(struct arnica_mirror *mirror,
			     const struct arnica_hw_cmd_set_mkey *command)
{
	struct arnica_hw_mirror_entry *entry = arnica_mirror_entry(
		mirror, arnica_from_le32(command->handle));

	if (entry)
		arnica_mirror_set_mkey(
			entry, arnica_from_le32(command->access),
			arnica_from_le64(command->rows),
			(const void *)(uintptr_t)arnica_from_le64(
				command->entries),
			arnica_from_le32(command->num_entries));
}

static void forget(struct arnica_mirror *mirror, uint32_t index)
{
	struct arnica_hw_mirror_entry *entry = arnica_mirror_entry(mirror,
								   index);

	if (entry)
		*entry = (struct arnica_hw_mirror_entry){ 0 };
}

/* Windows of type 2 end with the queue pair that bound them. */
static void end_binder(struct arnica_mirror *mirror, uint32_t qp)
{
	uint32_t index;

	for (index = mirror->windows; index;
	     index = mirror->entries[index].next) {
		struct arnica_hw_mirror_entry *entry = &mirror->entries[index];

		if (entry->kind == ARNICA_HW_STAG_WINDOW_2 && entry->qp == qp)
			entry->state = ARNICA_HW_STAG_FREE;
	}
}

static void take_command(struct arnica_mirror *mirror,
			 const struct arnica_hw_command *command,
			 const struct arnica_hw_completion *answer)
{
	switch ((enum arnica_hw_command_opcode)arnica_from_le32(
		command->opcode)) {
	case ARNICA_HW_CMD_REG_MR:
		make_region(mirror, &command->reg_mr, &answer->mr,
			    ARNICA_HW_STAG_VALID);
		break;
	case ARNICA_HW_CMD_BEGIN_MR:
		make_region(mirror, &command->reg_mr, &answer->mr,
			    ARNICA_HW_STAG_PENDING);
		break;
	case ARNICA_HW_CMD_QUERY_BEGUN:
		end_begun(mirror, arnica_from_le32(command->object.handle),
			  &answer->begun);
		break;
	case ARNICA_HW_CMD_REREG_MR:
		change_region(mirror, &command->reg_mr);
		break;
	case ARNICA_HW_CMD_IMPORT_MR:
		import_region(mirror, &command->import, &answer->region);
		break;
	case ARNICA_HW_CMD_ALLOC_NULL_MR:
		make_null(mirror, command, answer);
		break;
	case ARNICA_HW_CMD_ALLOC_MR:
		(void)make(mirror, &answer->mr, ARNICA_HW_STAG_FAST,
			   command->alloc_mr.pd);
		break;
	case ARNICA_HW_CMD_ALLOC_MW:
		make_window(mirror, command, answer);
		break;
	case ARNICA_HW_CMD_CREATE_MKEY:
		(void)make(mirror, &answer->mr, ARNICA_HW_STAG_MKEY,
			   command->create_mkey.pd);
		break;
	case ARNICA_HW_CMD_SET_MKEY:
		command_set_mkey(mirror, &command->set_mkey);
		break;
	case ARNICA_HW_CMD_DEALLOC_MW:
		forget_window(mirror, arnica_from_le32(command->object.handle));
		/* fall through */
	case ARNICA_HW_CMD_DEREG_MR:
	case ARNICA_HW_CMD_DESTROY_MKEY:
		forget(mirror, arnica_from_le32(command->object.handle));
		break;
	case ARNICA_HW_CMD_UNIMPORT_MR:
		if (!arnica_from_le32(answer->object.handle))
			forget(mirror,
			       arnica_from_le32(command->object.handle));
		break;
	case ARNICA_HW_CMD_DESTROY_QP:
		end_binder(mirror, arnica_from_le32(command->object.handle));
		break;
	default:
		break;
	}
}

void arnica_mirror_command(struct arnica_mirror *mirror,
			   const struct arnica_hw_command *command,
			   const struct arnica_hw_completion *answer)
{
	arnica_spinlock_lock(&mirror->lock);
	take_command(mirror, command, answer);
	arnica_spinlock_unlock(&mirror->lock);
}
