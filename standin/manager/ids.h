/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Ids: their numbers, by which a program names them, and the ids of their
 * connections, by which messages do. All under standin_cm.lock.
 */
#ifndef STANDIN_CM_IDS_H
#define STANDIN_CM_IDS_H

#include "cm.h"

/* A new one in `file`, with the lowest free number. ENOMEM. */
int standin_cm_id_create(struct standin_cm_file *file, uint16_t ps,
			 uint8_t qp_type,
			 struct standin_cm_id **id) ARNICA_MUST_CHECK;

/* Gives back all that it has but events and groups; sends nothing. */
void standin_cm_id_free(struct standin_cm_id *id);

/* ENOENT: no such id; EINVAL: it is another file's. */
int standin_cm_id_find(struct standin_cm_file *file, uint32_t number,
		       struct standin_cm_id **id) ARNICA_MUST_CHECK;

/* A local communication id that no other has, entered. */
void standin_cm_link_name(struct standin_cm_id *id);
/* The peer's name of the connection is known: entered for duplicates. */
void standin_cm_link_enter(struct standin_cm_id *id);
struct standin_cm_id *standin_cm_link_find(uint32_t local_id);
struct standin_cm_id *standin_cm_link_find_remote(uint32_t remote_id,
						  uint64_t remote_guid,
						  const uint8_t remote_gid[16]);

/* The timer of a connection: `interval` ns from now. Zero: none. */
void standin_cm_timer_set(struct standin_cm_id *id, uint64_t interval);

#endif
