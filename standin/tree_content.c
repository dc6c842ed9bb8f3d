/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The tree, relative to its root:
 *
 *   class/infiniband/arnica0        -> the device below, as in a real sysfs
 *   class/infiniband_verbs/uverbs0  -> likewise
 *   class/misc/rdma_cm/             dev, abi_version
 *   dev/infiniband/uverbs0, rdma_cm what a listing of /dev/infiniband shows
 *   devices/platform/arnica.0/      the "slot": vendor, device, numa_node, net/
 *      infiniband/arnica0/          node_guid, ports/1/..., device -> slot
 *      infiniband_verbs/uverbs0/    dev, ibdev, abi_version, device -> slot
 */
#include "tree_content.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "device_file.h"
#include "manager/files.h"
#include "tree_port.h"

#define STANDIN_UVERBS STANDIN_SLOT "/infiniband_verbs/uverbs0"
#define STANDIN_ZERO "0\n"

static const char *const standin_counters[] = {
	"counters/VL15_dropped",
	"counters/excessive_buffer_overrun_errors",
	"counters/link_downed",
	"counters/link_error_recovery",
	"counters/local_link_integrity_errors",
	"counters/multicast_rcv_packets",
	"counters/multicast_xmit_packets",
	"counters/port_rcv_constraint_errors",
	"counters/port_rcv_data",
	"counters/port_rcv_errors",
	"counters/port_rcv_packets",
	"counters/port_rcv_remote_physical_errors",
	"counters/port_rcv_switch_relay_errors",
	"counters/port_xmit_constraint_errors",
	"counters/port_xmit_data",
	"counters/port_xmit_discards",
	"counters/port_xmit_packets",
	"counters/port_xmit_wait",
	"counters/symbol_error",
	"counters/unicast_rcv_packets",
	"counters/unicast_xmit_packets",
	"hw_counters/duplicate_request",
	"hw_counters/implied_nak_seq_err",
	"hw_counters/lifespan",
	"hw_counters/local_ack_timeout_err",
	"hw_counters/np_cnp_sent",
	"hw_counters/np_ecn_marked_roce_packets",
	"hw_counters/out_of_buffer",
	"hw_counters/out_of_sequence",
	"hw_counters/packet_seq_err",
	"hw_counters/req_cqe_error",
	"hw_counters/req_cqe_flush_error",
	"hw_counters/req_remote_access_errors",
	"hw_counters/req_remote_invalid_request",
	"hw_counters/resp_cqe_error",
	"hw_counters/resp_cqe_flush_error",
	"hw_counters/resp_local_length_error",
	"hw_counters/resp_remote_access_errors",
	"hw_counters/rnr_nak_retry_err",
	"hw_counters/rp_cnp_handled",
	"hw_counters/rp_cnp_ignored",
	"hw_counters/rx_atomic_requests",
	"hw_counters/rx_icrc_encapsulated",
	"hw_counters/rx_read_requests",
	"hw_counters/rx_write_requests",
};

static const struct {
	const char *name;
	const char *content;
} standin_port_files[] = {
	{ "link_layer", "Ethernet\n" },
	{ "lid", "0x0\n" },
	{ "lid_mask_count", "0\n" },
	{ "sm_lid", "0x0\n" },
	{ "sm_sl", "0\n" },
	{ "cap_mask", "0x04010000\n" },
	{ "has_smi", "0\n" },
	{ "pkeys/0", "0xffff\n" },
};

static void standin_put_link(struct standin_build *build, const char *folder,
			     const char *name, const char *target)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	standin_build_symlink(build, path, target);
}

/* "xxxx:xxxx:xxxx:xxxx", most significant first. */
static void standin_put_guid(struct standin_build *build, const char *folder,
			     const char *name, uint64_t guid)
{
	char text[32];

	snprintf(text, sizeof(text), "%04x:%04x:%04x:%04x\n",
		 (unsigned int)(guid >> 48 & 0xffff),
		 (unsigned int)(guid >> 32 & 0xffff),
		 (unsigned int)(guid >> 16 & 0xffff),
		 (unsigned int)(guid & 0xffff));
	standin_build_text(build, folder, name, text);
}

/* All counters are one file: they stay zero, and a tree has many. */
static void standin_put_counters(struct standin_build *build, const char *port)
{
	const size_t num_counters = sizeof(standin_counters) /
				    sizeof(*standin_counters);
	char first[PATH_MAX];
	char path[PATH_MAX];
	size_t i;

	snprintf(first, sizeof(first), "%s/%s", port, standin_counters[0]);
	standin_build_file(build, first, STANDIN_ZERO);
	for (i = 1; i < num_counters; i++) {
		snprintf(path, sizeof(path), "%s/%s", port,
			 standin_counters[i]);
		standin_build_same(build, path, first, STANDIN_ZERO);
	}
}

static void standin_put_port(struct standin_build *build, const char *device)
{
	char port[PATH_MAX / 2];
	size_t i;

	snprintf(port, sizeof(port), "%s/ports/1", device);
	standin_build_folder(build, device);
	for (i = 0;
	     i < sizeof(standin_port_files) / sizeof(*standin_port_files); i++)
		standin_build_text(build, port, standin_port_files[i].name,
				   standin_port_files[i].content);
	standin_put_counters(build, port);
}

