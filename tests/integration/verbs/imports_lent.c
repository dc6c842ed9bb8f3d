/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Importing from another process (ibv_import_device(3) and its relatives): what
 * can be done with what is imported, and what is refused. Its end: imports_ends.c.
 */
#include <sys/wait.h>

#include "imports_vt.h"

static void keys_are_the_owners(void)
{
	start(false);
	VT_EQUAL(me.pd->handle, has.pd);
	VT_EQUAL(me.mr->handle, has.mr);
	VT_EQUAL(me.mr->rkey, has.rkey);
	VT_EQUAL(me.mr->lkey, has.rkey);
	VT_EQUAL(me.mr->length, BYTES);
	VT_CHECK(!me.mr->addr);
	VT_EQUAL(me.context->cmd_fd, device_fd);
	/* What it makes itself has other keys and handles. */
	VT_CHECK(my_mr->lkey != me.mr->lkey);
	VT_CHECK(my_mr->handle != me.mr->handle);
	stop();
}

static void device_memory_is_source_and_target(void)
{
	start(false);
	check_all(100);
	stop();
}

static void private_memory_is_source_and_target(void)
{
	start(true);
	check_all(200);
	stop();
}

/* Both ways between the importer's own memory and the owner's. */
static void own_regions_work_in_the_imported_domain(void)
{
	start(false);
	VT_EQUAL(ASK(owner, FILL, 7, BYTES), 0);
	VT_EQUAL(ASK(third, RECEIVE, 8, BYTES), 0);
	vt_fill(my_buffer, BYTES, 8);
	VT_EQUAL(post(IBV_WR_SEND, my_mr->lkey, (uintptr_t)my_buffer, BYTES, 0,
		      0), IBV_WC_SUCCESS);
	VT_EQUAL(ASK(third, RECEIVED, 8, BYTES), 0);
	VT_EQUAL(ASK(third, WRITE, 9, BYTES, (uintptr_t)my_buffer,
		     my_mr->rkey), IBV_WC_SUCCESS);
	vt_check_fill(my_buffer, BYTES, 9, "what was written");
	VT_EQUAL(ASK(owner, CHECK, 7, BYTES), 0);
	stop();
}

static void device_memory_is_the_same_for_both(void)
{
	uint8_t data[BYTES];
	struct ibv_dm *dm;
	struct ibv_mr *mr;

	start(false);
	dm = ibv_import_dm(me.context, has.dm);
	VT_CHECK(dm);
	VT_EQUAL(ASK(owner, FILL, 1, BYTES), 0);
	VT_EQUAL(ibv_memcpy_from_dm(data, dm, 0, BYTES), 0);
	vt_check_fill(data, BYTES, 1, "what the owner stored");
	vt_fill(data, BYTES, 2);
	VT_EQUAL(ibv_memcpy_to_dm(dm, 0, data, BYTES), 0);
	VT_EQUAL(ASK(owner, CHECK, 2, BYTES), 0);
	VT_EQUAL(ibv_memcpy_to_dm(dm, 4, data, BYTES), EFAULT);
	/* A region of the importer's own on it. */
	mr = ibv_reg_dm_mr(me.pd, dm, 4096, 8192,
			   VT_ALL_ACCESS | IBV_ACCESS_ZERO_BASED);
	VT_CHECK(mr);
	VT_EQUAL(ASK(third, WRITE, 3, 8192, 0, mr->rkey), IBV_WC_SUCCESS);
	VT_EQUAL(ibv_memcpy_from_dm(data, dm, 4096, 8192), 0);
	vt_check_fill(data, 8192, 3, "what was written");
	VT_EQUAL(ibv_dereg_mr(mr), 0);
	/* It is the owner's to free. */
	VT_EQUAL(ibv_free_dm(dm), EOPNOTSUPP);
	ibv_unimport_dm(dm);
	stop();
}

static void what_is_not_there_is_refused(void)
{
	struct ibv_pd *other, *own;

	start(false);
	REFUSED(ibv_import_pd(me.context, 4321), EINVAL);
	REFUSED(ibv_import_pd(me.context, UINT32_MAX), EINVAL);
	REFUSED(ibv_import_mr(me.pd, UINT32_MAX), EINVAL);
	REFUSED(ibv_import_mr(me.pd, has.spare_mr), EINVAL);
	REFUSED(ibv_import_dm(me.context, 1000), EINVAL);
	REFUSED(ibv_import_dm(me.context, UINT32_MAX), EINVAL);
	/* No whole pages, which nobody else may see. */
	REFUSED(ibv_import_mr(me.pd, has.odd_mr), EOPNOTSUPP);
	own = ibv_alloc_pd(me.context);
	VT_CHECK(own);
	VT_CHECK(own->handle != has.pd && own->handle != has.spare_pd);
	REFUSED(ibv_import_mr(own, has.mr), EINVAL);
	/* What an importer has made, the owner knows nothing of. */
	REFUSED(ibv_import_pd(me.context, own->handle), EINVAL);
	REFUSED(ibv_import_mr(me.pd, my_mr->handle), EINVAL);
	VT_EQUAL(ibv_dealloc_pd(own), 0);
	VT_EQUAL(ibv_dealloc_pd(me.pd), EOPNOTSUPP);
	/* A domain that has the number of one before. */
	other = ibv_import_pd(me.context, has.spare_pd);
	VT_CHECK(other);
	VT_EQUAL(ASK(owner, END_PD), has.spare_pd);
	REFUSED(ibv_import_mr(other, has.spare_mr), EINVAL);
	ibv_unimport_pd(other);
	stop();
}

