/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Offsets are those of the tables of IBTA 12.6, from the data's beginning. */
#include "cm/message.h"

#include <assert.h>
#include <string.h>

#include "roce/bytes.h"

#define BASE_VERSION 1u
#define CLASS 0x07u
#define CLASS_VERSION 2u
#define METHOD_SEND 0x03u

/* Bits of a byte, the first of which is `shift` from its lower end. */
static uint8_t get_bits(uint8_t byte, uint32_t shift, uint32_t width)
{
	return (uint8_t)(byte >> shift & ((1u << width) - 1));
}

static uint8_t bits(uint32_t value, uint32_t shift, uint32_t width)
{
	const uint32_t mask = (1u << width) - 1;

	/* One that overflows would change its neighbour. */
	assert(value <= mask);
	return (uint8_t)((value & mask) << shift);
}

static void get_path(const uint8_t *at, struct roce_cm_path *path)
{
	path->local_lid = (uint16_t)roce_get16(at);
	path->remote_lid = (uint16_t)roce_get16(at + 2);
	memcpy(path->local_gid, at + 4, 16);
	memcpy(path->remote_gid, at + 20, 16);
	path->flow_label = roce_get32(at + 36) >> 12;
	path->packet_rate = get_bits(at[39], 0, 6);
	path->traffic_class = at[40];
	path->hop_limit = at[41];
	path->sl = get_bits(at[42], 4, 4);
	path->subnet_local = get_bits(at[42], 3, 1);
	path->ack_timeout = get_bits(at[43], 3, 5);
}

static void put_path(uint8_t *at, const struct roce_cm_path *path)
{
	assert(path->flow_label < 1u << 20);
	roce_put16(at, path->local_lid);
	roce_put16(at + 2, path->remote_lid);
	memcpy(at + 4, path->local_gid, 16);
	memcpy(at + 20, path->remote_gid, 16);
	roce_put32(at + 36, path->flow_label << 12);
	at[39] |= bits(path->packet_rate, 0, 6);
	at[40] = path->traffic_class;
	at[41] = path->hop_limit;
	at[42] = bits(path->sl, 4, 4) | bits(path->subnet_local, 3, 1);
	at[43] = bits(path->ack_timeout, 3, 5);
}

static void get_req(const uint8_t *at, struct roce_cm_req *req)
{
	req->service_id = roce_get64(at + 8);
	req->ca_guid = roce_get64(at + 16);
	req->qkey = roce_get32(at + 28);
	req->qpn = roce_get24(at + 32);
	req->responder_resources = at[35];
	req->local_eecn = roce_get24(at + 36);
	req->initiator_depth = at[39];
	req->remote_eecn = roce_get24(at + 40);
	req->remote_response_timeout = get_bits(at[43], 3, 5);
	req->transport = get_bits(at[43], 1, 2);
	req->flow_control = get_bits(at[43], 0, 1);
	req->psn = roce_get24(at + 44);
	req->local_response_timeout = get_bits(at[47], 3, 5);
	req->retry_count = get_bits(at[47], 0, 3);
	req->pkey = (uint16_t)roce_get16(at + 48);
	req->path_mtu = get_bits(at[50], 4, 4);
	req->rdc_exists = get_bits(at[50], 3, 1);
	req->rnr_retry = get_bits(at[50], 0, 3);
	req->max_cm_retries = get_bits(at[51], 4, 4);
	req->srq = get_bits(at[51], 3, 1);
	req->extended_transport = get_bits(at[51], 0, 3);
	get_path(at + 52, &req->primary);
	get_path(at + 96, &req->alternate);
	req->sap_supported = get_bits(at[139], 2, 1);
	memcpy(req->private_data, at + 140, sizeof(req->private_data));
}

