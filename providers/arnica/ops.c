/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Which function serves which operation; see ops.h.
 */
#include "ops.h"

#include <stdint.h>

#include "abi.h"
#include "ah.h"
#include "async.h"
#include "context.h"
#include "counters.h"
#include "cq.h"
#include "device_query.h"
#include "dm.h"
#include "dmabuf.h"
#include "flow.h"
#include "mcast.h"
#include "mr.h"
#include "mw.h"
#include "pd.h"
#include "qp.h"
#include "srq.h"
#include "wq.h"
#include "xrcd.h"

void arnica_ops_install(const struct arnica_calibration *calibration,
			void *verbs_context)
{
	void *table[ARNICA_ABI_OPS_SLOTS] = { NULL };

#define SET(name, function)                                                    \
	arnica_ops_set(table, calibration->generation, ARNICA_OP_##name,       \
		       (void *)(uintptr_t)(function))
	SET(advise_mr, arnica_mr_advise);
	SET(alloc_dm, arnica_dm_alloc);
	SET(alloc_mw, arnica_mw_alloc);
	SET(alloc_null_mr, arnica_mr_alloc_null);
	SET(alloc_parent_domain, arnica_pd_alloc_parent);
	SET(alloc_pd, arnica_pd_alloc);
	SET(alloc_td, arnica_td_alloc);
	SET(async_event, arnica_async_event);
	SET(attach_counters_point_flow, arnica_counters_attach);
	SET(attach_mcast, arnica_mcast_attach);
	SET(bind_mw, arnica_mw_bind);
	SET(cq_event, arnica_cq_event);
	SET(create_ah, arnica_ah_create);
	SET(create_counters, arnica_counters_create);
	SET(create_cq, arnica_cq_create);
	SET(create_cq_ex, arnica_cq_create_ex);
	SET(create_flow, arnica_flow_create);
	SET(create_qp, arnica_qp_create);
	SET(create_qp_ex, arnica_qp_create_ex);
	SET(create_rwq_ind_table, arnica_rwq_table_create);
	SET(create_srq, arnica_srq_create);
	SET(create_srq_ex, arnica_srq_create_ex);
	SET(create_wq, arnica_wq_create);
	SET(close_xrcd, arnica_xrcd_close);
	SET(dealloc_mw, arnica_mw_dealloc);
	SET(dealloc_pd, arnica_pd_dealloc);
	SET(dealloc_td, arnica_td_dealloc);
	SET(dereg_mr, arnica_mr_dereg);
	SET(destroy_ah, arnica_ah_destroy);
	SET(destroy_counters, arnica_counters_destroy);
	SET(destroy_cq, arnica_cq_destroy);
	SET(destroy_flow, arnica_flow_destroy);
	SET(destroy_qp, arnica_qp_destroy);
	SET(destroy_rwq_ind_table, arnica_rwq_table_destroy);
	SET(destroy_srq, arnica_srq_destroy);
	SET(destroy_wq, arnica_wq_destroy);
	SET(detach_mcast, arnica_mcast_detach);
	SET(free_context, arnica_context_free);
	SET(free_dm, arnica_dm_free);
	SET(get_srq_num, arnica_srq_get_number);
	SET(import_dm, arnica_dm_import);
	SET(import_mr, arnica_mr_import);
	SET(import_pd, arnica_pd_import);
	SET(modify_cq, arnica_cq_modify);
	SET(modify_qp, arnica_qp_modify);
	SET(modify_qp_rate_limit, arnica_qp_modify_rate_limit);
	SET(modify_srq, arnica_srq_modify);
	SET(modify_wq, arnica_wq_modify);
	SET(open_qp, arnica_qp_open);
	SET(open_xrcd, arnica_xrcd_open);
	SET(poll_cq, arnica_cq_poll);
	SET(post_recv, arnica_receive_post);
	SET(post_send, arnica_send_post);
	SET(post_srq_recv, arnica_srq_post);
	SET(query_device_ex, arnica_device_query_ex);
	SET(query_port, arnica_port_query);
	SET(query_qp, arnica_qp_query);
	SET(query_rt_values, arnica_device_query_rt_values);
	SET(query_srq, arnica_srq_query);
	SET(read_counters, arnica_counters_read);
	SET(reg_dm_mr, arnica_dm_reg_mr);
	SET(reg_dmabuf_mr, arnica_dmabuf_reg);
	SET(reg_mr, arnica_mr_reg);
	SET(req_notify_cq, arnica_cq_req_notify);
	SET(rereg_mr, arnica_mr_rereg);
	SET(resize_cq, arnica_cq_resize);
	SET(unimport_dm, arnica_dm_unimport);
	SET(unimport_mr, arnica_mr_unimport);
	SET(unimport_pd, arnica_pd_unimport);
#undef SET
	calibration->set_ops(verbs_context, table);
}
