/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Mirror of the adapter's table; see mirror.h. */
#include "mirror.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "arnica/hw/wqe.h"
#include "context.h"
#include "qp.h"
#include "send.h"

#define ACCESS_OPTIONAL ((uint32_t)IBV_ACCESS_OPTIONAL_RANGE)
#define WINDOW_RIGHTS                                                          \
	((uint32_t)ARNICA_HW_ACCESS_REMOTE_WRITE |                             \
	 ARNICA_HW_ACCESS_REMOTE_READ | ARNICA_HW_ACCESS_REMOTE_ATOMIC |       \
	 ARNICA_HW_ACCESS_ONE_TOUCH)

static size_t bytes_of(const struct arnica_mirror *mirror)
{
	return mirror->num_entries * sizeof(*mirror->entries);
}

int arnica_mirror_init(struct arnica_context *context)
{
	struct arnica_mirror *mirror = &context->mirror;
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_SET_MIRROR),
	};
	void *memory = mirror->entries;

	if (!memory) {
		arnica_spinlock_init(&mirror->lock);
		mirror->num_entries = arnica_from_le32(context->caps.max_mr);
		if (!mirror->num_entries)
			return 0; /* no table, no mirror */
		memory = mmap(NULL, bytes_of(mirror), PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			      0);
		if (memory == MAP_FAILED)
			return ENOMEM;
	}
	mirror->entries = memory;
	command.set_mirror.address = arnica_to_le64((uintptr_t)memory);
	command.set_mirror.num_entries = arnica_to_le32(mirror->num_entries);
	command.set_mirror.entry_bytes =
		arnica_to_le32(sizeof(*mirror->entries));
	/* Without that only tools miss something. */
	(void)!arnica_command_execute(&context->commands, &command, NULL);
	context->commands.mirror = mirror;
	return 0;
}

void arnica_mirror_fini(struct arnica_mirror *mirror)
{
	if (mirror->entries)
		munmap(mirror->entries, bytes_of(mirror));
	mirror->entries = NULL;
}

static struct arnica_hw_mirror_entry *entry_of(struct arnica_mirror *mirror,
					       uint32_t index)
{
	/* The adapter says which index: believed as far as it goes. */
	return index < mirror->num_entries ? &mirror->entries[index] : NULL;
}