static void put_req(uint8_t *at, const struct roce_cm_req *req)
{
	roce_put64(at + 8, req->service_id);
	roce_put64(at + 16, req->ca_guid);
	roce_put32(at + 28, req->qkey);
	roce_put24(at + 32, req->qpn);
	at[35] = req->responder_resources;
	roce_put24(at + 36, req->local_eecn);
	at[39] = req->initiator_depth;
	roce_put24(at + 40, req->remote_eecn);
	at[43] = bits(req->remote_response_timeout, 3, 5) |
		 bits(req->transport, 1, 2) | bits(req->flow_control, 0, 1);
	roce_put24(at + 44, req->psn);
	at[47] = bits(req->local_response_timeout, 3, 5) |
		 bits(req->retry_count, 0, 3);
	roce_put16(at + 48, req->pkey);
	at[50] = bits(req->path_mtu, 4, 4) | bits(req->rdc_exists, 3, 1) |
		 bits(req->rnr_retry, 0, 3);
	at[51] = bits(req->max_cm_retries, 4, 4) | bits(req->srq, 3, 1) |
		 bits(req->extended_transport, 0, 3);
	put_path(at + 52, &req->primary);
	put_path(at + 96, &req->alternate);
	at[139] |= bits(req->sap_supported, 2, 1);
	memcpy(at + 140, req->private_data, sizeof(req->private_data));
}

static void get_rep(const uint8_t *at, struct roce_cm_rep *rep)
{
	rep->qkey = roce_get32(at + 8);
	rep->qpn = roce_get24(at + 12);
	rep->local_eecn = roce_get24(at + 16);
	rep->psn = roce_get24(at + 20);
	rep->responder_resources = at[24];
	rep->initiator_depth = at[25];
	rep->ack_delay = get_bits(at[26], 3, 5);
	rep->failover = get_bits(at[26], 1, 2);
	rep->flow_control = get_bits(at[26], 0, 1);
	rep->rnr_retry = get_bits(at[27], 5, 3);
	rep->srq = get_bits(at[27], 4, 1);
	rep->ca_guid = roce_get64(at + 28);
	memcpy(rep->private_data, at + 36, sizeof(rep->private_data));
}

static void put_rep(uint8_t *at, const struct roce_cm_rep *rep)
{
	roce_put32(at + 8, rep->qkey);
	roce_put24(at + 12, rep->qpn);
	roce_put24(at + 16, rep->local_eecn);
	roce_put24(at + 20, rep->psn);
	at[24] = rep->responder_resources;
	at[25] = rep->initiator_depth;
	at[26] = bits(rep->ack_delay, 3, 5) | bits(rep->failover, 1, 2) |
		 bits(rep->flow_control, 0, 1);
	at[27] = bits(rep->rnr_retry, 5, 3) | bits(rep->srq, 4, 1);
	roce_put64(at + 28, rep->ca_guid);
	memcpy(at + 36, rep->private_data, sizeof(rep->private_data));
}

static void get_mra(const uint8_t *at, struct roce_cm_mra *mra)
{
	mra->answered = get_bits(at[8], 6, 2);
	mra->service_timeout = get_bits(at[9], 3, 5);
	memcpy(mra->private_data, at + 10, sizeof(mra->private_data));
}

static void put_mra(uint8_t *at, const struct roce_cm_mra *mra)
{
	at[8] = bits(mra->answered, 6, 2);
	at[9] = bits(mra->service_timeout, 3, 5);
	memcpy(at + 10, mra->private_data, sizeof(mra->private_data));
}

static bool get_rej(const uint8_t *at, struct roce_cm_rej *rej)
{
	rej->answered = get_bits(at[8], 6, 2);
	rej->info_bytes = get_bits(at[9], 1, 7);
	rej->reason = (uint16_t)roce_get16(at + 10);
	memcpy(rej->info, at + 12, sizeof(rej->info));
	memcpy(rej->private_data, at + 84, sizeof(rej->private_data));
	return rej->info_bytes <= ROCE_CM_INFO_BYTES;
}

static void put_rej(uint8_t *at, const struct roce_cm_rej *rej)
{
	assert(rej->info_bytes <= ROCE_CM_INFO_BYTES);
	at[8] = bits(rej->answered, 6, 2);
	at[9] = bits(rej->info_bytes, 1, 7);
	roce_put16(at + 10, rej->reason);
	memcpy(at + 12, rej->info, sizeof(rej->info));
	memcpy(at + 84, rej->private_data, sizeof(rej->private_data));
}

