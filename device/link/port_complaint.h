/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The line that a user gets whose programs cannot have UDP port 4791. */
#ifndef ADEV_LINK_PORT_COMPLAINT_H
#define ADEV_LINK_PORT_COMPLAINT_H

/* Says why a function cannot have the port, and what to do. */
void adev_port_complain(int error);

#endif
