/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Making a function of a device file, and its orderly end. */
#include "core/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <arnica/hw/registers.h>

#include "adopt/adopt.h"
#include "comp/channel.h"
#include "core/adapter.h"
#include "core/agent.h"
#include "core/limited.h"
#include "dma/guard.h"
#include "domain/directory.h"
#include "domain/identity.h"
#include "domain/log.h"
#include "domain/proc.h"
#include "domain/segment.h"
#include "domain/wake.h"
#include "exec/threads.h"
#include "front/begun.h"
#include "front/command.h"
#include "front/exports.h"
#include "front/imports.h"
#include "front/objects.h"
#include "front/opened.h"
#include "link/capture.h"
#include "link/fault.h"
#include "link/wire.h"
#include "mad/mad.h"
#include "tpt/list.h"
#include "transport/raw_packet.h"
#include "transport/datagram.h"
#include "transport/xrc.h"
#include "transport/remote.h"

/* Serialises attaching and detaching; lock role `attach`. */
static pthread_mutex_t attach_lock = PTHREAD_MUTEX_INITIALIZER;

uint32_t adev_fork_epoch;

/* With attach_lock held, which keeps the list as it is. */
static void release_memory(uint64_t start, uint64_t bytes)
{
	struct adev_function *fn;

	for (fn = adev_adapter.functions; fn; fn = fn->next) {
		pthread_mutex_lock(&fn->command_lock);
		adev_regions_release(fn, start, bytes);
		pthread_mutex_unlock(&fn->command_lock);
	}
}

bool adev_functions_overlap(const struct adev_function *but, uint64_t start,
			    uint64_t bytes)
{
	struct adev_function *fn;
	bool found = false;

	/* The caller has locks of higher ranks: these are only tried. */
	if (pthread_mutex_trylock(&adev_adapter.lock))
		return true;
	for (fn = adev_adapter.functions; fn && !found; fn = fn->next) {
		if (fn == but)
			continue;
		if (pthread_mutex_trylock(&fn->command_lock)) {
			found = true;
			break;
		}
		found = adev_regions_overlap(fn, UINT32_MAX, start, bytes,
					     false);
		pthread_mutex_unlock(&fn->command_lock);
	}
	pthread_mutex_unlock(&adev_adapter.lock);
	return found;
}

void adev_functions_release_memory(uint64_t start, uint64_t bytes)
{
	pthread_mutex_lock(&attach_lock);
	release_memory(start, bytes);
	pthread_mutex_unlock(&attach_lock);
}

static void before_fork(void)
{
	pthread_mutex_lock(&attach_lock);
	/* Private memory needs no copy. */
	if (!adev_adopt_fork_fits())
		release_memory(0, UINT64_MAX);
	pthread_mutex_lock(&adev_adapter.lock);
	adev_adopt_before_fork();
}

static void after_fork_parent(void)
{
	adev_adopt_after_fork_parent();
	pthread_mutex_unlock(&adev_adapter.lock);
	pthread_mutex_unlock(&attach_lock);
}

/* The child starts without functions, peers and agent; what it inherited is
 * dead, and stays allocated until it is closed. */
static void after_fork_child(void)
{
	struct adev_function *fn;

	adev_fork_epoch++;
	/* First of all: the parent's memory may be among it. */
	adev_adopt_after_fork_child();
	/* Else the parent's sockets would live on in the child, with nobody to
	 * read what they take in. */
	for (fn = adev_adapter.functions; fn; fn = fn->next) {
		adev_wire_forget(fn);
		adev_raw_forget(fn);
	}
	adev_adapter.functions = NULL;
	adev_adapter.peers = NULL;
	adev_agent_forget();
	adev_tpt_list_forget();
	adev_engine_threads_forget();
	pthread_mutex_unlock(&adev_adapter.lock);
	pthread_mutex_unlock(&attach_lock);
}

