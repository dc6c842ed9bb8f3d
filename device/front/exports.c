/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Importers of a function, and what they have of it; see exports.h. */
#include "front/exports.h"

#include <errno.h>
#include <stdlib.h>

#include "core/adapter.h"
#include "core/call.h"
#include "front/command.h"
#include "front/imports.h"
#include "front/keys.h"
#include "trace.h"

enum kind { EXPORT_MR, EXPORT_DM };

struct adev_export {
	enum kind kind;
	uint32_t handle;
	struct adev_export *next;
};

/* A function that has imported something; it stays until it ends. */
struct adev_importer {
	struct adev_view *view; /* attached, so that its end is told */
	struct adev_export *exports;
	struct adev_importer *next;
};

static struct adev_importer *find_importer(const struct adev_function *fn,
					   uint32_t function,
					   uint64_t generation)
{
	struct adev_importer *importer = fn->importers;

	while (importer && (importer->view->function != function ||
			    importer->view->generation != generation))
		importer = importer->next;
	return importer;
}

static struct adev_importer *get_importer(struct adev_function *fn,
					  const struct adev_caller *caller)
{
	struct adev_importer *importer =
		find_importer(fn, caller->function, caller->generation);

	if (importer)
		return importer;
	importer = calloc(1, sizeof(*importer));
	if (importer &&
	    adev_adapter_attach(fn, caller->function, caller->generation,
				&importer->view)) {
		free(importer);
		importer = NULL;
	}
	if (!importer)
		return NULL;
	importer->next = fn->importers;
	fn->importers = importer;
	return importer;
}

static struct adev_export **find_export(struct adev_importer *importer,
					enum kind kind, uint32_t handle)
{
	struct adev_export **link = &importer->exports;

	while (*link && ((*link)->kind != kind || (*link)->handle != handle))
		link = &(*link)->next;
	return link;
}

static bool drop_export(struct adev_importer *importer, enum kind kind,
			uint32_t handle)
{
	struct adev_export **link = find_export(importer, kind, handle);
	struct adev_export *export = *link;

	if (!export)
		return false;
	*link = export->next;
	free(export);
	return true;
}

/* Each of them once for each importer, who counts for itself. */
static bool add_export(struct adev_importer *importer, enum kind kind,
		       uint32_t handle)
{
	struct adev_export *export = malloc(sizeof(*export));

	if (!export)
		return false;
	*export = (struct adev_export){
		.kind = kind,
		.handle = handle,
		.next = importer->exports,
	};
	importer->exports = export;
	return true;
}

static enum arnica_hw_command_status export_pd(const struct adev_function *fn,
					       struct adev_call *call)
{
	uint32_t pd = call->arguments[0];

	if (!adev_pd_valid(fn, pd))
		return ARNICA_HW_COMMAND_NO_OBJECT;
	call->answers[0] = fn->pd_births[pd];
	return ARNICA_HW_COMMAND_OK;
}

static enum arnica_hw_command_status export_mr(struct adev_function *fn,
					       const struct adev_caller *caller,
					       struct adev_call *call)
{
	uint32_t index = call->arguments[0], pd = call->arguments[1];
	enum arnica_hw_command_status status;
	const struct adev_tpt_entry *entry;
	struct adev_importer *importer;

	if (!adev_pd_valid(fn, pd) || fn->pd_births[pd] != call->arguments[2])
		return ARNICA_HW_COMMAND_NO_OBJECT;
	status = adev_region_export(fn, index, pd, &call->answers[0]);
	if (status != ARNICA_HW_COMMAND_OK)
		return status;
	importer = get_importer(fn, caller);
	if (!importer || (!*find_export(importer, EXPORT_MR, index) &&
			  !add_export(importer, EXPORT_MR, index)))
		return ARNICA_HW_COMMAND_NO_MEMORY;
	entry = &fn->view.tpt[index];
	call->answers[1] = (uint64_t)entry->access << 32 |
			   adev_key_of(fn, index);
	call->answers[2] = entry->length;
	call->answers[3] = entry->iova;
	adev_count(&fn->counters, exports);
	return ARNICA_HW_COMMAND_OK;
}

static enum arnica_hw_command_status export_dm(struct adev_function *fn,
					       const struct adev_caller *caller,
					       struct adev_call *call)
{
	uint32_t handle = call->arguments[0];
	struct adev_importer *importer;

	if (!adev_dm_export(fn, handle, &call->answers[0], &call->answers[1]))
		return ARNICA_HW_COMMAND_NO_OBJECT;
	importer = get_importer(fn, caller);
	if (importer && *find_export(importer, EXPORT_DM, handle)) {
		/* It gave it back while this function was stopped. */
		adev_dm_return(fn, handle);
	} else if (!importer || !add_export(importer, EXPORT_DM, handle)) {
		adev_dm_return(fn, handle);
		return ARNICA_HW_COMMAND_NO_MEMORY;
	}
	adev_count(&fn->counters, exports);
	return ARNICA_HW_COMMAND_OK;
}