static struct arnica_hw_mirror_entry *make(
	struct arnica_mirror *mirror, const struct arnica_hw_res_mr *answer,
	enum arnica_hw_stag_kind kind, arnica_le32 pd)
{
	struct arnica_hw_mirror_entry *entry = entry_of(
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
	bool two = arnica_from_le32(command->alloc_mw.type) ==
		   ARNICA_HW_WINDOW_2;
	struct arnica_hw_mirror_entry *entry =
		make(mirror, &answer->mr,
		     two ? ARNICA_HW_STAG_WINDOW_2 : ARNICA_HW_STAG_WINDOW_1,
		     command->alloc_mw.pd);

	if (!entry)
		return;
	entry->next = mirror->windows;
	mirror->windows = arnica_from_le32(answer->mr.handle);
}

static void forget_window(struct arnica_mirror *mirror, uint32_t index)
{
	uint32_t *link = &mirror->windows;

	while (*link && *link != index)
		link = &mirror->entries[*link].next;
	if (*link)
		*link = mirror->entries[index].next;
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
	entry->access = arnica_from_le32(command->access) & ~ACCESS_OPTIONAL;
	entry->iova = arnica_from_le64(command->iova);
	entry->length = arnica_from_le64(command->length);
	entry->state = (uint16_t)state;
}

/* What became of a registration that was begun. */
static void end_begun(struct arnica_mirror *mirror, uint32_t index,
		      const struct arnica_hw_res_begun *answer)
{
	struct arnica_hw_mirror_entry *entry = entry_of(mirror, index);

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
	struct arnica_hw_mirror_entry *entry = entry_of(
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
				~ACCESS_OPTIONAL;
	/* It waited for the end of a registration that was begun. */
	entry->state = ARNICA_HW_STAG_VALID;
}

static void make_null(struct arnica_mirror *mirror,
		      const struct arnica_hw_command *command,
		      const struct arnica_hw_completion *answer)
{
	struct arnica_hw_mirror_entry *entry =
		make(mirror, &answer->mr, ARNICA_HW_STAG_NULL,
		     command->alloc_null_mr.pd);

	if (!entry)
		return;
	entry->access = ARNICA_HW_ACCESS_LOCAL_WRITE;
	entry->state = ARNICA_HW_STAG_VALID;
}

static void set_mkey(struct arnica_hw_mirror_entry *entry, uint32_t access,
		     uint64_t rows, const void *entries, uint32_t count)
{
	struct arnica_hw_mkey_entry range;
	const char *place = entries;

	entry->access = access;
	entry->length = 0;
	while (count--) {
		memcpy(&range, place, sizeof(range));
		entry->length += arnica_from_le32(range.length);
		place += sizeof(range);
	}
	entry->length *= rows;
	entry->state = ARNICA_HW_STAG_VALID;
}

static void command_set_mkey(struct arnica_mirror *mirror,
			     const struct arnica_hw_cmd_set_mkey *command)
{
	struct arnica_hw_mirror_entry *entry = entry_of(
		mirror, arnica_from_le32(command->handle));

	if (entry)
		set_mkey(entry, arnica_from_le32(command->access),
			 arnica_from_le64(command->rows),
			 (const void *)(uintptr_t)arnica_from_le64(
				 command->entries),
			 arnica_from_le32(command->num_entries));
}

static void forget(struct arnica_mirror *mirror, uint32_t index)
{
	struct arnica_hw_mirror_entry *entry = entry_of(mirror, index);

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

/* The key is valid, unless a peer has taken it back by now. */
static void validate(struct arnica_hw_mirror_entry *entry, uint32_t stag)
{
	entry->stag = stag;
	entry->state = entry->gone == stag ? ARNICA_HW_STAG_FREE :
					     ARNICA_HW_STAG_VALID;
	entry->gone = 0;
}

static void take_bind(struct arnica_mirror *mirror, const unsigned char *work,
		      uint32_t qp)
{
	struct arnica_hw_mirror_entry *entry;
	struct arnica_hw_wqe_bind bind;
	uint32_t access;

	memcpy(&bind, work + ARNICA_HW_WQE_BIND_OFFSET, sizeof(bind));
	entry = entry_of(mirror, arnica_from_le32(bind.rkey) >> 8);
	if (!entry)
		return;
	access = arnica_from_le32(bind.access);
	entry->access = access & WINDOW_RIGHTS;
	entry->iova = access & ARNICA_HW_ACCESS_ZERO_BASED ?
			      0 :
			      arnica_from_le64(bind.address);
	entry->length = arnica_from_le64(bind.length);
	entry->parent = arnica_from_le32(bind.lkey);
	entry->qp = qp;
	validate(entry, arnica_from_le32(bind.rkey));
	if (!entry->length)
		entry->state = ARNICA_HW_STAG_FREE;
}

static void take_registration(struct arnica_mirror *mirror,
			      const unsigned char *work)
{
	struct arnica_hw_mirror_entry *entry;
	struct arnica_hw_wqe_registration wish;

	memcpy(&wish, work + ARNICA_HW_WQE_REGISTRATION_OFFSET, sizeof(wish));
	entry = entry_of(mirror, arnica_from_le32(wish.key) >> 8);
	if (!entry)
		return;
	entry->access = arnica_from_le32(wish.access) & ~ACCESS_OPTIONAL;
	entry->access |= arnica_from_le32(wish.access) &
			 ARNICA_HW_ACCESS_ONE_TOUCH;
	entry->iova = arnica_from_le64(wish.iova);
	entry->length = arnica_from_le64(wish.length);
	validate(entry, arnica_from_le32(wish.key));
}

static void take_mkey(struct arnica_mirror *mirror, const unsigned char *work,
		      uint32_t count)
{
	struct arnica_hw_mirror_entry *entry;
	struct arnica_hw_wqe_mkey mkey;

	memcpy(&mkey, work + ARNICA_HW_WQE_MKEY_OFFSET, sizeof(mkey));
	entry = entry_of(mirror, arnica_from_le32(mkey.key) >> 8);
	if (entry)
		set_mkey(entry, arnica_from_le32(mkey.access),
			 arnica_from_le64(mkey.rows),
			 work + ARNICA_HW_WQE_MKEY_HEADER_BYTES, count);
}

static void release(struct arnica_mirror *mirror, uint32_t stag)
{
	struct arnica_hw_mirror_entry *entry = entry_of(mirror, stag >> 8);

	if (entry && entry->stag == stag)
		entry->state = ARNICA_HW_STAG_FREE;
}

/* The opcode of an entry of the send queue that is the mirror's business; zero:
 * it is another. */
static uint32_t opcode_of(const struct arnica_hw_wqe_control *control)
{
	uint32_t opcode = arnica_from_le32(control->operation) &
			  ARNICA_HW_WQE_OPCODE_MASK;

	return arnica_hw_opcode_is_about_keys(opcode) ? opcode : 0;
}

static void take_request(struct arnica_mirror *mirror,
			 const unsigned char *work, uint32_t qp)
{
	struct arnica_hw_wqe_control control;

	memcpy(&control, work, sizeof(control));
	switch (opcode_of(&control)) {
	case ARNICA_HW_OP_BIND_MW:
		take_bind(mirror, work, qp);
		break;
	case ARNICA_HW_OP_LOCAL_INV:
		release(mirror, arnica_from_be32(control.immediate));
		break;
	case ARNICA_HW_OP_REG_MR:
	case ARNICA_HW_OP_REG_SEND:
		take_registration(mirror, work);
		break;
	case ARNICA_HW_OP_SET_MKEY:
		take_mkey(mirror, work,
			  (uint32_t)arnica_field_get(
				  arnica_from_le32(control.operation),
				  ARNICA_HW_WQE_NUM_SGE_MASK));
		break;
	default:
		break;
	}
}

/* Not below zero: arnica_mirror_ask() may have taken them all. */
static void one_less(_Atomic uint32_t *count)
{
	uint32_t left = atomic_load_explicit(count, memory_order_relaxed);

	while (left && !atomic_compare_exchange_weak_explicit(
			       count, &left, left - 1, memory_order_relaxed,
			       memory_order_relaxed))
		;
}

void arnica_mirror_retire(struct arnica_ring *ring, uint32_t tail,
			  uint32_t index, bool success)
{
	struct arnica_mirror *mirror = &ring->qp->context->mirror;
	struct arnica_send_queue *queue = &ring->qp->send;
	uint32_t handle = ring->qp->verbs.base.handle;

	arnica_spinlock_lock(&mirror->lock);
	for (;; tail++) {
		const unsigned char *work = arnica_send_entry(queue, tail);
		struct arnica_hw_wqe_control control;

		memcpy(&control, work, sizeof(control));
		if (opcode_of(&control)) {
			if (tail != index || success)
				take_request(mirror, work, handle);
			one_less(&ring->memory_ops);
		}
		if (tail == index)
			break;
	}
	arnica_spinlock_unlock(&mirror->lock);
}

void arnica_mirror_taken_back(struct arnica_mirror *mirror, uint32_t stag)
{
	struct arnica_hw_mirror_entry *entry;

	arnica_spinlock_lock(&mirror->lock);
	entry = entry_of(mirror, stag >> 8);
	if (entry && entry->stag == stag &&
	    entry->state == ARNICA_HW_STAG_VALID)
		entry->state = ARNICA_HW_STAG_FREE;
	else if (entry)
		entry->gone = stag; /* its bind has not been polled yet */
	arnica_spinlock_unlock(&mirror->lock);
}

/* The key that a request is about. */
static uint32_t key_of(const unsigned char *work)
{
	struct arnica_hw_wqe_control control;
	struct arnica_hw_wqe_bind bind;
	struct arnica_hw_wqe_mkey mkey;
	struct arnica_hw_wqe_registration wish;

	memcpy(&control, work, sizeof(control));
	switch (opcode_of(&control)) {
	case ARNICA_HW_OP_BIND_MW:
		memcpy(&bind, work + ARNICA_HW_WQE_BIND_OFFSET, sizeof(bind));
		return arnica_from_le32(bind.rkey);
	case ARNICA_HW_OP_LOCAL_INV:
		return arnica_from_be32(control.immediate);
	case ARNICA_HW_OP_REG_MR:
	case ARNICA_HW_OP_REG_SEND:
		memcpy(&wish, work + ARNICA_HW_WQE_REGISTRATION_OFFSET,
		       sizeof(wish));
		return arnica_from_le32(wish.key);
	case ARNICA_HW_OP_SET_MKEY:
		memcpy(&mkey, work + ARNICA_HW_WQE_MKEY_OFFSET, sizeof(mkey));
		return arnica_from_le32(mkey.key);
	default:
		return 0;
	}
}

/* Takes the entry as the adapter has it. */
static void ask_for(struct arnica_context *context, uint32_t stag)
{
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_QUERY_STAG),
		.object.handle = arnica_to_le32(stag),
	};
	struct arnica_mirror *mirror = &context->mirror;
	struct arnica_hw_mirror_entry *entry;
	struct arnica_hw_completion answer;

	if (!stag || arnica_command_execute(&context->commands, &command,
					    &answer))
		return;
	arnica_spinlock_lock(&mirror->lock);
	entry = entry_of(mirror, stag >> 8);
	if (entry && entry->kind != ARNICA_HW_STAG_NONE) {
		entry->state = ARNICA_HW_STAG_FREE;
		if (arnica_from_le32(answer.stag.stag)) {
			entry->access = arnica_from_le32(answer.stag.access);
			entry->iova = arnica_from_le64(answer.stag.iova);
			entry->length = arnica_from_le64(answer.stag.length);
			entry->stag = arnica_from_le32(answer.stag.stag);
			entry->state = (uint16_t)arnica_from_le32(
				answer.stag.state);
		}
	}
	arnica_spinlock_unlock(&mirror->lock);
}

void arnica_mirror_follow(struct arnica_context *context, uint32_t stag)
{
	struct arnica_hw_mirror_entry entry;

	if (arnica_mirror_find(&context->mirror, stag, &entry) &&
	    entry.state == ARNICA_HW_STAG_PENDING)
		ask_for(context, stag);
}

void arnica_mirror_ask(struct arnica_qp *qp)
{
	struct arnica_ring *ring = &qp->send_ring;
	uint32_t index = atomic_load(&ring->tail);

	if (!atomic_exchange_explicit(&ring->memory_ops, 0,
				      memory_order_relaxed))
		return;
	for (; index != qp->send.head; index++)
		ask_for(qp->context,
			key_of(arnica_send_entry(&qp->send, index)));
}

bool arnica_mirror_find(struct arnica_mirror *mirror, uint32_t stag,
			struct arnica_hw_mirror_entry *entry)
{
	const struct arnica_hw_mirror_entry *found;

	arnica_spinlock_lock(&mirror->lock);
	found = entry_of(mirror, stag >> 8);
	if (found)
		*entry = *found;
	arnica_spinlock_unlock(&mirror->lock);
	return found && entry->kind != ARNICA_HW_STAG_NONE &&
	       entry->stag == stag;
}
