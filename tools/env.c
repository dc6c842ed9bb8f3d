/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * arnica env: prints the variables that `arnica run` sets, in the form that a
 * shell, a Dockerfile, a CI system or a program reads.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "environment.h"

enum env_format {
	ENV_FORMAT_SHELL,
	ENV_FORMAT_DOCKER,
	ENV_FORMAT_JSON,
	ENV_FORMAT_GITHUB,
};

enum env_option {
	OPTION_SHELL = 0x100,
	OPTION_DOCKER,
	OPTION_JSON,
	OPTION_GITHUB,
};

struct env_options {
	struct tool_environment environment;
	enum env_format format;
};

static const struct argp_option options[] = {
	{ "sh", OPTION_SHELL, NULL, 0,
	  "for a shell: eval \"$(arnica env)\" (default)", 0 },
	{ "docker", OPTION_DOCKER, NULL, 0, "ENV lines for a Dockerfile", 0 },
	{ "json", OPTION_JSON, NULL, 0, "a JSON object", 0 },
	{ "github", OPTION_GITHUB, NULL, 0,
	  "NAME=VALUE lines: arnica env --github >> \"$GITHUB_ENV\"", 0 },
	{ 0 },
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct env_options *parsed = state->input;

	(void)argument;
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &parsed->environment;
		return 0;
	case OPTION_SHELL:
		parsed->format = ENV_FORMAT_SHELL;
		return 0;
	case OPTION_DOCKER:
		parsed->format = ENV_FORMAT_DOCKER;
		return 0;
	case OPTION_JSON:
		parsed->format = ENV_FORMAT_JSON;
		return 0;
	case OPTION_GITHUB:
		parsed->format = ENV_FORMAT_GITHUB;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument '%s'", argument);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Prints a value in quotes, with `escape` before each of the characters. */
static void print_escaped(const char *value, const char *characters,
			  const char *escape)
{
	for (; *value; value++) {
		if (strchr(characters, *value))
			fputs(escape, stdout);
		putchar(*value);
	}
}

static void print_shell(const struct tool_variable *variable)
{
	printf("export %s=\"", variable->name);
	print_escaped(variable->value, "\"\\$`", "\\");
	if (variable->list)
		printf("${%s:+:$%s}", variable->name, variable->name);
	puts("\"");
}

static void print_quoted(const char *prefix, const char *name,
			 const char *separator, const char *value,
			 const char *end)
{
	printf("%s%s%s\"", prefix, name, separator);
	print_escaped(value, "\"\\", "\\");
	printf("\"%s", end);
}

static void print_json(const struct tool_environment *environment)
{
	puts("{");
	for (size_t i = 0; i < environment->num_variables; i++)
		print_quoted("  \"", environment->variables[i].name,
			     "\": ", environment->variables[i].value,
			     i + 1 < environment->num_variables ? ",\n" : "\n");
	puts("}");
}

static void print_environment(const struct env_options *parsed)
{
	const struct tool_environment *environment = &parsed->environment;

	if (parsed->format == ENV_FORMAT_JSON) {
		print_json(environment);
		return;
	}
	for (size_t i = 0; i < environment->num_variables; i++) {
		const struct tool_variable *variable =
			&environment->variables[i];

		if (parsed->format == ENV_FORMAT_SHELL)
			print_shell(variable);
		else if (parsed->format == ENV_FORMAT_DOCKER)
			print_quoted("ENV ", variable->name, "=",
				     variable->value, "\n");
		else
			printf("%s=%s\n", variable->name, variable->value);
	}
}

int tool_command_env(int argc, char **argv)
{
	static const struct argp_child children[] = {
		{ &tool_environment_argp, 0, NULL, 0 },
		{ 0 },
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.doc = "Prints the environment variables that `arnica run` sets.",
		.children = children,
	};
	struct env_options parsed = { .format = ENV_FORMAT_SHELL };
	struct tool_layout layout;

	if (argp_parse(&argp, argc, argv, 0, NULL, &parsed))
		return TOOL_EXIT_USAGE;
	if (tool_locate_or_explain(argv[0], &layout))
		return TOOL_EXIT_FAILED;
	tool_environment_init(&parsed.environment, &layout);
	print_environment(&parsed);
	return TOOL_EXIT_OK;
}
