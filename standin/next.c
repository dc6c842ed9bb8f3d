/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "next.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>

static void standin_next_resolve(void);

/*
 * First value of every pointer: looks up all of them, and goes on with the one
 * that was called. A name that no library defines can only be called by a
 * program that would not start without us either.
 */
#define STANDIN_NEXT_FIRST(result, name, parameters, arguments)                \
	static result standin_first_##name parameters                          \
	{                                                                      \
		standin_next_resolve();                                        \
		if (STANDIN_NEXT(name) == standin_first_##name) {              \
			errno = ENOSYS;                                        \
			return STANDIN_FAILURE(result);                        \
		}                                                              \
		return STANDIN_NEXT(name) arguments;                           \
	}
STANDIN_NEXT_LIST(STANDIN_NEXT_FIRST)

struct standin_next standin_next = {
#define STANDIN_NEXT_INITIAL(result, name, parameters, arguments)              \
	.name = standin_first_##name,
	STANDIN_NEXT_LIST(STANDIN_NEXT_INITIAL)
};

static void standin_next_resolve(void)
{
	int saved = errno;
	bool missing = false;
	void *found;

#define STANDIN_NEXT_RESOLVE(result, name, parameters, arguments)              \
	found = dlsym(RTLD_NEXT, #name);                                       \
	if (found)                                                             \
		__atomic_store_n((void **)&standin_next.name, found,           \
				 __ATOMIC_RELAXED);                            \
	else                                                                   \
		missing = true;
	STANDIN_NEXT_LIST(STANDIN_NEXT_RESOLVE)
	/* The program shall not find our failure when it asks for its own. */
	if (missing)
		dlerror();
	errno = saved;
}

__attribute__((constructor(101))) static void standin_next_start(void)
{
	standin_next_resolve();
}
