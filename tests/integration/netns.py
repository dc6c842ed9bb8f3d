# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Several hosts on one machine: network namespaces joined by a veth pair.

A Network makes two hosts with an IPv4 and an IPv6 address each, and starts
unmodified programs on them, under `arnica run`, as one does on two machines.
It needs the right to make network namespaces: root has it, and so has everybody
in a user namespace of his own, where such are permitted. inside() sees to that
by running the script again, with a network and a /dev/shm of its own; where
neither works, the test is skipped.
"""

import os
import re
import subprocess
import sys

import harness
from harness import Failure, Skip, check

INSIDE = "ARNICA_TEST_IN_NAMESPACE"
DEVICE = harness.DEVICE


def permitted(command):
    return subprocess.run(command, capture_output=True).returncode == 0


# Nothing of the tests is left in /dev/shm, and nothing of others meets them: in
# a user namespace everybody is root by number.
PRIVATE = ("mount -t tmpfs -o mode=1777 tmpfs /dev/shm && "
           "ip link add test0 type veth peer name test1 && "
           "ip link del test0 && ip link set lo up && exec \"$@\"")


def inside():
    """Returns in a process that may make network namespaces, and has a /dev/shm
    of its own."""
    harness.need_program("ip")
    harness.need_program("nsenter")
    if os.environ.get(INSIDE):
        return
    for kind in ([], ["-Ur"]):
        enter = ["unshare", *kind, "-m", "-n", "--propagation", "private",
                 "sh", "-c", PRIVATE, "sh"]
        if permitted([*enter, "true"]):
            os.execvpe("unshare", [*enter, sys.executable, "-B", *sys.argv],
                       {**os.environ, INSIDE: "1"})
    raise Skip("network namespaces with veth need root or user namespaces, "
               "and neither is permitted here")


class Host:
    """A network namespace, which a sleeping process keeps."""

    def __init__(self, name, environment):
        self.name = name
        self.holder = subprocess.Popen(
            ["unshare", "-n", "sh", "-c", "echo; exec sleep infinity"],
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
            preexec_fn=harness.die_with_parent)
        self.holder.stdout.readline()
        self.pid = self.holder.pid
        self.enter = ["nsenter", f"--net=/proc/{self.pid}/ns/net", "--"]
        self.environment = environment.with_(wrap=environment.wrap +
                                             self.enter)
        self.ipv4 = self.ipv6 = None
        self._gids = None

    def do(self, command):
        """A command of the set-up; it must succeed."""
        done = subprocess.run([*self.enter, "sh", "-c", command],
                              capture_output=True, text=True)
        if done.returncode:
            raise Failure(f"{self.name}: {command}: {done.stderr.strip()}")
        return done.stdout

    def configure(self, link, number, mtu):
        self.link = link
        self.ipv4, self.ipv6 = f"10.77.0.{number}", f"fd77::{number}"
        # Addresses are usable at once, without a search for duplicates.
        self.do("for file in all default; do echo 0 >"
                "/proc/sys/net/ipv6/conf/$file/accept_dad; done; "
                f"echo 0 >/proc/sys/net/ipv6/conf/{link}/accept_dad")
        self.do(f"ip link set {link} mtu {mtu} up && ip link set lo up && "
                f"ip addr add {self.ipv4}/24 dev {link} && "
                f"ip addr add {self.ipv6}/64 dev {link} nodad")

    def devices(self):
        done = self.environment.run_tool(["devices"])
        check(done.status == 0, done.tail())
        return done.output()

    def gid_index(self, address):
        """The index of the GID of an address of this host."""
        if self._gids is None:
            self._gids = dict(
                (text.replace("::ffff:", "") if "." in text else text, index)
                for index, text in re.findall(r"^  gid (\d+)\s+(\S+)",
                                              self.devices(), re.M))
        check(address in self._gids,
              f"{self.name}: no GID {address} among {self._gids}")
        return self._gids[address]

    def end(self):
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()


class Network:
    """Two hosts; a context manager."""

    def __init__(self, environment, mtu=1500):
        self.mtu = mtu
        self.a = Host("host a", environment)
        try:
            self.b = Host("host b", environment)
        except BaseException:
            self.a.holder.kill()
            raise

    def __enter__(self):
        try:
            self.a.do("ip link add arn0 type veth peer name arn1 netns "
                      f"{self.b.pid}")
            self.a.configure("arn0", 1, self.mtu)
            self.b.configure("arn1", 2, self.mtu)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *unused):
        for host in (self.a, self.b):
            host.end()

    def pair(self, tool, options=(), ipv6=False, variables=None,
             client_options=None):
        """A stock tool as a server on b and as a client on a."""
        return Pair(self, tool, options, client_options, ipv6, variables)

    def run(self, tool, options=(), timeout=300, **keywords):
        """Runs such a pair to its end; both must succeed."""
        return self.pair(tool, options, **keywords).finish(timeout)


class Pair(harness.Pair):
    """As harness.Pair, between two hosts. The programs exchange their numbers
    over TCP and IPv4 in any case; the GID says which family RDMA uses."""

    def __init__(self, network, tool, options, client_options, ipv6,
                 variables):
        server, client = network.b, network.a
        self.port = 18000 + os.getpid() % 10000
        self.server = self.client = None
        if client_options is None:
            client_options = options
        try:
            self.server = server.environment.start(
                self.line(tool, server, ipv6) + list(options), "server",
                variables=variables)
            harness.wait_listening(self.server, self.port,
                                   pid=server.pid)
            self.client = client.environment.start(
                self.line(tool, client, ipv6) + list(client_options) +
                [server.ipv4], "client", variables=variables)
        except BaseException:
            self.end()
            raise

    def line(self, tool, host, ipv6):
        index = host.gid_index(host.ipv6 if ipv6 else host.ipv4)
        choice = (["-g", index] if tool.startswith("ibv_") else
                  ["-F", "-x", index] + (["--ipv6"] if ipv6 else []))
        return [tool, "-d", DEVICE, "-p", str(self.port), *choice]
