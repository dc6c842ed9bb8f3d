/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Calls every function that the stand-in stands in front of, on things that are
 * not RDMA, and prints what came back. Run with and without the stand-in, the
 * output must be the same; transparent.sh compares, and checks that no exported
 * function is missing here.
 *
 * Works in the current folder, which must be empty.
 */
#include "probe.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define BAD ((const char *)1)

/* Not a constant, so that compilers do not warn of what is meant. */
static const char *volatile no_path;

int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);
int __openat64_2(int dir, const char *path, int flags);
ssize_t __readlink_chk(const char *path, char *target, size_t size,
		       size_t room);
ssize_t __readlinkat_chk(int dir, const char *path, char *target, size_t size,
			 size_t room);
char *__realpath_chk(const char *path, char *resolved, size_t room);

static int dir;

static void fd_result(const char *name, int fd)
{
	struct stat status;

	report(name, fd < 0 ? -1 : 0);
	if (fd < 0)
		return;
	if (fstat(fd, &status))
		abort();
	printf("  mode %o flags %x cloexec %d\n", status.st_mode,
	       fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
	close(fd);
}

static void probe_open(void)
{
	fd_result("open", open("file", O_RDONLY));
	fd_result("open", open("missing", O_RDWR));
	fd_result("open", open(BAD, O_RDONLY));
	fd_result("open", open(no_path, O_RDONLY));
	fd_result("open", open("new", O_RDWR | O_CREAT | O_EXCL, 0640));
	fd_result("open", open(".", O_RDWR | O_TMPFILE, 0604));
	fd_result("open", open("/dev/null", O_RDWR | O_CLOEXEC | O_NONBLOCK));
	fd_result("open64", open64("file", O_RDONLY));
	fd_result("open64", open64("new64", O_RDWR | O_CREAT, 0611));
	fd_result("openat", openat(dir, "file", O_RDONLY));
	fd_result("openat", openat(dir, "newat", O_CREAT | O_WRONLY, 0622));
	fd_result("openat", openat(-1, "file", O_RDONLY));
	fd_result("openat", openat(-1, "infiniband", O_RDONLY));
	fd_result("openat64", openat64(AT_FDCWD, "file", O_WRONLY | O_APPEND));
	fd_result("__open_2", __open_2("file", O_RDONLY));
	fd_result("__open_2", __open_2("/sys/class/net", O_RDONLY));
	fd_result("__open64_2", __open64_2("file", O_RDWR));
	fd_result("__openat_2", __openat_2(dir, "file", O_RDWR));
	fd_result("__openat64_2", __openat64_2(dir, "none", O_RDWR));
	fd_result("creat", creat("created", 0600));
	fd_result("creat", creat("/no/such/folder", 0600));
	fd_result("creat64", creat64("created64", 0755));
	/* A folder of the program's own that is called like ours. */
	if (mkdir("infiniband", 0755))
		abort();
	fd_result("openat",
		  openat(dir, "infiniband/verbs.h", O_CREAT | O_RDWR, 0600));
	fd_result("open", open("infiniband/verbs.h", O_RDONLY));
	fd_result("open", open("infiniband/missing.h", O_RDONLY));
	fd_result("open", open("uverbs0", O_CREAT | O_WRONLY, 0600));
}

static void probe_list(void)
{
	struct dirent64 **list64;
	struct dirent **list;
	glob64_t found64;
	glob_t found;
	DIR *folder;
	int count;

	folder = opendir(".");
	report("opendir", folder ? 0 : -1);
	closedir(folder);
	report("opendir", opendir("missing") ? 0 : -1);
	count = scandir(".", &list, NULL, alphasort);
	report("scandir", count);
	while (count-- > 0)
		printf("  %s\n", list[count]->d_name);
	count = scandir64("/proc/self", &list64, NULL, alphasort64);
	report("scandir64", count > 0);
	report("glob", glob("*4*", 0, NULL, &found));
	for (count = 0; count < (int)found.gl_pathc; count++)
		printf("  %s\n", found.gl_pathv[count]);
	report("glob", glob("/proc/se*", GLOB_APPEND, NULL, &found));
	printf("  %zu %x\n", found.gl_pathc, found.gl_flags);
	globfree(&found);
	report("glob64", glob64("nothing*", GLOB_NOCHECK, NULL, &found64));
	printf("  %s\n", found64.gl_pathv[0]);
}

static void stream_result(const char *name, FILE *stream)
{
	char line[64] = "";

	report(name, stream ? 0 : -1);
	if (!stream)
		return;
	if (fgets(line, sizeof(line), stream))
		printf("  %s", line);
	fclose(stream);
}

static void probe_stream(void)
{
	stream_result("fopen", fopen("file", "r"));
	stream_result("fopen", fopen("file", "zz"));
	stream_result("fopen64", fopen64("missing", "r"));
	stream_result("freopen", freopen("file", "r", fopen("new", "r")));
	stream_result("freopen", freopen(NULL, "r", fopen("file", "r")));
	stream_result("freopen64",
		      freopen64("missing", "r", fopen("new", "r")));
}

static void text_result(const char *name, char *text)
{
	report(name, text ? 0 : -1);
	if (text)
		printf("  %s\n", strrchr(text, '/'));
}

static void probe_links(void)
{
	char target[PATH_MAX];

	if (symlink("file", "link"))
		abort();
	report("readlink", readlink("link", target, sizeof(target)));
	report("readlink", readlink("file", target, sizeof(target)));
	report("readlinkat", readlinkat(dir, "link", target, 2));
	report("__readlink_chk",
	       __readlink_chk("link", target, sizeof(target), sizeof(target)));
	report("__readlinkat_chk", __readlinkat_chk(dir, "link", target, 3, 9));
	text_result("realpath", realpath("link", target));
	text_result("realpath", realpath("missing", NULL));
	text_result("realpath", realpath(no_path, NULL));
	text_result("__realpath_chk",
		    __realpath_chk("link", target, sizeof(target)));
	text_result("canonicalize_file_name", canonicalize_file_name("./link"));
}

static void probe_path(void)
{
	char value[64];

	report("access", access("file", R_OK));
	report("access", access("missing", F_OK));
	report("access", access("file", 12345));
	report("euidaccess", euidaccess("file", W_OK));
	report("eaccess", eaccess("missing", W_OK));
	report("faccessat", faccessat(dir, "file", R_OK, AT_EACCESS));
	report("faccessat", faccessat(dir, "file", R_OK, 0x4000));
	report("getxattr", getxattr("file", "user.no", value, sizeof(value)));
	report("lgetxattr", lgetxattr("none", "user.no", value, sizeof(value)));
	report("listxattr", listxattr("missing", value, sizeof(value)));
	report("llistxattr", llistxattr("missing", value, sizeof(value)));
	report("chdir", chdir("missing"));
	report("chdir", chdir("/proc/self"));
	report("chdir", fchdir(dir));
}

static void probe_message(void)
{
	const unsigned long rdma = 0xc0181b01;
	int file = open("file", O_RDONLY);
	int bytes = -1;

	report("ioctl", ioctl(file, FIONREAD, &bytes));
	printf("  %d\n", bytes);
	report("ioctl", ioctl(file, rdma, &bytes));
	report("ioctl", ioctl(file, (int)rdma, NULL));
	report("ioctl", ioctl(-1, rdma, &bytes));
	report("ioctl", ioctl(-1, FIONREAD, &bytes));
	report("write", write(-1, "x", 1));
	report("write", write(file, "x", 1));
	report("write", write(STDOUT_FILENO, "x", 0));
	report("socket", socket(AF_UNIX, SOCK_STREAM, 0) < 0);
	report("socket", socket(AF_NETLINK, SOCK_RAW, 0) < 0);
	report("socket", socket(AF_UNIX, SOCK_STREAM, 20));
	report("socket", socket(-1, SOCK_STREAM, 20));
	close(file);
}

static void probe_memory(void)
{
	const size_t page = 4096;
	char *memory = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *place = mmap(NULL, 8 * page, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(memory, 1, 4 * page);
	report("madvise", madvise(memory, page, MADV_DONTNEED));
	printf("  %d %d\n", memory[0], memory[page]);
	report("madvise", madvise(memory + 1, page, MADV_DONTNEED));
	report("madvise", madvise(memory, page, -1));
	report("madvise", madvise(memory, 0, MADV_NORMAL));
	report("mremap", mremap(memory, 4 * page, 2 * page, 0) != memory);
	report("mremap", mremap(memory, 2 * page, 8 * page,
				MREMAP_MAYMOVE | MREMAP_FIXED,
				place) != place);
	printf("  %d %d %d\n", place[0], place[page], place[7 * page]);
	report("mremap", mremap(place + 1, page, page, 0) != MAP_FAILED);
	report("mremap", mremap(place, page, page, -1) != MAP_FAILED);
	munmap(place, 8 * page);
}

int main(void)
{
	FILE *file;

	/* Looking up functions must not have left an error to be found. */
	printf("dlerror %s\n", dlerror() ? "set" : "empty");
	umask(0);
	file = fopen("file", "w");
	fputs("hello, world\n", file);
	fclose(file);
	dir = open(".", O_RDONLY | O_DIRECTORY);
	errno = QUIET_ERRNO;
	probe_open();
	probe_status(dir);
	probe_list();
	probe_stream();
	probe_links();
	probe_path();
	probe_message();
	probe_memory();
	probe_limits();
	return 0;
}
