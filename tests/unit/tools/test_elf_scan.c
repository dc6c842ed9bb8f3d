/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The programs under test are written here byte by byte, so that they can be
 * damaged in any way.
 */
#include <elf.h>
#include <errno.h>
#include <link.h>

#include "scratch.h"

#include "elf_scan.h"

/* A program with an interpreter that needs libc and a sanitizer runtime. All
 * of it is one segment, whose addresses are the file's offsets plus BASE. */
#define BASE 0x10000

struct program {
	ElfW(Ehdr) header;
	ElfW(Phdr) segments[3];
	ElfW(Dyn) dynamic[5];
	char strings[32];
};

static void fill(struct program *program)
{
	extern const ElfW(Ehdr) __ehdr_start
		__attribute__((visibility("hidden")));

	memset(program, 0, sizeof(*program));
	program->header = __ehdr_start;
	program->header.e_type = ET_EXEC;
	program->header.e_phoff = offsetof(struct program, segments);
	program->header.e_phnum = 3;
	program->segments[0] = (ElfW(Phdr)){
		.p_type = PT_LOAD,
		.p_vaddr = BASE,
		.p_filesz = sizeof(*program),
	};
	program->segments[1] = (ElfW(Phdr)){ .p_type = PT_INTERP };
	program->segments[2] = (ElfW(Phdr)){
		.p_type = PT_DYNAMIC,
		.p_offset = offsetof(struct program, dynamic),
		.p_filesz = sizeof(program->dynamic),
	};
	memcpy(program->strings, "\0libc.so.6\0libasan.so.8", 24);
	program->dynamic[0] = (ElfW(Dyn)){ .d_tag = DT_NEEDED,
					   .d_un.d_val = 1 };
	program->dynamic[1] = (ElfW(Dyn)){ .d_tag = DT_NEEDED,
					   .d_un.d_val = 11 };
	program->dynamic[2] = (ElfW(Dyn)){
		.d_tag = DT_STRTAB,
		.d_un.d_val = BASE + offsetof(struct program, strings),
	};
	program->dynamic[3] = (ElfW(Dyn)){
		.d_tag = DT_STRSZ,
		.d_un.d_val = sizeof(program->strings),
	};
}

static void scan(const void *bytes, size_t length, struct tool_elf *elf)
{
	scratch_write("program", bytes, length, 0644);
	assert_int_equal(tool_elf_scan(scratch_path("program"), elf), 0);
}

static void needed_runtime_is_found(void **state)
{
	struct program program;
	struct tool_elf elf;

	(void)state;
	fill(&program);
	scan(&program, sizeof(program), &elf);
	assert_int_equal(elf.kind, TOOL_PROGRAM_DYNAMIC);
	assert_int_equal(elf.runtimes.num_names, 1);
	assert_string_equal(elf.runtimes.names[0], "libasan.so.8");
}

static void program_without_interpreter_is_static(void **state)
{
	struct program program;
	struct tool_elf elf;

	(void)state;
	fill(&program);
	program.segments[1].p_type = PT_NULL;
	scan(&program, sizeof(program), &elf);
	assert_int_equal(elf.kind, TOOL_PROGRAM_STATIC);
}

static void dynamic_linker_itself_is_dynamic(void **state)
{
	struct program program;
	struct tool_elf elf;

	(void)state;
	fill(&program);
	program.segments[1].p_type = PT_NULL;
	memcpy(program.strings + 11, "ld-linux.so.2", 14);
	program.dynamic[1].d_tag = DT_SONAME;
	scan(&program, sizeof(program), &elf);
	assert_int_equal(elf.kind, TOOL_PROGRAM_DYNAMIC);
	assert_int_equal(elf.runtimes.num_names, 0);
}

static void other_machine_or_class_is_foreign(void **state)
{
	struct program program;
	struct tool_elf elf;

	(void)state;
	fill(&program);
	program.header.e_machine = EM_S390;
	scan(&program, sizeof(program), &elf);
	assert_int_equal(elf.kind, TOOL_PROGRAM_FOREIGN);
	fill(&program);
	program.header.e_ident[EI_CLASS] ^= ELFCLASS32 ^ ELFCLASS64;
	scan(&program, sizeof(program), &elf);
	assert_int_equal(elf.kind, TOOL_PROGRAM_FOREIGN);
}

static void every_truncation_is_survived(void **state)
{
	struct program program;
	struct tool_elf elf;

	(void)state;
	fill(&program);
	for (size_t length = 0; length < sizeof(program); length++) {
		scan(&program, length, &elf);
		assert_in_range(elf.runtimes.num_names, 0, 1);
	}
}

static void every_wild_word_is_survived(void **state)
{
	static const uint64_t values[] = {
		0, 1, 0xffff, UINT32_MAX, INT64_MAX, UINT64_MAX - 7, UINT64_MAX
	};
	struct program program;
	struct tool_elf elf;

	(void)state;
	for (size_t at = 16; at + 8 <= sizeof(program); at += 4) {
		for (size_t i = 0; i < sizeof(values) / sizeof(values[0]);
		     i++) {
			fill(&program);
			memcpy((char *)&program + at, &values[i], 8);
			scan(&program, sizeof(program), &elf);
		}
	}
}

static void script_line_is_returned(void **state)
{
	static const char script[] = "#!/usr/bin/env python3\nprint(1)\n";
	struct tool_elf elf;

	(void)state;
	scan(script, strlen(script), &elf);
	assert_int_equal(elf.kind, TOOL_PROGRAM_SCRIPT);
	assert_string_equal(elf.script_line, "/usr/bin/env python3");
	scan("#!", 2, &elf);
	assert_int_equal(elf.kind, TOOL_PROGRAM_SCRIPT);
	assert_string_equal(elf.script_line, "");
}

static void long_script_line_is_cut(void **state)
{
	static char script[2000];
	struct tool_elf elf;

	(void)state;
	memset(script, 'x', sizeof(script));
	memcpy(script, "#!", 2);
	scan(script, sizeof(script), &elf);
	assert_int_equal(strlen(elf.script_line), TOOL_SCRIPT_LINE_BYTES - 1);
}

static void anything_else_is_left_to_the_system(void **state)
{
	struct tool_elf elf;

	(void)state;
	scan("echo hello\n", 11, &elf);
	assert_int_equal(elf.kind, TOOL_PROGRAM_OTHER);
	scan("", 0, &elf);
	assert_int_equal(elf.kind, TOOL_PROGRAM_OTHER);
	assert_int_equal(tool_elf_scan("/dev/null", &elf), 0);
	assert_int_equal(elf.kind, TOOL_PROGRAM_OTHER);
	assert_int_equal(tool_elf_scan(scratch_path("none"), &elf), ENOENT);
}

static void running_program_is_recognised(void **state)
{
	struct tool_elf elf;

	(void)state;
	assert_int_equal(tool_elf_scan("/proc/self/exe", &elf), 0);
	assert_int_equal(elf.kind, TOOL_PROGRAM_DYNAMIC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(needed_runtime_is_found),
		cmocka_unit_test(program_without_interpreter_is_static),
		cmocka_unit_test(dynamic_linker_itself_is_dynamic),
		cmocka_unit_test(other_machine_or_class_is_foreign),
		cmocka_unit_test(every_truncation_is_survived),
		cmocka_unit_test(every_wild_word_is_survived),
		cmocka_unit_test(script_line_is_returned),
		cmocka_unit_test(long_script_line_is_cut),
		cmocka_unit_test(anything_else_is_left_to_the_system),
		cmocka_unit_test(running_program_is_recognised),
	};

	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
