#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The same tools in less friendly surroundings: as an unprivileged user, under
a seccomp filter that refuses process_vm_readv, process_vm_writev and
userfaultfd, with a /dev/shm of 64 MB as Docker gives, and with a full one.

By default a short selection runs in each of them; with --all everything that
pingpong.py and perftest_matrix.py have."""

import os
import subprocess
import sys

import harness
import perftest_matrix
import pingpong
from harness import DEVICE, Failure, Skip, check

USER = "nobody"

SHORT_PINGPONGS = ("plain", "-g 0", "-e", "-s 1", "-s 1048576", "-N")
SHORT_PERFTESTS = (
    ("ib_send_lat", "(none)"), ("ib_send_bw", "-a"), ("ib_send_bw", "-b"),
    ("ib_write_lat", "(none)"), ("ib_write_bw", "-a"), ("ib_write_bw", "-l 8"),
    ("ib_read_lat", "-e"), ("ib_read_bw", "-q 16"), ("ib_atomic_lat", "(none)"),
    ("ib_atomic_bw", "-t 1"))


def run_short(report, environment, where):
    """The short selection; every environment runs the same one."""
    report.case(f"{where}: ibv_devices", pingpong.ibv_devices, environment)
    report.case(f"{where}: ibv_devinfo -v", pingpong.ibv_devinfo, environment)
    for name in SHORT_PINGPONGS:
        options = list(pingpong.PINGPONGS[name])
        options[options.index("-n") + 1] = "300"
        report.case(f"{where}: ibv_rc_pingpong {name}",
                    lambda: pingpong.pingpong(environment, *options))
    for program, label in SHORT_PERFTESTS:
        report.case(f"{where}: {program} {label}",
                    perftest_matrix.run_accepted, environment, program, label)
    report.case(f"{where}: random operations with checked data", data_check,
                environment)


def data_check(environment):
    done = environment.run([harness.test_program("data_check"), "first_seed"],
                           variables={"VT_BATCHES": "40"}, timeout=120)
    check(done.status == 0, f"status {done.status}\n{done.tail()}")


def run_all(report, environment, where):
    for name, function in pingpong.cases():
        report.case(f"{where}: {name}", function, environment)
    for title, part_id in perftest_matrix.PART_IDS.items():
        here = environment.with_(part_id=part_id)
        for program in perftest_matrix.PROGRAMS:
            for label in perftest_matrix.OPTIONS:
                report.case(f"{where}: {program} {label}, {title}",
                            perftest_matrix.run_case, here, program, label)


def as_user(environment):
    harness.need_root()
    harness.need_program("setpriv")
    arnica = harness.reachable_arnica(environment.arnica, USER)
    if arnica != environment.arnica:
        print(f"note: {USER} cannot reach {environment.arnica}, runs a copy")
    return environment.with_(as_user=USER, arnica=arnica)


def under_deny(environment):
    deny = harness.test_program("deny")
    done = subprocess.run([str(deny), "true"], capture_output=True, text=True)
    if done.returncode == harness.SKIP:
        raise Skip(done.stderr.strip())
    return environment.with_(wrap=[str(deny)])


def in_namespace(what, size, script_arguments):
    """Runs this script again in a mount namespace whose /dev/shm has `size`;
    all tools of one test must see the same one."""
    options = ["-m"] if os.geteuid() == 0 else ["-Urm"]
    prepare = ("mount -t tmpfs -o size=%s,mode=1777 tmpfs /dev/shm && "
               "exec \"$@\"" % size)
    line = ["unshare", *options, "--propagation", "private", "sh", "-c",
            prepare, "sh"]
    if subprocess.run([*line, "true"], capture_output=True).returncode:
        raise Skip("a mount namespace with a tmpfs is not permitted here")
    done = subprocess.run([*line, sys.executable, "-B", __file__,
                           "--inside", what, *script_arguments])
    if done.returncode == harness.SKIP:
        raise Skip("nothing ran")
    if done.returncode:
        raise Failure(f"the tests inside ended with status {done.returncode}")


def full_shm(report, environment):
    """No room for the directory: one clear line, and no crash."""
    with open("/dev/shm/ballast", "wb") as ballast:
        try:
            while True:
                ballast.write(bytes(65536))
                ballast.flush()
        except OSError:
            pass

    def clear_error():
        done = environment.run(["ibv_devinfo", "-d", DEVICE])
        lines = [line for line in done.output().splitlines()
                 if "/dev/shm" in line]
        check(done.status not in (0, None) and done.status > 0,
              f"status {done.status}\n{done.tail()}")
        check(lines, f"no line names /dev/shm\n{done.tail()}")
        check(len(lines) <= 2, f"more than a line or two\n{done.tail()}")

    def other_folder():
        done = environment.run(["ibv_devinfo", "-d", DEVICE], variables={
            "ARNICA_RUNTIME_DIR": "/tmp/arnica-test-%d" % os.getpid()})
        check(done.status == 0, f"status {done.status}\n{done.tail()}")
        subprocess.run(["rm", "-rf", "/tmp/arnica-test-%d" % os.getpid()])

    report.case("full /dev/shm: one clear line", clear_error)
    report.case("full /dev/shm: another folder helps", other_folder)


def inside(what, environment, run):
    report = harness.Report(what)
    if what == "64 MB /dev/shm":
        run(report, environment, what)
    else:
        full_shm(report, environment)
    return report.finish()


def passed_on(args):
    result = ["--all"] if args.all else []
    return result + (["--arnica", args.arnica] if args.arnica else [])


def main():
    args = harness.arguments(
        __doc__.splitlines()[0],
        all=dict(action="store_true", help="run everything everywhere"),
        inside=dict(help="(used by the script itself)"))
    harness.need_program("ibv_rc_pingpong")
    harness.need_program("ib_send_bw")
    environment = harness.environment_of(args)
    run = run_all if args.all else run_short
    if args.inside:
        return inside(args.inside, environment, run)
    report = harness.Report("environments")
    for where, make in (("unprivileged", as_user), ("under seccomp",
                                                    under_deny)):
        if args.only and args.only not in where:
            continue
        try:
            run(report, make(environment), where)
        except Skip as reason:
            report.case(where, skip_with, reason)
    for what, size in (("64 MB /dev/shm", "64m"), ("full /dev/shm", "1m")):
        if not args.only or args.only in what:
            report.case(f"{what} (cases above)", in_namespace, what, size,
                        passed_on(args))
    return report.finish()


def skip_with(reason):
    raise reason


if __name__ == "__main__":
    harness.main_guard(main)
