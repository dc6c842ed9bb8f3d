#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# What the scripts say to who asks or mistypes, and of a command that failed.
#
#   test_scripts.sh FOLDER    of the scripts

set -euo pipefail
scripts=$1
TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT

die() {
	echo "FAILED: $*"
	exit 1
}

# ends STATUS COMMAND...: it ends so, says something, and leaves nothing behind.
ends() {
	local expected=$1 status=0 text
	shift
	text=$("$@" 2>&1 </dev/null) || status=$?
	[ "$status" -eq "$expected" ] || die "$*: status $status: $text"
	[ -n "$text" ] || die "$*: no word"
	[ -z "$(ls -A "$TMPDIR")" ] || die "$* leaves $(ls "$TMPDIR")"
	echo "ok    ${*##*/}: status $expected, and nothing is left"
}

for name in demo test package; do
	ends 0 "$scripts/$name" --help
done
ends 2 "$scripts/demo" --hlep
ends 2 "$scripts/test" --hlep

# A build that failed: its reasons, and not how the compiler was called.
# shellcheck disable=SC2016,SC1091
text=$(bash -c '. "$1/lib.sh"
	quietly build printf "%s\n" "FAILED: a.o" "cc -Werror -c a.c" \
		"a.c:1:2: error: a reason" "    1 | line" "      | ^" || exit 9
	builds() { cat "$LOGS/build.log"; return 1; }
	speaks() { echo last words; return 1; }
	quietly failed builds || quietly other speaks || true' x "$scripts" 2>&1)
shown=$(grep -v '^    \$ ' <<<"$text") || die "nothing is shown of: $text"
[ "$shown" = "a.c:1:2: error: a reason
    1 | line
      | ^
last words" ] || die "this is shown: $shown"
echo "ok    a build that failed gives its reasons"
