/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Messages of the connection manager on their way out: what is common to them.
 */
#ifndef STANDIN_CM_OUTGOING_H
#define STANDIN_CM_OUTGOING_H

#include "cm.h"

/* IBTA's codes of time, as kernels read them: 2^code times 4 us, in ns. */
uint64_t standin_cm_time(uint32_t code);

/* The parts that every message of a connection has. */
void standin_cm_message_start(const struct standin_cm_id *id,
			      uint16_t attribute,
			      struct roce_cm_message *message);

/* Sends, and keeps the message for repetitions. */
int standin_cm_message_send(struct standin_cm_id *id,
			    const struct roce_cm_message *message)
	ARNICA_MUST_CHECK;
/* Sends once; the last message stays the one to be repeated. */
void standin_cm_message_once(const struct standin_cm_id *id,
			     const struct roce_cm_message *message);
/* What was kept, again. */
void standin_cm_message_repeat(const struct standin_cm_id *id);

/* Answers a MAD for which there is no id. */
void standin_cm_message_answer(const struct arnica_bus_mad *mad,
			       struct roce_cm_message *answer,
			       const struct roce_cm_message *message);

/* The short ones. */
void standin_cm_send_rej(struct standin_cm_id *id, uint8_t answered,
			 uint16_t reason, const uint8_t *data, size_t length);
void standin_cm_send_mra(struct standin_cm_id *id, uint8_t answered);

/* The header of connections by address (IBTA A11), in front of private data. */
void standin_cm_message_ip(const struct standin_cm_id *id, uint8_t *data);

#endif