static void standin_put_device(struct standin_build *build, const char *device,
			       const struct arnica_bus_identity *identity)
{
	standin_build_text(build, device, "node_type", "1: CA\n");
	standin_put_guid(build, device, "node_guid", identity->node_guid);
	standin_put_guid(build, device, "sys_image_guid", identity->node_guid);
	standin_build_text(build, device, "node_desc",
			   "arnica emulated adapter\n");
	standin_build_text(build, device, "fw_ver", "1.0.0\n");
	standin_build_text(build, device, "hca_type", "arnica\n");
	standin_build_text(build, device, "hw_rev", "0x1\n");
	standin_build_text(build, device, "board_id", "ARNICA00001\n");
	standin_put_link(build, device, "device", "../../../arnica.0");
	standin_put_port(build, device);
}

static void standin_put_uverbs(struct standin_build *build, const char *name)
{
	char text[64];

	standin_build_text(build, STANDIN_UVERBS, "ibdev", name);
	snprintf(text, sizeof(text), "%u:%u\n", STANDIN_DEVICE_MAJOR,
		 STANDIN_DEVICE_MINOR);
	standin_build_text(build, STANDIN_UVERBS, "dev", text);
	standin_build_text(build, STANDIN_UVERBS, "abi_version", "1\n");
	snprintf(text, sizeof(text),
		 "MAJOR=%u\nMINOR=%u\nDEVNAME=infiniband/uverbs0\n",
		 STANDIN_DEVICE_MAJOR, STANDIN_DEVICE_MINOR);
	standin_build_text(build, STANDIN_UVERBS, "uevent", text);
	standin_put_link(build, STANDIN_UVERBS, "device", "../../../arnica.0");
}

static void standin_put_manager(struct standin_build *build)
{
	standin_build_file(build, "class/misc/rdma_cm/abi_version", "%u\n",
			   RDMA_USER_CM_ABI_VERSION);
	standin_build_file(build, "class/misc/rdma_cm/dev", "%u:%u\n",
			   STANDIN_CM_MAJOR, STANDIN_CM_MINOR);
	standin_build_file(build, "class/misc/rdma_cm/uevent",
			   "MAJOR=%u\nMINOR=%u\nDEVNAME=infiniband/rdma_cm\n",
			   STANDIN_CM_MAJOR, STANDIN_CM_MINOR);
	standin_build_node(build, "dev/infiniband/rdma_cm");
}

static void standin_put_slot(struct standin_build *build,
			     const struct arnica_bus_identity *identity)
{
	standin_build_file(build, STANDIN_SLOT "/vendor", "0x%04x\n",
			   identity->vendor_id);
	standin_build_file(build, STANDIN_SLOT "/device", "0x%04x\n",
			   identity->vendor_part_id);
	standin_build_file(build, STANDIN_SLOT "/subsystem_vendor", "0x%04x\n",
			   identity->vendor_id);
	standin_build_file(build, STANDIN_SLOT "/subsystem_device", "0x%04x\n",
			   identity->vendor_part_id);
	/* Serial bus controller, InfiniBand. */
	standin_build_file(build, STANDIN_SLOT "/class", "0x0c0600\n");
	standin_build_file(build, STANDIN_SLOT "/revision", "0x01\n");
	standin_build_file(build, STANDIN_SLOT "/numa_node", "-1\n");
	standin_build_file(build, STANDIN_SLOT "/modalias",
			   "platform:arnica\n");
	standin_build_file(build, STANDIN_SLOT "/uevent",
			   "DRIVER=arnica\nMODALIAS=platform:arnica\n");
}

void standin_tree_fill(struct standin_build *build,
		       const struct arnica_bus_identity *identity,
		       uint64_t stamp)
{
	/* Some second long past; the fraction is the identity's. */
	const struct timespec when = { 1500000000,
				       (long)(stamp % 1000000000u) };
	char device[PATH_MAX / 4];
	char target[PATH_MAX / 2];
	char name[40];

	snprintf(name, sizeof(name), "%.31s\n", identity->device_name);
	snprintf(device, sizeof(device), "%s/infiniband/%.31s", STANDIN_SLOT,
		 identity->device_name);
	standin_put_slot(build, identity);
	standin_put_device(build, device, identity);
	standin_tree_put_port(build, identity->device_name, &identity->port);
	standin_put_uverbs(build, name);
	standin_build_node(build, "dev/infiniband/uverbs0");
	standin_put_manager(build);

	standin_build_file(build, "class/infiniband_verbs/abi_version", "6\n");
	standin_build_symlink(build, "class/infiniband_verbs/uverbs0",
			      "../../" STANDIN_UVERBS);
	snprintf(target, sizeof(target), "../../%s", device);
	snprintf(device, sizeof(device), "class/infiniband/%.31s",
		 identity->device_name);
	standin_build_symlink(build, device, target);
	standin_build_time(build, device, when);
}
