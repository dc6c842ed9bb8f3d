/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The property of all keys: one process makes, changes and takes back regions,
 * windows and indirect keys at random, its peer takes them back and uses them.
 * After each step the mirror, the adapter's table and a model of it say the same
 * of every key; each access is decided as the model says.
 *
 * $VT_STEPS steps (default 1200), of the sequence that begins with $VT_SEED.
 */
#include <infiniband/arnicadv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vt.h"

#define REGIONS 6u
#define WINDOWS 6u /* the first two of type 1 */
#define FASTS 3u
#define MKEYS 3u
#define SLOTS (REGIONS + WINDOWS + FASTS + MKEYS)
#define SLOT_BYTES 4096u
#define ITEMS 3u

#define STORES (IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC)

/* What a key is, as both processes know it. */
struct slot {
	bool exists, valid, one_touch;
	enum arnicadv_stag_type type;
	uint32_t stag, parent;
	unsigned int access;
	uint64_t addr, length;
	uint32_t items; /* indirect keys: ranges of regions */
	struct ibv_sge item[ITEMS];
};

struct model {
	struct slot slots[SLOTS];
	uint64_t random;
	uint32_t step;
	bool reconnect; /* the last access was refused */
	bool end;
	uint32_t invalidate; /* the peer sends this key back; zero: none */
	uint64_t refused, allowed;
};

static struct model *model;

/* The owner's objects. */
static struct vt_end end;
static struct ibv_qp_ex *qp;
static struct arnicadv_qp_ex *direct;
static struct ibv_mr *mrs[SLOTS];
static struct ibv_mw *mws[SLOTS];
static struct arnicadv_mkey *keys[SLOTS];

static uint32_t any(uint32_t limit)
{
	return (uint32_t)(vt_random(&model->random) % limit);
}

static uint32_t number_of(const struct slot *slot)
{
	return (uint32_t)(slot - model->slots);
}

static struct slot *slot_of(uint32_t stag)
{
	for (uint32_t i = 0; i < SLOTS; i++)
		if (model->slots[i].valid && model->slots[i].stag == stag)
			return &model->slots[i];
	return NULL;
}

static unsigned int any_access(void)
{
	unsigned int access = 0;

	if (any(4))
		access |= IBV_ACCESS_LOCAL_WRITE;
	if (any(2))
		access |= IBV_ACCESS_REMOTE_READ;
	if (access & IBV_ACCESS_LOCAL_WRITE && any(2))
		access |= IBV_ACCESS_REMOTE_WRITE;
	if (access & IBV_ACCESS_LOCAL_WRITE && any(3) == 0)
		access |= IBV_ACCESS_REMOTE_ATOMIC;
	return access;
}

static bool has_windows(const struct slot *region)
{
	for (uint32_t i = REGIONS; i < REGIONS + WINDOWS; i++)
		if (model->slots[i].valid &&
		    model->slots[i].parent == region->stag)
			return true;
	return false;
}

static uint8_t *memory_of(const struct slot *slot)
{
	return end.buffer + number_of(slot) * SLOT_BYTES;
}

/*
 * Regions
 */
static void make_region(struct slot *slot)
{
	unsigned int access = any_access() | (any(4) ? IBV_ACCESS_MW_BIND : 0);
	uint8_t *address = memory_of(slot) + any(100);
	size_t length = 64 + any(3000);
	struct ibv_mr *mr = ibv_reg_mr(end.pd, address, length, (int)access);

	VT_CHECK(mr);
	mrs[number_of(slot)] = mr;
	*slot = (struct slot){
		.exists = true,
		.valid = true,
		.type = ARNICADV_STAG_REGION,
		.stag = mr->lkey,
		.access = access,
		.addr = (uintptr_t)address,
		.length = length,
	};
}

