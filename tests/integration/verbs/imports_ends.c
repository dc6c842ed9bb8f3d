/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Importing from another process: what ends when, and for whom, by the hand of
 * the owner, of the importer, or of the kernel.
 */
#include <signal.h>
#include <sys/wait.h>

#include "imports_vt.h"

static void wait_until_dead(struct vt_peer *peer, int signal_number)
{
	int status;

	VT_EQUAL(kill(peer->pid, signal_number), 0);
	VT_EQUAL(waitpid(peer->pid, &status, 0), peer->pid);
	close(peer->fd);
}

/* What an importer has stays his, and nobody else gets its place. */
static void device_memory_outlives_its_end(void)
{
	uint8_t data[BYTES];
	struct ibv_dm *dm;

	start(false);
	dm = ibv_import_dm(me.context, has.spare_dm);
	VT_CHECK(dm);
	vt_fill(data, BYTES, 1);
	VT_EQUAL(ASK(owner, FREE_DM), 0);
	VT_EQUAL(ASK(owner, FREE_DM), 0);
	VT_EQUAL(ibv_memcpy_to_dm(dm, 0, data, BYTES), 0);
	VT_EQUAL(ASK(owner, FREE_DM), 0);
	VT_EQUAL(ibv_memcpy_from_dm(data, dm, 0, BYTES), 0);
	vt_check_fill(data, BYTES, 1, "device memory");
	VT_EQUAL(ASK(owner, CLOSE), 0);
	VT_EQUAL(ibv_memcpy_from_dm(data, dm, 0, BYTES), 0);
	vt_check_fill(data, BYTES, 1, "device memory");
	ibv_unimport_dm(dm);
	stop();
}

static void check_refused(void)
{
	VT_EQUAL(post(IBV_WR_SEND, has.rkey, has.iova, 64, 0, 0),
		 IBV_WC_LOC_PROT_ERR);
	connect_third();
	VT_EQUAL(ASK(third, WRITE, 1, 64, has.iova, has.rkey),
		 IBV_WC_REM_ACCESS_ERR);
	connect_third();
}

static void check_own(uint64_t seed)
{
	VT_EQUAL(ASK(third, WRITE, seed, BYTES, (uintptr_t)my_buffer,
		     my_mr->rkey), IBV_WC_SUCCESS);
	vt_check_fill(my_buffer, BYTES, seed, "what was written");
}

static void a_region_ends_when_its_owner_ends_it(void)
{
	start(false);
	check_sends(1, 64);
	VT_EQUAL(ibv_dereg_mr(me.mr), EOPNOTSUPP);
	VT_EQUAL(ASK(owner, END_MR), 0);
	check_refused();
	VT_CHECK(!ibv_import_mr(me.pd, has.mr));
	VT_EQUAL(errno, EINVAL);
	check_own(2);
	stop_importing();
	end_peer(&third);
	wait_until_dead(&owner, SIGKILL);
}

static void a_region_that_changes_is_to_be_imported_anew(void)
{
	start(false);
	VT_EQUAL(ASK(owner, REREG), 0);
	check_refused();
	ibv_unimport_mr(me.mr);
	me.mr = ibv_import_mr(me.pd, has.mr);
	VT_CHECK(me.mr);
	VT_EQUAL(me.mr->rkey, has.rkey);
	check_sends(3, 64);
	VT_EQUAL(ASK(third, WRITE, 1, 64, has.iova, has.rkey),
		 IBV_WC_REM_ACCESS_ERR); /* the right was taken away */
	stop();
}

static void unimporting_ends_it_for_the_importer_alone(void)
{
	struct ibv_mr *again;

	start(false);
	again = ibv_import_mr(me.pd, has.mr);
	VT_CHECK(again);
	ibv_unimport_mr(again);
	check_sends(1, 64); /* it is imported still */
	ibv_unimport_mr(me.mr);
	me.mr = my_mr; /* to meet with */
	check_refused();
	VT_EQUAL(ASK(owner, FILL, 5, BYTES), 0);
	VT_EQUAL(ASK(owner, CHECK, 5, BYTES), 0);
	me.mr = ibv_import_mr(me.pd, has.mr);
	VT_CHECK(me.mr);
	check_all(300);
	stop();
}

static void a_dead_owners_device_is_gone(void)
{
	start_owner(false);
	wait_until_dead(&owner, SIGKILL);
	REFUSED(ibv_import_device(device_fd), ENODEV);
}

static void a_closed_device_is_gone(void)
{
	start_owner(false);
	VT_EQUAL(ASK(owner, CLOSE), 0);
	REFUSED(ibv_import_device(device_fd), ENODEV);
	wait_until_dead(&owner, SIGKILL);
}

