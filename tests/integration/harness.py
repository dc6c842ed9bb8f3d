# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Runs stock tools under `arnica run`, alone or as server and client.

Every process gets a session of its own, writes its output to a file, and is
killed with its whole process group when its time is up: a hanging tool is a
failed case and never a hanging test. Limits are generous; no test passes or
fails by speed. Nothing listens on or connects to anything but loopback.

A test program collects cases in a Report, which prints one line for each and
a summary, and gives the exit status that ctest expects (77: all skipped).
"""

import argparse
import contextlib
import ctypes
import functools
import itertools
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SKIP = 77
DEVICE = "arnica0"
ROOT = pathlib.Path(__file__).resolve().parents[2]


class Failure(Exception):
    """The case failed; the text says why."""


class Skip(Exception):
    """The case cannot run here; the text says why."""


def build_dir():
    return pathlib.Path(os.environ.get("ARNICA_BUILD_DIR",
                                       ROOT / "build" / "release"))


def default_arnica():
    return build_dir() / "bin" / "arnica"


def test_program(name):
    """A C program of tests/integration/verbs, where CMake put it."""
    path = build_dir() / "tests" / "integration" / "bin" / name
    if not path.exists():
        raise SystemExit(f"{path} is not built")
    return path


class Environment:
    """How tools are started: by which user, below which wrapper, on which
    identity of the device."""

    def __init__(self, arnica=None, as_user=None, part_id=None, wrap=(),
                 variables=None, options=()):
        self.arnica = pathlib.Path(arnica or default_arnica()).absolute()
        self.as_user = as_user
        self.part_id = part_id
        self.wrap = list(wrap)
        self.variables = dict(variables or {})
        self.options = list(options)  # of `arnica run`
        if not self.arnica.exists():
            raise SystemExit(f"{self.arnica} is not built; build it first")

    def with_(self, **changes):
        fields = dict(arnica=self.arnica, as_user=self.as_user,
                      part_id=self.part_id, wrap=self.wrap,
                      variables=self.variables, options=self.options)
        fields.update(changes)
        return Environment(**fields)

    def command(self, tool, part_id=None):
        """The command line that runs `tool` (a list) on the device."""
        line = []
        if self.as_user:
            line += ["setpriv", "--reuid", self.as_user, "--regid",
                     primary_group(self.as_user), "--clear-groups",
                     "--no-new-privs", "--"]
        line += self.wrap
        line += [str(self.arnica), "run", *self.options]
        part_id = part_id or self.part_id
        if part_id:
            line += ["--part-id", str(part_id)]
        return line + ["--"] + [str(word) for word in tool]

    def environ(self):
        result = dict(os.environ)
        for name in ("LD_PRELOAD", "RDMAV_DRIVERS", "IBV_DRIVERS"):
            result.pop(name, None)
        if self.as_user:
            result["HOME"] = "/nonexistent"
            result["USER"] = result["LOGNAME"] = self.as_user
            result.pop("XDG_RUNTIME_DIR", None)
        result.setdefault("ARNICA_CONFIG", "none")
        result.update(self.variables)
        return result

    def start(self, tool, name=None, part_id=None, variables=None, **keywords):
        environ = self.environ()
        environ.update(variables or {})
        return Process(self.command(tool, part_id), name or str(tool[0]),
                       environ, **keywords)

    def run(self, tool, timeout=60, **keywords):
        """Runs one tool to its end."""
        process = self.start(tool, **keywords)
        try:
            process.wait(timeout)
        finally:
            process.end()
        return process

    def run_tool(self, words, timeout=60):
        """Runs a subcommand of the arnica tool itself."""
        line = self.command(["x"])
        line = line[:line.index(str(self.arnica)) + 1] + list(words)
        process = Process(line, "arnica " + words[0], self.environ())
        try:
            process.wait(timeout)
        finally:
            process.end()
        return process


def primary_group(user):
    import grp
    import pwd
    return grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name


_libc = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def die_with_parent():
    """In the child: a test that is killed leaves no tool running. A shell that
    started the test in the background had SIGINT ignored, which is inherited."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Patience:
    """A limit of time. That the whole machine stands still for a while (a
    virtual machine that is paused) counts as a second at most."""

    def __init__(self, seconds):
        self.left = seconds
        self.last = time.monotonic()

    def is_over(self):
        """To be asked more than once a second."""
        now = time.monotonic()
        self.left -= min(now - self.last, 1)
        self.last = now
        return self.left < 0


