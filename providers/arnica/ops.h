/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The library's table of operations. Its order is alphabetical and new
 * releases insert into the middle, so a slot is computed from the operations
 * that the loaded release has. Slots that stay empty keep the library's
 * own answer, EOPNOTSUPP.
 */
#ifndef ARNICA_OPS_H
#define ARNICA_OPS_H

#include "calibrate.h"

/* name, first release that has it (of enum arnica_ops_generation) */
#define ARNICA_OPS_LIST(X)                                                     \
	X(advise_mr, V36)                                                      \
	X(alloc_buf, V64)                                                      \
	X(alloc_dm, V36)                                                       \
	X(alloc_dmah, V59)                                                     \
	X(alloc_mw, V36)                                                       \
	X(alloc_null_mr, V36)                                                  \
	X(alloc_parent_domain, V36)                                            \
	X(alloc_pd, V36)                                                       \
	X(alloc_td, V36)                                                       \
	X(async_event, V36)                                                    \
	X(attach_counters_point_flow, V36)                                     \
	X(attach_mcast, V36)                                                   \
	X(bind_mw, V36)                                                        \
	X(close_xrcd, V36)                                                     \
	X(cq_event, V36)                                                       \
	X(create_ah, V36)                                                      \
	X(create_comp_cntr, V65)                                               \
	X(create_counters, V36)                                                \
	X(create_cq, V36)                                                      \
	X(create_cq_ex, V36)                                                   \
	X(create_flow, V36)                                                    \
	X(create_flow_action_esp, V36)                                         \
	X(create_qp, V36)                                                      \
	X(create_qp_ex, V36)                                                   \
	X(create_rwq_ind_table, V36)                                           \
	X(create_srq, V36)                                                     \
	X(create_srq_ex, V36)                                                  \
	X(create_wq, V36)                                                      \
	X(dealloc_dmah, V59)                                                   \
	X(dealloc_mw, V36)                                                     \
	X(dealloc_pd, V36)                                                     \
	X(dealloc_td, V36)                                                     \
	X(dereg_mr, V36)                                                       \
	X(destroy_ah, V36)                                                     \
	X(destroy_comp_cntr, V65)                                              \
	X(destroy_counters, V36)                                               \
	X(destroy_cq, V36)                                                     \
	X(destroy_flow, V36)                                                   \
	X(destroy_flow_action, V36)                                            \
	X(destroy_qp, V36)                                                     \
	X(destroy_rwq_ind_table, V36)                                          \
	X(destroy_srq, V36)                                                    \
	X(destroy_wq, V36)                                                     \
	X(detach_mcast, V36)                                                   \
	X(dm_export_dmabuf_fd, V62)                                            \
	X(free_buf, V64)                                                       \
	X(free_context, V36)                                                   \
	X(free_dm, V36)                                                        \
	X(get_srq_num, V36)                                                    \
	X(import_dm, V36)                                                      \
	X(import_mr, V36)                                                      \
	X(import_pd, V36)                                                      \
	X(inc_comp_cntr, V65)                                                  \
	X(inc_err_comp_cntr, V65)                                              \
	X(modify_cq, V36)                                                      \
	X(modify_flow_action_esp, V36)                                         \
	X(modify_qp, V36)                                                      \
	X(modify_qp_rate_limit, V36)                                           \
	X(modify_srq, V36)                                                     \
	X(modify_wq, V36)                                                      \
	X(open_qp, V36)                                                        \
	X(open_xrcd, V36)                                                      \
	X(poll_cq, V36)                                                        \
	X(post_recv, V36)                                                      \
	X(post_send, V36)                                                      \
	X(post_srq_ops, V36)                                                   \
	X(post_srq_recv, V36)                                                  \
	X(qp_attach_comp_cntr, V65)                                            \
	X(query_comp_cntr_caps, V65)                                           \
	X(query_device_ex, V36)                                                \
	X(query_ece, V36)                                                      \
	X(query_port, V36)                                                     \
	X(query_port_speed, V62)                                               \
	X(query_qp, V36)                                                       \
	X(query_qp_data_in_order, V36)                                         \
	X(query_rt_values, V36)                                                \
	X(query_srq, V36)                                                      \
	X(read_comp_cntr, V65)                                                 \
	X(read_counters, V36)                                                  \
	X(read_err_comp_cntr, V65)                                             \
	X(reg_dm_mr, V36)                                                      \
	X(reg_dmabuf_mr, V36)                                                  \
	X(reg_mr, V36)                                                         \
	X(reg_mr_ex, V59)                                                      \
	X(req_notify_cq, V36)                                                  \
	X(rereg_mr, V36)                                                       \
	X(resize_cq, V36)                                                      \
	X(set_comp_cntr, V65)                                                  \
	X(set_ece, V36)                                                        \
	X(set_err_comp_cntr, V65)                                              \
	X(unimport_dm, V36)                                                    \
	X(unimport_mr, V36)                                                    \
	X(unimport_pd, V36)

enum arnica_op {
#define ARNICA_OPS_ENUM(name, since) ARNICA_OP_##name,
	ARNICA_OPS_LIST(ARNICA_OPS_ENUM)
#undef ARNICA_OPS_ENUM
		ARNICA_OP_COUNT
};

/* Slot of an operation in a release's table; -1 when it has none. */
int arnica_ops_slot(enum arnica_ops_generation generation, enum arnica_op op);

/* Puts an operation into its slot, if the release has one. */
void arnica_ops_set(void **table, enum arnica_ops_generation generation,
		    enum arnica_op op, void *function);

/* Hands the provider's operations to the library, for one context. */
void arnica_ops_install(const struct arnica_calibration *calibration,
			void *verbs_context);

#endif