static void change_region(struct slot *slot)
{
	unsigned int access = any_access() | IBV_ACCESS_MW_BIND;
	uint8_t *address = memory_of(slot) + any(100);
	int flags = IBV_REREG_MR_CHANGE_ACCESS;
	bool moves = any(2);
	int error;

	if (moves)
		flags |= IBV_REREG_MR_CHANGE_TRANSLATION;
	error = ibv_rereg_mr(mrs[number_of(slot)], flags, NULL, address, 64,
			     (int)access);
	if (has_windows(slot)) {
		VT_CHECK(error != 0);
		return;
	}
	VT_EQUAL(error, 0);
	slot->access = access;
	if (moves) {
		slot->addr = (uintptr_t)address;
		slot->length = 64;
	}
}

static void end_region(struct slot *slot)
{
	struct ibv_mr *mr = mrs[number_of(slot)];

	if (has_windows(slot)) {
		VT_EQUAL(ibv_dereg_mr(mr), EBUSY);
		return;
	}
	VT_EQUAL(ibv_dereg_mr(mr), 0);
	*slot = (struct slot){ 0 };
}

static void step_region(struct slot *slot)
{
	if (!slot->exists)
		make_region(slot);
	else if (any(3))
		change_region(slot);
	else
		end_region(slot);
}

/* A request of ours that must succeed; sometimes it is not signaled, and the
 * next one tells. */
static void completes(void)
{
	struct ibv_wc wc;

	VT_EQUAL(ibv_wr_complete(qp), 0);
	wc = vt_poll(end.send_cq);
	VT_STATUS(&wc, IBV_WC_SUCCESS);
}

static void start(void)
{
	ibv_wr_start(qp);
	qp->wr_id = model->step;
	qp->wr_flags = IBV_SEND_SIGNALED;
}

/*
 * Windows
 */
static struct slot *bindable_region(unsigned int *access)
{
	struct slot *region = &model->slots[any(REGIONS)];

	*access = any_access() & ~(unsigned int)IBV_ACCESS_LOCAL_WRITE;
	if (!region->valid || !(region->access & IBV_ACCESS_MW_BIND))
		return NULL;
	if (*access & STORES && !(region->access & IBV_ACCESS_LOCAL_WRITE))
		return NULL;
	return region;
}

static void is_bound(struct slot *slot, const struct slot *region,
		     const struct ibv_mw_bind_info *info, uint32_t stag)
{
	slot->valid = info->length != 0;
	slot->stag = stag;
	slot->parent = region->stag;
	slot->access = info->mw_access_flags &
		       ~(unsigned int)IBV_ACCESS_ZERO_BASED;
	slot->addr = info->mw_access_flags & IBV_ACCESS_ZERO_BASED ?
			     0 :
			     info->addr;
	slot->length = info->length;
}

static void bind_window(struct slot *slot)
{
	struct ibv_mw *mw = mws[number_of(slot)];
	bool two = slot->type == ARNICADV_STAG_WINDOW_2;
	struct ibv_mw_bind bind = { .wr_id = model->step,
				    .send_flags = IBV_SEND_SIGNALED };
	unsigned int access;
	struct slot *region = bindable_region(&access);

	if (!region)
		return;
	if (two && any(3) == 0)
		access |= IBV_ACCESS_ZERO_BASED;
	bind.bind_info = (struct ibv_mw_bind_info){
		.mr = mrs[number_of(region)],
		.addr = region->addr + any(16),
		.length = 16 + any(32),
		.mw_access_flags = access,
	};
	if (two) {
		uint32_t stag = ibv_inc_rkey(mw->rkey);

		start();
		ibv_wr_bind_mw(qp, mw, stag, &bind.bind_info);
		completes();
		mw->rkey = stag;
	} else {
		struct ibv_wc wc;

		if (any(4) == 0)
			bind.bind_info = (struct ibv_mw_bind_info){ 0 };
		VT_EQUAL(ibv_bind_mw(end.qp, mw, &bind), 0);
		wc = vt_poll(end.send_cq);
		VT_STATUS(&wc, IBV_WC_SUCCESS);
	}
	is_bound(slot, region, &bind.bind_info, mw->rkey);
}

