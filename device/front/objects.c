/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Private object tables: allocation of the tables and of indexes. */
#include "front/objects.h"

#include <errno.h>
#include <stdlib.h>

#include "domain/proc.h"
#include "front/opened.h"
#include "front/xrcd_table.h"
#include "tpt/fast.h"
#include "tpt/mkey.h"
#include "tpt/window.h"
#include "transport/address_handle.h"
#include "transport/srq_owner.h"

int adev_objects_init(struct adev_function *fn)
{
	const struct adev_layout *layout = &fn->view.layout;
	int error;

	fn->pd_references = calloc(layout->max_pd, sizeof(uint32_t));
	fn->pd_births = calloc(layout->max_pd, sizeof(uint32_t));
	fn->cq_references = calloc(layout->max_cq, sizeof(uint32_t));
	fn->cq_events = calloc(layout->max_cq, sizeof(*fn->cq_events));
	fn->cq_depths = calloc(layout->max_cq, sizeof(uint32_t));
	fn->mr_pd = calloc(layout->max_mr, sizeof(uint32_t));
	fn->mr_instance = calloc(layout->max_mr, sizeof(uint8_t));
	fn->srqs = calloc(layout->max_srq, sizeof(*fn->srqs));
	fn->xrcds = calloc(ADEV_MAX_XRCD, sizeof(*fn->xrcds));
	fn->opened = calloc(ADEV_MAX_OPENED, sizeof(void *));
	fn->ahs = calloc(1, sizeof(*fn->ahs));
	error = adev_windows_init(fn);
	if (!error)
		error = adev_fasts_init(fn);
	if (!error)
		error = adev_mkeys_init(fn);
	if (!fn->pd_references || !fn->pd_births || !fn->cq_references ||
	    !fn->cq_events ||
	    !fn->cq_depths || !fn->mr_pd || !fn->mr_instance || !fn->srqs ||
	    !fn->xrcds || !fn->opened || !fn->ahs || error) {
		adev_objects_fini(fn);
		return error ? error : ENOMEM;
	}
	/* The table's size is a power of two, so the mask permutes it. */
	fn->tpt_mask = (uint32_t)adev_proc_random() & (layout->max_mr - 1);
	return 0;
}

static void free_list_fini(struct adev_free_list *list)
{
	free(list->indexes);
	*list = (struct adev_free_list){ 0 };
}

void adev_objects_fini(struct adev_function *fn)
{
	uint32_t i;

	free(fn->pd_references);
	free(fn->pd_births);
	free(fn->cq_references);
	free(fn->cq_events);
	free(fn->cq_depths);
	adev_windows_fini(fn);
	adev_fasts_fini(fn);
	adev_mkeys_fini(fn);
	adev_xrcds_fini(fn);
	free(fn->opened);
	fn->opened = NULL;
	free(fn->mr_pd);
	free(fn->mr_instance);
	if (fn->ahs)
		adev_ah_fini(fn->ahs);
	free(fn->ahs);
	fn->pd_references = NULL;
	fn->pd_births = NULL;
	fn->cq_references = NULL;
	fn->cq_events = NULL;
	fn->cq_depths = NULL;
	fn->mr_pd = NULL;
	fn->mr_instance = NULL;
	for (i = 0; fn->srqs && i < fn->next_srq; i++)
		free(fn->srqs[i].cqs);
	free(fn->srqs);
	fn->srqs = NULL;
	free(fn->dms);
	fn->dms = NULL;
	fn->ahs = NULL;
	free_list_fini(&fn->free_pds);
	free_list_fini(&fn->free_cqs);
	free_list_fini(&fn->free_mrs);
	free_list_fini(&fn->free_ahs);
	free_list_fini(&fn->free_dms);
	free_list_fini(&fn->free_srqs);
	free_list_fini(&fn->free_xrcds);
	free_list_fini(&fn->free_opened);
}

/* Room for one more than there ever were makes giving back infallible. */
static int make_room(struct adev_free_list *list, uint32_t needed)
{
	uint32_t room = list->room ? list->room : 32;
	uint32_t *indexes;

	if (needed <= list->room)
		return 0;
	while (room < needed)
		room *= 2;
	indexes = realloc(list->indexes, room * sizeof(*indexes));
	if (!indexes)
		return ENOMEM;
	list->indexes = indexes;
	list->room = room;
	return 0;
}

int adev_index_take(struct adev_free_list *list, uint32_t *next, uint32_t limit,
		    uint32_t *index)
{
	if (list->count) {
		*index = list->indexes[--list->count];
		return 0;
	}
	if (*next >= limit || make_room(list, *next + 1))
		return ENOMEM;
	*index = (*next)++;
	return 0;
}

void adev_index_give(struct adev_free_list *list, uint32_t index)
{
	list->indexes[list->count++] = index;
}

void adev_pd_get(struct adev_function *fn, uint32_t pd)
{
	fn->pd_references[pd]++;
}

void adev_pd_put(struct adev_function *fn, uint32_t pd)
{
	fn->pd_references[pd]--;
}
