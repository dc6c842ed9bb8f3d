/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* standin/tree.c and what it is made of: the sysfs tree. */
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tree.h"
#include "tree_build.h"
#include "tree_port.h"

#define DEVICE "/class/infiniband/arnica0"

struct fixture {
	struct arnica_bus_identity identity;
	char root[STANDIN_ROOT_BYTES];
};

static int setup(void **state)
{
	static const uint8_t gid[16] = {
		[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 7
	};
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct arnica_bus_identity *identity = &fixture->identity;

	identity->node_guid = 0x0123456789abcdefull;
	identity->vendor_id = 0x2a12c;
	identity->vendor_part_id = 1;
	identity->port.version = 1;
	identity->port.state = 4;
	identity->port.phys_state = 5;
	identity->port.active_width = 2;
	identity->port.active_speed = 32;
	identity->port.num_gids = 3;
	memcpy(identity->port.gids[0].raw, gid, sizeof(gid));
	strcpy(identity->port.gids[0].interface_name, "lo");
	memcpy(identity->port.gids[2].raw, gid, sizeof(gid));
	strcpy(identity->device_name, "arnica0");
	strcpy(identity->port.interface_name, "lo");
	strcpy(identity->domain_path, "/tmp/standin-test-XXXXXX");
	if (!mkdtemp(identity->domain_path))
		return -1;
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	standin_build_remove(AT_FDCWD, fixture->identity.domain_path);
	assert_int_equal(access(fixture->identity.domain_path, F_OK), -1);
	free(fixture);
	return 0;
}

static void assert_file(const struct fixture *fixture, const char *path,
			const char *content)
{
	char name[512];
	char text[512];
	ssize_t length;
	int fd;

	snprintf(name, sizeof(name), "%s%s", fixture->root, path);
	fd = open(name, O_RDONLY);
	if (fd < 0)
		fail_msg("%s: %s", name, strerror(errno));
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	assert_true(length >= 0);
	text[length] = '\0';
	assert_string_equal(text, content);
}

static void assert_none(const struct fixture *fixture, const char *path)
{
	char name[512];

	snprintf(name, sizeof(name), "%s%s", fixture->root, path);
	assert_int_equal(access(name, F_OK), -1);
	assert_int_equal(errno, ENOENT);
}

static struct stat status_of(const struct fixture *fixture, const char *path)
{
	char name[512];
	struct stat status;

	snprintf(name, sizeof(name), "%s%s", fixture->root, path);
	if (stat(name, &status))
		fail_msg("%s: %s", name, strerror(errno));
	return status;
}

static void discovery_finds_its_files(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(
		standin_tree_provide(&fixture->identity, fixture->root), 0);
	assert_file(fixture, "/class/infiniband_verbs/abi_version", "6\n");
	assert_file(fixture, "/class/infiniband_verbs/uverbs0/ibdev",
		    "arnica0\n");
	assert_file(fixture, "/class/infiniband_verbs/uverbs0/dev",
		    "231:192\n");
	assert_file(fixture, "/class/infiniband_verbs/uverbs0/device/vendor",
		    "0x2a12c\n");
	assert_file(fixture, DEVICE "/node_type", "1: CA\n");
	assert_file(fixture, DEVICE "/node_guid", "0123:4567:89ab:cdef\n");
	assert_file(fixture, DEVICE "/sys_image_guid", "0123:4567:89ab:cdef\n");
	assert_file(fixture, DEVICE "/device/numa_node", "-1\n");
	assert_file(fixture, DEVICE "/ports/1/state", "4: ACTIVE\n");
	assert_file(fixture, DEVICE "/ports/1/link_layer", "Ethernet\n");
	assert_file(fixture, DEVICE "/ports/1/pkeys/0", "0xffff\n");
	assert_none(fixture, DEVICE "/ports/1/pkeys/1");
	assert_file(fixture, DEVICE "/ports/1/counters/port_xmit_data", "0\n");
	assert_file(fixture, DEVICE "/ports/1/hw_counters/out_of_sequence",
		    "0\n");
	assert_file(fixture, "/class/misc/rdma_cm/abi_version", "4\n");
	assert_file(fixture, "/class/misc/rdma_cm/dev", "10:58\n");
}

static void gid_files_show_the_table_and_its_holes(void **state)
{
	static const char empty[] = "0000:0000:0000:0000:0000:0000:0000:0000\n";
	struct fixture *fixture = *state;

	assert_int_equal(
		standin_tree_provide(&fixture->identity, fixture->root), 0);
	assert_file(fixture, DEVICE "/ports/1/gids/0",
		    "0000:0000:0000:0000:0000:ffff:0a00:0007\n");
	assert_file(fixture, DEVICE "/ports/1/gid_attrs/types/0", "RoCE v2\n");
	assert_file(fixture, DEVICE "/ports/1/gid_attrs/ndevs/0", "lo\n");
	assert_file(fixture, DEVICE "/ports/1/gids/1", empty);
	assert_none(fixture, DEVICE "/ports/1/gid_attrs/types/1");
	/* A GID without an interface. */
	assert_file(fixture, DEVICE "/ports/1/gid_attrs/types/2", "RoCE v2\n");
	assert_none(fixture, DEVICE "/ports/1/gid_attrs/ndevs/2");
	assert_file(fixture, DEVICE "/ports/1/gids/15", empty);
	assert_none(fixture, DEVICE "/ports/1/gids/16");
}

static void the_slot_names_a_network_interface(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(
		standin_tree_provide(&fixture->identity, fixture->root), 0);
	assert_true(S_ISDIR(status_of(fixture, DEVICE "/device/net").st_mode));
	if (access("/sys/class/net/lo", F_OK) == 0)
		assert_true(
			status_of(fixture, DEVICE "/device/net/lo").st_ino == ({
				struct stat status;
				assert_int_equal(
					stat("/sys/class/net/lo", &status), 0);
				status.st_ino;
			}));
}

static struct arnica_bus_port present;
static unsigned int num_asked;

static bool give_port(struct arnica_bus_port *port)
{
	num_asked++;
	if (port->version == present.version)
		return false;
	*port = present;
	return true;
}

static void adapter_of(const struct fixture *fixture,
		       struct standin_adapter *adapter)
{
	memset(adapter, 0, sizeof(*adapter));
	adapter->port_changed = give_port;
	adapter->identity = fixture->identity;
	strcpy(adapter->root, fixture->root);
	present = fixture->identity.port;
	num_asked = 0;
}

static void files_of_the_port_follow_it(void **state)
{
	struct fixture *fixture = *state;
	struct standin_adapter adapter;
	struct stat before, after;

	assert_int_equal(
		standin_tree_provide(&fixture->identity, fixture->root), 0);
	before = status_of(fixture, DEVICE);
	adapter_of(fixture, &adapter);
	present.version = 2;
	present.state = 1;
	present.phys_state = 3;
	present.active_width = 1;
	present.active_speed = 1;
	present.gids[1] = present.gids[0];
	memset(&present.gids[0], 0, sizeof(present.gids[0]));
	strcpy(present.gids[1].interface_name, "nosuch1");
	strcpy(present.interface_name, "nosuch0");
	standin_tree_follow_port(&adapter);
	assert_file(fixture, DEVICE "/ports/1/state", "1: DOWN\n");
	assert_file(fixture, DEVICE "/ports/1/phys_state", "3: Disabled\n");
	assert_file(fixture, DEVICE "/ports/1/rate",
		    "2.5 Gb/sec (1X SDR)\n");
	assert_file(fixture, DEVICE "/ports/1/gids/0",
		    "0000:0000:0000:0000:0000:0000:0000:0000\n");
	assert_none(fixture, DEVICE "/ports/1/gid_attrs/types/0");
	assert_none(fixture, DEVICE "/ports/1/gid_attrs/ndevs/0");
	assert_file(fixture, DEVICE "/ports/1/gids/1",
		    "0000:0000:0000:0000:0000:ffff:0a00:0007\n");
	assert_file(fixture, DEVICE "/ports/1/gid_attrs/types/1", "RoCE v2\n");
	assert_file(fixture, DEVICE "/ports/1/gid_attrs/ndevs/1", "nosuch1\n");
	assert_true(S_ISDIR(
		status_of(fixture, DEVICE "/device/net/nosuch0").st_mode));
	assert_none(fixture, DEVICE "/device/net/lo");
	/* libibverbs takes a device with another time for another device. */
	after = status_of(fixture, DEVICE);
	assert_memory_equal(&before.st_mtim, &after.st_mtim,
			    sizeof(before.st_mtim));
	/* And nothing is written when nothing has changed. */
	num_asked = 0;
	before = status_of(fixture, DEVICE "/ports/1/state");
	standin_tree_follow_port(&adapter);
	assert_int_equal(num_asked, 1);
	assert_int_equal(status_of(fixture, DEVICE "/ports/1/state").st_ino,
			 before.st_ino);
	present.version = 3;
	strcpy(present.interface_name, "lo");
	standin_tree_follow_port(&adapter);
	assert_none(fixture, DEVICE "/device/net/nosuch0");
	(void)status_of(fixture, DEVICE "/device/net/lo");
}

static void rates_are_named_as_a_kernel_names_them(void **state)
{
	static const struct {
		uint32_t width, speed;
		const char *text;
	} rates[] = {
		{ 1, 8, "10 Gb/sec (1X FDR10)\n" },
		{ 1, 32, "25 Gb/sec (1X EDR)\n" },
		{ 2, 32, "100 Gb/sec (4X EDR)\n" },
		{ 2, 2, "20 Gb/sec (4X DDR)\n" },
		{ 4, 128, "800 Gb/sec (8X NDR)\n" },
	};
	struct fixture *fixture = *state;
	struct standin_adapter adapter;
	size_t i;

	assert_int_equal(
		standin_tree_provide(&fixture->identity, fixture->root), 0);
	adapter_of(fixture, &adapter);
	for (i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		present.version++;
		present.active_width = rates[i].width;
		present.active_speed = rates[i].speed;
		standin_tree_follow_port(&adapter);
		assert_file(fixture, DEVICE "/ports/1/rate", rates[i].text);
	}
}

static void a_killed_update_is_done_again(void **state)
{
	struct fixture *fixture = *state;
	struct standin_adapter adapter;
	char name[512];
	int fd;

	assert_int_equal(
		standin_tree_provide(&fixture->identity, fixture->root), 0);
	adapter_of(fixture, &adapter);
	/* It was killed after it began: a file on its way, the old stamp. */
	snprintf(name, sizeof(name), "%s/.new", fixture->root);
	fd = open(name, O_WRONLY | O_CREAT, 0400);
	assert_true(fd >= 0);
	close(fd);
	present.version = 9;
	present.state = 1;
	standin_tree_follow_port(&adapter);
	assert_file(fixture, DEVICE "/ports/1/state", "1: DOWN\n");
	assert_int_equal(access(name, F_OK), -1);
	/* Or without any stamp. */
	snprintf(name, sizeof(name), "%s/.port", fixture->root);
	assert_int_equal(unlink(name), 0);
	present.state = 4;
	standin_tree_follow_port(&adapter);
	assert_file(fixture, DEVICE "/ports/1/state", "4: ACTIVE\n");
}

static void the_same_identity_has_the_same_tree(void **state)
{
	struct fixture *fixture = *state;
	char again[STANDIN_ROOT_BYTES];
	struct stat before;
	struct stat after;

	assert_int_equal(
		standin_tree_provide(&fixture->identity, fixture->root), 0);
	before = status_of(fixture, DEVICE);
	/* What is behind a string's end is no part of the identity. */
	fixture->identity.device_name[20] = 'x';
	assert_int_equal(standin_tree_provide(&fixture->identity, again), 0);
	assert_string_equal(again, fixture->root);
	after = status_of(fixture, DEVICE);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_memory_equal(&before.st_mtim, &after.st_mtim,
			    sizeof(before.st_mtim));
}

static void another_identity_has_another_tree_and_time(void **state)
{
	struct fixture *fixture = *state;
	struct arnica_bus_identity *identity = &fixture->identity;
	uint64_t hash = standin_tree_hash(identity);
	struct timespec before;

	assert_int_equal(standin_tree_provide(identity, fixture->root), 0);
	before = status_of(fixture, DEVICE).st_mtim;
	identity->port.gids[0].raw[15]++;
	assert_true(standin_tree_hash(identity) == hash);
	identity->node_guid++;
	assert_true(standin_tree_hash(identity) != hash);
	assert_int_equal(standin_tree_provide(identity, fixture->root), 0);
	assert_true(status_of(fixture, DEVICE).st_mtim.tv_nsec !=
		    before.tv_nsec);
}

static unsigned int num_entries(const char *path)
{
	DIR *folder = opendir(path);
	unsigned int count = 0;

	while (readdir(folder))
		count++;
	closedir(folder);
	return count - 2;
}

static void processes_that_build_at_once_agree(void **state)
{
	struct fixture *fixture = *state;
	int status;
	int i;

	for (i = 0; i < 8; i++) {
		if (!fork())
			_exit(standin_tree_provide(&fixture->identity,
						   fixture->root));
	}
	for (i = 0; i < 8; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(num_entries(fixture->identity.domain_path), 1);
}

static void what_a_killed_builder_left_is_removed(void **state)
{
	struct fixture *fixture = *state;
	const struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
	char left[256];
	char young[256];

	snprintf(left, sizeof(left), "%s/.sysfs-abc",
		 fixture->identity.domain_path);
	snprintf(young, sizeof(young), "%s/.sysfs-def",
		 fixture->identity.domain_path);
	assert_int_equal(mkdir(left, 0755), 0);
	assert_int_equal(mkdir(young, 0755), 0);
	assert_int_equal(utimensat(AT_FDCWD, left, old, 0), 0);
	assert_int_equal(
		standin_tree_provide(&fixture->identity, fixture->root), 0);
	assert_int_equal(access(left, F_OK), -1);
	assert_int_equal(access(young, F_OK), 0);
}

static void a_strict_umask_does_not_hide_the_tree(void **state)
{
	struct fixture *fixture = *state;
	mode_t before = umask(0777);
	int error = standin_tree_provide(&fixture->identity, fixture->root);

	umask(before);
	assert_int_equal(error, 0);
	assert_int_equal(status_of(fixture, DEVICE "/ports").st_mode & 0777,
			 0755);
	assert_int_equal(status_of(fixture, DEVICE "/node_type").st_mode & 0777,
			 0444);
	assert_int_equal(status_of(fixture, "/dev/infiniband/uverbs0").st_mode &
				 0777,
			 0666);
}

static void a_folder_that_cannot_be_written_is_an_error(void **state)
{
	struct fixture *fixture = *state;
	struct arnica_bus_identity identity = fixture->identity;
	char root[STANDIN_ROOT_BYTES];

	strcat(identity.domain_path, "/nosuch");
	assert_int_equal(standin_tree_provide(&identity, root), ENOENT);
}

int main(void)
{
#define TREE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TREE_TEST(discovery_finds_its_files),
		TREE_TEST(gid_files_show_the_table_and_its_holes),
		TREE_TEST(the_slot_names_a_network_interface),
		TREE_TEST(files_of_the_port_follow_it),
		TREE_TEST(rates_are_named_as_a_kernel_names_them),
		TREE_TEST(a_killed_update_is_done_again),
		TREE_TEST(the_same_identity_has_the_same_tree),
		TREE_TEST(another_identity_has_another_tree_and_time),
		TREE_TEST(processes_that_build_at_once_agree),
		TREE_TEST(what_a_killed_builder_left_is_removed),
		TREE_TEST(a_strict_umask_does_not_hide_the_tree),
		TREE_TEST(a_folder_that_cannot_be_written_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
