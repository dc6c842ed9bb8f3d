/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Address handles: the adapter keeps the address vector, the host its number.
 * The path is looked up by the adapter, so nothing here waits for a neighbour.
 */
#include "ah.h"

#include <errno.h>
#include <stdlib.h>

#include "context.h"
#include "qp_attributes.h"

struct ibv_ah *arnica_ah_create(struct ibv_pd *pd, struct ibv_ah_attr *attr)
{
	struct arnica_context *context = arnica_context_of(pd->context);
	struct arnica_hw_command command = {
		.opcode = arnica_to_le32(ARNICA_HW_CMD_CREATE_AH),
		.create_ah = {
			.pd = arnica_to_le32(pd->handle),
			.port = arnica_to_le32(attr->port_num),
		},
	};
	struct arnica_hw_completion answer;
	struct ibv_ah *ah = NULL;
	int error = arnica_address_check(context, attr);

	if (error)
		goto err_out;
	ah = calloc(1, sizeof(*ah));
	if (!ah) {
		error = ENOMEM;
		goto err_out;
	}
	arnica_address_emit(attr, &command.create_ah.attributes);
	command.create_ah.attributes.port = command.create_ah.port;
	error = arnica_command_execute(&context->commands, &command, &answer);
	if (error)
		goto err_free;
	ah->context = pd->context;
	ah->pd = pd;
	ah->handle = arnica_from_le32(answer.object.handle);
	return ah;

err_free:
	free(ah);
err_out:
	errno = error;
	return NULL;
}

int arnica_ah_destroy(struct ibv_ah *ah)
{
	int error = arnica_command_object(
		&arnica_context_of(ah->context)->commands,
		ARNICA_HW_CMD_DESTROY_AH, ah->handle);

	if (!error)
		free(ah);
	return error;
}
