/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Captures: the file, and the packets of the wire in it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "capture_reader.h"
#include "core/function.h"
#include "link/capture.h"
#include "link/wire_ops.h"

static char folder[64], file[128];
static struct adev_function fn, other;

/* 10.0.0.1 to 10.0.0.2, and fd00::1 to fd00::2. */
static const struct adev_path ipv4 = {
	.source = { [10] = 0xff, 0xff, 10, 0, 0, 1 },
	.destination = { [10] = 0xff, 0xff, 10, 0, 0, 2 },
	.source_port = 50001,
	.traffic_class = 0x6a,
	.hop_limit = 7,
};
static const struct adev_path ipv6 = {
	.source = { 0xfd, [15] = 1 },
	.destination = { 0xfd, [15] = 2 },
	.source_port = 50002,
	.flow_label = 0x12345,
	.traffic_class = 0xc3,
};

static int setup(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/arnica-test-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(file, sizeof(file), "%s/file.pcapng", folder);
	setenv("ARNICA_PCAP", file, 1);
	memset(&fn, 0, sizeof(fn));
	memset(&other, 0, sizeof(other));
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	adev_capture_close(&fn);
	adev_capture_close(&other);
	unsetenv("ARNICA_PCAP");
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

/* An RDMA WRITE of `bytes` bytes, sealed. */
static uint32_t make(const struct adev_path *path, uint16_t ip_id,
		     uint32_t bytes, uint8_t *packet)
{
	const struct roce_packet roce = {
		.opcode = ROCE_WRITE_ONLY,
		.pkey = ROCE_DEFAULT_PKEY,
		.dest_qpn = 0x123456,
		.psn = 77,
		.payload_bytes = bytes,
	};
	struct roce_envelope envelope = {
		.source_port = path->source_port,
		.destination_port = 4791,
		.ip_id = ip_id,
		.dont_fragment = true,
	};
	uint32_t length = roce_packet_bytes(roce.opcode, bytes);

	memcpy(envelope.source, path->source, 16);
	memcpy(envelope.destination, path->destination, 16);
	memset(packet, 0x5a, length);
	(void)roce_emit(&roce, packet);
	roce_icrc_seal(&envelope, packet, length);
	return length;
}

static void sent(struct adev_function *by, const struct adev_path *path,
		 uint8_t *packet, uint32_t length, uint16_t ip_id)
{
	const struct adev_frame frame = {
		.bytes = packet,
		.length = length,
		.ip_id = ip_id,
		.source_port = path->source_port,
		.path = path,
	};

	adev_capture_sent(by->capture, &frame, 1);
}

static void received(const struct adev_path *path, const void *packet,
		     uint32_t length)
{
	const struct adev_datagram datagram = { .bytes = packet,
						.length = length,
						.path = *path };

	adev_capture_received(fn.capture, &datagram, 1);
}

static void without_the_variable_there_is_no_capture(void **state)
{
	(void)state;
	unsetenv("ARNICA_PCAP");
	assert_int_equal(adev_capture_open(&fn), 0);
	assert_null(fn.capture);
	setenv("ARNICA_PCAP", "", 1);
	assert_int_equal(adev_capture_open(&fn), 0);
	assert_null(fn.capture);
}

static void packets_of_both_families_are_as_they_were(void **state)
{
	uint8_t packet[256];
	uint32_t length;

	(void)state;
	assert_int_equal(adev_capture_open(&fn), 0);
	length = make(&ipv4, 3, 101, packet);
	sent(&fn, &ipv4, packet, length, 3);
	length = make(&ipv6, 0, 64, packet);
	sent(&fn, &ipv6, packet, length, 0);
	reader_read(file);
	assert_int_equal(reader.num_packets, 2);
	for (uint32_t i = 0; i < 2; i++) {
		assert_true(reader.packets[i].outbound);
		assert_false(reader.packets[i].crc_error);
		assert_true(reader.packets[i].icrc_right);
		assert_int_equal(reader.packets[i].roce.dest_qpn, 0x123456);
	}
	assert_false(reader.packets[0].ipv6);
	assert_int_equal(reader.packets[0].traffic_class, 0x6a);
	assert_int_equal(reader.packets[0].hop_limit, 7);
	assert_int_equal(reader.packets[0].envelope.ip_id, 3);
	assert_int_equal(reader.packets[0].envelope.source_port, 50001);
	assert_int_equal(reader.packets[0].roce.payload_bytes, 101);
	assert_true(reader.packets[1].ipv6);
	assert_int_equal(reader.packets[1].traffic_class, 0xc3);
	assert_int_equal(reader.packets[1].hop_limit, 64);
}

static void arrivals_get_the_identification_that_makes_them_right(void **state)
{
	uint8_t packet[256];
	uint32_t length = make(&ipv4, 0xbeef, 8, packet);

	(void)state;
	assert_int_equal(adev_capture_open(&fn), 0);
	received(&ipv4, packet, length);
	reader_read(file);
	assert_int_equal(reader.num_packets, 1);
	assert_false(reader.packets[0].outbound);
	assert_false(reader.packets[0].crc_error);
	assert_int_equal(reader.packets[0].envelope.ip_id, 0xbeef);
	assert_true(reader.packets[0].icrc_right);
}

static void damaged_arrivals_are_kept_and_marked(void **state)
{
	uint8_t packet[256];
	uint32_t length = make(&ipv6, 0, 8, packet);

	(void)state;
	assert_int_equal(adev_capture_open(&fn), 0);
	packet[20] ^= 4;
	received(&ipv6, packet, length);
	received(&ipv6, "abc", 3);
	received(&ipv4, "", 0);
	reader_read(file);
	assert_int_equal(reader.num_packets, 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_true(reader.packets[i].crc_error);
	assert_int_equal(reader.packets[1].udp_bytes, 3);
	assert_int_equal(reader.packets[2].udp_bytes, 0);
}

static void functions_of_a_process_share_the_file(void **state)
{
	uint8_t packet[256];
	uint32_t length = make(&ipv6, 0, 8, packet);

	(void)state;
	assert_int_equal(adev_capture_open(&fn), 0);
	assert_int_equal(adev_capture_open(&other), 0);
	assert_ptr_equal(fn.capture, other.capture);
	sent(&fn, &ipv6, packet, length, 0);
	adev_capture_close(&fn);
	sent(&other, &ipv6, packet, length, 0);
	reader_read(file);
	assert_int_equal(reader.num_packets, 2);
}

static void send_some(uint32_t count)
{
	uint8_t packet[256];
	uint32_t length = make(&ipv6, 0, 8, packet);

	while (count--)
		sent(&fn, &ipv6, packet, length, 0);
}

/* In a child; true when it ended well. */
static bool in_child(void (*run)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		run();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void child_sends(void)
{
	struct adev_capture *inherited = fn.capture;

	if (adev_capture_open(&fn) || (inherited && fn.capture == inherited))
		_exit(1);
	send_some(10);
	adev_capture_close(&fn);
}

static void processes_append_to_one_file(void **state)
{
	(void)state;
	assert_int_equal(adev_capture_open(&fn), 0);
	send_some(1);
	assert_true(in_child(child_sends));
	send_some(1);
	assert_true(in_child(child_sends));
	reader_read(file);
	assert_int_equal(reader.num_packets, 22);
}

static void a_name_with_p_gives_each_process_a_file(void **state)
{
	char own[128];

	(void)state;
	snprintf(file, sizeof(file), "%s/%%p-%%p.pcapng", folder);
	setenv("ARNICA_PCAP", file, 1);
	snprintf(own, sizeof(own), "%s/%d-%d.pcapng", folder, getpid(),
		 getpid());
	assert_int_equal(adev_capture_open(&fn), 0);
	send_some(3);
	assert_true(in_child(child_sends));
	reader_read(own);
	assert_int_equal(reader.num_packets, 3);
	/* A file of a process that had this number before is begun anew. */
	adev_capture_close(&fn);
	assert_int_equal(adev_capture_open(&fn), 0);
	reader_read(own);
	assert_int_equal(reader.num_packets, 0);
}

static void files_of_another_kind_are_left_alone(void **state)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	(void)state;
	assert_int_equal(write(fd, "precious", 8), 8);
	close(fd);
	assert_int_equal(adev_capture_open(&fn), EEXIST);
	assert_null(fn.capture);
	setenv("ARNICA_PCAP", "/dev/null", 1);
	assert_int_equal(adev_capture_open(&fn), EINVAL);
	setenv("ARNICA_PCAP", "/no/such/folder/file", 1);
	assert_int_equal(adev_capture_open(&fn), ENOENT);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, reader.bytes, 100), 8);
	close(fd);
}

