#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# usage: transparent.sh STANDIN PROBE
#
# A program that does not use RDMA notices nothing of the stand-in: programs run
# with and without it, and must print the same and end with the same status.

set -u
standin=$(realpath "$1")
probe=$(realpath "$2")
# The programs below shall find the compilers' runtimes as they would alone.
unset LD_PRELOAD ASAN_OPTIONS TSAN_OPTIONS
export LC_ALL=C GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
export GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@t GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@t
export GIT_AUTHOR_DATE='2024-01-01T00:00:00Z' GIT_COMMITTER_DATE='2024-01-01T00:00:00Z'
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
count=0

# compare NAME COMMAND...: each run has a fresh folder of the same name.
compare()
{
	local name=$1 variant
	shift
	for variant in without with; do
		rm -rf "$work/here"
		cp -r "$work/source" "$work/here"
		(
			cd "$work/here" || exit 99
			[ $variant = with ] && export LD_PRELOAD=$standin
			exec "$@"
		) >"$work/$variant" 2>&1 </dev/null
		echo "exit status $?" >>"$work/$variant"
		# What a command left in its folder counts too.
		(cd "$work/here" && find . -path ./.git -prune -o -type f -print |
			sort) >>"$work/$variant"
	done
	count=$((count + 1))
	if cmp -s "$work/without" "$work/with"; then
		echo "ok    $name"
	else
		echo "DIFF  $name"
		diff "$work/without" "$work/with" | sed 's/^/      /' | head -20
		failures=$((failures + 1))
	fi
}

compare_if()
{
	local program=$1
	shift
	if command -v "$program" >/dev/null; then
		compare "$@"
	else
		echo "skip  $1: no $program here"
	fi
}

mkdir "$work/source" "$work/bin"
cat >"$work/source/Makefile" <<'END'
all: a.txt sub/b.txt
	@cat $^
a.txt:
	echo a > $@
sub/b.txt: | sub
	wc -c Makefile > $@
sub:
	mkdir $@
END
cat >"$work/source/walk.py" <<'END'
import glob, json, os, pathlib, socket, stat, subprocess, sys, tempfile
print(sorted(os.listdir(".")), stat.filemode(os.stat("Makefile").st_mode))
print(sorted(str(p) for p in pathlib.Path("/etc").glob("pass*")))
print(sorted(glob.glob("/sys/class/n*")), os.path.realpath("/proc/self/../1/.."))
print(subprocess.run(["sh", "-c", "echo child; exit 3"]).returncode)
print(os.access("/sys/class/net", os.R_OK), os.path.exists("/dev/null"))
with tempfile.TemporaryFile() as f:
    f.write(b"x" * 100); f.flush(); print(os.fstat(f.fileno()).st_size)
fd = os.memfd_create("x"); os.write(fd, b"abc"); print(os.fstat(fd).st_size, stat.filemode(os.fstat(fd).st_mode))
a, b = socket.socketpair(); a.send(b"hi"); print(b.recv(2))
try:
    open("/no/such/file")
except OSError as e:
    print(e)
print(json.dumps({"python": 1}), sys.exit(5))
END

# The comparison is worth something only if the library is really there.
if ! LD_PRELOAD=$standin grep -q "$standin" /proc/self/maps; then
	echo "FAIL  $standin was not loaded"
	exit 1
fi
compare make make
compare make-j make -j2 -k all missing
compare_if python3 python3 python3 walk.py
compare git sh -c 'git init -q . && git add . && git commit -q -m m && git status --short && git log --stat && git show HEAD:Makefile'
# Nothing of what these show may change by itself, or by others' work.
compare find find /sys/class /sys/bus -maxdepth 1
compare find-local find . -newer Makefile -o -type f -printf '%p %s %m\n'
compare ls ls -la --time-style=+ /sys/bus /sys/class/net/ /missing
compare tar sh -c 'tar cf - . | tar tvf - | sort'
compare shell bash -c 'cd /sys/class && echo n*; cd /proc/self && pwd; test -e /dev/null; echo $?; exec 3</etc/passwd; wc -l <&3'
compare stat stat -c '%n %F %a %s' /dev/null /sys /etc/passwd /missing
compare probe "$probe"
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$work"
	compare probe-unprivileged setpriv --reuid 65534 --clear-groups sh -c \
		'd=$(mktemp -d) && cd "$d" && "$0"; rm -rf "$d"' "$probe"
