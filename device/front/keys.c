/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Entries of the translation and protection table, and their STags. */
#include "front/keys.h"

#include <errno.h>

#include "domain/proc.h"
#include "domain/segment.h"
#include "front/imports.h"
#include "front/objects.h"

void adev_key_give(struct adev_function *fn, uint32_t index)
{
	adev_index_give(&fn->free_mrs, index ^ fn->tpt_mask);
}

/* Numbers are handed out in order and permuted; entry zero is never used. */
int adev_key_take(struct adev_function *fn, uint32_t *index)
{
	uint32_t number;

	if (fn->next_mr == fn->tpt_mask)
		fn->next_mr++;
	if (adev_index_take(&fn->free_mrs, &fn->next_mr,
			    adev_import_limit(fn, fn->view.layout.max_mr),
			    &number))
		return ENOMEM;
	*index = number ^ fn->tpt_mask;
	/* Its memory is there since it had an instance. */
	if (fn->mr_instance[*index])
		return 0;
	if (!adev_segment_populate(
		    fn->segment_fd,
		    fn->view.layout.tpt_offset +
			    (uint64_t)*index * sizeof(struct adev_tpt_entry),
		    sizeof(struct adev_tpt_entry)))
		return 0;
	adev_key_give(fn, *index);
	return ENOMEM;
}

uint32_t adev_key_make(struct adev_function *fn, uint32_t index)
{
	uint8_t instance;

	do {
		instance = (uint8_t)adev_proc_random();
	} while (!instance || instance == fn->mr_instance[index]);
	fn->mr_instance[index] = instance;
	return index << 8 | instance;
}
