# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# arnica_unit_test(<name> <source> [LIBS lib...] [SOURCES file...]
#                  [INCLUDES dir...] [DEFINES def...] [OPTIONS link-option...]
#                  [ARGS arg...] [ENVIRONMENT var=value...] [LABELS label...]
#                  [TIMEOUT seconds])
#
# Builds the cmocka program <name> and registers it with ctest under the label
# `unit` (and LABELS). Exit status 77 means: skipped, the reason is on stdout.
#
# arnica_script_test(<name> COMMAND cmd... [LABELS label...] [TIMEOUT seconds]
#                    [ENVIRONMENT var=value...] [SERIAL])
#
# Registers a command, by convention for tests/integration.

set(ARNICA_TEST_ENVIRONMENT
	ARNICA_CONFIG=none
	ASAN_OPTIONS=detect_leaks=1:abort_on_error=0
	UBSAN_OPTIONS=print_stacktrace=1
	TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1)

function(arnica_unit_test name source)
	cmake_parse_arguments(PARSE_ARGV 2 test "" "TIMEOUT"
		"LIBS;SOURCES;INCLUDES;DEFINES;OPTIONS;ARGS;ENVIRONMENT;LABELS")
	if(test_UNPARSED_ARGUMENTS)
		message(FATAL_ERROR "arnica_unit_test(${name}): unknown argument ${test_UNPARSED_ARGUMENTS}")
	endif()
	if(NOT test_TIMEOUT)
		set(test_TIMEOUT 300)
	endif()
	add_executable(${name} ${source} ${test_SOURCES})
	set_target_properties(${name} PROPERTIES
		RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
	target_include_directories(${name} PRIVATE ${test_INCLUDES})
	target_compile_definitions(${name} PRIVATE ${test_DEFINES})
	# cmocka.h relies on these being included before it.
	target_compile_options(${name} PRIVATE
		"SHELL:-include stdarg.h" "SHELL:-include stddef.h"
		"SHELL:-include setjmp.h" "SHELL:-include stdint.h")
	target_link_options(${name} PRIVATE ${test_OPTIONS})
	target_link_libraries(${name} PRIVATE ${test_LIBS} PkgConfig::CMOCKA)
	add_test(NAME ${name} COMMAND ${ARNICA_TEST_LAUNCHER} $<TARGET_FILE:${name}> ${test_ARGS})
	set_tests_properties(${name} PROPERTIES
		LABELS "unit;${test_LABELS}"
		TIMEOUT ${test_TIMEOUT}
		SKIP_RETURN_CODE 77
		ENVIRONMENT "${ARNICA_TEST_ENVIRONMENT};${test_ENVIRONMENT}")
endfunction()

function(arnica_script_test name)
	cmake_parse_arguments(PARSE_ARGV 1 test "SERIAL" "TIMEOUT"
		"COMMAND;ENVIRONMENT;LABELS")
	if(test_UNPARSED_ARGUMENTS)
		message(FATAL_ERROR "arnica_script_test(${name}): unknown argument ${test_UNPARSED_ARGUMENTS}")
	endif()
	if(NOT test_TIMEOUT)
		set(test_TIMEOUT 300)
	endif()
	add_test(NAME ${name} COMMAND ${test_COMMAND})
	set_tests_properties(${name} PROPERTIES
		LABELS "${test_LABELS}"
		TIMEOUT ${test_TIMEOUT}
		SKIP_RETURN_CODE 77
		RUN_SERIAL ${test_SERIAL}
		ENVIRONMENT "ARNICA_BUILD_DIR=${CMAKE_BINARY_DIR};${test_ENVIRONMENT}")
endfunction()