/* Its end is noticed within a second, and by the next use of what it had. */
static void wait_for_revocation(void)
{
	struct vt_patience patience = vt_patience(20000);
	uint64_t status;

	do {
		VT_CHECK(!vt_patience_ends(&patience));
		usleep(1000);
		status = ASK(third, WRITE, 1, 64, has.iova, has.rkey);
	} while (status == IBV_WC_SUCCESS);
	VT_EQUAL(status, IBV_WC_REM_ACCESS_ERR);
	connect_third();
	check_refused();
}

static void an_owner_that_dies_takes_its_regions_along(void)
{
	start(false);
	check_sends(1, 64);
	wait_until_dead(&owner, SIGKILL);
	wait_for_revocation();
	check_own(2);
	REFUSED(ibv_import_pd(me.context, has.spare_pd), EIO);
	REFUSED(ibv_import_mr(me.pd, has.mr), EIO);
	REFUSED(ibv_import_dm(me.context, has.dm), EIO);
	stop_importing();
	end_peer(&third);
}

static void an_owner_may_close_first(void)
{
	start(true);
	check_sends(1, 64);
	VT_EQUAL(ASK(owner, CLOSE), 0);
	check_refused(); /* at once */
	check_own(2);
	stop();
}

static void run_importer(int fd, void *unused)
{
	(void)unused;
	device_fd = receive_descriptor(fd);
	vt_hear(fd, &has, sizeof(has));
	import();
	VT_CHECK(ibv_import_dm(me.context, has.spare_dm));
	vt_sync(fd);
	for (;;)
		pause();
}

static struct vt_peer start_importer(void)
{
	struct vt_peer importer = vt_fork(run_importer, NULL);

	send_descriptor(importer.fd, device_fd);
	vt_tell(importer.fd, &has, sizeof(has));
	vt_sync(importer.fd);
	return importer;
}

/* The owner, and another importer, go on. */
static void an_importer_that_dies_leaves_nothing(void)
{
	struct vt_peer importer;

	start_owner(false);
	importer = start_importer();
	wait_until_dead(&importer, SIGKILL);
	third = vt_fork(run_third, NULL);
	import();
	connect_third();
	check_all(500);
	VT_EQUAL(ASK(owner, FREE_DM), 0);
	stop_importing();
	end_peer(&third);
	VT_EQUAL(ASK(owner, END_MR), 0);
	VT_EQUAL(ASK(owner, FREE_DM), 0);
	end_peer(&owner);
}

/* As long as it may be storing, the memory is not given back. */
static void a_stopped_importer_keeps_the_region(void)
{
	struct vt_peer importer;
	int status;

	start_owner(false);
	importer = start_importer();
	VT_EQUAL(kill(importer.pid, SIGSTOP), 0);
	VT_EQUAL(waitpid(importer.pid, &status, WUNTRACED), importer.pid);
	VT_EQUAL(ASK(owner, END_MR), EBUSY);
	VT_EQUAL(ASK(owner, FILL, 1, BYTES), 0);
	VT_EQUAL(kill(importer.pid, SIGCONT), 0);
	VT_EQUAL(ASK(owner, END_MR), 0);
	wait_until_dead(&importer, SIGKILL);
	wait_until_dead(&owner, SIGKILL);
}

static void ends_and_imports_meet_at_any_time(void)
{
	start(false);
	for (int round = 0; round < 60; round++) {
		VT_EQUAL(ASK(owner, REREG), 0);
		ibv_unimport_mr(me.mr);
		me.mr = ibv_import_mr(me.pd, has.mr);
		VT_CHECK(me.mr);
	}
	check_sends(1, 64);
	stop();
}

static const struct vt_case cases[] = {
	VT_CASE(device_memory_outlives_its_end),
	VT_CASE(a_region_ends_when_its_owner_ends_it),
	VT_CASE(a_region_that_changes_is_to_be_imported_anew),
	VT_CASE(unimporting_ends_it_for_the_importer_alone),
	VT_CASE(a_dead_owners_device_is_gone),
	VT_CASE(a_closed_device_is_gone),
	VT_CASE(an_owner_that_dies_takes_its_regions_along),
	VT_CASE(an_owner_may_close_first),
	VT_CASE(an_importer_that_dies_leaves_nothing),
	VT_CASE(a_stopped_importer_keeps_the_region),
	VT_CASE(ends_and_imports_meet_at_any_time),
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return vt_main(argc, argv, cases);
}
