/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Memory windows: binding, invalidating, and who stands on what. */
#include "tpt/window.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/function.h"
#include "core/qp_lock.h"
#include "domain/identity.h"

/* How long one try waits for an access: most are over in a microsecond. */
#define DRAIN_MS 1u

#define REMOTE_STORES                                                          \
	((uint32_t)ARNICA_HW_ACCESS_REMOTE_WRITE |                             \
	 ARNICA_HW_ACCESS_REMOTE_ATOMIC)
#define WINDOW_RIGHTS                                                          \
	(REMOTE_STORES | ARNICA_HW_ACCESS_REMOTE_READ |                        \
	 ARNICA_HW_ACCESS_ONE_TOUCH)

struct adev_window {
	uint32_t index;
	uint32_t type; /* enum arnica_hw_window_type */
	uint32_t pd;
	uint32_t key; /* as bound last */
	bool draining;
	bool one_touch; /* its message may have had it, and not be over */
	struct adev_binder *binder; /* type 2; or NULL */
	/* Windows that stood on a region, some of them taken back since. */
	struct adev_window *next_on_region, **region_link;
	struct adev_window *next_of_binder, **binder_link;
};

struct adev_windows {
	pthread_mutex_t lock;
	enum adev_tpt_type kind;
	struct adev_window **windows; /* by index */
	struct adev_window **on;      /* by index of the region: the first */
};

static int read_kind(enum adev_tpt_type *kind)
{
	/* In the order of the setting's words. */
	static const enum adev_tpt_type kinds[] = { ADEV_TPT_WINDOW_2A,
						    ADEV_TPT_WINDOW_2B };
	uint64_t place;
	int error = adev_setting_number(ARNICA_SETTING(WINDOW_TYPE), 1, &place);

	if (!error)
		*kind = kinds[place];
	return error;
}

int adev_windows_init(struct adev_function *fn)
{
	uint32_t entries = fn->view.layout.max_mr;
	struct adev_windows *windows = calloc(1, sizeof(*windows));
	int error = windows ? read_kind(&windows->kind) : ENOMEM;

	if (error)
		goto err_free;
	windows->windows = calloc(entries, sizeof(struct adev_window *));
	windows->on = calloc(entries, sizeof(struct adev_window *));
	error = ENOMEM;
	if (!windows->windows || !windows->on)
		goto err_tables;
	pthread_mutex_init(&windows->lock, NULL);
	fn->windows = windows;
	return 0;

err_tables:
	free(windows->windows);
	free(windows->on);
err_free:
	free(windows);
	return error;
}

void adev_windows_fini(struct adev_function *fn)
{
	struct adev_windows *windows = fn->windows;
	uint32_t number;

	if (!windows)
		return;
	/* Entries are handed out in this order: the rest was never touched. */
	for (number = 0; number < fn->next_mr; number++)
		free(windows->windows[number ^ fn->tpt_mask]);
	free(windows->windows);
	free(windows->on);
	pthread_mutex_destroy(&windows->lock);
	free(windows);
	fn->windows = NULL;
}

enum adev_tpt_type adev_windows_kind(const struct adev_function *fn)
{
	return fn->windows->kind;
}

static struct adev_tpt_entry *entry_of(struct adev_function *fn,
				       const struct adev_window *window)
{
	return &fn->view.tpt[window->index];
}

static bool is_bound(struct adev_function *fn, const struct adev_window *window)
{
	return atomic_load(&entry_of(fn, window)->tag) || window->draining;
}

static struct adev_window *find(struct adev_function *fn, uint32_t index)
{
	return index < fn->view.layout.max_mr ? fn->windows->windows[index] :
						NULL;
}

static void link_region(struct adev_function *fn, struct adev_window *window,
			uint32_t region)
{
	struct adev_window **first = &fn->windows->on[region];

	window->next_on_region = *first;
	window->region_link = first;
	if (*first)
		(*first)->region_link = &window->next_on_region;
	*first = window;
}

static void unlink_region(struct adev_window *window)
{
	if (!window->region_link)
		return;
	*window->region_link = window->next_on_region;
	if (window->next_on_region)
		window->next_on_region->region_link = window->region_link;
	window->region_link = NULL;
}

static void link_binder(struct adev_window *window, struct adev_binder *binder)
{
	window->binder = binder;
	window->next_of_binder = binder->first;
	window->binder_link = &binder->first;
	if (binder->first)
		binder->first->binder_link = &window->next_of_binder;
	binder->first = window;
}

static void unlink_binder(struct adev_window *window)
{
	if (!window->binder)
		return;
	*window->binder_link = window->next_of_binder;
	if (window->next_of_binder)
		window->next_of_binder->binder_link = window->binder_link;
	window->binder = NULL;
}

/* Nobody can reach the region through it any more. */
static void free_window(struct adev_window *window)
{
	window->draining = false;
	unlink_region(window);
	unlink_binder(window);
}

