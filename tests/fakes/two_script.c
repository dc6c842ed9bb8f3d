/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "two_script.h"

int script_setup(void **state)
{
	struct two_wish wish = two_defaults();
	struct two_wire *wire;

	if (two_wire_setup(state))
		return -1;
	wire = *state;
	wish.mtu = 1;
	wish.sq_psn = wish.rq_psn = SCRIPT_PSN;
	two_wire_connect(wire, &wish);
	wire->a.held = true;
	return 0;
}

struct roce_packet script_request(struct two_wire *wire, uint8_t opcode,
				  uint32_t psn, uint32_t payload_bytes)
{
	return (struct roce_packet){
		.opcode = opcode,
		.pkey = ROCE_DEFAULT_PKEY,
		.dest_qpn = wire->two.qp_b.qpn,
		.psn = psn & ROCE_PSN_MASK,
		.ack_request = true,
		.migration = true,
		.address = (uintptr_t)wire->two.b.buffer,
		.rkey = wire->two.b.stag,
		.dma_length = payload_bytes,
		.payload_bytes = payload_bytes,
	};
}

void script_send(struct two_wire *wire, const struct roce_packet *packet,
		 uint32_t seed)
{
	uint8_t payload[TWO_WIRE_MAX_BYTES];

	two_fill(payload, packet->payload_bytes, seed);
	two_wire_write(&wire->a, packet, payload);
}

void script_put(struct two_wire *wire, uint8_t opcode, uint32_t psn,
		uint32_t payload_bytes, uint32_t seed)
{
	struct roce_packet packet =
		script_request(wire, opcode, psn, payload_bytes);

	script_send(wire, &packet, seed);
}

struct two_packet *script_expect(struct two_wire *wire, uint8_t opcode,
				 uint32_t psn)
{
	static struct two_packet packet;

	if (!two_wire_read(&wire->a, &packet))
		fail_msg("nothing came, but 0x%x with PSN %u was expected",
			 opcode, psn);
	assert_int_equal(packet.packet.opcode, opcode);
	assert_int_equal(packet.packet.psn, psn & ROCE_PSN_MASK);
	assert_int_equal(packet.packet.dest_qpn, wire->two.qp_a.qpn);
	return &packet;
}

void script_expect_ack(struct two_wire *wire, uint32_t psn, uint32_t msn)
{
	const struct two_packet *packet =
		script_expect(wire, ROCE_RC | ROCE_ACKNOWLEDGE, psn);

	assert_int_equal(packet->packet.syndrome,
			 ROCE_SYNDROME_ACK | ROCE_CREDITS_UNLIMITED);
	assert_int_equal(packet->packet.msn, msn);
}

void script_expect_syndrome(struct two_wire *wire, uint32_t psn,
			    uint8_t syndrome)
{
	const struct two_packet *packet =
		script_expect(wire, ROCE_RC | ROCE_ACKNOWLEDGE, psn);

	assert_int_equal(packet->packet.syndrome, syndrome);
}

void script_expect_silence(struct two_wire *wire)
{
	struct two_packet packet;

	if (two_wire_read(&wire->a, &packet))
		fail_msg("0x%x with PSN %u came, but nothing was expected",
			 packet.packet.opcode, packet.packet.psn);
}