class Process:
    """One process group with captured output."""

    def __init__(self, command, name, environ, use_terminal=False, cwd="/"):
        self.command = command
        self.name = name
        self.terminal = None
        self._output = tempfile.TemporaryFile()
        stdout = self._output
        if use_terminal:
            # A terminal makes stdio flush each line, so that a test can see
            # how far a stock tool has come.
            self.terminal, stdout = os.openpty()
            os.set_blocking(self.terminal, False)
        self.popen = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stdout,
            stderr=subprocess.STDOUT, env=environ, cwd=cwd,
            start_new_session=True, preexec_fn=die_with_parent)
        if use_terminal:
            os.close(stdout)

    @property
    def pid(self):
        return self.popen.pid

    @property
    def status(self):
        return self.popen.returncode

    def running(self):
        return self.popen.poll() is None

    def wait(self, timeout):
        patience = Patience(timeout)
        pause = 0.001
        while self.running():
            self._drain()
            if patience.is_over():
                where = self.describe_threads()
                self.end()
                raise Failure(f"{self.name} did not end within {timeout} s "
                              f"({where})\n{self.tail()}")
            time.sleep(pause)
            pause = min(pause * 1.5, 0.02)
        self._drain()
        return self.status

    def signal(self, number):
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            pass

    def end(self):
        """Kills whatever is left of the group, and reaps the process."""
        self.signal(signal.SIGKILL)
        self.popen.wait()
        self._drain()
        if self.terminal is not None:
            os.close(self.terminal)
            self.terminal = None

    def _drain(self):
        if self.terminal is None:
            return
        try:
            while data := os.read(self.terminal, 65536):
                self._output.seek(0, os.SEEK_END)
                self._output.write(data)
        except OSError:
            pass  # nothing there now, or the last writer has gone

    def output(self):
        self._drain()
        self._output.seek(0)
        return self._output.read().decode(errors="replace").replace("\r", "")

    def tail(self, lines=12, first=4):
        """The last lines, and the first ones: what a program says on stderr
        comes before all that stdio kept back until its end."""
        text = self.output().rstrip().splitlines()
        if len(text) > first + lines:
            text[first:-lines] = ["..."]
        return "\n".join(f"      {self.name} | {line}" for line in text)

    def describe_threads(self):
        """What the threads wait for, for the report of a hang."""
        words = []
        try:
            for task in os.listdir(f"/proc/{self.pid}/task"):
                base = f"/proc/{self.pid}/task/{task}"
                state = pathlib.Path(base, "stat").read_text()
                words.append(state.rpartition(")")[2].split()[0])
        except OSError:
            return "gone"
        return "threads " + " ".join(words)


_ports = itertools.count(random.randrange(20000, 28000))


def free_port():
    """A TCP port of loopback that nobody listens on."""
    for port in _ports:
        port = 20000 + port % 12000
        if not listening(port):
            return port


def listening(port, pid="self"):
    """Asks the kernel's table: the stock tools accept one connection only, so
    a trial connection would be the client. The table is that of the network of
    process `pid`."""
    wanted = f":{port:04X}"
    for table in ("tcp", "tcp6"):
        path = pathlib.Path(f"/proc/{pid}/net/{table}")
        try:
            lines = path.read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            words = line.split()
            if words[1].endswith(wanted) and words[3] == "0A":
                return True
    return False


def wait_listening(process, port, timeout=30, pid="self"):
    deadline = time.monotonic() + timeout
    while not listening(port, pid):
        if not process.running():
            raise Failure(f"{process.name} ended with status "
                          f"{process.wait(1)} before it listened\n"
                          f"{process.tail()}")
        if time.monotonic() > deadline:
            raise Failure(f"{process.name} did not listen within {timeout} s\n"
                          f"{process.tail()}")
        time.sleep(0.002)


@functools.lru_cache
def loopback_host():
    """A bare chroot has no /etc/hosts, and nobody there knows localhost."""
    try:
        socket.getaddrinfo("localhost", None, socket.AF_INET)
        return "localhost"
    except OSError:
        return "127.0.0.1"


@contextlib.contextmanager
def server_and_client(environment, server, client, port, variables=None):
    """Two command lines, the client's as soon as the server listens. Both are
    ended at last."""
    sides = []
    try:
        sides.append(environment.start(server, "server", variables=variables))
        wait_listening(sides[0], port)
        sides.append(environment.start(client, "client", variables=variables))
        yield sides
    finally:
        for side in sides:
            side.end()


