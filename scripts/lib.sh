# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# shellcheck shell=bash
# shellcheck disable=SC2034  # variables for the scripts that source this
#
# What the scripts have in common: to say what is done, to stop with a reason,
# to install what is missing, to build, and to run two programs against each
# other. To be sourced; answers --help, sets ROOT and changes into it, and ends
# with cleanup.

set -Eeuo pipefail

# show_usage: what the head of the script says.
show_usage() {
	sed -n '/^#$/,/^$/s/^# \{0,1\}//p' "$0" | sed 1d
}

# wrong_usage: for words that the script does not know.
wrong_usage() {
	show_usage >&2
	exit 2
}

case "${1:-}" in
-h | --help)
	show_usage
	exit
	;;
esac

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"
JOBS=$(nproc)
STEP="start"
STARTED=$SECONDS
LOGS=$(mktemp -d "${TMPDIR:-/tmp}/arnica-${0##*/}.XXXXXX")
CHILDREN=()

BUILD_PACKAGES=(build-essential cmake ninja-build pkg-config libibverbs-dev
	libnl-3-dev libnl-route-3-dev libisal-dev libinih-dev libcmocka-dev
	systemtap-sdt-dev)
DEMO_PACKAGES=(ibverbs-utils perftest)
TEST_PACKAGES=(python3 util-linux iproute2 tshark ucx-utils qperf python3-pyverbs
	librdmacm-dev rdmacm-utils)
# To see that it compiles for another machine; CI does.
CROSS_PACKAGES=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross)
INTEROP_PACKAGES=(qemu-system-x86 busybox-static kmod iproute2)

# step TEXT: announces what comes next; it is named if it fails.
step() {
	STEP=$*
	printf '\n==> %s\n' "$*"
}

# run COMMAND...: shows the command and runs it.
run() {
	printf '    $ %s\n' "$*"
	"$@"
}

# reasons LOG: what a failed command gave as its reasons, of which each is a line
# with two more that explain it; or else its last words. Command lines have the
# word "error" in them, too.
reasons() {
	local found
	found=$(grep -A 2 -E '(^|: )(fatal )?error: |undefined reference|^CMake Error|^E: ' \
		"$1" | grep -v '^--$' | head -n 30) || true
	if [ -n "$found" ]; then
		printf '%s\n' "$found"
	else
		tail -n 10 "$1"
	fi | cut -c 1-200
}

# quietly NAME COMMAND...: shows the command; its output goes to the log NAME, of
# which the reasons are shown if it fails.
quietly() {
	local log=$LOGS/$1.log
	shift
	printf '    $ %s\n' "${*#as_root }"
	"$@" >"$log" 2>&1 || {
		reasons "$log" >&2
		return 1
	}
}

# fail TEXT: the reason, and the end.
fail() {
	printf '\nFAILED at: %s\n  reason: %s\n' "$STEP" "$*" >&2
	exit 1
}

# cleanup STATUS: ends what was started here, and leaves the logs if something
# failed.
cleanup() {
	local pid

	for pid in "${CHILDREN[@]}"; do
		kill "$pid" 2>/dev/null || true
	done
	if [ "$1" -ne 0 ] && [ -n "$(ls -A "$LOGS" 2>/dev/null)" ]; then
		printf '    logs: %s\n' "$LOGS"
	else
		rm -rf "$LOGS"
	fi
}

trap 'cleanup $?' EXIT

# Runs a command as root: directly, or through sudo.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo -- "$@"
	else
		fail "root is needed for: $* (no sudo here)"
	fi
}

# can_be_root: true if as_root would work without asking.
can_be_root() {
	[ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null
}

# need_packages PACKAGE...: installs those that are missing.
need_packages() {
	local package missing=()

	if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
		echo "    not a Debian system: expecting these to be there: $*"
		return
	fi
	for package in "$@"; do
		dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null |
			grep -qx installed || missing+=("$package")
	done
	if [ ${#missing[@]} -eq 0 ]; then
		echo "    nothing to install"
		return
	fi
	quietly apt-update as_root apt-get update ||
		fail "apt-get update failed; is there a network?"
	quietly apt-install as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y --no-install-recommends "${missing[@]}" ||
		fail "could not install: ${missing[*]}"
}

# build PRESET [CMAKE OPTION...]: configures and builds.
build() {
	local preset=$1
	shift
	if [ "${CI:-}" = true ]; then
		set -- "$@" -DARNICA_WERROR=ON
	fi
	quietly "configure-$preset" cmake --preset "$preset" "$@" ||
		fail "cmake could not configure the preset '$preset'"
	quietly "build-$preset" cmake --build --preset "$preset" -j "$JOBS" ||
		fail "the preset '$preset' does not build"
	tail -n 1 "$LOGS/build-$preset.log" | sed 's/^/    /'
}

# listening PORT: true if somebody listens on the TCP port.
listening() {
	grep -qsiE "^ *[0-9]+: [0-9A-F]+:$(printf '%04X' "$1") [0-9A-F:]+ 0A " \
		/proc/net/tcp /proc/net/tcp6
}

# free_port: a TCP port on which nobody listens.
free_port() {
	local port

	for ((port = 18515; port < 19000; port++)); do
		listening "$port" || { echo "$port"; return; }
	done
	fail "no free TCP port between 18515 and 19000"
}

# pair NAME TIMEOUT PROGRAM [OPTION...]: runs the program as a server and as its
# client under arnica, and shows the output of both. The program must take
# -p PORT and a host name.
pair() {
	local name=$1 limit=$2 host=localhost server client=0 port i
	shift 2
	# A bare chroot has no /etc/hosts.
	getent hosts localhost >/dev/null || host=127.0.0.1
	port=$(free_port)
	printf '    $ arnica run -- %s -p %s\n' "$*" "$port"
	timeout "$limit" "$ARNICA" run -- "$@" -p "$port" >"$LOGS/$name-server" 2>&1 &
	server=$!
	CHILDREN+=("$server")
	for ((i = 0; i < 100; i++)); do
		listening "$port" && break
		kill -0 "$server" 2>/dev/null || break
		sleep 0.1
	done
	printf '    $ arnica run -- %s -p %s %s\n' "$*" "$port" "$host"
	timeout "$limit" "$ARNICA" run -- "$@" -p "$port" "$host" \
		>"$LOGS/$name-client" 2>&1 || client=$?
	[ "$client" -eq 0 ] || kill "$server" 2>/dev/null || true
	i=0
	wait "$server" || i=$?
	sed 's/^/      server | /' "$LOGS/$name-server"
	sed 's/^/      client | /' "$LOGS/$name-client"
	[ "$client" -eq 0 ] || fail "$1: the client ended with status $client$(status_text "$client")"
	[ "$i" -eq 0 ] || fail "$1: the server ended with status $i$(status_text "$i")"
}

status_text() {
	[ "$1" -ne 124 ] || echo " (it took too long)"
}

# The part that demo and test share: build it, and let two pairs of unmodified
# programs talk.
demonstrate() {
	step "build arnica"
	build release
	ARNICA=$ROOT/build/release/bin/arnica

	step "what programs see: ibv_devinfo"
	echo "    $ arnica run -- ibv_devinfo"
	"$ARNICA" run -- ibv_devinfo 2>&1 | sed 's/^/      /' ||
		fail "ibv_devinfo shows no device; try: $ARNICA doctor"

	step "two processes play ping-pong over the device"
	pair pingpong 60 ibv_rc_pingpong -g 0 -n 10000

	step "two processes measure bandwidth over the device"
	pair write_bw 120 ib_write_bw --report_gbits
}
