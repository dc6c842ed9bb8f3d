/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The fake bus; see fake_bus.h.
 */
#include "fake_bus.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define SEGMENT_BYTES (4u << 20)
#define FAKE_QPN 0x123400u
#define CAPS_DEPTH 1024u

static struct arnica_bus *the_bus;

static void write_register(struct arnica_bus *bus, uint32_t offset,
			   uint32_t value)
{
	arnica_le32 word = arnica_to_le32(value);

	memcpy(bus->memory + ARNICA_HW_BAR_REGISTERS + offset, &word,
	       sizeof(word));
}

struct arnica_bus *fake_bus_create(void)
{
	struct arnica_bus *bus = calloc(1, sizeof(*bus));

	bus->memory = aligned_alloc(4096, SEGMENT_BYTES);
	memset(bus->memory, 0, SEGMENT_BYTES);
	bus->size = SEGMENT_BYTES;
	bus->used = ARNICA_HW_BAR_END +
		    ARNICA_HW_CQP_DEPTH * sizeof(struct arnica_hw_cqp_slot);
	bus->alive = true;
	write_register(bus, ARNICA_HW_REG_DEVICE_ID, ARNICA_HW_DEVICE_ID);
	write_register(bus, ARNICA_HW_REG_VERSION, ARNICA_HW_VERSION);
	the_bus = bus;
	return bus;
}

void fake_bus_destroy(struct arnica_bus *bus)
{
	free(bus->memory);
	free(bus);
}

struct arnica_hw_segment_header *fake_bus_header(struct arnica_bus *bus)
{
	return (struct arnica_hw_segment_header *)(void *)bus->memory;
}

uint64_t fake_bus_alloc(struct arnica_bus *bus, uint64_t bytes)
{
	uint64_t offset = bus->used;

	bus->used += (bytes + 63) & ~63ull;
	if (bus->used > bus->size)
		abort();
	return offset;
}

void fake_bus_publish(struct arnica_hw_cqe *ring, uint32_t mask, uint32_t index,
		      const struct arnica_hw_cqe *entry)
{
	struct arnica_hw_cqe *slot = &ring[index & mask];

	memcpy(slot, entry, offsetof(struct arnica_hw_cqe, sequence));
	arnica_store32(&slot->sequence, index + 1, memory_order_release);
}

void fake_bus_push(struct arnica_hw_cq_record *cq,
		   struct arnica_hw_queue_record *queue, uint32_t number)
{
	uint32_t ready;

	if (arnica_exchange32(&queue->queued, 1, memory_order_seq_cst))
		return;
	ready = arnica_load32(&cq->ready, memory_order_relaxed);
	do {
		arnica_store32(&queue->next, ready, memory_order_relaxed);
	} while (!arnica_compare_exchange32(&cq->ready, &ready, number + 1,
					    memory_order_release));
}

static void fill_caps(struct arnica_hw_device_caps *caps)
{
	caps->node_guid = arnica_to_le64(0x0102030405060708ull);
	caps->max_mr_size = arnica_to_le64(1ull << 40);
	caps->page_size_cap = arnica_to_le64(4096);
	caps->max_qp = arnica_to_le32(1024);
	caps->max_qp_wr = arnica_to_le32(CAPS_DEPTH);
	caps->max_sge = arnica_to_le32(ARNICA_HW_MAX_SGE);
	caps->max_inline = arnica_to_le32(256);
	caps->max_cq = arnica_to_le32(1024);
	caps->max_srq = arnica_to_le32(16);
	caps->max_srq_wr = arnica_to_le32(CAPS_DEPTH);
	caps->max_srq_sge = arnica_to_le32(ARNICA_HW_MAX_SGE);
	caps->max_cqe = arnica_to_le32(65536);
	caps->max_qp_rd_atom = arnica_to_le32(16);
	caps->max_qp_init_rd_atom = arnica_to_le32(16);
	caps->num_ports = arnica_to_le32(1);
	caps->max_pkeys = arnica_to_le32(1);
	caps->num_comp_vectors = arnica_to_le32(4);
	caps->vendor_id = arnica_to_le32(0xa711ca);
	strcpy(caps->firmware_version, "fake");
}

static uint32_t power_of_two(uint32_t value)
{
	uint32_t power = 1;

	while (power < value)
		power *= 2;
	return power;
}

static void grant_queue(struct arnica_bus *bus, uint32_t depth, uint32_t sge,
			uint32_t bytes, struct arnica_hw_res_queue *queue)
{
	uint32_t slots = power_of_two(depth);

	memset(queue, 0, sizeof(*queue));
	if (depth == 0)
		return;
	queue->entries_offset = arnica_to_le64(
		fake_bus_alloc(bus, (uint64_t)slots * bytes));
	queue->ring_offset = arnica_to_le64(fake_bus_alloc(
		bus, (uint64_t)slots * sizeof(struct arnica_hw_cqe)));
	queue->record_offset = arnica_to_le64(
		fake_bus_alloc(bus, sizeof(struct arnica_hw_queue_record)));
	queue->entry_bytes = arnica_to_le32(bytes);
	queue->slots = arnica_to_le32(slots);
	queue->depth = arnica_to_le32(depth);
	queue->max_sge = arnica_to_le32(sge);
}

