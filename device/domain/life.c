/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "domain/life.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(ADEV_LIFE_TID_MASK == FUTEX_TID_MASK, "the kernel's format");
_Static_assert(ADEV_LIFE_OWNER_DIED == FUTEX_OWNER_DIED, "the kernel's format");

/* Same size as a slot: see the head of life.h. */
struct shadow_node {
	struct robust_list node;
	uint8_t pad[sizeof(struct adev_slot) - sizeof(struct robust_list)];
};
_Static_assert(sizeof(struct shadow_node) == sizeof(struct adev_slot),
	       "nodes and slots keep step");

/* The list of one thread. */
struct thread_list {
	struct robust_list_head head;
	struct robust_list_head *previous; /* the C library's */
	_Atomic bool used;
};

struct adev_life_shadow {
	struct shadow_node nodes[ADEV_FUNCTIONS];
	struct thread_list lists[ADEV_FUNCTIONS];
	struct adev_table *table;
};

/* Orders stores as seen by this thread's own end, which is all that the kernel
 * looks from. */
static void settle(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}

int adev_life_shadow_create(struct adev_table *table,
			    struct adev_life_shadow **shadow)
{
	struct adev_life_shadow *made = mmap(
		NULL, sizeof(*made), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (made == MAP_FAILED)
		return ENOMEM;
	made->table = table;
	*shadow = made;
	return 0;
}

void adev_life_shadow_destroy(struct adev_life_shadow *shadow)
{
	munmap(shadow, sizeof(*shadow));
}

bool adev_life_shadow_in_use(struct adev_life_shadow *shadow)
{
	unsigned int i;

	for (i = 0; i < ADEV_FUNCTIONS; i++)
		if (atomic_load(&shadow->lists[i].used))
			return true;
	return false;
}

static struct robust_list_head *registered_head(void)
{
	struct robust_list_head *head = NULL;
	size_t bytes;

	return syscall(SYS_get_robust_list, 0, &head, &bytes) == 0 ? head :
								     NULL;
}

static int register_head(struct robust_list_head *head)
{
	return syscall(SYS_set_robust_list, head, sizeof(*head)) == 0 ? 0 :
									errno;
}

/* The calling thread's list, if it is one of ours; else NULL. */
static struct thread_list *current_list(struct adev_life_shadow *shadow)
{
	uintptr_t at = (uintptr_t)registered_head();
	uintptr_t first = (uintptr_t)&shadow->lists[0];

	if (at < first || at >= (uintptr_t)&shadow->lists[ADEV_FUNCTIONS])
		return NULL;
	return &shadow->lists[(at - first) / sizeof(struct thread_list)];
}

static struct thread_list *claim_list(struct adev_life_shadow *shadow)
{
	unsigned int i;

	for (i = 0; i < ADEV_FUNCTIONS; i++) {
		bool used = false;

		if (atomic_compare_exchange_strong(&shadow->lists[i].used,
						   &used, true))
			return &shadow->lists[i];
	}
	return NULL;
}

static int start_list(struct adev_life_shadow *shadow,
		      struct thread_list **started)
{
	struct thread_list *list = claim_list(shadow);
	int error;

	if (!list)
		return ENOSPC;
	list->head.list.next = &list->head.list;
	list->head.list_op_pending = NULL;
	list->head.futex_offset = (char *)&shadow->table->slots[0].life -
				  (char *)&shadow->nodes[0].node;
	list->previous = registered_head();
	error = register_head(&list->head);
	if (error) {
		atomic_store(&list->used, false);
		return error;
	}
	*started = list;
	return 0;
}

static void stop_list_if_empty(struct thread_list *list)
{
	if (list->head.list.next != &list->head.list)
		return;
	if (register_head(list->previous) == 0)
		atomic_store(&list->used, false);
}

int adev_life_take(struct adev_life_shadow *shadow, uint32_t function,
		   uint32_t expected)
{
	_Atomic uint32_t *life = &shadow->table->slots[function].life;
	struct robust_list *node = &shadow->nodes[function].node;
	struct thread_list *list = current_list(shadow);
	int error;

	if (!list) {
		error = start_list(shadow, &list);
		if (error)
			return error;
	}
	/* Pending covers the moments in which the word is taken but the node
	 * is not in the list. */
	list->head.list_op_pending = node;
	settle();
	error = atomic_compare_exchange_strong(life, &expected,
					       (uint32_t)gettid()) ?
			0 :
			EBUSY;
	settle();
	if (!error) {
		node->next = list->head.list.next;
		settle();
		list->head.list.next = node;
		settle();
	}
	list->head.list_op_pending = NULL;
	stop_list_if_empty(list);
	return error;
}

/* The link that points to the node; NULL when the list does not have it. */
static struct robust_list *find_before(struct thread_list *list,
				       const struct robust_list *node)
{
	struct robust_list *at = &list->head.list;

	while (at->next != node) {
		at = at->next;
		if (at == &list->head.list)
			return NULL;
	}
	return at;
}

bool adev_life_is_mine(struct adev_life_shadow *shadow, uint32_t function)
{
	struct thread_list *list = current_list(shadow);

	return list && find_before(list, &shadow->nodes[function].node);
}

void adev_life_drop(struct adev_life_shadow *shadow, uint32_t function)
{
	_Atomic uint32_t *life = &shadow->table->slots[function].life;
	struct robust_list *node = &shadow->nodes[function].node;
	struct thread_list *list = current_list(shadow);
	uint32_t mine = (uint32_t)gettid();

	list->head.list_op_pending = node;
	settle();
	find_before(list, node)->next = node->next;
	settle();
	/* Not ours any more: somebody took us for dead, and we must not free
	 * the word of the next owner. */
	atomic_compare_exchange_strong(life, &mine, 0);
	settle();
	list->head.list_op_pending = NULL;
	stop_list_if_empty(list);
}
