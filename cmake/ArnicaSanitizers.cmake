# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# ARNICA_SANITIZE selects sanitizers for everything that is built. A finding
# ends the program, so that no test passes over it. Without sanitizers a shared
# library must resolve all its symbols at link time.

if(ARNICA_SANITIZE)
	add_compile_options(-fsanitize=${ARNICA_SANITIZE}
		-fno-sanitize-recover=all -fno-omit-frame-pointer)
	add_link_options(-fsanitize=${ARNICA_SANITIZE})
	if(ARNICA_SANITIZE MATCHES "thread" AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
		# A fence that ThreadSanitizer does not follow is worth a line,
		# but no reason not to build.
		add_compile_options(-Wno-error=tsan)
	endif()
else()
	add_link_options($<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,SHARED_LIBRARY>:-Wl,-z,defs>)
	add_compile_options($<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE>
		$<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
endif()
add_compile_options(-fstack-protector-strong)
add_link_options(-Wl,-z,relro -Wl,-z,now)

# ThreadSanitizer of older compilers does not start where the kernel moves
# mappings about by more than 28 bits; without randomisation it does.
set(ARNICA_TEST_LAUNCHER "")
if(ARNICA_SANITIZE MATCHES "thread")
	execute_process(COMMAND setarch -R true
		RESULT_VARIABLE refused OUTPUT_QUIET ERROR_QUIET)
	if(refused EQUAL 0)
		set(ARNICA_TEST_LAUNCHER setarch -R)
	endif()
endif()
