/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* stdio's ways to open a file. */
#include "entry.h"

#include <string.h>
#include <unistd.h>

#include "device_file.h"
#include "manager/files.h"

static int standin_stream_open_device(const struct standin_place *place,
				      const char *mode, FILE **stream)
{
	int flags = strchr(mode, 'e') ? O_CLOEXEC : 0;
	int fd;
	int error = place->kind == STANDIN_PLACE_MANAGER ?
			    standin_cm_open(flags, &fd) :
			    standin_device_file_create(flags, &fd);

	if (error)
		return error;
	*stream = fdopen(fd, mode);
	if (*stream)
		return 0;
	error = errno;
	close(fd);
	return error;
}

static bool standin_stream_writes(const char *mode)
{
	return mode[0] != 'r' || strchr(mode, '+');
}

/* False: not ours. Otherwise *result is what fopen() or, if `stream` is not
 * NULL, freopen() returns. */
static STANDIN_SLOW bool standin_stream_ours(const char *path, const char *mode,
					     FILE *stream, FILE **result)
{
	struct standin_place place;
	int saved = errno;
	int error = standin_place_find(AT_FDCWD, path, &place);

	*result = NULL;
	if (!error && place.kind == STANDIN_PLACE_FOREIGN)
		return false;
	if (!error && place.kind != STANDIN_PLACE_TREE) {
		/* A stream that exists cannot become a new file of ours. */
		error = stream ? ENXIO :
				 standin_stream_open_device(&place, mode, result);
	} else if (!error && standin_stream_writes(mode)) {
		error = EACCES;
	} else if (!error) {
		*result = stream ? STANDIN_NEXT(freopen)(place.path, mode,
							 stream) :
				   STANDIN_NEXT(fopen)(place.path, mode);
		return true;
	}
	if (error && stream)
		fclose(stream); /* as freopen() does when it fails */
	errno = error ? error : saved;
	return true;
}

#define STANDIN_FOPEN_ENTRY(name)                                              \
	STANDIN_ENTRY FILE *name(const char *path, const char *mode)           \
	{                                                                      \
		FILE *result;                                                  \
                                                                               \
		if (standin_match_maybe(path) &&                               \
		    standin_stream_ours(path, mode, NULL, &result))            \
			return result;                                         \
		return STANDIN_NEXT(name)(path, mode);                         \
	}

#define STANDIN_FREOPEN_ENTRY(name)                                            \
	STANDIN_ENTRY FILE *name(const char *path, const char *mode,           \
				 FILE *stream)                                 \
	{                                                                      \
		FILE *result;                                                  \
                                                                               \
		if (standin_match_maybe(path) &&                               \
		    standin_stream_ours(path, mode, stream, &result))          \
			return result;                                         \
		return STANDIN_NEXT(name)(path, mode, stream);                 \
	}

STANDIN_FOPEN_ENTRY(fopen)
STANDIN_FOPEN_ENTRY(fopen64)
STANDIN_FREOPEN_ENTRY(freopen)
STANDIN_FREOPEN_ENTRY(freopen64)