static void install_fork_handlers(void)
{
	pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

static void shuffle(uint8_t *order)
{
	uint32_t i;

	for (i = 0; i < ADEV_LEASE_QPNS; i++)
		order[i] = (uint8_t)i;
	for (i = ADEV_LEASE_QPNS - 1; i > 0; i--) {
		uint32_t j = (uint32_t)(adev_proc_random() % (i + 1));
		uint8_t swap = order[i];

		order[i] = order[j];
		order[j] = swap;
	}
}

/* Lays the segment out; the tables themselves are populated as they are used. */
static int lay_out(struct adev_function *fn, void *base, uint64_t size)
{
	struct adev_view *view = &fn->view;
	struct adev_layout layout;
	uint32_t *registers;
	int error;

	adev_layout_compute(size, &layout);
	error = adev_segment_populate(fn->segment_fd, 0,
				      layout.records_offset);
	if (error)
		return error;
	adev_view_init(view, base, size, &layout);
	view->own = fn;
	view->shared->layout = layout;
	/* So that the first kick reaches an agent that sleeps already. */
	atomic_init(&view->shared->agent_state, ADEV_AGENT_SLEEPING);
	view->generation = adev_proc_random() | 1;
	view->pid = getpid();
	view->wake_fd = adev_agent_wake_fd();
	atomic_init(&view->method, ADEV_DMA_LOCAL);
	fn->probe_word = view->generation;
	view->shared->base_address = (uint64_t)(uintptr_t)view->base;
	view->shared->probe_address = (uint64_t)(uintptr_t)&fn->probe_word;
	view->shared->probe_word = fn->probe_word;
	view->shared->counters_address = (uint64_t)(uintptr_t)&fn->counters;
	view->shared->counters_bytes = sizeof(fn->counters);
	view->shared->scheduler_address =
		(uint64_t)(uintptr_t)&fn->scheduler.counters;
	view->shared->scheduler_bytes = sizeof(fn->scheduler.counters);
	registers = (void *)(view->base + ARNICA_HW_BAR_REGISTERS);
	registers[ARNICA_HW_REG_DEVICE_ID / 4] =
		arnica_to_le32(ARNICA_HW_DEVICE_ID).raw;
	registers[ARNICA_HW_REG_VERSION / 4] =
		arnica_to_le32(ARNICA_HW_VERSION).raw;
	registers[ARNICA_HW_REG_DOORBELLS / 4] =
		arnica_to_le32(ARNICA_HW_DOORBELL_PAGES).raw;
	return 0;
}

static int init_tables(struct adev_function *fn)
{
	struct adev_layout *layout = &fn->view.layout;
	uint64_t heap_bytes = layout->size_bytes - layout->heap_offset;
	int error;

	pthread_mutex_init(&fn->command_lock, NULL);
	pthread_mutex_init(&fn->waiting_lock, NULL);
	pthread_mutex_init(&fn->wire_lock, NULL);
	pthread_mutex_init(&fn->mad_lock, NULL);
	atomic_init(&fn->mad_event_fd, -1);
	atomic_store(&fn->timed_due_ns, ADEV_NEVER_NS);
	atomic_flag_clear(&fn->serving);
	adev_sched_init(&fn->scheduler);
	shuffle(fn->qp_order);
	fn->qps = calloc(layout->max_qp, sizeof(*fn->qps));
	fn->quarantined = calloc(layout->max_qp, sizeof(*fn->quarantined));
	error = ENOMEM;
	if (!fn->qps || !fn->quarantined)
		goto err_qps;
	error = adev_objects_init(fn);
	if (error)
		goto err_qps;
	error = adev_heap_init(&fn->heap, fn->segment_fd, layout->heap_offset,
			       heap_bytes, heap_bytes);
	if (error)
		goto err_objects;
	error = adev_channels_init(fn);
	if (error)
		goto err_heap;
	fn->view.shared->tpt_half = fn->tpt_mask & layout->max_mr / 2;
	return 0;

err_heap:
	adev_heap_fini(&fn->heap);
err_objects:
	adev_objects_fini(fn);
err_qps:
	free(fn->quarantined);
	free(fn->qps);
	return error;
}

static void fini_tables(struct adev_function *fn)
{
	adev_channels_fini(fn);
	adev_heap_fini(&fn->heap);
	adev_objects_fini(fn);
	adev_sched_fini(&fn->scheduler);
	pthread_mutex_destroy(&fn->command_lock);
	pthread_mutex_destroy(&fn->waiting_lock);
	pthread_mutex_destroy(&fn->wire_lock);
	adev_mads_close(fn);
	pthread_mutex_destroy(&fn->mad_lock);
	free(fn->quarantined);
	free(fn->qps);
}

/* From now on peers may attach the function. */
static void go_online(struct adev_function *fn)
{
	struct arnica_hw_segment_header *header = fn->view.header;

	header->version = arnica_to_le32(ARNICA_HW_VERSION);
	header->function = arnica_to_le32(fn->view.function);
	header->generation = arnica_to_le64(fn->view.generation);
	header->size_bytes = arnica_to_le64(fn->view.size);
	arnica_store32(&header->state, ARNICA_HW_SEGMENT_RUNNING,
		       memory_order_release);
	pthread_mutex_lock(&adev_adapter.lock);
	fn->next = adev_adapter.functions;
	adev_adapter.functions = fn;
	pthread_mutex_unlock(&adev_adapter.lock);
	adev_view_kick(&fn->view);
}

/* No engine thread is at it after this; the agent still may be. */
static void go_offline(struct adev_function *fn)
{
	struct adev_function **link;

	arnica_store32(&fn->view.header->state, ARNICA_HW_SEGMENT_CLOSED,
		       memory_order_seq_cst);
	pthread_mutex_lock(&adev_adapter.lock);
	for (link = &adev_adapter.functions; *link && *link != fn;
	     link = &(*link)->next)
		;
	if (*link)
		*link = fn->next;
	pthread_mutex_unlock(&adev_adapter.lock);
	adev_engine_threads_leave();
}

static int attach_locked(int device_fd, struct adev_function *fn)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct arnica_fault_spec faults;
	bool wanted;
	uint64_t size;
	void *base;
	int error;

	/* Used when the function goes on the wire; nonsense is refused now.
	 * ENODEV: the reason was said. */
	if (adev_settings_check() || adev_fault_settings(&faults, &wanted) ||
	    adev_capture_open(fn))
		return ENODEV;
	adev_guard_install();
	error = adev_fd_mark(device_fd, &fn->segment_file);
	if (error)
		goto err_capture;
	fn->segment_fd = fcntl(device_fd, F_DUPFD_CLOEXEC, 3);
	if (fn->segment_fd < 0) {
		error = errno;
		goto err_capture;
	}
	fn->segment_fd = adev_fd_high(fn->segment_fd);
	error = adev_segment_reserve(fn->segment_fd, 0, &base, &size);
	if (error)
		goto err_close;
	error = adev_directory_open(&fn->directory);
	if (error)
		goto err_release;
	/* After the directory's own handlers: before a fork they run in the
	 * reverse order, so these locks are taken first, as elsewhere. */
	pthread_once(&once, install_fork_handlers);
	error = adev_agent_start();
	if (error)
		goto err_directory;
	adev_engine_threads_start();
	error = lay_out(fn, base, size);
	if (error)
		goto err_agent;
	error = init_tables(fn);
	if (error)
		goto err_agent;
	error = adev_agent_enter(fn);
	if (error)
		goto err_tables;
	error = adev_limited_open(fn);
	if (!error)
		error = adev_sched_read_settings(&fn->scheduler);
	if (error)
		goto err_agent_leave;
	/* Yama: lets the peers of this user reach our memory. */
	(void)prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	adev_adopt_open(1 + adev_engine_threads_count()); /* with the agent */
	go_online(fn);
	return 0;

err_agent_leave:
	adev_agent_leave(fn);
	goto err_entered;
err_tables:
	adev_log_error("cannot enter the directory of the host domain: %s",
		       strerror(error));
err_entered:
	fini_tables(fn);
err_agent:
	adev_engine_threads_stop();
	adev_agent_stop();
err_directory:
	adev_directory_put(fn->directory);
err_release:
	adev_segment_release(base, size);
err_close:
	close(fn->segment_fd);
err_capture:
	adev_capture_close(fn);
	return error;
}

