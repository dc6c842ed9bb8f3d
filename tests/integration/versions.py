#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""One provider under many releases of libibverbs. ARNICA_TEST_LIBIBVERBS names
folders that hold libibverbs.so.1, separated by colons: with each, ibv_devinfo and
ibv_rc_pingpong are run (its own, where they are in the folder or in a folder
`bin` beside it; else the distribution's), and some of our programs. Without that
the provider is checked against synthetic libraries, which have the layouts of
the releases and nothing else."""

import os
import pathlib
import re
import shutil
import subprocess

import harness
from harness import DEVICE, Pair, check

# What differs between releases: queue pairs with ibv_wr_*, extended CQs, and
# calls that have no kernel behind them. One process each.
PROGRAMS = ("features", "extended_cq", "qp_states", "queues", "atomic_write")
RELEASES = ("39", "44", "50", "56", "57", "59", "62", "64", "65")
ODD = ("odd_table", "odd_context", "odd_qp")


def tool_of(folder, name):
    """The release's own tool, or the distribution's."""
    for place in (folder, folder.parent / "bin", folder / "bin"):
        if os.access(place / name, os.X_OK):
            return str(place / name)
    harness.need_program(name)
    return shutil.which(name)


def library_of(folder):
    library = folder / "libibverbs.so.1"
    check(library.exists(), f"{folder} has no libibverbs.so.1")
    return library.resolve()


def loads(environment, tool, folder):
    """The tool really runs with that library and no other."""
    traced = environment.with_(variables={**environment.variables,
                                          "LD_TRACE_LOADED_OBJECTS": "1"})
    done = subprocess.run([tool], env=traced.environ(), text=True,
                          capture_output=True, timeout=30, check=False)
    found = re.search(r"libibverbs\.so\.1 => (\S+)", done.stdout)
    check(found, f"{tool} loads no libibverbs\n{done.stdout}")
    check(pathlib.Path(found[1]).resolve() == library_of(folder),
          f"{tool} loads {found[1]}")


def devinfo(environment, tool, folder):
    loads(environment, tool, folder)
    done = environment.run([tool, "-v", "-d", DEVICE])
    check(done.status == 0, done.tail(40))
    for words in ("state:\\s+PORT_ACTIVE", "GID\\[\\s*0\\]:"):
        check(re.search(words, done.output()), f"no '{words}'\n{done.tail(40)}")


def pingpong(environment, tool, folder, options):
    loads(environment, tool, folder)
    pair = Pair(environment, tool, ["-n", "200", "-g", "0", *options])
    pair.finish(60)
    for side in pair.sides():
        check(" iters in " in side.output(), f"no result\n{side.tail()}")


def program(environment, name):
    done = environment.run([harness.test_program(name)], timeout=120)
    check(done.status == 0, done.tail(40))


def real(report, environment, folders):
    for folder in folders:
        title = library_of(folder).name
        under = environment.with_(variables={
            **environment.variables, "LD_LIBRARY_PATH": str(folder)})
        report.case(f"{title}: ibv_devinfo", devinfo, under,
                    tool_of(folder, "ibv_devinfo"), folder)
        tool = tool_of(folder, "ibv_rc_pingpong")
        for options in ([], ["-e"], ["-c"], ["-N"]):
            words = " ".join(["ibv_rc_pingpong", *options])
            report.case(f"{title}: {words}", pingpong, under, tool, folder,
                        options)
        for name in PROGRAMS:
            report.case(f"{title}: {name}", program, under, name)


def run_synthetic():
    """The unit tests provider-layout-*."""
    done = subprocess.run(["ctest", "--test-dir", str(harness.build_dir()),
                           "-R", "^provider-layout-"], text=True,
                          capture_output=True, timeout=120, check=False)
    return done.stdout


def synthetic(output, name):
    check(re.search(rf"provider-layout-{name} \.+ +Passed", output), output)


def main():
    args = harness.arguments(__doc__.splitlines()[0])
    environment = harness.environment_of(args)
    report = harness.Report("releases of libibverbs")
    folders = [pathlib.Path(name).absolute() for name in
               os.environ.get("ARNICA_TEST_LIBIBVERBS", "").split(":") if name]
    if folders:
        print("libraries: " + ", ".join(library_of(folder).name
                                        for folder in folders))
        real(report, environment, folders)
    else:
        print("libraries: synthetic ones (ARNICA_TEST_LIBIBVERBS names none)")
        output = run_synthetic()
        for name in RELEASES:
            report.case(f"layout of release {name}", synthetic, output, name)
        for name in ODD:
            report.case(f"{name} is refused", synthetic, output, name)
    return report.finish()


if __name__ == "__main__":
    harness.main_guard(main)
