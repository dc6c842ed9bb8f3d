/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Registers and doorbell pages of a function.
 *
 * Register page, little-endian, read-only for the host:
 *
 *  offset  name         width  meaning
 *  0x0000  DEVICE_ID    32     "ARN1"
 *  0x0004  VERSION      32     contract version, ARNICA_HW_VERSION
 *  0x0008  DOORBELLS    32     number of doorbell pages
 *
 * Doorbell page (one or more for each context), relative to the page. A
 * doorbell is a bus transaction: an offset and a 64-bit value, handed over by
 * arnica_bus_doorbell(). Offsets and values that are not listed are refused,
 * counted and traced.
 *
 *  offset  name         value
 *  0x0000  SQ           queue and its new producer index, see doorbell.h
 *  0x0008  RQ           the same for a receive queue somebody waits for
 *  0x0010  CQP          zero: commands have been posted to the control queue
 *  0x0018  SRQ          likewise, for a shared receive queue: its handle and
 *                       its number, and its new producer index
 *  0x0400  AREA 0       priority area, 512 bytes, see doorbell.h
 *  0x0600  AREA 1       second buffer of the priority area
 */
#ifndef ARNICA_HW_REGISTERS_H
#define ARNICA_HW_REGISTERS_H

#define ARNICA_HW_DEVICE_ID 0x314e5241u /* "ARN1" */

enum arnica_hw_register {
	ARNICA_HW_REG_DEVICE_ID = 0x0000,
	ARNICA_HW_REG_VERSION = 0x0004,
	ARNICA_HW_REG_DOORBELLS = 0x0008,
};

enum arnica_hw_doorbell_offset {
	ARNICA_HW_DB_SQ = 0x0000,
	ARNICA_HW_DB_RQ = 0x0008,
	ARNICA_HW_DB_CQP = 0x0010,
	ARNICA_HW_DB_SRQ = 0x0018,
	ARNICA_HW_DB_AREA0 = 0x0400,
	ARNICA_HW_DB_AREA1 = 0x0600,
};

#define ARNICA_HW_AREA_BYTES 512u

#endif