static bool is_served(uint64_t word, uint32_t index)
{
	uint32_t stag = (uint32_t)word;

	return stag == ADEV_USES_ANY || adev_tpt_index(stag) == index;
}

/* Requests that come after the one that is under way find the key invalid,
 * whatever they are for. */
static bool stays_served(struct adev_function *fn, uint32_t index,
			 uint32_t timeout_ms)
{
	uint64_t first = atomic_load(&fn->inbox_uses), until = 0, word = first;

	while (is_served(word, index) && word >> 32 == first >> 32) {
		if (!until)
			until = adev_now_ns() + timeout_ms * ADEV_MS_NS;
		else if (adev_now_ns() > until)
			return true;
		sched_yield();
		word = atomic_load(&fn->inbox_uses);
	}
	return false;
}

bool adev_tpt_in_use(struct adev_function *fn, uint32_t index,
		     uint32_t timeout_ms)
{
	return adev_qp_lock_quiesce(fn, index, timeout_ms) ||
	       stays_served(fn, index, timeout_ms);
}

/* The key is invalid: what it was for is not even repeated (tpt/touch.h). */
static void close_entry(struct adev_function *fn,
			const struct adev_window *window)
{
	atomic_store(&entry_of(fn, window)->touched, 0);
}

/* The key is invalid; true when the accesses under it are over. */
static bool drain(struct adev_function *fn, struct adev_window *window)
{
	window->draining = true;
	close_entry(fn, window);
	if (adev_tpt_in_use(fn, window->index, DRAIN_MS))
		return false;
	window->one_touch = false;
	free_window(window);
	return true;
}

int adev_window_create(struct adev_function *fn, uint32_t index, uint32_t type,
		       uint32_t pd)
{
	struct adev_window *window = calloc(1, sizeof(*window));

	if (!window)
		return ENOMEM;
	window->index = index;
	window->type = type;
	window->pd = pd;
	pthread_mutex_lock(&fn->windows->lock);
	fn->windows->windows[index] = window;
	pthread_mutex_unlock(&fn->windows->lock);
	return 0;
}

/* Takes the window out of the table of windows: from now on it stands on its
 * region only. Its key was *tag. */
static struct adev_window *withdraw(struct adev_function *fn, uint32_t index,
				    uint32_t *tag)
{
	struct adev_window *window;

	pthread_mutex_lock(&fn->windows->lock);
	window = find(fn, index);
	if (window) {
		fn->windows->windows[index] = NULL;
		*tag = atomic_exchange(&entry_of(fn, window)->tag, 0);
		window->draining = *tag || window->draining ||
				   window->one_touch;
		close_entry(fn, window);
	}
	pthread_mutex_unlock(&fn->windows->lock);
	return window;
}

int adev_window_destroy(struct adev_function *fn, uint32_t index,
			uint32_t timeout_ms, uint32_t *pd)
{
	uint32_t tag;
	struct adev_window *window = withdraw(fn, index, &tag);
	int error = 0;

	if (!window)
		return ENOENT;
	*pd = window->pd;
	if (window->draining && adev_tpt_in_use(fn, index, timeout_ms))
		error = EBUSY;
	pthread_mutex_lock(&fn->windows->lock);
	if (error) {
		fn->windows->windows[index] = window;
		window->draining = !tag;
		if (tag)
			adev_tpt_publish(entry_of(fn, window), tag);
	} else {
		/* Who was let in before may have left his mark since: the next
		 * owner of the entry has something else there. */
		close_entry(fn, window);
		free_window(window);
		free(window);
	}
	pthread_mutex_unlock(&fn->windows->lock);
	return error;
}

/* The checks of 10.6.7.2.3 on the region: the same PD, the right to bind, the
 * rights that the window is to give, bounds. */
static enum adev_window_result region_permits(struct adev_function *fn,
					      uint32_t pd,
					      const struct adev_bind *bind,
					      uint64_t *address)
{
	uint32_t access = ARNICA_HW_ACCESS_MW_BIND;

	if (bind->access & REMOTE_STORES)
		access |= ARNICA_HW_ACCESS_LOCAL_WRITE;
	return adev_window_result_of(
		adev_tpt_check(&fn->view, bind->lkey, pd, bind->address,
			       bind->length, access, address));
}

static enum adev_window_result may_bind(struct adev_function *fn,
					const struct adev_window *window,
					const struct adev_binder *binder,
					const struct adev_bind *bind,
					uint64_t *address)
{
	if (window->pd != binder->user.pd ||
	    bind->access & ~(WINDOW_RIGHTS | ARNICA_HW_ACCESS_ZERO_BASED))
		return ADEV_WINDOW_REFUSED;
	if (window->type == ARNICA_HW_WINDOW_1) {
		if (bind->access & ARNICA_HW_ACCESS_ZERO_BASED)
			return ADEV_WINDOW_REFUSED;
		if (!bind->length)
			return ADEV_WINDOW_DONE;
	} else if (!bind->length || is_bound(fn, window)) {
		return ADEV_WINDOW_REFUSED;
	}
	return region_permits(fn, window->pd, bind, address);
}

