/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A libibverbs of which only the private side is there, as far as the provider
 * looks at it: names, sizes and places of one release (RELEASE), written down
 * here by themselves and not by way of the provider's own tables. It serves to
 * check the provider against releases that are not on the machine.
 *
 * ODD_TABLE, ODD_CONTEXT and ODD_QP make one that no release looks like.
 */
#include <infiniband/verbs.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

/* What a release has: number of its private interface, size of verbs_context,
 * place of the word that says whether a queue pair has ibv_wr_*. The numbers
 * are those of x86-64; in both is a mutex, which is larger on some machines. */
#define MORE (sizeof(pthread_mutex_t) - 40)

#if RELEASE < 44
#define QP_MASK_OFFSET (344 + MORE)
#elif RELEASE < 45
#define QP_MASK_OFFSET (352 + MORE)
#else
#define QP_MASK_OFFSET (360 + MORE)
#endif

/* Slots of struct verbs_context_ops by release. */
#if RELEASE < 57
#define REGISTER verbs_register_driver_34
#elif RELEASE < 59
#define REGISTER verbs_register_driver_57
#elif RELEASE < 64
#define REGISTER verbs_register_driver_59
#elif RELEASE < 65
#define REGISTER verbs_register_driver_64
#else
#define REGISTER verbs_register_driver_65
#endif

#if RELEASE < 59
#define CONTEXT_BYTES (648 + MORE)
#define COLUMN 0
#elif RELEASE < 62
#define CONTEXT_BYTES (672 + MORE)
#define COLUMN 1
#elif RELEASE < 64
#define CONTEXT_BYTES (680 + MORE)
#define COLUMN 2
#elif RELEASE < 65
#define CONTEXT_BYTES (696 + MORE)
#define COLUMN 3
#else
#define CONTEXT_BYTES (696 + MORE)
#define COLUMN 4
#endif

/* name, slot in releases 36, 59, 62, 64, 65 and those after each */
#define SLOTS(X)                                                               \
	X(context.ops.alloc_mw, 2, 3, 3, 4, 4)                                 \
	X(alloc_td, 6, 7, 7, 8, 8)                                             \
	X(context.ops.bind_mw, 10, 11, 11, 12, 12)                             \
	X(create_qp_ex, 20, 21, 21, 22, 23)                                    \
	X(dealloc_td, 27, 29, 29, 30, 31)                                      \
	X(destroy_wq, 37, 39, 39, 40, 42)                                      \
	X(get_srq_num, 41, 43, 44, 46, 48)                                     \
	X(modify_cq, 45, 47, 48, 50, 54)                                       \
	X(open_qp, 51, 53, 54, 56, 60)                                         \
	X(context.ops.poll_cq, 53, 55, 56, 58, 62)                             \
	X(context.ops.post_recv, 54, 56, 57, 59, 63)                           \
	X(context.ops.post_send, 55, 57, 58, 60, 64)                           \
	X(query_device_ex, 58, 60, 61, 63, 69)                                 \
	X(query_rt_values, 63, 65, 67, 69, 75)                                 \
	X(reg_dm_mr, 66, 68, 70, 72, 80)                                       \
	X(context.ops.req_notify_cq, 69, 72, 74, 76, 84)

/* The public part is the end of the library's own. */
static struct verbs_context *public_part(char *memory)
{
	return (void *)(memory + CONTEXT_BYTES - sizeof(struct verbs_context));
}

void REGISTER(const void *ops);
void verbs_set_ops(void *memory, void *const *table);
void *_verbs_init_and_alloc_context(struct ibv_device *device, int fd,
				    size_t bytes, void *offset,
				    uint32_t driver_id);
void verbs_uninit_context(void *memory);

EXPORT void REGISTER(const void *ops)
{
	(void)ops;
}

EXPORT void verbs_set_ops(void *memory, void *const *table)
{
	struct verbs_context *verbs = public_part(memory);

#ifdef ODD_TABLE
	table++; /* one more at its beginning */
#endif
#define TAKE(place, ...)                                                       \
	{                                                                      \
		static const unsigned int slots[] = { __VA_ARGS__ };           \
		memcpy(&verbs->place, &table[slots[COLUMN]], sizeof(void *));  \
	}
	SLOTS(TAKE)
#undef TAKE
}

EXPORT void *_verbs_init_and_alloc_context(struct ibv_device *device, int fd,
					   size_t bytes, void *offset,
					   uint32_t driver_id)
{
	char *memory = calloc(1, bytes);
	struct verbs_context *verbs;

	(void)offset;
	(void)driver_id;
	if (!memory)
		return NULL;
	verbs = public_part(memory);
	verbs->sz = CONTEXT_BYTES;
#ifdef ODD_CONTEXT
	verbs->sz += 4; /* of something that is not counted in words */
#endif
	verbs->context.device = device;
	verbs->context.cmd_fd = fd;
	verbs->context.abi_compat = (void *)UINTPTR_MAX;
	return memory;
}

EXPORT void verbs_uninit_context(void *memory)
{
	(void)memory;
}

EXPORT struct ibv_qp_ex *ibv_qp_to_qp_ex(struct ibv_qp *qp)
{
	uint32_t mask;

	memcpy(&mask, (const char *)qp + QP_MASK_OFFSET, sizeof(mask));
#ifdef ODD_QP
	{
		uint32_t other; /* either of two words */

		memcpy(&other, (const char *)qp + QP_MASK_OFFSET + 4,
		       sizeof(other));
		mask |= other;
	}
#endif
	return mask & 2 ? (void *)qp : NULL;
}
