/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Mirror of the adapter's table: its memory, and what is asked for. */
#include "mirror.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "arnica/hw/wqe.h"
#include "context.h"
#include "mirror_table.h"

/* The entries, and behind them what only we know of each. */
static size_t bytes_of(const struct arnica_mirror *mirror)
{
	return mirror->num_entries *
	       (sizeof(*mirror->entries) + sizeof(*mirror->before));
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
	mirror->before = (uint32_t *)(mirror->entries + mirror->num_entries);
	command.set_mirror.address = arnica_to_le64((uintptr_t)memory);
	command.set_mirror.num_entries = arnica_to_le32(mirror->num_entries);
	command.set_mirror.entry_bytes = arnica_to_le32(
		sizeof(*mirror->entries));
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
	mirror->before = NULL;
}

void arnica_mirror_set_mkey(struct arnica_hw_mirror_entry *entry,
			    uint32_t access, uint64_t rows, const void *entries,
			    uint32_t count)
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

void arnica_mirror_taken_back(struct arnica_mirror *mirror, uint32_t stag)
{
	struct arnica_hw_mirror_entry *entry;

	arnica_spinlock_lock(&mirror->lock);
	entry = arnica_mirror_entry(mirror, stag >> 8);
	if (entry && entry->stag == stag &&
	    entry->state == ARNICA_HW_STAG_VALID)
		entry->state = ARNICA_HW_STAG_FREE;
	else if (entry)
		entry->gone = stag; /* its bind has not been polled yet */
	arnica_spinlock_unlock(&mirror->lock);
}

/* Takes the entry as the adapter has it. */
void arnica_mirror_ask_for(struct arnica_context *context, uint32_t stag)
{
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_QUERY_STAG),
		.object.handle = arnica_to_le32(stag),
	};
	struct arnica_mirror *mirror = &context->mirror;
	struct arnica_hw_mirror_entry *entry;
	struct arnica_hw_completion answer;

	if (!stag ||
	    arnica_command_execute(&context->commands, &command, &answer))
		return;
	arnica_spinlock_lock(&mirror->lock);
	entry = arnica_mirror_entry(mirror, stag >> 8);
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
		arnica_mirror_ask_for(context, stag);
}

bool arnica_mirror_find(struct arnica_mirror *mirror, uint32_t stag,
			struct arnica_hw_mirror_entry *entry)
{
	const struct arnica_hw_mirror_entry *found;

	arnica_spinlock_lock(&mirror->lock);
	found = arnica_mirror_entry(mirror, stag >> 8);
	if (found)
		*entry = *found;
	arnica_spinlock_unlock(&mirror->lock);
	return found && entry->kind != ARNICA_HW_STAG_NONE &&
	       entry->stag == stag;
}
