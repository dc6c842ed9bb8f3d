/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The configuration file's places and limits; see settings.h. */
#ifndef ARNICA_UTIL_SETTINGS_FILE_H
#define ARNICA_UTIL_SETTINGS_FILE_H

#define ARNICA_SETTINGS_SYSTEM_FILE "/etc/arnica/arnica.conf"
#define ARNICA_SETTINGS_FILE_BYTES 65536u /* the longest that is read */
#define ARNICA_SETTINGS_LINE_BYTES 190u	  /* of its lines; the library's limit */

#endif