static void get_sidr_req(const uint8_t *at, struct roce_cm_sidr_req *req)
{
	req->request_id = roce_get32(at);
	req->pkey = (uint16_t)roce_get16(at + 4);
	req->service_id = roce_get64(at + 8);
	memcpy(req->private_data, at + 16, sizeof(req->private_data));
}

static void put_sidr_req(uint8_t *at, const struct roce_cm_sidr_req *req)
{
	roce_put32(at, req->request_id);
	roce_put16(at + 4, req->pkey);
	roce_put64(at + 8, req->service_id);
	memcpy(at + 16, req->private_data, sizeof(req->private_data));
}

static bool get_sidr_rep(const uint8_t *at, struct roce_cm_sidr_rep *rep)
{
	rep->request_id = roce_get32(at);
	rep->status = at[4];
	rep->info_bytes = at[5];
	rep->qpn = roce_get24(at + 8);
	rep->service_id = roce_get64(at + 12);
	rep->qkey = roce_get32(at + 20);
	memcpy(rep->info, at + 24, sizeof(rep->info));
	memcpy(rep->private_data, at + 96, sizeof(rep->private_data));
	return rep->info_bytes <= ROCE_CM_INFO_BYTES;
}

static void put_sidr_rep(uint8_t *at, const struct roce_cm_sidr_rep *rep)
{
	assert(rep->info_bytes <= ROCE_CM_INFO_BYTES);
	roce_put32(at, rep->request_id);
	at[4] = rep->status;
	at[5] = rep->info_bytes;
	roce_put24(at + 8, rep->qpn);
	roce_put64(at + 12, rep->service_id);
	roce_put32(at + 20, rep->qkey);
	memcpy(at + 24, rep->info, sizeof(rep->info));
	memcpy(at + 96, rep->private_data, sizeof(rep->private_data));
}

static bool is_sidr(uint16_t attribute)
{
	return attribute == ROCE_CM_SIDR_REQ || attribute == ROCE_CM_SIDR_REP;
}

/* The message behind the common ids; false: what it says of its length is
 * wrong. */
static bool get_message(const uint8_t *at, struct roce_cm_message *message)
{
	switch ((enum roce_cm_attribute)message->attribute) {
	case ROCE_CM_REQ:
		get_req(at, &message->req);
		return true;
	case ROCE_CM_MRA:
		get_mra(at, &message->mra);
		return true;
	case ROCE_CM_REJ:
		return get_rej(at, &message->rej);
	case ROCE_CM_REP:
		get_rep(at, &message->rep);
		return true;
	case ROCE_CM_RTU:
	case ROCE_CM_DREP:
		memcpy(message->rtu.private_data, at + 8,
		       sizeof(message->rtu.private_data));
		return true;
	case ROCE_CM_DREQ:
		message->dreq.remote_qpn = roce_get24(at + 8);
		memcpy(message->dreq.private_data, at + 12,
		       sizeof(message->dreq.private_data));
		return true;
	case ROCE_CM_SIDR_REQ:
		get_sidr_req(at, &message->sidr_req);
		return true;
	case ROCE_CM_SIDR_REP:
		return get_sidr_rep(at, &message->sidr_rep);
	}
	return false;
}

