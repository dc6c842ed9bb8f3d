/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "domain/identity.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "domain/folder.h"
#include "domain/log.h"
#include "domain/port.h"
#include "domain/proc.h"
#include "settings.h"

int adev_setting_number(enum arnica_setting setting, uint64_t otherwise,
			uint64_t *number)
{
	char why[ARNICA_SETTINGS_WHY_BYTES];
	int error = arnica_setting_number(setting, otherwise, number, why);

	if (error)
		adev_log_error("%s", why);
	return error;
}

static int read_number(enum arnica_setting setting, uint32_t fallback,
		       uint32_t *number)
{
	uint64_t value;
	int error = adev_setting_number(setting, fallback, &value);

	*number = (uint32_t)value;
	return error;
}

int adev_settings_check(void)
{
	char why[ARNICA_SETTINGS_WHY_BYTES];
	int error = arnica_settings_check(why);

	if (error)
		adev_log_error("%s", why);
	return error;
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
	error = adev_settings_check();
	if (!error)
		error = read_number(ARNICA_SETTING(VENDOR_ID),
				    ADEV_IDENTITY_VENDOR_ID,
				    &identity->vendor_id);
	if (!error)
		error = read_number(ARNICA_SETTING(PART_ID),
				    ADEV_IDENTITY_PART_ID,
				    &identity->vendor_part_id);
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
