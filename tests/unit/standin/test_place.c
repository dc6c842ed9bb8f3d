/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * standin/place.c: from a path to its place, with a fake adapter beside this
 * program.
 */
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "place.h"
#include "tree_build.h"

static char domain[] = "/tmp/standin-place-XXXXXX";
static const struct standin_adapter *adapter;

static int start(void **state)
{
	(void)state;
	if (!mkdtemp(domain))
		return -1;
	setenv("FAKE_DOMAIN", domain, 1);
	return standin_adapter_get(&adapter);
}

static int finish(void **state)
{
	(void)state;
	standin_build_remove(AT_FDCWD, domain);
	return 0;
}

static void assert_place(int folder, const char *path,
			 enum standin_place_kind kind, const char *below)
{
	struct standin_place place;
	char expected[PATH_MAX];

	assert_int_equal(standin_place_find(folder, path, &place), 0);
	assert_int_equal(place.kind, kind);
	snprintf(expected, sizeof(expected), "%s%s",
		 kind == STANDIN_PLACE_FOREIGN ? "" : adapter->root, below);
	assert_string_equal(place.path, expected);
}

static void absolute_paths_have_their_place(void **state)
{
	(void)state;
	assert_place(AT_FDCWD, "/sys/class/infiniband_verbs/uverbs0/dev",
		     STANDIN_PLACE_TREE, "/class/infiniband_verbs/uverbs0/dev");
	assert_place(AT_FDCWD, "/sys/class/infiniband", STANDIN_PLACE_TREE,
		     "/class/infiniband");
	assert_place(3, "/dev/infiniband", STANDIN_PLACE_TREE,
		     "/dev/infiniband");
	assert_place(AT_FDCWD, "/dev/infiniband/uverbs0", STANDIN_PLACE_DEVICE,
		     "/dev/infiniband/uverbs0");
	assert_place(AT_FDCWD, "/dev/infiniband/rdma_cm", STANDIN_PLACE_MANAGER,
		     "/dev/infiniband/rdma_cm");
	assert_place(AT_FDCWD, "/dev/infiniband/rdma_cmx", STANDIN_PLACE_TREE,
		     "/dev/infiniband/rdma_cmx");
	assert_place(AT_FDCWD, "/etc/passwd", STANDIN_PLACE_FOREIGN,
		     "/etc/passwd");
}

static void dot_dot_is_ours_where_the_tree_has_it(void **state)
{
	(void)state;
	/* From the device's real folder, one up is the slot's. */
	assert_place(AT_FDCWD, "/sys/class/infiniband/arnica0/../arnica0/ports",
		     STANDIN_PLACE_TREE,
		     "/class/infiniband/arnica0/../arnica0/ports");
	assert_place(AT_FDCWD, "/sys/class/infiniband/../net",
		     STANDIN_PLACE_FOREIGN, "/sys/class/infiniband/../net");
	assert_place(AT_FDCWD, "/dev/infiniband/../null", STANDIN_PLACE_FOREIGN,
		     "/dev/infiniband/../null");
}

static void relative_paths_are_looked_up_from_their_folder(void **state)
{
	int class = open("/sys/class", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int dev = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char path[PATH_MAX];
	int devices;

	(void)state;
	assert_place(class, "infiniband/arnica0", STANDIN_PLACE_TREE,
		     "/class/infiniband/arnica0");
	assert_place(class, "misc/rdma_cm", STANDIN_PLACE_TREE,
		     "/class/misc/rdma_cm");
	assert_place(dev, "infiniband/uverbs0", STANDIN_PLACE_DEVICE,
		     "/dev/infiniband/uverbs0");
	assert_place(dev, "uverbs0", STANDIN_PLACE_FOREIGN, "uverbs0");
	assert_place(-1, "infiniband", STANDIN_PLACE_FOREIGN, "infiniband");
	assert_place(AT_FDCWD, "infiniband", STANDIN_PLACE_FOREIGN,
		     "infiniband");
	snprintf(path, sizeof(path), "%s/dev/infiniband", adapter->root);
	devices = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_place(devices, "uverbs0", STANDIN_PLACE_DEVICE,
		     "/dev/infiniband/uverbs0");
	assert_place(devices, "uverbs1", STANDIN_PLACE_FOREIGN, "uverbs1");
	assert_place(devices, "rdma_cm", STANDIN_PLACE_MANAGER,
		     "/dev/infiniband/rdma_cm");
	assert_place(dev, "rdma_cm", STANDIN_PLACE_FOREIGN, "rdma_cm");
	close(devices);
	close(class);
	close(dev);
}

static void a_path_that_is_too_long_is_an_error(void **state)
{
	struct standin_place place;
	char path[2 * PATH_MAX];

	(void)state;
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	memcpy(path, "/sys/class/infiniband/", 22);
	assert_int_equal(standin_place_find(AT_FDCWD, path, &place),
			 ENAMETOOLONG);
}

static void a_look_at_the_tree_brings_it_up_to_date(void **state)
{
	static const char gid[] = "/sys/class/infiniband/arnica0/ports/1/gids/0";
	struct standin_place place;
	char text[64] = "";
	int fd;

	(void)state;
	setenv("FAKE_PORT", "34", 1);
	assert_int_equal(standin_place_find(AT_FDCWD, gid, &place), 0);
	unsetenv("FAKE_PORT");
	fd = open(place.path, O_RDONLY);
	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	assert_string_equal(text, "fe80:0000:0000:0000:0000:00ff:fe00:0022\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(absolute_paths_have_their_place),
		cmocka_unit_test(dot_dot_is_ours_where_the_tree_has_it),
		cmocka_unit_test(
			relative_paths_are_looked_up_from_their_folder),
		cmocka_unit_test(a_path_that_is_too_long_is_an_error),
		cmocka_unit_test(a_look_at_the_tree_brings_it_up_to_date),
	};

	return cmocka_run_group_tests(tests, start, finish);
}