static void invalidate(struct slot *slot)
{
	start();
	ibv_wr_local_inv(qp, slot->stag);
	completes();
	slot->valid = false;
}

static void make_window(struct slot *slot)
{
	bool two = number_of(slot) >= REGIONS + 2;
	struct ibv_mw *mw = ibv_alloc_mw(end.pd, two ? IBV_MW_TYPE_2 :
						       IBV_MW_TYPE_1);

	VT_CHECK(mw);
	mws[number_of(slot)] = mw;
	*slot = (struct slot){
		.exists = true,
		.type = two ? ARNICADV_STAG_WINDOW_2 : ARNICADV_STAG_WINDOW_1,
		.stag = mw->rkey,
	};
}

static void step_window(struct slot *slot)
{
	if (!slot->exists) {
		make_window(slot);
	} else if (any(8) == 0) {
		VT_EQUAL(ibv_dealloc_mw(mws[number_of(slot)]), 0);
		*slot = (struct slot){ 0 };
	} else if (slot->valid && slot->type == ARNICADV_STAG_WINDOW_2) {
		invalidate(slot);
	} else {
		bind_window(slot);
	}
}

/*
 * Regions of work requests
 */
static void make_fast(struct slot *slot)
{
	struct arnicadv_mr_init_attr attr = { .max_ranges = 1 };
	struct ibv_mr *mr = arnicadv_alloc_mr(end.pd, &attr);

	VT_CHECK(mr);
	mrs[number_of(slot)] = mr;
	*slot = (struct slot){
		.exists = true,
		.type = ARNICADV_STAG_FAST_REGION,
		.stag = mr->rkey,
	};
}

static void register_fast(struct slot *slot)
{
	struct arnicadv_range range = { (uintptr_t)memory_of(slot) + any(64),
					64 + any(1000) };
	struct arnicadv_reg_attr attr = {
		.rkey = ibv_inc_rkey(slot->stag),
		.access = any_access() | IBV_ACCESS_LOCAL_WRITE,
		.iova = any(2) ? range.addr : 4096u * any(1000),
		.length = range.length,
		.num_entries = 1,
		.ranges = &range,
	};

	slot->one_touch = any(3) == 0;
	if (slot->one_touch)
		attr.access |= ARNICADV_ACCESS_ONE_TOUCH;
	start();
	arnicadv_wr_reg_mr(direct, mrs[number_of(slot)], &attr);
	completes();
	slot->valid = true;
	slot->stag = attr.rkey;
	slot->access = attr.access;
	slot->addr = attr.iova;
	slot->length = attr.length;
}

static void step_fast(struct slot *slot)
{
	if (!slot->exists) {
		make_fast(slot);
	} else if (any(8) == 0) {
		VT_EQUAL(ibv_dereg_mr(mrs[number_of(slot)]), 0);
		*slot = (struct slot){ 0 };
	} else if (slot->valid) {
		invalidate(slot);
	} else {
		register_fast(slot);
	}
}

/*
 * Indirect keys
 */
static uint32_t any_items(struct ibv_sge *sge, unsigned int access)
{
	uint32_t count = 0, want = 1 + any(ITEMS);

	for (uint32_t tries = 0; tries < 10 && count < want; tries++) {
		const struct slot *region = &model->slots[any(REGIONS)];

		if (!region->valid ||
		    (access & (STORES | IBV_ACCESS_LOCAL_WRITE) &&
		     !(region->access & IBV_ACCESS_LOCAL_WRITE)))
			continue;
		sge[count++] = (struct ibv_sge){ region->addr + any(32),
						 1 + any(32), region->stag };
	}
	return count;
}

static void set_mkey(struct slot *slot)
{
	struct arnicadv_mkey *mkey = keys[number_of(slot)];
	unsigned int access = any_access();
	struct ibv_sge sge[ITEMS];
	uint32_t count = any_items(sge, access);

	if (!count)
		return;
	if (any(2)) {
		VT_EQUAL(arnicadv_set_mkey_list(mkey, access, count, sge), 0);
	} else {
		start();
		arnicadv_wr_mkey_list(qp, mkey, access, count, sge);
		completes();
	}
	slot->valid = true;
	slot->access = access;
	slot->items = count;
	slot->length = 0;
	for (uint32_t i = 0; i < count; i++) {
		slot->item[i] = sge[i];
		slot->length += sge[i].length;
	}
}

