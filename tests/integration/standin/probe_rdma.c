/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Run under the stand-in with the fake adapter: every function finds the
 * emulated device on the paths that programs have built in. `probe_rdma inherit
 * FD` is the second half of the test of exec.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define SYS "/sys/class/infiniband"
#define NODE "/dev/infiniband/uverbs0"
#define RDMA_IOCTL 0xc0181b01ul

int __open_2(const char *path, int flags);

static int failures;

#define CHECK(condition)                                                       \
	do {                                                                   \
		if (!(condition)) {                                            \
			printf("line %d: %s (errno %d)\n", __LINE__,           \
			       #condition, errno);                             \
			failures++;                                            \
		}                                                              \
	} while (0)

#define CHECK_FAILS(expression, error)                                         \
	do {                                                                   \
		errno = 0;                                                     \
		CHECK((expression) && errno == (error));                       \
	} while (0)

static int is_device(const struct stat *status)
{
	return status->st_mode == (S_IFCHR | 0666) &&
	       major(status->st_rdev) == 231 && minor(status->st_rdev) == 192;
}

static int fd_is_device(int fd)
{
	struct stat status;
	struct statx extended;

	return !fstat(fd, &status) && is_device(&status) &&
	       !fstatat(fd, "", &status, AT_EMPTY_PATH) && is_device(&status) &&
	       !statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &extended) &&
	       extended.stx_mode == (S_IFCHR | 0666) &&
	       extended.stx_rdev_minor == 192;
}

static int reads(int fd, const char *content)
{
	char text[128];
	ssize_t length = read(fd, text, sizeof(text));

	close(fd);
	return length == (ssize_t)strlen(content) &&
	       !memcmp(text, content, (size_t)length);
}

static void check_sysfs(void)
{
	char path[PATH_MAX];
	char line[64] = "";
	struct dirent **list;
	struct stat status;
	struct stat again;
	glob_t found;
	FILE *stream;
	int fd;

	CHECK(reads(open(SYS "/arnica0/node_type", O_RDONLY), "1: CA\n"));
	CHECK(reads(open64(SYS "_verbs/abi_version", O_RDONLY), "6\n"));
	CHECK(reads(__open_2(SYS "_verbs/uverbs0/dev", O_RDONLY), "231:192\n"));
	fd = open(SYS "_verbs", O_RDONLY | O_DIRECTORY);
	CHECK(reads(openat(fd, "uverbs0/ibdev", O_RDONLY), "arnica0\n"));
	close(fd);
	fd = open("/sys/class", O_RDONLY | O_DIRECTORY);
	CHECK(reads(openat(fd, "infiniband/arnica0/fw_ver", O_RDONLY),
		    "1.0.0\n"));
	close(fd);
	CHECK(!stat(SYS "/arnica0", &status) && S_ISDIR(status.st_mode));
	CHECK(!lstat(SYS "/arnica0", &again) && S_ISLNK(again.st_mode));
	CHECK(!stat(SYS "/arnica0", &again) &&
	      again.st_mtim.tv_nsec == status.st_mtim.tv_nsec);
	CHECK(!access(SYS "/arnica0/device/net/lo", F_OK));
	CHECK_FAILS(access(SYS "/mlx5_0", F_OK), ENOENT);
	CHECK(reads(open("/sys/class/misc/rdma_cm/abi_version", O_RDONLY),
		    "4\n"));
	CHECK(reads(open("/sys/class/misc/rdma_cm/dev", O_RDONLY), "10:58\n"));
	CHECK(readlink(SYS "/arnica0", path, sizeof(path)) > 6 &&
	      !strncmp(path, "../../", 6));
	CHECK(realpath(SYS "/arnica0/device", path) && !access(path, F_OK) &&
	      !strstr(path, "/sys/class"));
	CHECK(scandir(SYS, &list, NULL, alphasort) == 3 &&
	      !strcmp(list[2]->d_name, "arnica0"));
	CHECK(!glob(SYS "/*/ports/1/gids/1?", 0, NULL, &found) &&
	      found.gl_pathc == 6 &&
	      !strcmp(found.gl_pathv[0], SYS "/arnica0/ports/1/gids/10") &&
	      !(found.gl_flags & GLOB_ALTDIRFUNC));
	stream = fopen(SYS "/arnica0/ports/1/gids/1", "r");
	CHECK(stream && fgets(line, sizeof(line), stream) &&
	      !strcmp(line, "0000:0000:0000:0000:0000:ffff:7f00:0001\n"));
	stream = freopen(SYS "/arnica0/ports/1/gid_attrs/types/1", "r", stream);
	CHECK(stream && fgets(line, sizeof(line), stream) &&
	      !strcmp(line, "RoCE v2\n"));
	if (stream)
		fclose(stream);
	CHECK_FAILS(open(SYS "/arnica0/node_desc", O_RDWR) < 0, EACCES);
	CHECK_FAILS(open(SYS "/new", O_CREAT | O_RDWR, 0600) < 0, EACCES);
	CHECK_FAILS(open(SYS "/none", O_WRONLY) < 0, ENOENT);
	CHECK_FAILS(!fopen(SYS "/arnica0/node_desc", "w"), EACCES);
	CHECK(!chdir(SYS) && !access("arnica0/node_guid", R_OK) && !chdir("/"));
	CHECK_FAILS(access(SYS "/../net/lo/nosuch", F_OK), ENOENT);
	CHECK(!access("/dev/infiniband/../null", F_OK) || errno == ENOENT);
}