class Pair:
    """A stock tool as a server and, once it listens, the same as a client."""

    def __init__(self, environment, tool, options=(), client_options=None,
                 port=None, use_terminal=False, client_environment=None,
                 variables=None):
        self.port = port or free_port()
        line = [tool, "-d", DEVICE, "-p", str(self.port)]
        client = options if client_options is None else client_options
        self.server = environment.start(line + list(options), "server",
                                        use_terminal=use_terminal,
                                        variables=variables)
        self.client = None
        try:
            wait_listening(self.server, self.port)
            self.client = (client_environment or environment).start(
                line + list(client) + [loopback_host()], "client",
                use_terminal=use_terminal, variables=variables)
        except BaseException:
            self.end()
            raise

    def sides(self):
        return [side for side in (self.server, self.client) if side]

    def end(self):
        for side in self.sides():
            side.end()

    def tail(self):
        return "\n".join(side.tail() for side in self.sides())

    def finish(self, timeout=60):
        """Waits for both; both must exit with status 0."""
        try:
            for side in (self.client, self.server):
                try:
                    status = side.wait(timeout)
                except Failure as failure:
                    raise Failure(f"{failure}\n{self.tail()}") from None
                if status != 0:
                    raise Failure(f"{side.name} ended with status {status}\n"
                                  f"{self.tail()}")
        finally:
            self.end()
        return self


def bench_figures(environment, name, *words, timeout=600, variables=None):
    """The words and numbers that the program of tests/bench prints, as a
    dictionary."""
    program = build_dir() / "tests" / "bench" / name
    done = environment.run([program, *words], timeout=timeout,
                           variables=variables)
    if done.status:
        raise Failure(f"status {done.status}\n{done.tail()}")
    line = done.output().split()
    return {word: float(value) for word, value in zip(line[::2], line[1::2])}


class Report:
    """Runs cases, prints a line for each, and keeps count."""

    def __init__(self, title):
        self.title = title
        self.passed, self.failed, self.skipped = [], [], []
        self.began = time.monotonic()

    def case(self, name, function, *arguments, **keywords):
        """True when the case passed, False when not, None when skipped."""
        begin = time.monotonic()
        try:
            function(*arguments, **keywords)
        except Skip as reason:
            print(f"skip  {name}: {reason}", flush=True)
            self.skipped.append(name)
            return None
        except Failure as failure:
            print(f"FAIL  {name} ({time.monotonic() - begin:.2f} s): {failure}",
                  flush=True)
            self.failed.append(name)
            return False
        print(f"ok    {name} ({time.monotonic() - begin:.2f} s)", flush=True)
        self.passed.append(name)
        return True

    def finish(self):
        print(f"{self.title}: {len(self.passed)} passed, "
              f"{len(self.failed)} failed, {len(self.skipped)} skipped in "
              f"{time.monotonic() - self.began:.1f} s")
        for name in self.failed:
            print(f"  failed: {name}")
        if self.failed:
            return 1
        return 0 if self.passed else SKIP


def check(condition, text):
    if not condition:
        raise Failure(text)


def need_program(name):
    if not shutil.which(name):
        raise Skip(f"{name} is not installed")


def need_root():
    if os.geteuid() != 0:
        raise Skip("needs root to set up")


def reachable_arnica(arnica, user):
    """The tool's path for a user who may not be able to enter the build tree:
    a copy of what `arnica run` needs is made when he cannot."""
    arnica = pathlib.Path(arnica).absolute()
    probe = ["setpriv", "--reuid", user, "--regid", primary_group(user),
             "--clear-groups", "--", str(arnica), "--version"]
    if subprocess.run(probe, capture_output=True).returncode == 0:
        return arnica
    copy = pathlib.Path(tempfile.mkdtemp(prefix="arnica-tree-", dir="/tmp"))
    for folder in ("bin", "lib"):
        shutil.copytree(arnica.parents[1] / folder, copy / folder,
                        symlinks=True)
    subprocess.run(["chmod", "-R", "a+rX", str(copy)], check=True)
    return copy / "bin" / "arnica"


def arguments(description, **extra):
    """The options that every test program takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--arnica", default=os.environ.get("ARNICA"),
                        help="the arnica tool (default: build/release)")
    parser.add_argument("--as-user", metavar="NAME",
                        help="run the tools as this user (needs root)")
    parser.add_argument("--part-id", help="vendor part id of the device")
    parser.add_argument("--wrap", action="append", default=[], metavar="WORD",
                        help="program to start the tools with; repeat for "
                        "its arguments")
    parser.add_argument("--only", metavar="TEXT",
                        help="run only cases whose name contains TEXT")
    for name, keywords in extra.items():
        parser.add_argument("--" + name.replace("_", "-"), **keywords)
    return parser.parse_args()


def environment_of(args):
    arnica = args.arnica
    if args.as_user:
        arnica = reachable_arnica(arnica or default_arnica(), args.as_user)
    return Environment(arnica, args.as_user, args.part_id, args.wrap)


def main_guard(function):
    try:
        sys.exit(function())
    except Skip as reason:
        print(f"skip: {reason}")
        sys.exit(SKIP)