fi
# Whose stat() comes first must not matter.
compare_if fakeroot fakeroot fakeroot sh -c \
	'chown 12:34 Makefile; LD_PRELOAD="${1:+$1:}$LD_PRELOAD" stat -c %u:%g Makefile' sh "${standin}"

# Sanitized programs, started directly, by a shell, and with errors to be found.
cat >"$work/san.c" <<'END'
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int shared, raced;

static void *writer(void *fd)
{
	shared = 1; /* ordered by the socket below, as sanitizers know */
	return (void *)(long)write(*(int *)fd, "x", 1);
}

static void *racer(void *unused)
{
	(void)unused;
	shared++;
	__atomic_store_n(&raced, 1, __ATOMIC_RELAXED); /* orders nothing */
	return NULL;
}

static int connected(int ends[2])
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(a);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	bind(listener, (void *)&a, size);
	listen(listener, 1);
	getsockname(listener, (void *)&a, &size);
	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(ends[0], (void *)&a, size))
		return 0;
	ends[1] = accept(listener, NULL, NULL);
	return 1;
}

int main(int argc, char **argv)
{
	char *path = realpath("/etc/../etc/passwd", NULL);
	FILE *file = fopen("Makefile", "r");
	DIR *folder = opendir(".");
	glob_t found = { 0 };
	struct stat status;
	pthread_t thread;
	int ends[2];
	char byte;

	printf("%s %d %d %d", path, !!file, !!folder, stat("/etc", &status));
	printf(" %d\n", glob("Make*", 0, NULL, &found));
	globfree(&found);
	closedir(folder);
	fclose(file);
	free(path);
	if (connected(ends)) {
		pthread_create(&thread, NULL, writer, &ends[0]);
		if (read(ends[1], &byte, 1) == 1)
			printf("%d\n", shared);
		pthread_join(thread, NULL);
	}
	if (argc > 1 && !strcmp(argv[1], "overflow"))
		return ((volatile char *)malloc(1))[1];
	if (argc > 1 && !strcmp(argv[1], "race")) {
		pthread_create(&thread, NULL, racer, NULL);
		while (!__atomic_load_n(&raced, __ATOMIC_RELAXED))
			usleep(1000);
		shared++;
		pthread_join(thread, NULL);
	}
	return 7;
}
END

# Addresses and process numbers differ from run to run.
plain='s/0x[0-9a-f]*/ADDR/g; s/==[0-9]*==/==PID==/g; s/pid=[0-9]*/pid=PID/g; s/ T[0-9]* / T /g; /BuildId/d'
for compiler in gcc clang; do
	command -v $compiler >/dev/null || continue
	for sanitizer in address thread; do
		program=$work/bin/$compiler-$sanitizer
		if ! $compiler -g -w -fsanitize=$sanitizer -o "$program" "$work/san.c" -lpthread 2>/dev/null; then
			echo "skip  $compiler -fsanitize=$sanitizer: does not build here"
			continue
		fi
		launch=
		setarch -R true 2>/dev/null && launch='setarch -R'
		compare $compiler-$sanitizer $launch "$program"
		compare $compiler-$sanitizer-from-shell bash -c "$launch $program; echo \$?"
		compare $compiler-$sanitizer-error bash -c \
			"$launch $program $([ $sanitizer = address ] && echo overflow || echo race) 2>&1 | sed -e '$plain' | grep -E 'ERROR|WARNING|SUMMARY|^[0-9/]'; echo \${PIPESTATUS[0]}"
	done
done

# Every function that the library defines was called by the probe.
mkdir "$work/all" && (cd "$work/all" && "$probe" >"$work/called")
for name in $(nm -D --defined-only "$standin" | awk '$2 ~ /^[TW]$/ { print $3 }'); do
	[ "$name" = __asan_default_options ] && continue
	if ! grep -q "^$name " "$work/called"; then
		echo "MISS  $name is not called by the probe"
		failures=$((failures + 1))
	fi
done

echo "$count comparisons, $failures failures"
[ $failures = 0 ]