static void check_device_path(void)
{
	struct dirent *entry;
	struct statx extended;
	struct stat status;
	char *path;
	DIR *folder;
	int seen = 0;

	CHECK(!stat(NODE, &status) && is_device(&status));
	CHECK(!lstat(NODE, &status) && is_device(&status));
	CHECK(!statx(AT_FDCWD, NODE, 0, STATX_BASIC_STATS, &extended) &&
	      extended.stx_mode == (S_IFCHR | 0666));
	CHECK(!access(NODE, R_OK | W_OK));
	CHECK_FAILS(access(NODE, X_OK), EACCES);
	CHECK(!stat("/dev/infiniband/rdma_cm", &status) &&
	      status.st_mode == (S_IFCHR | 0666) &&
	      status.st_rdev == makedev(10, 58));
	CHECK_FAILS(stat("/dev/infiniband/umad0", &status), ENOENT);
	CHECK_FAILS(open("/dev/infiniband/umad0", O_RDWR) < 0, ENOENT);
	CHECK_FAILS(open(NODE "/", O_RDWR) < 0, ENOTDIR);
	CHECK_FAILS(open(NODE, O_DIRECTORY) < 0, ENOTDIR);
	path = realpath(NODE, NULL);
	CHECK(path && !strcmp(path, NODE));
	free(path);
	folder = opendir("/dev/infiniband");
	while (folder && (entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		CHECK(!fstatat(dirfd(folder), entry->d_name, &status, 0));
		CHECK(!strcmp(entry->d_name, "rdma_cm") ?
			      status.st_rdev == makedev(10, 58) :
			      !strcmp(entry->d_name, "uverbs0") &&
				      is_device(&status));
		seen++;
	}
	CHECK(seen == 2);
	if (folder)
		closedir(folder);
}

static void check_exec(int fd)
{
	char number[16];
	int status;

	snprintf(number, sizeof(number), "%d", fd);
	if (!fork()) {
		execl("/proc/self/exe", "probe_rdma", "inherit", number, NULL);
		_exit(99);
	}
	CHECK(wait(&status) > 0 && status == 0);
}

static void check_device_fd(void)
{
	char bytes[32] = "not a message";
	int fd = open(NODE, O_RDWR | O_CLOEXEC);
	int other = open(NODE, O_RDWR);
	int copy = dup(fd);
	struct stat status;
	FILE *stream;

	CHECK(fd >= 0 && fd_is_device(fd) && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK(fd_is_device(other) && fcntl(other, F_GETFD) == 0);
	CHECK(fd_is_device(copy));
	/* The adapter relies on these, and asks in the same process. */
	CHECK(!fstat(fd, &status) && status.st_size == 4096 &&
	      status.st_ino > 0 && status.st_nlink == 0);
	check_exec(other);
	CHECK_FAILS(write(fd, bytes, sizeof(bytes)) < 0, EINVAL);
	CHECK(fd_is_device(fd));
	CHECK_FAILS(ioctl(fd, RDMA_IOCTL, NULL) < 0, EFAULT);
	CHECK_FAILS(ioctl(fd, RDMA_IOCTL, bytes) < 0, EINVAL);
	CHECK_FAILS(ioctl(fd, 0x5401, bytes) < 0, ENOTTY);
	close(fd);
	close(other);
	CHECK(fd_is_device(copy));
	close(copy);
	stream = fopen(NODE, "r+");
	CHECK(stream && fd_is_device(fileno(stream)));
	if (stream)
		fclose(stream);
	CHECK_FAILS(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 20) < 0,
		    EPROTONOSUPPORT);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "inherit"))
		return fd_is_device(atoi(argv[2])) ? 0 : 1;
	check_device_fd();
	check_device_path();
	check_sysfs();
	printf("%d failures\n", failures);
	return failures != 0;
}
