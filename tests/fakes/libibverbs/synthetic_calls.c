/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The calls by which the provider tells releases apart. They are there by name
 * only; the public header, which may have their types, is not included.
 */
#define CALL(name)                                                             \
	void name(void);                                                       \
	__attribute__((visibility("default"))) void name(void)                 \
	{                                                                      \
	}

CALL(ibv_query_qp_data_in_order)
#if RELEASE >= 59
CALL(ibv_alloc_dmah)
#endif
#if RELEASE >= 62
CALL(ibv_dm_export_dmabuf_fd)
#endif
#if RELEASE >= 64
CALL(ibv_alloc_buf)
#endif
#if RELEASE >= 65
CALL(ibv_create_comp_cntr)
#endif
