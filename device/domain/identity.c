/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "domain/identity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "domain/folder.h"
#include "domain/log.h"
#include "domain/port.h"
#include "domain/proc.h"

#define VENDOR_ID_MAX 0xffffffu /* an OUI has 24 bits */
#define PART_ID_MAX UINT32_MAX

static int read_number(const char *name, uint32_t fallback, uint32_t max,
		       uint32_t *number)
{
	const char *text = secure_getenv(name);
	unsigned long long value;
	char *end;

	*number = fallback;
	if (!text || !*text)
		return 0;
	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || *end || end == text || strchr(text, '-') || !value ||
	    value > max) {
		adev_log_error("%s=%s must be a number from 1 to 0x%x: correct "
			       "or unset it",
			       name, text, max);
		return EINVAL;
	}
	*number = (uint32_t)value;
	return 0;
}

/*
 * The same for all processes of the domain and, as far as a hash can promise,
 * for no other: it follows from what names the domain's folder.
 */
static uint64_t make_node_guid(void)
{
	const char *folder = secure_getenv("ARNICA_RUNTIME_DIR");
	uint64_t parts[] = { adev_proc_boot(), adev_proc_namespace("net"),
			     geteuid() };
	uint64_t guid = adev_proc_hash(1, parts, sizeof(parts));

	if (folder && *folder)
		guid = adev_proc_hash(guid, folder, strlen(folder));
	/* EUI-64: first octet says locally administered, individual. */
	return (guid & ~(3ull << 56)) | 2ull << 56;
}

int adev_identity_read(struct arnica_bus_identity *identity)
{
	int folder_fd;
	int error;

	memset(identity, 0, sizeof(*identity));
	_Static_assert(sizeof(identity->domain_path) == ADEV_FOLDER_PATH_BYTES,
		       "a folder's path fits");
	error = read_number("ARNICA_VENDOR_ID", ADEV_IDENTITY_VENDOR_ID,
			    VENDOR_ID_MAX, &identity->vendor_id);
	if (!error)
		error = read_number("ARNICA_PART_ID", ADEV_IDENTITY_PART_ID,
				    PART_ID_MAX, &identity->vendor_part_id);
	if (!error)
		error = adev_folder_open(identity->domain_path, &folder_fd);
	if (error)
		return error;
	close(folder_fd);
	strcpy(identity->device_name, "arnica0");
	identity->node_guid = make_node_guid();
	adev_port_sync();
	adev_port_read(&identity->port);
	return 0;
}
