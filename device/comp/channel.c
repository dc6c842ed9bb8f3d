/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Completion channels: the table of pipes. */
#include "comp/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <arnica/hw/event.h>

#include "comp/async.h"
#include "comp/channel_table.h"
#include "comp/pipe.h"

int adev_channels_init(struct adev_function *fn)
{
	int error = pthread_mutex_init(&fn->channel_lock, NULL);

	if (error)
		return error;
	fn->channels = NULL;
	fn->num_channels = 0;
	fn->async_fd = -1;
	fn->async_first = NULL;
	fn->async_last = NULL;
	fn->async_lost = false;
	atomic_init(&fn->deliver_again_ns, 0);
	atomic_init(&fn->num_async_waiting, 0);
	return 0;
}

/* Takes no lock: in a forked child nobody might ever release it. */
void adev_channels_fini(struct adev_function *fn)
{
	uint32_t i;

	for (i = 0; i < fn->num_channels; i++)
		close(fn->channels[i].write_fd);
	free(fn->channels);
	fn->channels = NULL;
	fn->num_channels = 0;
	adev_async_fini(fn);
	pthread_mutex_destroy(&fn->channel_lock);
}

/* A channel that no CQ names and nobody reads; num_channels when none. */
static uint32_t find_abandoned(const struct adev_function *fn)
{
	uint32_t i;

	for (i = 0; i < fn->num_channels; i++) {
		if (!fn->channels[i].num_cqs &&
		    adev_pipe_abandoned(fn->channels[i].write_fd))
			break;
	}
	return i;
}

static int grow(struct adev_function *fn)
{
	struct adev_channel *channels;
	uint32_t count = fn->num_channels;

	/* Doubles at each power of two. */
	if (count & (count - 1))
		return 0;
	channels = realloc(fn->channels,
			   (count ? 2 * count : 1) * sizeof(*channels));
	if (!channels)
		return ENOMEM;
	fn->channels = channels;
	return 0;
}

static int enter(struct adev_function *fn, const struct adev_channel *channel)
{
	uint32_t index = find_abandoned(fn);

	if (index < fn->num_channels) {
		close(fn->channels[index].write_fd);
	} else {
		int error = grow(fn);

		if (error)
			return error;
		fn->num_channels++;
	}
	fn->channels[index] = *channel;
	return 0;
}

static int identify(int fd, struct adev_channel *channel)
{
	struct stat status;

	if (fstat(fd, &status) != 0)
		return errno;
	channel->device = status.st_dev;
	channel->inode = status.st_ino;
	return S_ISFIFO(status.st_mode) ? 0 : ENOENT;
}

int adev_channel_open(struct adev_function *fn, int *fd)
{
	struct adev_channel channel = { 0 };
	int error = adev_pipe_create(fd, &channel.write_fd);

	if (error)
		return error;
	error = identify(*fd, &channel);
	if (!error) {
		pthread_mutex_lock(&fn->channel_lock);
		error = enter(fn, &channel);
		pthread_mutex_unlock(&fn->channel_lock);
	}
	if (error) {
		close(*fd);
		close(channel.write_fd);
	}
	return error;
}

int adev_channel_index(struct adev_function *fn, int fd, uint32_t *index)
{
	struct adev_channel wanted = { 0 };
	int error = ENOENT;
	uint32_t i;

	if (identify(fd, &wanted))
		return ENOENT;
	pthread_mutex_lock(&fn->channel_lock);
	for (i = 0; i < fn->num_channels; i++) {
		if (fn->channels[i].inode != wanted.inode ||
		    fn->channels[i].device != wanted.device)
			continue;
		*index = i;
		error = 0;
		break;
	}
	pthread_mutex_unlock(&fn->channel_lock);
	return error;
}

bool adev_channel_valid(struct adev_function *fn, uint32_t index)
{
	bool valid;

	pthread_mutex_lock(&fn->channel_lock);
	valid = index < fn->num_channels;
	pthread_mutex_unlock(&fn->channel_lock);
	return valid;
}

bool adev_channel_get(struct adev_function *fn, uint32_t index)
{
	bool valid;

	pthread_mutex_lock(&fn->channel_lock);
	valid = index < fn->num_channels;
	if (valid)
		fn->channels[index].num_cqs++;
	pthread_mutex_unlock(&fn->channel_lock);
	return valid;
}

void adev_channel_put(struct adev_function *fn, uint32_t index)
{
	pthread_mutex_lock(&fn->channel_lock);
	if (index < fn->num_channels && fn->channels[index].num_cqs)
		fn->channels[index].num_cqs--;
	pthread_mutex_unlock(&fn->channel_lock);
}

uint32_t adev_channel_settle(struct adev_function *fn, uint32_t index,
			     uint64_t user_data, uint32_t written)
{
	uint32_t removed = 0;

	if (!written)
		return 0;
	pthread_mutex_lock(&fn->channel_lock);
	if (index < fn->num_channels)
		removed = adev_pipe_purge(
			fn->channels[index].write_fd,
			sizeof(struct arnica_hw_completion_event), user_data);
	pthread_mutex_unlock(&fn->channel_lock);
	if (removed == ADEV_PURGE_UNKNOWN)
		return ARNICA_HW_EVENTS_UNKNOWN;
	return removed < written ? written - removed : 0;
}