static void two_importers_do_not_disturb_each_other(void)
{
	struct ibv_context *second;
	struct ibv_pd *pd;
	struct ibv_mr *mr;

	start(false);
	/* In this process they are one. */
	second = ibv_import_device(dup(device_fd));
	VT_CHECK(second);
	pd = ibv_import_pd(second, has.pd);
	VT_CHECK(pd);
	mr = ibv_import_mr(pd, has.mr);
	VT_CHECK(mr);
	VT_EQUAL(mr->lkey, me.mr->lkey);
	ibv_unimport_mr(mr);
	ibv_unimport_pd(pd);
	VT_EQUAL(ibv_close_device(second), 0);
	check_all(400);
	stop();
}

/* A file that somebody else had opened. */
static void run_stranger(int fd, void *unused)
{
	int imported;

	(void)unused;
	if (setgid(65534) || setuid(65534))
		vt_skip("not root");
	unsetenv("ARNICA_RUNTIME_DIR"); /* which is root's */
	imported = receive_descriptor(fd);
	REFUSED(ibv_import_device(imported), EACCES);
}

static void another_users_device_is_refused(void)
{
	struct vt_peer stranger;

	if (geteuid())
		vt_skip("not root");
	start_owner(false);
	stranger = vt_fork(run_stranger, NULL);
	send_descriptor(stranger.fd, device_fd);
	vt_join(&stranger);
	end_peer(&owner);
}

/* A program that is started inherits it by number. */
static int imported_by_exec(char **argv)
{
	uint8_t data[64];
	struct ibv_dm *dm;

	device_fd = atoi(argv[2]);
	has = (struct handles){ .pd = (uint32_t)atoi(argv[3]) };
	me.context = ibv_import_device(device_fd);
	VT_CHECK(me.context);
	me.pd = ibv_import_pd(me.context, has.pd);
	VT_CHECK(me.pd);
	dm = ibv_import_dm(me.context, (uint32_t)atoi(argv[4]));
	VT_CHECK(dm);
	vt_fill(data, sizeof(data), 11);
	VT_EQUAL(ibv_memcpy_to_dm(dm, 0, data, sizeof(data)), 0);
	ibv_unimport_dm(dm);
	ibv_unimport_pd(me.pd);
	VT_EQUAL(ibv_close_device(me.context), 0);
	return 0;
}

static void a_started_program_inherits_it(void)
{
	char fd[16], pd[16], number[16];
	uint8_t data[64];
	struct ibv_dm *dm;
	int status;
	pid_t pid;

	me.context = vt_open();
	me.pd = ibv_alloc_pd(me.context);
	dm = alloc_dm(me.context);
	snprintf(fd, sizeof(fd), "%d", dup(me.context->cmd_fd));
	snprintf(pd, sizeof(pd), "%u", me.pd->handle);
	snprintf(number, sizeof(number), "%u", dm->handle);
	pid = fork();
	VT_CHECK(pid >= 0);
	if (!pid) {
		execl("/proc/self/exe", "imports_lent", "--imported", fd, pd,
		      number, NULL);
		_exit(99);
	}
	VT_EQUAL(waitpid(pid, &status, 0), pid);
	VT_EQUAL(status, 0);
	VT_EQUAL(ibv_memcpy_from_dm(data, dm, 0, sizeof(data)), 0);
	vt_check_fill(data, sizeof(data), 11, "what the program stored");
	VT_EQUAL(ibv_free_dm(dm), 0);
	VT_EQUAL(ibv_dealloc_pd(me.pd), 0);
	VT_EQUAL(ibv_close_device(me.context), 0);
}

static const struct vt_case cases[] = {
	VT_CASE(keys_are_the_owners),
	VT_CASE(device_memory_is_source_and_target),
	VT_CASE(private_memory_is_source_and_target),
	VT_CASE(own_regions_work_in_the_imported_domain),
	VT_CASE(device_memory_is_the_same_for_both),
	VT_CASE(what_is_not_there_is_refused),
	VT_CASE(two_importers_do_not_disturb_each_other),
	VT_CASE(another_users_device_is_refused),
	VT_CASE(a_started_program_inherits_it),
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "--imported"))
		return imported_by_exec(argv);
	return vt_main(argc, argv, cases);
}