static uint32_t maximum(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static void create_qp(struct arnica_bus *bus,
		      const struct arnica_hw_cmd_create_qp *command,
		      struct arnica_hw_res_qp *qp)
{
	uint32_t handle = bus->next_handle++;
	uint32_t send_sge = arnica_from_le32(command->send_sge);
	uint32_t recv_sge = arnica_from_le32(command->recv_sge);
	uint32_t inline_bytes = arnica_from_le32(command->inline_bytes);

	qp->handle = arnica_to_le32(handle);
	qp->qpn = arnica_to_le32(FAKE_QPN + handle);
	qp->inline_bytes = command->inline_bytes;
	grant_queue(
		bus, arnica_from_le32(command->send_depth), send_sge,
		power_of_two(maximum(48 + 16 * send_sge, 32 + inline_bytes)),
		&qp->send);
	grant_queue(bus, arnica_from_le32(command->recv_depth), recv_sge,
		    power_of_two(maximum(16, 16 * recv_sge)), &qp->receive);
	if (command->srq.raw) {
		/* A ring with slots as the SRQ has, and nothing else. */
		grant_queue(bus, bus->srq_slots, recv_sge, 16, &qp->receive);
		qp->receive.depth = arnica_to_le32(0);
	}
	qp->receive.eager_bytes = arnica_to_le32(4096);
	qp->receive.eager_offset = arnica_to_le64(fake_bus_alloc(bus, 4096));
}

static void create_srq(struct arnica_bus *bus,
		       const struct arnica_hw_cmd_create_srq *command,
		       struct arnica_hw_res_srq *srq)
{
	uint32_t slots = power_of_two(arnica_from_le32(command->depth));
	uint32_t bytes =
		power_of_two(maximum(16, 16 * arnica_from_le32(command->sge)));

	bus->srq_slots = slots;
	bus->srq_capacity = FAKE_SRQ_ROOM * slots;
	srq->handle = arnica_to_le32(bus->next_handle++);
	srq->number = arnica_to_le32(FAKE_SRQ);
	srq->entries_offset = arnica_to_le64(
		fake_bus_alloc(bus, (uint64_t)bus->srq_capacity * bytes));
	srq->words_offset = arnica_to_le64(fake_bus_alloc(
		bus, bus->srq_capacity * sizeof(arnica_atomic_le64)));
	srq->ring_offset = arnica_to_le64(
		fake_bus_alloc(bus, slots * sizeof(arnica_atomic_le32)));
	srq->record_offset = arnica_to_le64(
		fake_bus_alloc(bus, sizeof(struct arnica_hw_srq_record)));
	srq->entry_bytes = arnica_to_le32(bytes);
	srq->slots = arnica_to_le32(slots);
	srq->depth = command->depth;
	srq->max_sge = command->sge;
	srq->capacity = arnica_to_le32(bus->srq_capacity);
}

/* A ring that is elsewhere, and empty. */
static void grow(struct arnica_bus *bus, const struct arnica_hw_cmd_grow *command,
		 size_t slot_bytes, struct arnica_hw_res_grown *grown)
{
	grown->slots = command->slots;
	grown->ring_offset = arnica_to_le64(fake_bus_alloc(
		bus, arnica_from_le32(command->slots) * slot_bytes));
}

static void execute(struct arnica_bus *bus,
		    const struct arnica_hw_command *command,
		    struct arnica_hw_completion *answer)
{
	switch (arnica_from_le32(command->opcode)) {
	case ARNICA_HW_CMD_QUERY_DEVICE:
		fill_caps(&answer->device);
		break;
	case ARNICA_HW_CMD_QUERY_PORT:
		answer->port.state = arnica_to_le32(4);
		answer->port.gid_table_len = arnica_to_le32(16);
		break;
	case ARNICA_HW_CMD_CREATE_CQ:
		answer->cq.record_offset = arnica_to_le64(fake_bus_alloc(
			bus, sizeof(struct arnica_hw_cq_record)));
		answer->cq.handle = arnica_to_le32(bus->next_handle++);
		answer->cq.cqe = command->create_cq.cqe;
		break;
	case ARNICA_HW_CMD_RESIZE_CQ:
		answer->cq.cqe = command->create_cq.cqe;
		break;
	case ARNICA_HW_CMD_CREATE_QP:
		create_qp(bus, &command->create_qp, &answer->qp);
		break;
	case ARNICA_HW_CMD_DESTROY_QP:
		if (bus->wipe_on_destroy)
			memset(bus->wipe_on_destroy, 0, bus->wipe_bytes);
		bus->wipe_on_destroy = NULL;
		answer->events = bus->events_read;
		break;
	case ARNICA_HW_CMD_DESTROY_CQ:
	case ARNICA_HW_CMD_DESTROY_SRQ:
		answer->events = bus->events_read;
		break;
	case ARNICA_HW_CMD_CREATE_SRQ:
		create_srq(bus, &command->create_srq, &answer->srq);
		break;
	case ARNICA_HW_CMD_GROW_SRQ:
		grow(bus, &command->grow, sizeof(arnica_atomic_le32),
		     &answer->grown);
		break;
	case ARNICA_HW_CMD_GROW_RING:
		grow(bus, &command->grow, sizeof(struct arnica_hw_cqe),
		     &answer->grown);
		break;
	case ARNICA_HW_CMD_QUERY_SRQ:
		answer->srq_limit.limit = arnica_to_le32(FAKE_SRQ_LIMIT);
		break;
	case ARNICA_HW_CMD_REG_MR:
	case ARNICA_HW_CMD_REREG_MR:
		answer->mr.handle = arnica_to_le32(bus->next_handle++);
		answer->mr.stag = arnica_to_le32(bus->next_handle << 8);
		break;
	default:
		answer->object.handle = arnica_to_le32(bus->next_handle++);
		break;
	}
}

static void run_commands(struct arnica_bus *bus)
{
	uint32_t index = bus->next_command++;
	struct arnica_hw_cqp_slot *slot =
		(struct arnica_hw_cqp_slot *)(void *)(bus->memory +
						      ARNICA_HW_BAR_END) +
		index % ARNICA_HW_CQP_DEPTH;
	uint32_t status = ARNICA_HW_COMMAND_OK;

	bus->last = slot->command;
	slot->command.opcode = arnica_to_le32(0); /* taken */
	memset(slot->completion.bytes, 0, sizeof(slot->completion.bytes));
	if (bus->fail_opcode == arnica_from_le32(bus->last.opcode))
		status = bus->fail_status;
	else
		execute(bus, &bus->last, &slot->completion);
	slot->completion.status = arnica_to_le32(status);
	arnica_store32(&slot->completion.sequence, index + 1,
		       memory_order_release);
}

int arnica_bus_attach(int device_fd, struct arnica_bus **bus)
{
	(void)device_fd;
	if (!the_bus)
		return EBADF;
	*bus = the_bus;
	the_bus = NULL;
	return 0;
}

int arnica_bus_import(int device_fd, int exported_fd, struct arnica_bus **bus)
{
	(void)exported_fd;
	return arnica_bus_attach(device_fd, bus);
}

void *arnica_bus_map_imported(struct arnica_bus *bus, uint64_t offset,
			      uint64_t length)
{
	return arnica_bus_map(bus, offset, length);
}

void arnica_bus_detach(struct arnica_bus *bus)
{
	bus->alive = false;
}

void *arnica_bus_map(struct arnica_bus *bus, uint64_t offset, uint64_t length)
{
	if (offset > bus->size || length > bus->size - offset)
		return NULL;
	return bus->memory + offset;
}

uint64_t arnica_bus_cqp_offset(struct arnica_bus *bus)
{
	(void)bus;
	return ARNICA_HW_BAR_END;
}

static void record(struct arnica_bus *bus, struct fake_doorbell doorbell)
{
	if (bus->num_doorbells == FAKE_BUS_MAX_DOORBELLS)
		abort();
	bus->doorbells[bus->num_doorbells++] = doorbell;
}

void arnica_bus_doorbell(struct arnica_bus *bus, uint32_t page, uint32_t offset,
			 uint64_t value)
{
	if (offset == ARNICA_HW_DB_CQP)
		run_commands(bus);
	else
		record(bus, (struct fake_doorbell){ page, offset, 0, value });
}

void arnica_bus_area(struct arnica_bus *bus, uint32_t page, uint32_t offset,
		     uint32_t length, uint64_t value)
{
	record(bus, (struct fake_doorbell){ page, offset, length, value });
}

void arnica_bus_poll(struct arnica_bus *bus)
{
	bus->num_polls++;
	if (bus->on_poll)
		bus->on_poll(bus);
}

void arnica_bus_polled_in_vain(struct arnica_bus *bus)
{
	bus->num_vain++;
}

bool arnica_bus_alive(struct arnica_bus *bus)
{
	return bus->alive;
}

int arnica_bus_channel_index(struct arnica_bus *bus, int fd, uint32_t *index)
{
	(void)bus;
	*index = (uint32_t)fd;
	return fd < 0 ? ENOENT : 0;
}

int arnica_bus_async_open(int device_fd, int *fd)
{
	(void)device_fd;
	*fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return *fd < 0 ? errno : 0;
}

bool arnica_bus_place(void *to, const void *from, size_t bytes)
{
	memcpy(to, from, bytes);
	return true;
}