/* A file that may not grow: what is in it stays readable. */
static void a_write_that_fails_ends_the_capture(void **state)
{
	int fd = memfd_create("capture", MFD_ALLOW_SEALING | MFD_CLOEXEC);

	(void)state;
	snprintf(file, sizeof(file), "/proc/self/fd/%d", fd);
	setenv("ARNICA_PCAP", file, 1);
	assert_int_equal(adev_capture_open(&fn), 0);
	send_some(2);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	send_some(1000);
	reader_read(file);
	assert_int_equal(reader.num_packets, 2);
	close(fd);
}

static void outgrow_the_limit(void)
{
	const struct rlimit limit = { READER_HEAD_BYTES + 1000, 1u << 20 };
	struct stat status;

	if (setrlimit(RLIMIT_FSIZE, &limit) || adev_capture_open(&fn))
		_exit(1);
	send_some(1000);
	/* Alive; and the last packet that was written is whole. */
	if (stat(file, &status) || (rlim_t)status.st_size > limit.rlim_cur ||
	    status.st_size < 800)
		_exit(2);
}

static void the_limit_of_file_sizes_kills_nobody(void **state)
{
	(void)state;
	assert_true(in_child(outgrow_the_limit));
	reader_read(file);
	assert_in_range(reader.num_packets, 5, 10);
}

#define case_of(function)                                                      \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		case_of(without_the_variable_there_is_no_capture),
		case_of(packets_of_both_families_are_as_they_were),
		case_of(arrivals_get_the_identification_that_makes_them_right),
		case_of(damaged_arrivals_are_kept_and_marked),
		case_of(functions_of_a_process_share_the_file),
		case_of(processes_append_to_one_file),
		case_of(a_name_with_p_gives_each_process_a_file),
		case_of(files_of_another_kind_are_left_alone),
		case_of(a_write_that_fails_ends_the_capture),
		case_of(the_limit_of_file_sizes_kills_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
