/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Protection domains. They live in the adapter, which also counts who uses
 * them; here is only the handle.
 */
#include "pd.h"

#include <errno.h>
#include <stdlib.h>

#include "context.h"

struct ibv_pd *arnica_pd_alloc(struct ibv_context *ibv)
{
	struct arnica_context *context = arnica_context_of(ibv);
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_ALLOC_PD),
	};
	struct arnica_hw_completion answer;
	struct ibv_pd *pd = calloc(1, sizeof(*pd));
	int error = ENOMEM;

	if (!pd)
		goto err_out;
	error = arnica_command_execute(&context->commands, &command, &answer);
	if (error)
		goto err_free;
	pd->context = ibv;
	pd->handle = arnica_from_le32(answer.object.handle);
	return pd;

err_free:
	free(pd);
err_out:
	errno = error;
	return NULL;
}

int arnica_pd_dealloc(struct ibv_pd *pd)
{
	int error = arnica_command_object(
		&arnica_context_of(pd->context)->commands,
		ARNICA_HW_CMD_DEALLOC_PD, pd->handle);

	if (!error)
		free(pd);
	return error;
}