static void step_mkey(struct slot *slot)
{
	struct arnicadv_mkey_init_attr attr = { .pd = end.pd,
						.max_entries = ITEMS };
	struct arnicadv_mkey **mkey = &keys[number_of(slot)];

	if (!slot->exists) {
		*mkey = arnicadv_create_mkey(&attr);
		VT_CHECK(*mkey);
		*slot = (struct slot){
			.exists = true,
			.type = ARNICADV_STAG_MKEY,
			.stag = (*mkey)->lkey,
		};
	} else if (any(8) == 0) {
		VT_EQUAL(arnicadv_destroy_mkey(*mkey), 0);
		*slot = (struct slot){ 0 };
	} else {
		set_mkey(slot);
	}
}

/*
 * The property
 */
static void check_slot(const struct slot *slot, uint32_t flags)
{
	struct arnicadv_stag_attr attr = { 0 };

	VT_EQUAL(arnicadv_query_stag(end.context, slot->stag, flags, &attr), 0);
	/* Nobody tells the program that the one touch has been. */
	if (!slot->valid && slot->one_touch && !flags)
		return;
	VT_EQUAL(attr.stag, slot->stag);
	VT_EQUAL(attr.instance, slot->stag & 0xff);
	VT_EQUAL(attr.type, slot->type);
	VT_EQUAL(attr.state, slot->valid);
	if (!slot->valid)
		return;
	VT_EQUAL(attr.access, slot->access);
	VT_EQUAL(attr.addr, slot->addr);
	VT_EQUAL(attr.length, slot->length);
	VT_EQUAL(attr.pd_handle, end.pd->handle);
	VT_EQUAL(attr.parent, slot->parent);
}

static void check_all(void)
{
	for (uint32_t i = 0; i < SLOTS; i++) {
		if (!model->slots[i].exists)
			continue;
		check_slot(&model->slots[i], 0);
		check_slot(&model->slots[i], ARNICADV_QUERY_STAG_TABLE);
	}
}

/* Is the memory that a local request names there, with that right? */
static bool local_allowed(const struct ibv_sge *range, uint64_t offset,
			  uint64_t bytes, bool store)
{
	const struct slot *region = slot_of(range->lkey);

	return region && region->type == ARNICADV_STAG_REGION &&
	       (!store || region->access & IBV_ACCESS_LOCAL_WRITE) &&
	       range->addr + offset >= region->addr &&
	       range->addr + offset + bytes <= region->addr + region->length;
}

static bool items_allowed(const struct slot *slot, uint64_t offset,
			  uint64_t bytes, bool store)
{
	for (uint32_t i = 0; i < slot->items && bytes; i++) {
		uint64_t length = slot->item[i].length, part;

		if (offset >= length) {
			offset -= length;
			continue;
		}
		part = length - offset < bytes ? length - offset : bytes;
		if (!local_allowed(&slot->item[i], offset, part, store))
			return false;
		bytes -= part;
		offset = 0;
	}
	return true;
}

static bool allowed(const struct slot *slot, uint64_t addr, uint64_t bytes,
		    unsigned int right)
{
	if (!slot->exists || !slot->valid || !(slot->access & right) ||
	    addr < slot->addr || addr - slot->addr > slot->length ||
	    bytes > slot->length - (addr - slot->addr))
		return false;
	return slot->type != ARNICADV_STAG_MKEY ||
	       items_allowed(slot, addr, bytes,
			     right == IBV_ACCESS_REMOTE_WRITE);
}

