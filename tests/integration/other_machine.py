#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""All of the adapter, the provider, the stand-in and the tools is compiled for
aarch64, with the flags of the build's tree: sizes that are asserted, instructions
and names of one machine stop it. Nothing is linked or run. Needs a cross
compiler (Debian: gcc-aarch64-linux-gnu and libc6-dev-arm64-cross)."""

import concurrent.futures
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile

import harness
from harness import Failure, Skip

COMPILER = "aarch64-linux-gnu-gcc"
PARTS = ("device", "providers", "standin", "tools", "util", "wire")
# Headers of libraries, which are those of every machine; the C library's and
# the kernel's are the cross compiler's own.
HEADERS = ("infiniband", "isa-l", "isa-l.h", "ini.h", "sys/sdt.h",
           "sys/sdt-config.h")
ONLY_HERE = ("-fcf-protection", "-m")


def find_header(name):
    places = [pathlib.Path("/usr/include"),
              *pathlib.Path("/usr/include").glob("*-linux-gnu")]
    return next((place / name for place in places
                 if (place / name).exists()), None)


def gather_headers(folder):
    for name in HEADERS:
        found = find_header(name)
        if found:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).symlink_to(found)


def is_ours(entry):
    source = pathlib.Path(entry["file"])
    try:
        return source.relative_to(harness.ROOT).parts[0] in PARTS
    except ValueError:
        return False


def compile_one(entry, headers):
    """None, or what the compiler said."""
    words = shlex.split(entry["command"])
    options, skip = [], False
    for word in words[next(i for i, word in enumerate(words)
                           if word.startswith("-")):]:
        if skip or word in ("-o", "-MF", "-MT", "-MQ"):
            skip = not skip
        elif word not in ("-MD", "-MMD") and not word.startswith(ONLY_HERE):
            options.append(word)
    done = subprocess.run(
        [COMPILER, *options, "-isystem", str(headers), "-o", os.devnull],
        cwd=entry["directory"], capture_output=True, text=True)
    return done.stderr if done.returncode else None


def compile_all():
    if not shutil.which(COMPILER):
        raise Skip(f"there is no {COMPILER}")
    database = harness.build_dir() / "compile_commands.json"
    if not database.exists():
        raise Skip(f"{database} was not made")
    entries = {entry["file"]: entry
               for entry in json.loads(database.read_text()) if is_ours(entry)}
    if len(entries) < 100:
        raise Failure(f"{database} names {len(entries)} of our sources")
    with tempfile.TemporaryDirectory() as name, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        headers = pathlib.Path(name)
        gather_headers(headers)
        said = list(filter(None, pool.map(
            lambda entry: compile_one(entry, headers), entries.values())))
    if said:
        raise Failure(f"{len(said)} of {len(entries)} sources:\n{said[0]}")


def main():
    args = harness.arguments(__doc__.splitlines()[0])
    report = harness.Report("another machine")
    if not args.only or args.only in "aarch64":
        report.case("aarch64", compile_all)
    return report.finish()


if __name__ == "__main__":
    harness.main_guard(main)