static void put_message(uint8_t *at, const struct roce_cm_message *message)
{
	switch ((enum roce_cm_attribute)message->attribute) {
	case ROCE_CM_REQ:
		put_req(at, &message->req);
		return;
	case ROCE_CM_MRA:
		put_mra(at, &message->mra);
		return;
	case ROCE_CM_REJ:
		put_rej(at, &message->rej);
		return;
	case ROCE_CM_REP:
		put_rep(at, &message->rep);
		return;
	case ROCE_CM_RTU:
	case ROCE_CM_DREP:
		memcpy(at + 8, message->rtu.private_data,
		       sizeof(message->rtu.private_data));
		return;
	case ROCE_CM_DREQ:
		roce_put24(at + 8, message->dreq.remote_qpn);
		memcpy(at + 12, message->dreq.private_data,
		       sizeof(message->dreq.private_data));
		return;
	case ROCE_CM_SIDR_REQ:
		put_sidr_req(at, &message->sidr_req);
		return;
	case ROCE_CM_SIDR_REP:
		put_sidr_rep(at, &message->sidr_rep);
		return;
	}
}

static enum roce_cm_verdict check_header(const uint8_t *bytes)
{
	uint32_t attribute = roce_get16(bytes + 16);

	if (bytes[0] != BASE_VERSION || bytes[1] != CLASS ||
	    bytes[2] != CLASS_VERSION)
		return ROCE_CM_BAD_CLASS;
	if (bytes[3] != METHOD_SEND)
		return ROCE_CM_BAD_METHOD;
	if (attribute < ROCE_CM_REQ || attribute > ROCE_CM_SIDR_REP)
		return ROCE_CM_BAD_ATTRIBUTE;
	return ROCE_CM_OK;
}

enum roce_cm_verdict roce_cm_parse(const uint8_t bytes[ROCE_MAD_BYTES],
				   struct roce_cm_message *message)
{
	const uint8_t *data = bytes + ROCE_MAD_HEADER_BYTES;
	enum roce_cm_verdict verdict = check_header(bytes);

	if (verdict != ROCE_CM_OK)
		return verdict;
	memset(message, 0, sizeof(*message));
	message->transaction = roce_get64(bytes + 8);
	message->attribute = (uint16_t)roce_get16(bytes + 16);
	if (!is_sidr(message->attribute))
		message->local_comm_id = roce_get32(data);
	if (!is_sidr(message->attribute) && message->attribute != ROCE_CM_REQ)
		message->remote_comm_id = roce_get32(data + 4);
	return get_message(data, message) ? ROCE_CM_OK : ROCE_CM_BAD_LENGTH;
}

void roce_cm_emit(const struct roce_cm_message *message,
		  uint8_t bytes[ROCE_MAD_BYTES])
{
	uint8_t *data = bytes + ROCE_MAD_HEADER_BYTES;

	memset(bytes, 0, ROCE_MAD_BYTES);
	bytes[0] = BASE_VERSION;
	bytes[1] = CLASS;
	bytes[2] = CLASS_VERSION;
	bytes[3] = METHOD_SEND;
	roce_put64(bytes + 8, message->transaction);
	roce_put16(bytes + 16, message->attribute);
	if (!is_sidr(message->attribute)) {
		roce_put32(data, message->local_comm_id);
		if (message->attribute != ROCE_CM_REQ)
			roce_put32(data + 4, message->remote_comm_id);
	}
	put_message(data, message);
}

enum roce_cm_key roce_cm_find_key(const uint8_t bytes[ROCE_MAD_BYTES],
				  uint64_t *key)
{
	const uint8_t *data = bytes + ROCE_MAD_HEADER_BYTES;

	if (check_header(bytes) != ROCE_CM_OK)
		return ROCE_CM_KEY_NONE;
	switch ((enum roce_cm_attribute)roce_get16(bytes + 16)) {
	case ROCE_CM_REQ:
	case ROCE_CM_SIDR_REQ:
		*key = roce_get64(data + 8);
		return ROCE_CM_KEY_SERVICE;
	case ROCE_CM_SIDR_REP:
		*key = roce_get32(data);
		return ROCE_CM_KEY_COMM_ID;
	case ROCE_CM_MRA:
	case ROCE_CM_REJ:
	case ROCE_CM_REP:
	case ROCE_CM_RTU:
	case ROCE_CM_DREQ:
	case ROCE_CM_DREP:
		*key = roce_get32(data + 4);
		return ROCE_CM_KEY_COMM_ID;
	}
	return ROCE_CM_KEY_NONE;
}
