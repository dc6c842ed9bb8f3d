# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# What the tree needs from the system. Each comes as an imported target
# (PkgConfig::VERBS and so on), so that only the component that names it can
# include its headers and link it.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(VERBS REQUIRED IMPORTED_TARGET libibverbs)
pkg_check_modules(RDMACM IMPORTED_TARGET librdmacm) # tests only
pkg_check_modules(NL3 REQUIRED IMPORTED_TARGET libnl-3.0)
pkg_check_modules(NL_ROUTE REQUIRED IMPORTED_TARGET libnl-3.0 libnl-route-3.0)
pkg_check_modules(ISAL REQUIRED IMPORTED_TARGET libisal)
pkg_check_modules(INIH REQUIRED IMPORTED_TARGET inih)
if(BUILD_TESTING)
	pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
endif()

# Without sys/sdt.h the tracepoints compile to nothing.
include(CheckIncludeFile)
check_include_file(sys/sdt.h ARNICA_HAVE_SDT)
