#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# usage: paths.sh STANDIN PROBE FAKE_FOLDER
#
# The RDMA paths under the stand-in, with a fake adapter: through a C program,
# through common tools, at the first touch by many processes at once, and when
# there is no adapter.

set -u
probe=$(realpath "$2")
unset SYSFS_PATH FAKE_NAME FAKE_ERROR LD_PRELOAD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/lib" "$work/alone" "$work/domain"
cp "$1" "$3/libarnica-device.so" "$work/lib"
cp "$1" "$work/alone"
standin=$work/lib/$(basename "$1")
alone=$work/alone/$(basename "$1")
export FAKE_DOMAIN=$work/domain LC_ALL=C
failures=0

# check NAME EXPECTED COMMAND...: the output, without runs of blanks, is as
# expected.
check()
{
	local name=$1 expected=$2 output
	shift 2
	output=$(LD_PRELOAD=$standin "$@" 2>&1 | tr -s ' \t')
	if [[ $output == $expected ]]; then
		echo "ok    $name"
	else
		echo "FAIL  $name: expected '$expected', got '$output'"
		failures=$((failures + 1))
	fi
}

for i in 1 2 3 4 5 6 7 8; do
	LD_PRELOAD=$standin cat /sys/class/infiniband/arnica0/node_guid >"$work/$i" 2>&1 &
done
wait
check 'first touch by many' 1 sh -c "sort -u $work/[1-8] | wc -l"
check 'one tree' 1 sh -c "ls -A $FAKE_DOMAIN | wc -l"
check 'every function' '0 failures' "$probe"
check cat '0200:00ff:fe00:0001' cat /sys/class/infiniband/arnica0/node_guid
check 'ls folder' 'arnica0' ls /sys/class/infiniband
check 'ls -l node' 'crw-rw-rw- 1 * 231, 192 * /dev/infiniband/uverbs0' ls -l /dev/infiniband/uverbs0
check 'ls -l folder' 'total 0?crw-rw-rw- 1 * 10, 58 * rdma_cm?crw-rw-rw- 1 * 231, 192 * uverbs0' ls -l /dev/infiniband
check find '/sys/class/infiniband?/sys/class/infiniband/arnica0' find /sys/class/infiniband
check 'find device' '/dev/infiniband/uverbs0' find /dev/infiniband -name 'uverbs*' -printf '%p'
check 'find follows' '*/ports/1/gid_attrs/ndevs/0*' find -L /sys/class/infiniband/arnica0/ports -name 0
check stat 'character special file 231 192' sh -c 'stat -c "%F %Hr %Lr" /dev/infiniband/uverbs0'
check 'shell in the folder' 'arnica0 lo' sh -c 'cd /sys/class/infiniband && echo * $(cat arnica0/ports/1/gid_attrs/ndevs/1)'
check 'shell pattern' '/sys/class/infiniband/arnica0/ports/1/pkeys/0' bash -c 'echo /sys/class/infiniband/*/ports/*/pkeys/*'
check 'shell test' yes bash -c 'test -c /dev/infiniband/uverbs0 && echo yes'
if command -v python3 >/dev/null; then
	check python3 "?'arnica0'? True ?'/sys/class/infiniband/arnica0/node_type'? 0o20666" python3 -c '
import glob, os, stat
fd = os.open("/dev/infiniband/uverbs0", os.O_RDWR)
print(os.listdir("/sys/class/infiniband"), os.path.isdir("/sys/class/infiniband_verbs/uverbs0/device"),
      glob.glob("/sys/class/infiniband/*/node_type"), oct(os.fstat(fd).st_mode))'
fi
if command -v ibv_devices >/dev/null && [ -e /etc/libibverbs.d/rxe.driver ]; then
	export FAKE_NAME=rxe0
	check 'ibv_devices (as rxe)' '*rxe0*020000fffe000001*' ibv_devices
	unset FAKE_NAME
fi

# A change of identity makes a new tree, and the old one stays for its users.
FAKE_NAME=other0 check 'other identity' other0 ls /sys/class/infiniband
check 'old identity' arnica0 ls /sys/class/infiniband

# Without an adapter: one line, however often the paths are touched; and the
# program goes on.
message='arnica: cannot load the adapter (*no RDMA device*'
standin=$alone check 'no adapter' "$message" bash -c 'for i in 1 2 3; do test -e /dev/infiniband/uverbs0; done; exit 0'
standin=$alone check 'no adapter, no RDMA' fine echo fine
# The adapter's own line is all that there is about its failure.
FAKE_ERROR=28 check 'no identity' '*No space left on device' ls /sys/class/infiniband
FAKE_DOMAIN=/proc check 'folder not writable' 'arnica: cannot create the device tree /proc/sysfs-*' \
	bash -c 'test -e /sys/class/infiniband; test -e /sys/class/infiniband'

echo "$failures failures"
[ $failures = 0 ]
