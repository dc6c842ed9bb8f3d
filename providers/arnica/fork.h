/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Contexts in forked children. A child inherits the memory of a context but
 * not the function behind it. Every verb on an object of the parent answers
 * EIO there, except those that close it; for the data path this costs nothing,
 * because the child exchanges the functions.
 *
 * A context on which nothing had been made has nothing to lose: with its first
 * command in the child it gets a function of the child's own.
 */
#ifndef ARNICA_FORK_H
#define ARNICA_FORK_H

#include "context.h"

/* From now on a child of this process knows of the context. */
void arnica_fork_watch(struct arnica_context *context);
void arnica_fork_forget(struct arnica_context *context);

#endif
