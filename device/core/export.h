/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the host or a tool finds in the adapter's library, by its name. */
#ifndef ADEV_CORE_EXPORT_H
#define ADEV_CORE_EXPORT_H

#define EXPORT __attribute__((visibility("default")))

#endif
