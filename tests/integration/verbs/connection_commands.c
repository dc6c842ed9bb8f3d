/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* /dev/infiniband/rdma_cm without librdmacm: what it says to nonsense. */
#include <fcntl.h>
#include <rdma/rdma_user_cm.h>
#include <unistd.h>

#include "vt.h"

struct raw {
	struct rdma_ucm_cmd_hdr header;
	uint8_t body[512];
};

static int raw_command(int fd, uint32_t number, const void *body, size_t in,
		       size_t out)
{
	struct raw raw = { .header = { .cmd = number,
				       .in = (uint16_t)in,
				       .out = (uint16_t)out } };

	if (body)
		memcpy(raw.body, body, in);
	return write(fd, &raw, sizeof(raw.header) + in) < 0 ? errno : 0;
}

static void nonsense_has_its_errors(void)
{
	struct rdma_ucm_create_id_resp made;
	struct rdma_ucm_create_id create = { .ps = RDMA_PS_TCP,
					     .response = (uintptr_t)&made };
	struct rdma_ucm_listen listen = { .id = 12345 };
	struct rdma_ucm_bind bind = { .addr_size = 48 };
	struct rdma_ucm_init_qp_attr init = { .response = 8, .qp_state = 2 };
	int fd = open("/dev/infiniband/rdma_cm", O_RDWR | O_CLOEXEC);
	int other = open("/dev/infiniband/rdma_cm", O_RDWR | O_CLOEXEC);
	uint32_t number;

	VT_CHECK(fd >= 0 && other >= 0);
	VT_EQUAL(write(fd, "", 1), -1);
	VT_EQUAL(errno, EINVAL);
	VT_EQUAL(raw_command(fd, 9999, NULL, 0, 0), EINVAL);
	VT_EQUAL(raw_command(fd, RDMA_USER_CM_CMD_GET_OPTION, NULL, 0, 0),
		 ENOSYS);
	VT_EQUAL(raw_command(fd, RDMA_USER_CM_CMD_LISTEN, &listen,
			     sizeof(listen), 0),
		 ENOENT);
	VT_EQUAL(raw_command(fd, RDMA_USER_CM_CMD_CREATE_ID, &create,
			     sizeof(create), 0),
		 ENOSPC);
	create.ps = 77;
	VT_EQUAL(raw_command(fd, RDMA_USER_CM_CMD_CREATE_ID, &create,
			     sizeof(create), sizeof(made)),
		 EINVAL);
	create.ps = RDMA_PS_TCP;
	VT_EQUAL(raw_command(fd, RDMA_USER_CM_CMD_CREATE_ID, &create,
			     sizeof(create), sizeof(made)),
		 0);
	listen.id = init.id = bind.id = made.id;
	VT_EQUAL(raw_command(other, RDMA_USER_CM_CMD_LISTEN, &listen,
			     sizeof(listen), 0),
		 EINVAL);
	/* There is no device yet. */
	VT_EQUAL(raw_command(fd, RDMA_USER_CM_CMD_INIT_QP_ATTR, &init,
			     sizeof(init), sizeof(struct ib_uverbs_qp_attr)),
		 EINVAL);
	bind.addr.ss_family = 27; /* AF_IB */
	VT_EQUAL(raw_command(fd, RDMA_USER_CM_CMD_BIND, &bind, sizeof(bind), 0),
		 EAFNOSUPPORT);
	/* Whatever is written, nothing breaks. */
	for (number = 0; number < 64; number++) {
		uint64_t seed = number;
		uint8_t body[504];
		size_t i;

		if (number % 32 == RDMA_USER_CM_CMD_GET_EVENT)
			continue; /* would wait */
		for (i = 0; i < sizeof(body); i++)
			body[i] = number < 32 ? (uint8_t)vt_random(&seed) : 0;
		(void)raw_command(fd, number % 32, body, sizeof(body), 1000);
	}
	close(other);
	close(fd);
}

int main(int argc, char **argv)
{
	static const struct vt_case cases[] = {
		VT_CASE(nonsense_has_its_errors),
		{ NULL, NULL, 0 },
	};

	return vt_main(argc, argv, cases);
}
