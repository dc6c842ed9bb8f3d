/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Walks through lists. */
#include "tpt/list.h"

#include <errno.h>

/* Items that one check looks at, at most: an access that spans more is
 * refused. */
#define MAX_STEPS ARNICA_HW_MAX_MKEY_RANGES

#define STORES                                                                 \
	((uint32_t)ARNICA_HW_ACCESS_LOCAL_WRITE |                              \
	 ARNICA_HW_ACCESS_REMOTE_WRITE | ARNICA_HW_ACCESS_REMOTE_ATOMIC)

struct adev_tpt_list_state adev_tpt_list_state;

#define ASKED (1ull << 32)

uint64_t adev_tpt_list_ask(void)
{
	uint64_t word = atomic_fetch_add(&adev_tpt_list_state.turns, ASKED);

	return ASKED | (uint32_t)(word + 2);
}

bool adev_tpt_list_is_over(uint64_t asked)
{
	struct adev_tpt_list_state *state = &adev_tpt_list_state;
	uint64_t word = atomic_load(&state->turns);

	while ((int32_t)((uint32_t)word - (uint32_t)asked) < 0) {
		/* Of the turn before; who comes late to it finds the tag
		 * cleared. */
		if (atomic_load(&state->users[(word & 1) ^ 1]))
			return false;
		/* Failing, it loads what another thread made of it. */
		if (atomic_compare_exchange_strong(&state->turns, &word,
						   word + 1))
			word++;
	}
	return true;
}

void adev_tpt_list_forget(void)
{
	atomic_store(&adev_tpt_list_state.users[0], 0);
	atomic_store(&adev_tpt_list_state.users[1], 0);
}

/* A list's entry, copied and checked. */
struct list {
	const struct adev_tpt_item *items;
	uint32_t count;
	uint64_t row_bytes;
};

/* An access, on its way down. */
struct walk {
	const struct adev_view *view;
	uint32_t pd;
	uint32_t steps; /* that are left */
};

/* Of what is behind a list the rights of local requests are needed (as with
 * windows, IBTA 10.6.7.2.3). */
static uint32_t access_behind(uint32_t access)
{
	return access & STORES ? (uint32_t)ARNICA_HW_ACCESS_LOCAL_WRITE : 0;
}

/* The list that `stag` was found to be, if [iova, iova + bytes) may be used so;
 * *offset is the place of iova in it. */
static enum adev_tpt_verdict open_list(const struct walk *walk, uint32_t stag,
				       uint64_t iova, uint64_t bytes,
				       uint32_t access, struct list *list,
				       uint64_t *offset)
{
	const struct adev_view *view = walk->view;
	const struct adev_tpt_entry *entry;
	uint64_t start, length, place;

	if (adev_tpt_index(stag) >= view->layout.max_mr)
		return ADEV_TPT_BAD_KEY;
	entry = &view->tpt[adev_tpt_index(stag)];
	if (atomic_load_explicit(&entry->tag, memory_order_acquire) != stag ||
	    entry->type != ADEV_TPT_LIST)
		return ADEV_TPT_BAD_KEY;
	if (entry->pd != walk->pd)
		return ADEV_TPT_BAD_PD;
	if ((entry->access & access) != access)
		return ADEV_TPT_BAD_ACCESS;
	start = entry->iova;
	length = entry->length;
	place = entry->address;
	if (!bytes)
		return ADEV_TPT_BAD_BOUNDS; /* nobody asks: see list.h */
	list->count = entry->qpn;
	list->row_bytes = entry->sink;
	if (iova < start || bytes > length || iova - start > length - bytes)
		return ADEV_TPT_BAD_BOUNDS;
	if (!list->count || list->count > ADEV_TPT_MAX_ITEMS || place & 7 ||
	    !list->row_bytes)
		return ADEV_TPT_BAD_KEY;
	list->items = adev_view_at(view, place,
				   list->count * sizeof(*list->items));
	*offset = iova - start;
	return list->items ? ADEV_TPT_OK : ADEV_TPT_BAD_KEY;
}

