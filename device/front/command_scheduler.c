/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Commands SET_SCHEDULER and QUERY_SCHEDULER. */
#include <string.h>

#include "front/command.h"

ADEV_COMMAND_HANDLER(set_scheduler)
{
	const struct arnica_hw_scheduler *cmd = &command->scheduler;
	struct adev_sched_config config = {
		.policy = arnica_from_le32(cmd->policy),
		.num_engines = arnica_from_le32(cmd->num_engines),
		.num_gathers = arnica_from_le32(cmd->num_gathers),
	};
	uint32_t i;

	(void)completion;
	for (i = 0; i < ADEV_CLASSES; i++) {
		uint32_t engines = arnica_from_le32(cmd->class_engines[i]);

		if (engines > UINT16_MAX)
			return ARNICA_HW_COMMAND_INVALID;
		config.class_engines[i] = (uint16_t)engines;
	}
	memcpy(config.class_weight, cmd->class_weight,
	       sizeof(config.class_weight));
	memcpy(config.watermark, cmd->watermark, sizeof(config.watermark));
	memcpy(config.engine_weight, cmd->engine_weight,
	       sizeof(config.engine_weight));
	if (cmd->reserved0.raw || adev_sched_configure(&fn->scheduler, &config))
		return ARNICA_HW_COMMAND_INVALID;
	return ARNICA_HW_COMMAND_OK;
}

ADEV_COMMAND_HANDLER(query_scheduler)
{
	struct arnica_hw_scheduler *answer = &completion->scheduler;
	struct adev_sched_config config;
	uint32_t i;

	(void)command;
	adev_sched_query(&fn->scheduler, &config);
	answer->policy = arnica_to_le32(config.policy);
	answer->num_engines = arnica_to_le32(config.num_engines);
	answer->num_gathers = arnica_to_le32(config.num_gathers);
	for (i = 0; i < ADEV_CLASSES; i++)
		answer->class_engines[i] =
			arnica_to_le32(config.class_engines[i]);
	memcpy(answer->class_weight, config.class_weight,
	       sizeof(config.class_weight));
	memcpy(answer->watermark, config.watermark, sizeof(config.watermark));
	memcpy(answer->engine_weight, config.engine_weight,
	       sizeof(config.engine_weight));
	return ARNICA_HW_COMMAND_OK;
}
