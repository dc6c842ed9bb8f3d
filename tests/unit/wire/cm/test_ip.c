/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The header of connections by IP address, of Linux' bytes and of others. */
#include <cmocka.h>
#include <string.h>

#include "captured.h"
#include "cm/ip.h"
#include "cm/message.h"

#define REQ_PRIVATE (ROCE_MAD_HEADER_BYTES + 140)
#define SIDR_REQ_PRIVATE (ROCE_MAD_HEADER_BYTES + 16)

static void assert_header(const uint8_t *bytes, uint16_t port)
{
	static const uint8_t client[16] = {
		[10] = 0xff, 0xff, 0x0a, 0x09, 0x02, 0x01,
	};
	static const uint8_t server[16] = {
		[10] = 0xff, 0xff, 0x0a, 0x09, 0x02, 0x02,
	};
	uint8_t again[ROCE_CM_IP_BYTES];
	struct roce_cm_ip ip;

	assert_true(roce_cm_ip_parse(bytes, &ip));
	assert_int_equal(ip.version, 4);
	assert_int_equal(ip.source_port, port);
	assert_memory_equal(ip.source, client, 16);
	assert_memory_equal(ip.destination, server, 16);
	memset(again, 0xaa, sizeof(again));
	roce_cm_ip_emit(&ip, again);
	assert_memory_equal(again, bytes, sizeof(again));
}

static void headers_of_linux(void **state)
{
	(void)state;
	assert_header(captured_req + REQ_PRIVATE, 0x9c3d);
	assert_header(captured_sidr_req + SIDR_REQ_PRIVATE, 0xbf33);
}

static void ipv6_addresses_are_whole(void **state)
{
	struct roce_cm_ip ip = {
		.version = 6,
		.source_port = 0x1234,
		.source = { 0xfe, 0x80, [15] = 1 },
		.destination = { 0xfe, 0x80, [15] = 2 },
	};
	uint8_t bytes[ROCE_CM_IP_BYTES];
	struct roce_cm_ip again;

	(void)state;
	roce_cm_ip_emit(&ip, bytes);
	assert_memory_equal(bytes, "\0\x60\x12\x34\xfe\x80", 6);
	assert_int_equal(bytes[19], 1);
	assert_int_equal(bytes[35], 2);
	assert_true(roce_cm_ip_parse(bytes, &again));
	assert_memory_equal(again.source, ip.source, 16);
	assert_memory_equal(again.destination, ip.destination, 16);
}

static void other_versions_are_none(void **state)
{
	uint8_t bytes[ROCE_CM_IP_BYTES] = { 0, 0x50 };
	struct roce_cm_ip ip;

	(void)state;
	assert_false(roce_cm_ip_parse(bytes, &ip));
	bytes[1] = 0x40;
	assert_true(roce_cm_ip_parse(bytes, &ip));
	bytes[0] = 1;
	assert_false(roce_cm_ip_parse(bytes, &ip));
}

static void services_of_ip_are_told_apart(void **state)
{
	(void)state;
	assert_true(roce_cm_service_has_ip(
		roce_cm_service_id(ROCE_CM_PS_TCP, 7174)));
	assert_true(
		roce_cm_service_has_ip(roce_cm_service_id(ROCE_CM_PS_UDP, 1)));
	assert_false(
		roce_cm_service_has_ip(roce_cm_service_id(ROCE_CM_PS_IB, 1)));
	assert_false(roce_cm_service_has_ip(0x1000000001061c06ull));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_of_linux),
		cmocka_unit_test(ipv6_addresses_are_whole),
		cmocka_unit_test(other_versions_are_none),
		cmocka_unit_test(services_of_ip_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
