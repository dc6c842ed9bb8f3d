/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Classes of service: bulk transfers of service level 0 and 1 share the adapter
 * three to one, and both keep an engine for themselves.
 */
#include "pair.h"

static void show(void)
{
	struct arnicadv_scheduler_attr attr = { .comp_mask = 0 };
	int class;

	REQUIRE(!arnicadv_query_scheduler(context, &attr));
	printf("%s, %u execution engines, %u gather engines\n",
	       attr.policy == ARNICADV_SCHEDULER_WEIGHTED ? "weighted" :
							     "strict",
	       attr.num_engines, attr.num_gather_engines);
	for (class = 0; class < 2; class++)
		printf("class %d: weight %u, watermark %u, engines %#x\n",
		       class, attr.class_weight[class], attr.watermark[class],
		       attr.class_engines[class]);
}

int main(void)
{
	struct arnicadv_scheduler_attr attr = { .comp_mask = 0 };

	open_device();
	show();
	REQUIRE(!arnicadv_query_scheduler(context, &attr));
	attr.comp_mask = ARNICADV_SCHEDULER_POLICY |
			 ARNICADV_SCHEDULER_CLASS_WEIGHTS |
			 ARNICADV_SCHEDULER_CLASS_ENGINES;
	attr.policy = ARNICADV_SCHEDULER_WEIGHTED;
	attr.class_weight[0] = 3;
	attr.class_weight[1] = 1;
	attr.class_engines[0] &= (uint16_t)~(1u << 1);
	attr.class_engines[1] &= (uint16_t)~(1u << 0);
	REQUIRE(!arnicadv_set_scheduler(context, &attr));
	show();
	REQUIRE(!ibv_dealloc_pd(pd));
	REQUIRE(!ibv_close_device(context));
	return 0;
}