int adev_function_attach(int device_fd, struct adev_function **result)
{
	struct adev_function *fn = calloc(1, sizeof(*fn));
	int error;

	if (!fn)
		return ENOMEM;
	fn->owner_pid = getpid();
	fn->async_fd = -1;
	pthread_mutex_lock(&attach_lock);
	error = attach_locked(device_fd, fn);
	fn->fork_epoch = adev_fork_epoch;
	pthread_mutex_unlock(&attach_lock);
	if (error) {
		free(fn);
		return error;
	}
	*result = fn;
	return 0;
}

static void destroy_all_qps(struct adev_function *fn)
{
	uint32_t index;

	pthread_mutex_lock(&fn->command_lock);
	adev_opened_close_all(fn);
	for (index = 0; index < fn->qp_scan_end; index++)
		if (fn->qps[index])
			(void)adev_qp_destroy(fn, fn->qps[index]);
	pthread_mutex_unlock(&fn->command_lock);
}

/* In a child that inherited the function: only what is this process's own. The
 * peers know nothing of it, and nothing shared is touched. */
static void forget(struct adev_function *fn)
{
	uint32_t index;

	adev_opened_forget_all(fn);
	for (index = 0; index < fn->qp_scan_end; index++) {
		struct adev_qp *qp = fn->qps[index];

		if (qp && qp->link.view)
			adev_adapter_detach(qp->link.view);
		if (qp) {
			adev_datagram_destroy(qp);
			adev_remote_destroy(qp);
			adev_xrc_destroy(qp);
			free(qp->message);
			free(qp->pace);
		}
		free(qp);
	}
	adev_ended_drop(fn);
	adev_exports_forget(fn);
	adev_import_unlink(fn);
	adev_begun_forget(fn);
	fini_tables(fn);
	free(fn->limit);
	adev_directory_put(fn->directory);
	close(fn->segment_fd);
	adev_segment_release(fn->view.base, fn->view.size);
	pthread_mutex_lock(&attach_lock);
	adev_capture_close(fn);
	pthread_mutex_unlock(&attach_lock);
	free(fn);
}

