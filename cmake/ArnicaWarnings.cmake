# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# Warnings for every target of the tree. They are errors in CI (ARNICA_WERROR)
# only, so that a newer compiler does not break somebody's build.

add_compile_options(
	-Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes
	-Wvla -Wundef -Wpointer-arith -Wformat=2 -fno-common)
if(CMAKE_C_COMPILER_ID MATCHES "Clang")
	# The kernel's messages end with arrays, and what they hold follows.
	add_compile_options(-Wno-gnu-variable-sized-type-not-at-end)
endif()
if(ARNICA_WERROR)
	add_compile_options(-Werror)
endif()
