#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What the base keeps from others: another uid can neither enter the domain's
folder nor open a segment, descriptors are private to the process, and neither
QP numbers nor keys of a new function can be foretold."""

import os
import pathlib
import re
import signal
import stat
import subprocess
import tempfile
import time

import harness
from harness import check

SAMPLES = 24


def numbers(environment):
    """QP number, lkey, rkey of the first objects of a fresh process."""
    done = environment.run([harness.test_program("first_numbers")])
    check(done.status == 0, done.tail())
    found = re.search(r"qpn (\w+) lkey (\w+) rkey (\w+)", done.output())
    check(found, done.tail())
    return [int(word, 16) for word in found.groups()]


def cannot_be_foretold(environment):
    samples = [numbers(environment) for _ in range(SAMPLES)]
    for index, name in enumerate(("QP numbers", "lkeys", "rkeys")):
        values = [sample[index] for sample in samples]
        check(len(set(values)) >= SAMPLES - 1,
              f"{name} repeat: {[hex(value) for value in values]}")
        steps = {(b - a) % 2 ** 32 for a, b in zip(values, values[1:])}
        check(len(steps) > SAMPLES / 2,
              f"{name} go in steps: {[hex(value) for value in values]}")
        check(max(values) - min(values) > 1000,
              f"{name} lie close together: {[hex(v) for v in values]}")


def numbers_of_one_process_differ(environment):
    done = environment.run([harness.test_program("first_numbers"), "8"])
    check(done.status == 0, done.tail())
    qpns = [int(word, 16) for word in
            re.findall(r"qpn (\w+)", done.output())]
    check(len(set(qpns)) == 8, f"{qpns}")


def counter(environment, pid, name):
    done = environment.run_tool(["stat", "--all", str(pid)])
    check(done.status == 0, done.tail())
    found = re.search(rf"^  {name} +(\d+) ", done.output(), re.M)
    check(found, f"no {name}\n{done.tail()}")
    return int(found.group(1))


def wrong_keys_are_counted_and_do_nothing(environment, count):
    """Each on a connection of its own; the program looks at the memory."""
    guesser = environment.start([harness.test_program("guess_keys"), count],
                                "guess_keys", use_terminal=True)
    try:
        patience = harness.Patience(120 + count / 10)
        while not (done := re.search(r"guessed \d+ processes (\d+) (\d+)",
                                     guesser.output())):
            check(guesser.running(), f"it ended\n{guesser.tail()}")
            check(not patience.is_over(), f"no end\n{guesser.tail()}")
            time.sleep(0.05)
        counted = sum(counter(environment, int(pid), "remote_access")
                      for pid in done.groups())
        check(counted == count, f"{counted} of {count} were counted")
    finally:
        guesser.end()


def with_server(environment, folder, function):
    """Runs `function` while a server of ours has a device open."""
    harness.need_root()
    here = environment.with_(variables={"ARNICA_RUNTIME_DIR": folder})
    server = here.start(["ibv_asyncwatch", "-d", harness.DEVICE], "watch",
                        use_terminal=True)
    try:
        deadline = time.monotonic() + 30
        while "async event FD" not in server.output():
            check(server.running() and time.monotonic() < deadline,
                  f"no start\n{server.tail()}")
            time.sleep(0.01)
        function(server.pid)
    finally:
        server.signal(signal.SIGINT)
        server.end()


def as_nobody(*command):
    return subprocess.run(["setpriv", "--reuid", "nobody", "--regid",
                           harness.primary_group("nobody"), "--clear-groups",
                           "--", *command], capture_output=True, text=True)


def folder_is_closed(environment, folder):
    def look(_):
        check(stat.S_IMODE(os.stat(folder).st_mode) & 0o77 == 0,
              f"{folder} is open to others")
        for path in pathlib.Path(folder).rglob("*"):
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode):
                check(stat.S_IMODE(mode) & 0o022 == 0,
                      f"{path} may be written by others")
        done = as_nobody("sh", "-c", f"cat {folder}/* ; ls {folder}")
        check(done.returncode != 0 and not done.stdout,
              f"another user can look into {folder}: {done.stdout!r}")
    with_server(environment, folder, look)


def segments_are_closed(environment, folder):
    def look(pid):
        links = {}
        for name in os.listdir(f"/proc/{pid}/fd"):
            try:
                links[name] = os.readlink(f"/proc/{pid}/fd/{name}")
            except OSError:
                continue
        segments = [name for name, link in links.items() if "memfd" in link]
        check(segments, f"no segment among {links}")
        for name in segments:
            done = as_nobody("head", "-c", "1", f"/proc/{pid}/fd/{name}")
            check(done.returncode != 0 and not done.stdout,
                  f"another user can open {links[name]}")
    with_server(environment, folder, look)


def foreign_folder_is_refused(environment, folder):
    """A folder that belongs to somebody else is no domain of ours."""
    harness.need_root()
    trap = tempfile.mkdtemp(prefix="arnica-trap-", dir="/dev/shm")
    nobody = harness.Environment(environment.arnica).with_(
        as_user="nobody",
        arnica=harness.reachable_arnica(environment.arnica, "nobody"),
        variables={"ARNICA_RUNTIME_DIR": trap})
    os.chmod(trap, 0o777)
    done = nobody.run(["ibv_devinfo", "-d", harness.DEVICE])
    check(done.status not in (0, None), "a foreign folder is used")
    check(trap in done.output(), f"no line names it\n{done.tail()}")
    subprocess.run(["rm", "-rf", trap])


def link_is_refused(environment, folder):
    """Nor is one that a symbolic link leads to."""
    place = tempfile.mkdtemp(prefix="arnica-link-", dir="/dev/shm")
    os.mkdir(f"{place}/real", 0o700)
    os.symlink(f"{place}/real", f"{place}/link")
    here = environment.with_(variables={"ARNICA_RUNTIME_DIR": f"{place}/link"})
    done = here.run(["ibv_devinfo", "-d", harness.DEVICE])
    left = os.listdir(f"{place}/real")
    subprocess.run(["rm", "-rf", place])
    check(done.status not in (0, None) and not left,
          f"a symbolic link was followed: {left}\n{done.tail()}")


def two_users_do_not_meet(environment, folder):
    """Two users of one host have a device each, at the same time."""
    harness.need_root()
    nobody = environment.with_(
        as_user="nobody",
        arnica=harness.reachable_arnica(environment.arnica, "nobody"))

    def look(_):
        done = nobody.run(["ibv_devinfo", "-d", harness.DEVICE])
        check(done.status == 0, done.tail())
    with_server(environment, folder, look)


def main():
    args = harness.arguments(
        __doc__.splitlines()[0],
        guesses=dict(type=int, default=300, help="how many keys are tried"))
    harness.need_program("ibv_asyncwatch")
    environment = harness.environment_of(args)
    folder = tempfile.mkdtemp(prefix="arnica-security-", dir="/dev/shm")
    os.chmod(folder, 0o700)
    report = harness.Report("security")
    try:
        report.case("QP numbers and keys cannot be foretold",
                    cannot_be_foretold, environment)
        report.case("QP numbers of one process differ",
                    numbers_of_one_process_differ,
                    environment)
        report.case("wrong keys are counted and do nothing",
                    wrong_keys_are_counted_and_do_nothing, environment,
                    args.guesses)
        for name, function in (
                ("the folder is closed to others", folder_is_closed),
                ("segments are closed to others", segments_are_closed),
                ("a foreign folder is refused", foreign_folder_is_refused),
                ("a symbolic link is refused", link_is_refused),
                ("two users do not meet", two_users_do_not_meet)):
            report.case(name, function, environment, folder)
    finally:
        subprocess.run(["rm", "-rf", folder])
    return report.finish()


if __name__ == "__main__":
    harness.main_guard(main)