static void publish(struct adev_function *fn, struct adev_window *window,
		    struct adev_binder *binder, const struct adev_bind *bind,
		    uint64_t address)
{
	struct adev_tpt_entry *entry = entry_of(fn, window);
	bool two = window->type == ARNICA_HW_WINDOW_2;
	bool zero_based = bind->access & ARNICA_HW_ACCESS_ZERO_BASED;

	entry->type = two ? fn->windows->kind : ADEV_TPT_WINDOW_1;
	entry->pd = window->pd;
	entry->qpn = two ? binder->user.qpn : 0;
	entry->access = bind->access & WINDOW_RIGHTS;
	entry->iova = zero_based ? 0 : bind->address;
	entry->length = bind->length;
	entry->address = address;
	entry->address_space = fn->view.function;
	close_entry(fn, window);
	window->one_touch = bind->access & ARNICA_HW_ACCESS_ONE_TOUCH;
	link_region(fn, window, adev_tpt_index(bind->lkey));
	if (two)
		link_binder(window, binder);
	adev_tpt_publish(entry, bind->rkey);
}

/* With the lock held. */
static enum adev_window_result bind_window(struct adev_function *fn,
					   struct adev_binder *binder,
					   const struct adev_bind *bind)
{
	struct adev_window *window = find(fn, adev_tpt_index(bind->rkey));
	enum adev_window_result result;
	uint64_t address = 0;

	if (window && window->one_touch && !is_bound(fn, window)) {
		if (!drain(fn, window)) {
			window->draining = false; /* it is not bound */
			return ADEV_WINDOW_BUSY;
		}
	}
	if (!window)
		return ADEV_WINDOW_REFUSED;
	result = may_bind(fn, window, binder, bind, &address);
	if (result != ADEV_WINDOW_DONE)
		return result;
	if (is_bound(fn, window)) {
		adev_tpt_invalidate(entry_of(fn, window));
		if (!drain(fn, window))
			return ADEV_WINDOW_BUSY;
	}
	free_window(window); /* of what a peer took back */
	window->key = bind->rkey;
	if (bind->length)
		publish(fn, window, binder, bind, address);
	return ADEV_WINDOW_DONE;
}

enum adev_window_result adev_window_bind(struct adev_function *fn,
					 struct adev_binder *binder,
					 const struct adev_bind *bind)
{
	enum adev_window_result result;

	pthread_mutex_lock(&fn->windows->lock);
	result = bind_window(fn, binder, bind);
	pthread_mutex_unlock(&fn->windows->lock);
	return result;
}

/* With the lock held. */
static enum adev_window_result invalidate(struct adev_function *fn,
					  struct adev_binder *binder,
					  uint32_t stag)
{
	struct adev_window *window = find(fn, adev_tpt_index(stag));
	uint32_t tag = stag;

	if (!window || window->binder != binder || window->key != stag)
		return ADEV_WINDOW_REFUSED;
	/* The peer may just have taken it back. */
	if (!window->draining &&
	    !atomic_compare_exchange_strong(&entry_of(fn, window)->tag, &tag,
					    0))
		return ADEV_WINDOW_REFUSED;
	return drain(fn, window) ? ADEV_WINDOW_DONE : ADEV_WINDOW_BUSY;
}

enum adev_window_result adev_window_invalidate(struct adev_function *fn,
					       struct adev_binder *binder,
					       uint32_t stag)
{
	enum adev_window_result result;

	pthread_mutex_lock(&fn->windows->lock);
	result = invalidate(fn, binder, stag);
	pthread_mutex_unlock(&fn->windows->lock);
	return result;
}

void adev_windows_end_binder(struct adev_function *fn,
			     struct adev_binder *binder)
{
	pthread_mutex_lock(&fn->windows->lock);
	while (binder->first) {
		struct adev_window *window = binder->first;

		adev_tpt_invalidate(entry_of(fn, window));
		close_entry(fn, window);
		free_window(window);
	}
	pthread_mutex_unlock(&fn->windows->lock);
}

bool adev_windows_leave_region(struct adev_function *fn, uint32_t index)
{
	struct adev_window *window;
	bool left = true;

	pthread_mutex_lock(&fn->windows->lock);
	for (window = fn->windows->on[index]; window && left;
	     window = window->next_on_region)
		left = !is_bound(fn, window);
	if (left) {
		while (fn->windows->on[index]) {
			close_entry(fn, fn->windows->on[index]);
			unlink_region(fn->windows->on[index]);
		}
		adev_tpt_invalidate(&fn->view.tpt[index]);
	}
	pthread_mutex_unlock(&fn->windows->lock);
	return left;
}
