/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "adapter.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "complain.h"
#include "tree.h"

#define STANDIN_DEVICE_LIBRARY "libarnica-device.so"

/* Published with release, so that whoever loads the pointer with acquire sees
 * the structure complete. A failure is kept in the other word. */
static _Atomic(struct standin_adapter *) standin_the_adapter;
static atomic_int standin_adapter_error;

static __thread bool standin_adapter_loading
	__attribute__((tls_model("initial-exec")));

/* The folder this library was loaded from, with a slash; false if unknown. */
static bool standin_adapter_folder(char *path, size_t size)
{
	Dl_info info;
	const char *slash;
	size_t length;

	if (!dladdr((void *)&standin_the_adapter, &info) || !info.dli_fname)
		return false;
	slash = strrchr(info.dli_fname, '/');
	if (!slash)
		return false;
	length = (size_t)(slash - info.dli_fname) + 1;
	if (length >= size)
		return false;
	memcpy(path, info.dli_fname, length);
	path[length] = '\0';
	return true;
}

static void *standin_adapter_open_library(void)
{
	char path[PATH_MAX];
	char reason[512] = "";
	void *library;

	if (standin_adapter_folder(
		    path, sizeof(path) - sizeof(STANDIN_DEVICE_LIBRARY))) {
		strcat(path, STANDIN_DEVICE_LIBRARY);
		library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
		if (library)
			return library;
		/* A library that is there but does not load is the cause to
		 * name, not the second attempt. */
		if (!access(path, F_OK))
			snprintf(reason, sizeof(reason), "%s", dlerror());
	}
	library = dlopen(STANDIN_DEVICE_LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		standin_complain(
			"cannot load the adapter (%s); no RDMA device. "
			"Reinstall arnica, or use `arnica run`",
			*reason ? reason : dlerror());
	return library;
}

/* Where the address of each function of the adapter goes. */
static const struct {
	const char *name;
	size_t offset;
} standin_adapter_functions[] = {
#define STANDIN_FUNCTION(name, member)                                         \
	{                                                                      \
		"arnica_bus_" #name, offsetof(struct standin_adapter, member)  \
	}
	STANDIN_FUNCTION(identity, read_identity),
	STANDIN_FUNCTION(port_changed, port_changed),
	STANDIN_FUNCTION(channel_open, open_channel),
	STANDIN_FUNCTION(async_open, open_async),
	STANDIN_FUNCTION(memory_concerned, memory_concerned),
	STANDIN_FUNCTION(memory_advise, memory_advise),
	STANDIN_FUNCTION(memory_moving, memory_moving),
	STANDIN_FUNCTION(attach, attach),
	STANDIN_FUNCTION(detach, detach),
	STANDIN_FUNCTION(mads_open, mads_open),
	STANDIN_FUNCTION(mad_send, mad_send),
	STANDIN_FUNCTION(mad_take, mad_take),
	STANDIN_FUNCTION(mads_ended, mads_ended),
	STANDIN_FUNCTION(mad_peer, mad_peer),
	STANDIN_FUNCTION(mad_peer_lives, mad_peer_lives),
	STANDIN_FUNCTION(service_take, service_take),
	STANDIN_FUNCTION(service_listen, service_listen),
	STANDIN_FUNCTION(service_give, service_give),
#undef STANDIN_FUNCTION
};

static int standin_adapter_bind(struct standin_adapter *adapter)
{
	void *library = standin_adapter_open_library();
	void *found;
	size_t i;

	if (!library)
		return ENODEV;
	for (i = 0; i < sizeof(standin_adapter_functions) /
				sizeof(*standin_adapter_functions);
	     i++) {
		found = dlsym(library, standin_adapter_functions[i].name);
		if (!found) {
			standin_complain(
				"%s does not fit this version of the stand-in; "
				"no RDMA device. Install both from one package",
				STANDIN_DEVICE_LIBRARY);
			return ENODEV;
		}
		memcpy((char *)adapter + standin_adapter_functions[i].offset,
		       &found, sizeof(found));
	}
	return 0;
}

static int standin_adapter_load(struct standin_adapter *adapter)
{
	int error = standin_adapter_bind(adapter);

	if (error)
		return error;
	error = adapter->read_identity(&adapter->identity);
	/* The adapter has written its own line when its folder is at fault. */
	if (error == EMFILE || error == ENFILE || error == ENOMEM)
		standin_complain("cannot look for RDMA devices: %s",
				 strerror(error));
	if (error)
		return error;
	return standin_tree_provide(&adapter->identity, adapter->root);
}

static int standin_adapter_create(void)
{
	struct standin_adapter *nobody = NULL;
	struct standin_adapter *adapter = calloc(1, sizeof(*adapter));
	int error;

	if (!adapter)
		return ENOMEM;
	error = standin_adapter_load(adapter);
	if (error) {
		/* Relaxed: the number is all that there is to see. */
		atomic_store_explicit(&standin_adapter_error, error,
				      memory_order_relaxed);
		free(adapter);
		return error;
	}
	if (!atomic_compare_exchange_strong_explicit(
		    &standin_the_adapter, &nobody, adapter,
		    memory_order_acq_rel, memory_order_acquire))
		free(adapter);
	return 0;
}

int standin_adapter_get(const struct standin_adapter **adapter)
{
	int saved = errno;
	int error;

	*adapter = atomic_load_explicit(&standin_the_adapter,
					memory_order_acquire);
	if (*adapter)
		return 0;
	error = atomic_load_explicit(&standin_adapter_error,
				     memory_order_relaxed);
	if (!error) {
		standin_adapter_loading = true;
		error = standin_adapter_create();
		standin_adapter_loading = false;
		errno = saved;
	}
	*adapter = atomic_load_explicit(&standin_the_adapter,
					memory_order_acquire);
	return *adapter ? 0 : error;
}

const struct standin_adapter *standin_adapter_if_loaded(void)
{
	return atomic_load_explicit(&standin_the_adapter, memory_order_acquire);
}

bool standin_adapter_is_loading(void)
{
	return standin_adapter_loading;
}
