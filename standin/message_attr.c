/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "message_attr.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define STANDIN_ATTR_INLINE_BYTES 8u

static int standin_attr_check_length(const struct ib_uverbs_attr *attr,
				     const struct standin_attr_rule *rule)
{
	if (rule->max_length == STANDIN_ATTR_NO_LENGTH)
		return attr->len ? EINVAL : 0;
	if (attr->len < rule->min_length)
		return EINVAL;
	if (rule->max_length && attr->len > rule->max_length)
		return EINVAL;
	return 0;
}

static int standin_attrs_place(struct standin_attrs *attrs,
			       const struct ib_uverbs_attr *attr,
			       const struct standin_attr_rule *rules,
			       size_t num_rules)
{
	size_t i;

	for (i = 0; i < num_rules; i++) {
		if (rules[i].id != attr->attr_id)
			continue;
		if (attrs->found[i] || attr->attr_data.reserved)
			return EINVAL;
		attrs->found[i] = attr;
		return standin_attr_check_length(attr, &rules[i]);
	}
	return attr->flags & UVERBS_ATTR_F_MANDATORY ? EPROTONOSUPPORT : 0;
}

int standin_attrs_parse(struct standin_attrs *attrs, uint64_t address,
			size_t num_attrs, const struct standin_attr_rule *rules,
			size_t num_rules)
{
	size_t i;
	int error = 0;

	assert(num_rules <= STANDIN_ATTR_MAX_RULES);
	if (num_attrs > STANDIN_MESSAGE_MAX_ATTRS)
		return EINVAL;
	attrs->address = address;
	memset(attrs->found, 0, sizeof(attrs->found));
	if (num_attrs)
		error = standin_user_read(attrs->all, address,
					  num_attrs * sizeof(*attrs->all));
	for (i = 0; i < num_attrs && !error; i++)
		error = standin_attrs_place(attrs, &attrs->all[i], rules,
					    num_rules);
	for (i = 0; i < num_rules && !error; i++) {
		if (rules[i].required && !attrs->found[i])
			error = EINVAL;
	}
	return error;
}

int standin_attrs_get(const struct standin_attrs *attrs, size_t rule,
		      void *value, size_t length)
{
	const struct ib_uverbs_attr *attr = attrs->found[rule];

	if (!attr || attr->len != length)
		return EINVAL;
	if (length > STANDIN_ATTR_INLINE_BYTES)
		return standin_user_read(value, attr->data, length);
	memcpy(value, &attr->data, length);
	return 0;
}

int standin_attrs_get_number(const struct standin_attrs *attrs, size_t rule,
			     uint64_t *value)
{
	const struct ib_uverbs_attr *attr = attrs->found[rule];
	uint32_t narrow;
	int error;

	if (!attr || attr->len != sizeof(narrow))
		return standin_attrs_get(attrs, rule, value, sizeof(*value));
	error = standin_attrs_get(attrs, rule, &narrow, sizeof(narrow));
	*value = narrow;
	return error;
}

/* Tells the program that it has been written to; tools like valgrind look. */
static int standin_attrs_mark(const struct standin_attrs *attrs,
			      const struct ib_uverbs_attr *attr)
{
	const uint64_t at = attrs->address +
			    (uint64_t)(attr - attrs->all) * sizeof(*attr);
	const uint16_t flags = attr->flags | UVERBS_ATTR_F_VALID_OUTPUT;

	return standin_user_write(at + offsetof(struct ib_uverbs_attr, flags),
				  &flags, sizeof(flags));
}

int standin_attrs_put(const struct standin_attrs *attrs, size_t rule,
		      const void *value, size_t length)
{
	const struct ib_uverbs_attr *attr = attrs->found[rule];
	static const uint8_t zeros[64];
	size_t done;
	int error;

	if (!attr)
		return EINVAL;
	done = attr->len < length ? attr->len : length;
	error = standin_user_write(attr->data, value, done);
	while (!error && done < attr->len) {
		size_t step = attr->len - done;

		if (step > sizeof(zeros))
			step = sizeof(zeros);
		error = standin_user_write(attr->data + done, zeros, step);
		done += step;
	}
	return error ? error : standin_attrs_mark(attrs, attr);
}

int standin_attrs_put_fd(const struct standin_attrs *attrs, size_t rule, int fd)
{
	const struct ib_uverbs_attr *attr = attrs->found[rule];
	const int64_t value = fd;
	const uint64_t at = attrs->address +
			    (uint64_t)(attr - attrs->all) * sizeof(*attr);
	int error = standin_user_write(
		at + offsetof(struct ib_uverbs_attr, data_s64), &value,
		sizeof(value));

	return error ? error : standin_attrs_mark(attrs, attr);
}
