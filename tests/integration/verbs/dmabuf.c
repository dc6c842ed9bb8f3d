/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Regions of dma-bufs (ibv_reg_dmabuf_mr(3)), of whoever makes some here: the
 * kernel of a memfd (/dev/udmabuf), or a graphics driver, of which vgem has no
 * hardware.
 */
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vt.h"

#define PAGE 4096u
#define BYTES (16u * PAGE)

/* Of the kernel's interface to graphics, whose headers few machines have. */
struct dumb_buffer {
	uint32_t height, width, bits_per_pixel, flags, handle, pitch;
	uint64_t size;
};
struct prime_handle {
	uint32_t handle, flags;
	int32_t fd;
};
#define CREATE_DUMB _IOWR('d', 0xb2, struct dumb_buffer)
#define HANDLE_TO_FD _IOWR('d', 0x2d, struct prime_handle)

static struct vt_end a, b;

static int by_memfd(void)
{
	int maker = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	struct udmabuf_create create = { .size = BYTES };
	int fd;

	if (maker < 0)
		return -1;
	create.memfd = (uint32_t)memfd_create("dmabuf",
					      MFD_CLOEXEC | MFD_ALLOW_SEALING);
	VT_EQUAL(ftruncate((int)create.memfd, BYTES), 0);
	VT_EQUAL(fcntl((int)create.memfd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	fd = ioctl(maker, UDMABUF_CREATE, &create);
	VT_CHECK(fd >= 0);
	close((int)create.memfd);
	close(maker);
	return fd;
}

static int by_card(int number)
{
	struct dumb_buffer create = { .height = 16,
				      .width = BYTES / 16 / 4,
				      .bits_per_pixel = 32 };
	struct prime_handle prime = { .flags = O_CLOEXEC | O_RDWR };
	char path[32];
	int card;

	snprintf(path, sizeof(path), "/dev/dri/card%d", number);
	card = open(path, O_RDWR | O_CLOEXEC);
	if (card < 0)
		return -1;
	prime.fd = -1;
	if (!ioctl(card, CREATE_DUMB, &create)) {
		prime.handle = create.handle;
		if (ioctl(card, HANDLE_TO_FD, &prime))
			prime.fd = -1;
	}
	close(card);
	return prime.fd;
}

static int make_dmabuf(void)
{
	int fd = by_memfd();

	for (int i = 0; fd < 0 && i < 4; i++)
		fd = by_card(i);
	if (fd < 0)
		vt_skip("nobody makes dma-bufs here (/dev/udmabuf, /dev/dri)");
	return fd;
}

static void check_refused(int fd, uint64_t offset, size_t length, uint64_t iova,
			  int access, int error)
{
	errno = 0;
	VT_CHECK(!ibv_reg_dmabuf_mr(a.pd, offset, length, iova, fd, access));
	VT_EQUAL(errno, error);
}

static void what_is_no_dma_buf_is_refused(void)
{
	struct vt_wish wish = vt_defaults();
	int ends[2], fd;

	vt_end_open(&a, &wish);
	fd = memfd_create("memory", MFD_CLOEXEC);
	VT_EQUAL(ftruncate(fd, BYTES), 0);
	VT_EQUAL(pipe(ends), 0);
	check_refused(fd, 0, PAGE, 0, VT_ALL_ACCESS, EINVAL);
	check_refused(ends[0], 0, PAGE, 0, VT_ALL_ACCESS, EINVAL);
	check_refused(a.context->cmd_fd, 0, PAGE, 0, VT_ALL_ACCESS, EINVAL);
	check_refused(-1, 0, PAGE, 0, VT_ALL_ACCESS, EBADF);
	check_refused(9999, 0, PAGE, 0, VT_ALL_ACCESS, EBADF);
	close(fd);
	close(ends[0]);
	close(ends[1]);
	vt_end_close(&a);
}

static void rights_and_ranges_are_checked(void)
{
	struct vt_wish wish = vt_defaults();
	int fd = make_dmabuf();

	vt_end_open(&a, &wish);
	check_refused(fd, 0, 0, 0, VT_ALL_ACCESS, EINVAL);
	check_refused(fd, 0, BYTES + 1, 0, VT_ALL_ACCESS, EINVAL);
	check_refused(fd, BYTES, 1, 0, VT_ALL_ACCESS, EINVAL);
	check_refused(fd, UINT64_MAX, 2, UINT64_MAX, VT_ALL_ACCESS, EINVAL);
	check_refused(fd, 64, 128, 0, VT_ALL_ACCESS, EINVAL);
	check_refused(fd, 0, PAGE, 0, IBV_ACCESS_REMOTE_WRITE, EINVAL);
	check_refused(fd, 0, PAGE, 0, IBV_ACCESS_ON_DEMAND, EINVAL);
	check_refused(fd, 0, PAGE, 0, IBV_ACCESS_ZERO_BASED, EINVAL);
	check_refused(fd, 0, PAGE, 0, IBV_ACCESS_MW_BIND, EINVAL);
	close(fd);
	vt_end_close(&a);
}

/* Replaces the end's region, whose address is its own buffer's from then on. */
static struct ibv_mr *use_dmabuf(struct vt_end *end, int fd, uint64_t offset,
				 uint64_t iova)
{
	struct ibv_mr *mr = ibv_reg_dmabuf_mr(end->pd, offset, BYTES - PAGE,
					      iova, fd, VT_ALL_ACCESS);

	VT_CHECK(mr);
	VT_CHECK(mr->addr == (void *)(uintptr_t)offset);
	VT_EQUAL(mr->length, BYTES - PAGE);
	return mr;
}

static int send_from(struct vt_end *end, const struct ibv_mr *mr, uint64_t iova,
		     uint32_t bytes)
{
	struct ibv_sge sge = { iova, bytes, mr->lkey };
	struct ibv_send_wr wr = vt_send_wr(1, IBV_WR_SEND, &sge);

	VT_EQUAL(vt_post_send(end, &wr), 0);
	return vt_poll(end->send_cq).status;
}

static void receive_into(struct vt_end *end, const struct ibv_mr *mr,
			 uint64_t iova, uint32_t bytes)
{
	struct ibv_sge sge = { iova, bytes, mr->lkey };
	struct ibv_recv_wr wr = { .wr_id = 2, .sg_list = &sge, .num_sge = 1 };
	struct ibv_recv_wr *bad;

	VT_EQUAL(ibv_post_recv(end->qp, &wr, &bad), 0);
}

/* All of it between `a`, which has the dma-buf, and `b`; through our own mapping
 * the test sees what arrives. */
static void exchange(int fd, uint64_t offset, uint64_t iova, uint32_t bytes)
{
	uint8_t *memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			       fd, 0);
	uint8_t *place = memory + offset;
	struct ibv_mr *mr;

	VT_CHECK(memory != MAP_FAILED);
	mr = use_dmabuf(&a, fd, offset, iova);
	vt_fill(place, bytes, 1);
	vt_recv(&b, 3, 0, bytes);
	VT_EQUAL(send_from(&a, mr, iova, bytes), IBV_WC_SUCCESS);
	vt_expect(b.recv_cq, 3, IBV_WC_SUCCESS);
	vt_check_fill(b.buffer, bytes, 1, "what was sent");
	receive_into(&a, mr, iova, bytes);
	vt_fill(b.buffer, bytes, 2);
	vt_send(&b, 4, 0, bytes);
	vt_expect(b.send_cq, 4, IBV_WC_SUCCESS);
	vt_expect(a.recv_cq, 2, IBV_WC_SUCCESS);
	vt_check_fill(place, bytes, 2, "what was received");
	vt_fill(b.buffer, bytes, 3);
	vt_rdma(&b, 5, IBV_WR_RDMA_WRITE, 0, bytes, iova, mr->rkey);
	vt_expect(b.send_cq, 5, IBV_WC_SUCCESS);
	vt_check_fill(place, bytes, 3, "what was written");
	vt_fill(place, bytes, 4);
	vt_rdma(&b, 6, IBV_WR_RDMA_READ, 0, bytes, iova, mr->rkey);
	vt_expect(b.send_cq, 6, IBV_WC_SUCCESS);
	vt_check_fill(b.buffer, bytes, 4, "what was read");
	VT_CHECK(ibv_rereg_mr(mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL, 0, 0));
	VT_EQUAL(ibv_dereg_mr(mr), 0);
	munmap(memory, BYTES);
}

static void messages_come_from_and_go_to_a_dma_buf(void)
{
	struct vt_wish wish = vt_defaults();
	int fd = make_dmabuf();

	vt_pair_open(&a, &b, &wish, false);
	exchange(fd, 0, 0, 8);
	exchange(fd, 0, 0x7000000000, 1000);
	exchange(fd, PAGE, PAGE, BYTES - PAGE);
	exchange(fd, 100, PAGE + 100, 5000);
	close(fd);
	vt_pair_close(&a, &b);
}

static void writer(int fd, void *unused)
{
	struct vt_wish wish = vt_defaults();
	struct vt_address peer;

	(void)unused;
	vt_end_open(&a, &wish);
	peer = vt_meet(fd, &a);
	vt_hear(fd, &peer.rkey, sizeof(peer.rkey));
	vt_fill(a.buffer, BYTES - PAGE, 9);
	vt_rdma(&a, 1, IBV_WR_RDMA_WRITE, 0, BYTES - PAGE, 0, peer.rkey);
	vt_expect(a.send_cq, 1, IBV_WC_SUCCESS);
	vt_rdma(&a, 2, IBV_WR_RDMA_READ, BYTES, BYTES - PAGE, 0, peer.rkey);
	vt_expect(a.send_cq, 2, IBV_WC_SUCCESS);
	vt_check_fill(a.buffer + BYTES, BYTES - PAGE, 9, "what was read");
	vt_sync(fd);
	vt_end_close(&a);
}

static void another_process_reaches_a_dma_buf(void)
{
	struct vt_wish wish = vt_defaults();
	int fd = make_dmabuf();
	struct vt_peer peer = vt_fork(writer, NULL);
	struct ibv_mr *mr;
	uint8_t *memory;

	vt_end_open(&b, &wish);
	vt_meet(peer.fd, &b);
	mr = use_dmabuf(&b, fd, 0, 0);
	memory = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, fd, 0);
	VT_CHECK(memory != MAP_FAILED);
	close(fd); /* the region keeps the buffer */
	vt_tell(peer.fd, &mr->rkey, sizeof(mr->rkey));
	vt_sync(peer.fd);
	vt_check_fill(memory, BYTES - PAGE, 9, "what was written");
	VT_EQUAL(ibv_dereg_mr(mr), 0);
	munmap(memory, BYTES);
	vt_end_close(&b);
	vt_join(&peer);
}

static const struct vt_case cases[] = {
	VT_CASE(what_is_no_dma_buf_is_refused),
	VT_CASE(rights_and_ranges_are_checked),
	VT_CASE(messages_come_from_and_go_to_a_dma_buf),
	VT_CASE(another_process_reaches_a_dma_buf),
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
