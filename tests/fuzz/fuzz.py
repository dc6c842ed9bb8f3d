#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""
Builds fuzz targets with clang and runs each for some seconds, starting from the
corpus in the tree. The build goes to fuzz/ in $ARNICA_BUILD_DIR, or to
build/fuzz. Exit status: 0 nothing was found, 1 something was (the input that
shows it is printed and kept), 77 skipped, with the reason.

    tests/fuzz/fuzz.py [--seconds N] [--corpus-read-only] TARGET...

What the run adds to the corpus is kept in the build; with --merge, what reaches
code that the corpus in the tree does not reach is added to the tree.
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SANITIZERS = "address,undefined"
MAX_INPUT_BYTES = 4600


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


def find_clang():
    """A clang that links libFuzzer, or the reason why there is none."""
    clang = os.environ.get("CLANG") or shutil.which("clang")
    if not clang:
        skip("no clang (Debian: apt install clang)")
    program = "int LLVMFuzzerTestOneInput(const char *, unsigned long);\n" \
        "int LLVMFuzzerTestOneInput(const char *b, unsigned long n)\n" \
        "{ return b && n > 100000; }\n"
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, "try.c")
        source.write_text(program)
        tried = subprocess.run(
            [clang, f"-fsanitize=fuzzer,{SANITIZERS}", str(source),
             "-o", str(source.with_suffix(""))],
            capture_output=True, text=True)
    if tried.returncode:
        skip(f"{clang} does not link libFuzzer (Debian: libclang-rt-dev): "
             + tried.stderr.strip().splitlines()[-1])
    return clang


def quietly(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.stdout.write(done.stdout[-4000:] + done.stderr[-4000:])
        sys.exit(f"failed: {' '.join(map(str, command))}")


def build(clang, folder, targets):
    quietly(["cmake", "-S", ROOT, "-B", folder, "-G", "Ninja",
             f"-DCMAKE_C_COMPILER={clang}", "-DCMAKE_BUILD_TYPE=Debug",
             "-DCMAKE_C_FLAGS_DEBUG=-g -O1",
             f"-DARNICA_SANITIZE={SANITIZERS},fuzzer-no-link"])
    quietly(["cmake", "--build", folder, "--target",
             *(f"fuzz_{target}" for target in targets)])
    return folder / "bin"


def fuzz(program, target, arguments, folder):
    seeds = HERE / "corpus" / target
    found = folder / "found" / target
    grown = folder / "corpus" / target
    if arguments.corpus_read_only:
        shutil.rmtree(grown, ignore_errors=True)
    found.mkdir(parents=True, exist_ok=True)
    grown.mkdir(parents=True, exist_ok=True)
    command = [program, f"-max_total_time={arguments.seconds}",
               f"-max_len={MAX_INPUT_BYTES}", "-timeout=10",
               "-print_final_stats=1", f"-artifact_prefix={found}/",
               grown, seeds]
    done = subprocess.run([str(part) for part in command],
                          capture_output=True, text=True)
    lines = done.stderr.splitlines()
    if done.returncode:
        print("\n".join(lines[-60:]))
        print(f"{target}: something was found; the input is in {found}")
        return False
    stats = {line.split(":")[2]: line.split(":")[3].strip()
             for line in lines if line.startswith("stat::")}
    print(f"{target}: {arguments.seconds} s, "
          f"{stats['number_of_executed_units']} inputs "
          f"({stats['average_exec_per_sec']}/s), nothing found")
    if arguments.merge:
        quietly([str(program), "-merge=1", f"-max_len={MAX_INPUT_BYTES}",
                 str(seeds), str(grown)])
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--corpus-read-only", action="store_true",
                        help="forget what the run adds to the corpus")
    parser.add_argument("--merge", action="store_true",
                        help="add what reaches new code to the tree")
    parser.add_argument("targets", nargs="+", metavar="TARGET")
    arguments = parser.parse_args()
    clang = find_clang()
    parent = os.environ.get("ARNICA_BUILD_DIR")
    folder = pathlib.Path(parent) / "fuzz" if parent else ROOT / "build/fuzz"
    programs = build(clang, folder, arguments.targets)
    clean = [fuzz(programs / f"fuzz_{target}", target, arguments, folder)
             for target in arguments.targets]
    return 0 if all(clean) else 1


if __name__ == "__main__":
    sys.exit(main())