void adev_function_detach(struct adev_function *fn)
{
	if (!adev_function_alive(fn)) {
		forget(fn);
		return;
	}
	adev_begun_stop(fn);
	/* Importers are asked, and may ask in turn: without locks of ours that
	 * others wait for. */
	adev_exports_close(fn);
	pthread_mutex_lock(&attach_lock);
	go_offline(fn);
	if (fn->limit)
		adev_limited_withdraw(fn);
	adev_agent_leave(fn);
	adev_ended_drop(fn);
	adev_exports_close(fn); /* who came meanwhile */
	adev_raw_deafen(fn);
	destroy_all_qps(fn);
	adev_raw_close(fn);
	adev_import_unlink(fn);
	adev_limited_close(fn);
	adev_wire_close(fn);
	adev_adopt_close(fn);
	adev_engine_threads_stop();
	adev_agent_stop();
	fini_tables(fn);
	adev_directory_put(fn->directory);
	adev_segment_release(fn->view.base, fn->view.size);
	close(fn->segment_fd);
	adev_capture_close(fn);
	pthread_mutex_unlock(&attach_lock);
	free(fn);
}

struct adev_function *adev_function_of_fd(int device_fd)
{
	struct adev_function *fn;
	struct adev_fd_mark file;

	if (adev_fd_mark(device_fd, &file))
		return NULL;
	pthread_mutex_lock(&adev_adapter.lock);
	for (fn = adev_adapter.functions; fn; fn = fn->next)
		if (fn->segment_file.inode == file.inode ||
		    adev_import_is_of(fn, file.inode))
			break;
	pthread_mutex_unlock(&adev_adapter.lock);
	return fn;
}

/* A program that ends without closing its devices ends in good order too. */
__attribute__((destructor)) static void leave_all(void)
{
	struct adev_function *fn;

	while ((fn = adev_adapter.functions)) {
		go_offline(fn);
		(void)adev_wire_drain(fn, 0); /* acknowledgements put off */
		adev_agent_leave(fn);
	}
}