/* The number of the item that holds byte `offset` of a row. */
static uint32_t find_item(const struct list *list, uint64_t offset)
{
	uint32_t low = 0, high = list->count - 1;

	while (low < high) {
		uint32_t middle = low + (high - low + 1) / 2;

		if (list->items[middle].offset <= offset)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

/* A copy of the item, if byte `offset` of a row is in it indeed. */
static bool copy_item(const struct list *list, uint32_t number, uint64_t offset,
		      struct adev_tpt_item *item)
{
	if (number >= list->count)
		return false;
	*item = list->items[number];
	return offset >= item->offset && offset - item->offset < item->length;
}

/* Where byte `inside` of the item is in a row. */
static bool item_iova(const struct adev_tpt_item *item, uint64_t row,
		      uint64_t inside, uint64_t *iova)
{
	uint64_t moved;

	return !__builtin_mul_overflow(row, item->stride, &moved) &&
	       !__builtin_add_overflow(moved, inside, &moved) &&
	       !__builtin_add_overflow(moved, item->iova, iova);
}

enum adev_tpt_verdict adev_tpt_list_place(const struct adev_view *view,
					  uint32_t stag, uint32_t pd,
					  uint64_t iova, uint64_t bytes,
					  uint32_t access,
					  struct adev_tpt_place *place)
{
	const struct walk walk = { .view = view, .pd = pd };
	uint32_t depth;

	for (depth = 0; depth < ADEV_TPT_MAX_DEPTH; depth++) {
		enum adev_tpt_verdict verdict;
		struct adev_tpt_item item;
		struct list list;
		uint64_t offset, row, inside;

		verdict = open_list(&walk, stag, iova, bytes, access, &list,
				    &offset);
		if (verdict != ADEV_TPT_OK)
			return verdict;
		row = offset / list.row_bytes;
		offset %= list.row_bytes;
		if (!copy_item(&list, find_item(&list, offset), offset, &item))
			return ADEV_TPT_BAD_BOUNDS;
		inside = offset - item.offset;
		if (bytes > item.length - inside)
			bytes = item.length - inside;
		if (!item_iova(&item, row, inside, &iova))
			return ADEV_TPT_BAD_BOUNDS;
		place->bytes = bytes;
		place->stag = stag = item.stag;
		place->address = iova;
		if (!stag)
			return ADEV_TPT_OK;
		access = access_behind(access);
		verdict = adev_tpt_check(view, stag, pd, iova, bytes, access,
					 &place->address);
		if (verdict != ADEV_TPT_IS_LIST)
			return verdict;
	}
	return ADEV_TPT_BAD_KEY;
}

static enum adev_tpt_verdict check_list(struct walk *walk, uint32_t stag,
					uint64_t iova, uint64_t bytes,
					uint32_t access, uint32_t depth);

/* `bytes` of an item from `inside` on in the first of `rows` rows, to the same
 * place in the last. */
static enum adev_tpt_verdict check_item(struct walk *walk,
					const struct adev_tpt_item *item,
					uint64_t row, uint64_t rows,
					uint64_t inside, uint64_t bytes,
					uint32_t access, uint32_t depth)
{
	enum adev_tpt_verdict verdict;
	uint64_t first, last, address;

	if (!item_iova(item, row, inside, &first) ||
	    !item_iova(item, row + rows - 1, inside, &last) ||
	    last < first || bytes - 1 > UINT64_MAX - last)
		return ADEV_TPT_BAD_BOUNDS;
	if (!item->stag)
		return ADEV_TPT_OK;
	bytes += last - first;
	access = access_behind(access);
	verdict = adev_tpt_check(walk->view, item->stag, walk->pd, first, bytes,
				 access, &address);
	if (verdict != ADEV_TPT_IS_LIST)
		return verdict;
	return check_list(walk, item->stag, first, bytes, access, depth + 1);
}

/* [offset, offset + bytes) of each of `rows` rows. */
static enum adev_tpt_verdict check_rows(struct walk *walk,
					const struct list *list, uint64_t row,
					uint64_t rows, uint64_t offset,
					uint64_t bytes, uint32_t access,
					uint32_t depth)
{
	uint32_t number = find_item(list, offset);

	while (bytes) {
		enum adev_tpt_verdict verdict;
		struct adev_tpt_item item;
		uint64_t inside, part = bytes;

		if (!walk->steps-- || !copy_item(list, number++, offset, &item))
			return ADEV_TPT_BAD_BOUNDS;
		inside = offset - item.offset;
		if (part > item.length - inside)
			part = item.length - inside;
		verdict = check_item(walk, &item, row, rows, inside, part,
				     access, depth);
		if (verdict != ADEV_TPT_OK)
			return verdict;
		offset += part;
		bytes -= part;
	}
	return ADEV_TPT_OK;
}

static enum adev_tpt_verdict check_list(struct walk *walk, uint32_t stag,
					uint64_t iova, uint64_t bytes,
					uint32_t access, uint32_t depth)
{
	enum adev_tpt_verdict verdict;
	uint64_t offset, row, last;
	struct list list;

	if (depth == ADEV_TPT_MAX_DEPTH)
		return ADEV_TPT_BAD_KEY;
	verdict = open_list(walk, stag, iova, bytes, access, &list, &offset);
	if (verdict != ADEV_TPT_OK)
		return verdict;
	row = offset / list.row_bytes;
	last = (offset + bytes - 1) / list.row_bytes;
	if (row == last)
		return check_rows(walk, &list, row, 1, offset % list.row_bytes,
				  bytes, access, depth);
	return check_rows(walk, &list, row, last - row + 1, 0, list.row_bytes,
			  access, depth);
}

enum adev_tpt_verdict adev_tpt_list_check(const struct adev_view *view,
					  uint32_t stag, uint32_t pd,
					  uint64_t iova, uint64_t bytes,
					  uint32_t access)
{
	struct walk walk = { .view = view, .pd = pd, .steps = MAX_STEPS };

	return check_list(&walk, stag, iova, bytes, access, 0);
}

enum adev_tpt_verdict
adev_tpt_list_check_items(const struct adev_view *view,
			  const struct adev_tpt_item *items, uint32_t count,
			  uint64_t rows, uint64_t row_bytes, uint32_t pd,
			  uint32_t access)
{
	struct walk walk = { .view = view, .pd = pd, .steps = MAX_STEPS };
	const struct list list = { items, count, row_bytes };

	return check_rows(&walk, &list, 0, rows, 0, row_bytes, access, 0);
}

int adev_tpt_list_arrange(struct adev_tpt_item *items, uint32_t count,
			  uint64_t rows, uint64_t *row_bytes, uint64_t *length)
{
	uint64_t offset = 0, end;
	uint32_t i;

	if (!count || count > ADEV_TPT_MAX_ITEMS || !rows)
		return EINVAL;
	for (i = 0; i < count; i++) {
		struct adev_tpt_item *item = &items[i];

		item->offset = offset;
		if (!item->length ||
		    !item_iova(item, rows - 1, item->length - 1, &end) ||
		    __builtin_add_overflow(offset, item->length, &offset))
			return EINVAL;
	}
	*row_bytes = offset;
	return __builtin_mul_overflow(offset, rows, length) ? EINVAL : 0;
}

void adev_tpt_list_store(struct adev_tpt_entry *entry, uint64_t items_offset,
			 uint32_t count, uint64_t row_bytes, uint64_t length)
{
	/* What tells a list from a region is stored once: who has just seen the
	 * tag of the list that it was looks at it (adev_tpt_check). */
	if (entry->type != ADEV_TPT_LIST)
		entry->type = ADEV_TPT_LIST;
	entry->address = items_offset;
	entry->qpn = count;
	entry->sink = row_bytes;
	entry->length = length;
	entry->shared = 0;
}