/* The owner's turn: one step, or what the peer's made necessary. */
static void reconnect(struct vt_end *this, const struct vt_address *peer)
{
	VT_EQUAL(vt_set_state(this->qp, IBV_QPS_RESET), 0);
	VT_EQUAL(vt_to_init(this), 0);
	VT_EQUAL(vt_to_rtr(this, peer), 0);
	VT_EQUAL(vt_to_rts(this), 0);
}

static void take_back(void)
{
	struct ibv_wc wc = vt_poll(end.recv_cq);

	VT_STATUS(&wc, IBV_WC_SUCCESS);
	VT_CHECK(wc.wc_flags & IBV_WC_WITH_INV);
	VT_EQUAL(wc.invalidated_rkey, model->invalidate);
	slot_of(model->invalidate)->valid = false;
	model->invalidate = 0;
}

static void step(void)
{
	struct slot *slot = &model->slots[any(SLOTS)];
	uint32_t number = number_of(slot);

	if (number < REGIONS)
		step_region(slot);
	else if (number < REGIONS + WINDOWS)
		step_window(slot);
	else if (number < REGIONS + WINDOWS + FASTS)
		step_fast(slot);
	else
		step_mkey(slot);
}

static void create_direct_qp(struct vt_end *this)
{
	struct ibv_qp_init_attr_ex attr = {
		.send_cq = this->send_cq,
		.recv_cq = this->recv_cq,
		.cap = { .max_send_wr = 16,
			 .max_recv_wr = 16,
			 .max_send_sge = 2,
			 .max_recv_sge = 1,
			 .max_inline_data = 256 },
		.qp_type = IBV_QPT_RC,
		.pd = this->pd,
		.comp_mask = IBV_QP_INIT_ATTR_PD |
			     IBV_QP_INIT_ATTR_SEND_OPS_FLAGS,
		.send_ops_flags = IBV_QP_EX_WITH_BIND_MW |
				  IBV_QP_EX_WITH_LOCAL_INV |
				  IBV_QP_EX_WITH_SEND,
	};
	struct arnicadv_qp_init_attr extra = {
		.comp_mask = ARNICADV_QP_INIT_ATTR_SEND_OPS_FLAGS,
		.send_ops_flags = ARNICADV_QP_EX_WITH_REG_MR,
	};

	VT_EQUAL(ibv_destroy_qp(this->qp), 0);
	this->qp = arnicadv_create_qp(this->context, &attr, &extra);
	VT_CHECK(this->qp);
	qp = ibv_qp_to_qp_ex(this->qp);
	direct = arnicadv_qp_ex_from_ibv_qp_ex(qp);
	VT_CHECK(direct);
}

static void end_slots(void)
{
	uint32_t i;

	for (i = REGIONS; i < SLOTS; i++) {
		if (!model->slots[i].exists)
			continue;
		if (i < REGIONS + WINDOWS)
			VT_EQUAL(ibv_dealloc_mw(mws[i]), 0);
		else if (i < REGIONS + WINDOWS + FASTS)
			VT_EQUAL(ibv_dereg_mr(mrs[i]), 0);
		else
			VT_EQUAL(arnicadv_destroy_mkey(keys[i]), 0);
	}
	for (i = 0; i < REGIONS; i++)
		if (model->slots[i].exists)
			VT_EQUAL(ibv_dereg_mr(mrs[i]), 0);
}

/* What `arnica dump --check` says of us, where the tool is. */
static void check_from_outside(void)
{
	const char *tool = getenv("VT_TOOL");
	char command[256];

	if (!tool)
		return;
	snprintf(command, sizeof(command), "%s dump --check tpt %d >&2", tool,
		 (int)getpid());
	VT_EQUAL(system(command), 0);
}

static void owner(int fd, void *argument)
{
	struct vt_wish wish = vt_defaults();
	struct vt_address peer;

	(void)argument;
	vt_end_open(&end, &wish);
	create_direct_qp(&end);
	peer = vt_meet(fd, &end);
	vt_recv(&end, 1, 1 << 19, 64);
	while (!model->end) {
		vt_sync(fd);
		if (model->reconnect) {
			reconnect(&end, &peer);
			vt_recv(&end, 1, 1 << 19, 64);
			vt_sync(fd);
		}
		if (model->invalidate) {
			take_back();
			vt_recv(&end, 1, 1 << 19, 64);
			check_all();
		}
		step();
		check_all();
		vt_sync(fd);
	}
	check_from_outside();
	end_slots();
	vt_end_close(&end);
}

