/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The time of a simulation. */
#include "core/clock.h"

_Atomic uint64_t adev_clock_simulated_ns;