static enum arnica_hw_command_status take_back(struct adev_function *fn,
					       const struct adev_caller *caller,
					       enum kind kind, uint32_t handle)
{
	struct adev_importer *importer =
		find_importer(fn, caller->function, caller->generation);

	if (!importer || !drop_export(importer, kind, handle))
		return ARNICA_HW_COMMAND_NO_OBJECT;
	if (kind == EXPORT_DM)
		adev_dm_return(fn, handle);
	return ARNICA_HW_COMMAND_OK;
}

enum arnica_hw_command_status
adev_call_answer(struct adev_function *fn, const struct adev_caller *caller,
		 struct adev_call *call)
{
	switch (call->operation) {
	case ADEV_CALL_EXPORT_PD:
		return export_pd(fn, call);
	case ADEV_CALL_EXPORT_MR:
		return export_mr(fn, caller, call);
	case ADEV_CALL_EXPORT_DM:
		return export_dm(fn, caller, call);
	case ADEV_CALL_RETURN_MR:
		return take_back(fn, caller, EXPORT_MR, call->arguments[0]);
	case ADEV_CALL_RETURN_DM:
		return take_back(fn, caller, EXPORT_DM, call->arguments[0]);
	case ADEV_CALL_REVOKE_MR:
		return adev_import_revoke(fn, caller, call->arguments[0]);
	}
	return ARNICA_HW_COMMAND_NO_SUCH_COMMAND;
}

/* A region stays with its importer, who may have had it before: it is asked for it
 * when the region ends, and has none. */
void adev_call_undo(struct adev_function *fn, const struct adev_caller *caller,
		    const struct adev_call *call)
{
	if (call->operation == ADEV_CALL_EXPORT_DM)
		(void)!take_back(fn, caller, EXPORT_DM, call->arguments[0]);
}

/* One that has this region; NULL: nobody has. */
static struct adev_importer *who_has(const struct adev_function *fn,
				     uint32_t index)
{
	struct adev_importer *importer = fn->importers;

	while (importer && !*find_export(importer, EXPORT_MR, index))
		importer = importer->next;
	return importer;
}

int adev_exports_revoke(struct adev_function *fn, uint32_t index)
{
	struct adev_importer *importer;

	/* From the beginning each time: others ask while we wait. */
	while ((importer = who_has(fn, index))) {
		struct adev_call call = {
			.operation = ADEV_CALL_REVOKE_MR,
			.arguments = { adev_key_of(fn, index) },
		};

		if (adev_call(fn, importer->view, &call) ==
		    ARNICA_HW_COMMAND_BUSY) {
			arnica_trace_export_kept(index,
						 importer->view->function);
			return EBUSY;
		}
		(void)drop_export(importer, EXPORT_MR, index);
	}
	return 0;
}

/* What it has is nobody's any more, unless this function itself ends. */
static void drop_importer(struct adev_function *fn,
			  struct adev_importer *importer, bool ending)
{
	struct adev_importer **link = &fn->importers;

	while (*link != importer)
		link = &(*link)->next;
	*link = importer->next;
	while (importer->exports) {
		struct adev_export *export = importer->exports;

		importer->exports = export->next;
		if (export->kind == EXPORT_DM && !ending)
			adev_dm_return(fn, export->handle);
		free(export);
	}
	adev_adapter_detach(importer->view);
	free(importer);
}

void adev_exports_ended(struct adev_function *fn, uint32_t function,
			uint64_t generation)
{
	struct adev_importer *importer =
		find_importer(fn, function, generation);

	if (importer)
		drop_importer(fn, importer, false);
}

/* A region that somebody has; false: none. */
static bool any_region(const struct adev_function *fn, uint32_t *index)
{
	const struct adev_importer *importer;
	const struct adev_export *export;

	for (importer = fn->importers; importer; importer = importer->next)
		for (export = importer->exports; export; export = export->next)
			if (export->kind == EXPORT_MR) {
				*index = export->handle;
				return true;
			}
	return false;
}

void adev_exports_close(struct adev_function *fn)
{
	uint32_t index;

	pthread_mutex_lock(&fn->command_lock);
	/* Who does not answer learns of it by the function's end. */
	while (any_region(fn, &index) && !adev_exports_revoke(fn, index))
		;
	/* Device memory is theirs for as long as they have it mapped. */
	while (fn->importers)
		drop_importer(fn, fn->importers, true);
	pthread_mutex_unlock(&fn->command_lock);
}

void adev_exports_forget(struct adev_function *fn)
{
	while (fn->importers)
		drop_importer(fn, fn->importers, true);
}