/* The peer's turn. */
static bool send_back(struct vt_end *this)
{
	const struct slot *slot = &model->slots[any(SLOTS)];
	struct ibv_send_wr wr = {
		.wr_id = model->step,
		.opcode = IBV_WR_SEND_WITH_INV,
		.send_flags = IBV_SEND_SIGNALED,
		.invalidate_rkey = slot->stag,
	};

	if (!slot->valid || slot->one_touch ||
	    (slot->type != ARNICADV_STAG_WINDOW_2 &&
	     slot->type != ARNICADV_STAG_FAST_REGION))
		return false;
	VT_EQUAL(vt_post_send(this, &wr), 0);
	vt_expect(this->send_cq, model->step, IBV_WC_SUCCESS);
	model->invalidate = slot->stag;
	return true;
}

static void use(struct vt_end *this)
{
	struct slot *slot = &model->slots[any(SLOTS)];
	uint64_t bytes = 1 + any(24);
	uint64_t addr = slot->addr + any((uint32_t)slot->length + 4) -
			(any(16) == 0 ? 1 : 0);
	bool write = any(2);
	bool right = allowed(slot, addr, bytes,
			     write ? IBV_ACCESS_REMOTE_WRITE :
				     IBV_ACCESS_REMOTE_READ);
	struct ibv_wc wc;

	/* Most of what would be refused costs a connection for nothing new. */
	if (!slot->stag || (!right && any(6)))
		return;
	vt_rdma(this, model->step,
		write ? IBV_WR_RDMA_WRITE : IBV_WR_RDMA_READ, 0, bytes, addr,
		slot->stag);
	wc = vt_poll(this->send_cq);
	if (wc.status != (right ? IBV_WC_SUCCESS : IBV_WC_REM_ACCESS_ERR))
		vt_fail(__FILE__, __LINE__,
			"step %u: %s of %llu bytes by %08x (type %d) is \"%s\"",
			model->step, write ? "write" : "read",
			(unsigned long long)bytes, slot->stag, slot->type,
			ibv_wc_status_str(wc.status));
	model->reconnect = !right;
	if (right && slot->one_touch)
		slot->valid = false;
	if (right)
		model->allowed++;
	else
		model->refused++;
}

static void mirror_table_and_model_are_one(void)
{
	uint64_t steps = vt_setting("VT_STEPS", 1200);
	struct vt_wish wish = vt_defaults();
	struct vt_address address;
	struct vt_peer peer;
	struct vt_end mine;

	model = mmap(NULL, sizeof(*model), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	VT_CHECK(model != MAP_FAILED);
	model->random = vt_setting("VT_SEED", 42);
	peer = vt_fork(owner, NULL);
	vt_end_open(&mine, &wish);
	address = vt_meet(peer.fd, &mine);
	for (model->step = 1; model->step <= steps; model->step++) {
		model->reconnect = false;
		if (any(6) || !send_back(&mine))
			use(&mine);
		vt_sync(peer.fd);
		if (model->reconnect) {
			reconnect(&mine, &address);
			vt_sync(peer.fd);
		}
		model->end = model->step == steps;
		vt_sync(peer.fd);
	}
	VT_CHECK(model->allowed > steps / 20);
	VT_CHECK(model->refused > steps / 50);
	vt_join(&peer);
	vt_end_close(&mine);
}

int main(int argc, char **argv)
{
	static const struct vt_case cases[] = {
		{ "mirror_table_and_model_are_one",
		  mirror_table_and_model_are_one, 36000 },
		{ NULL, NULL, 0 },
	};

	return vt_main(argc, argv, cases);
}
