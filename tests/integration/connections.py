#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Programs that connect by address, unmodified, between two processes: those of
rdmacm-utils. (perftest's -R works, too; but a client of it that is refused uses
the id that it has destroyed, and nothing says when a server listens.)"""

import os
import time

import harness
from harness import check


class Program:
    """A stock program: both command lines, by port and address of the server,
    and what it prints when all is well."""

    def __init__(self, name, server, client, said=""):
        self.name, self.server, self.client, self.said = (name, server, client,
                                                          said)


PROGRAMS = [
    Program("rping",
            lambda port, address: ["rping", "-s", "-a", address, "-p", port,
                                   "-C", "10", "-V"],
            lambda port, address: ["rping", "-c", "-a", address, "-p", port,
                                   "-C", "10", "-V", "-v"], "rdma-ping-9"),
    Program("ucmatose",
            lambda port, address: ["ucmatose", "-p", port, "-c", "5", "-m"],
            lambda port, address: ["ucmatose", "-p", port, "-c", "5", "-m",
                                   "-s", address], "return status 0"),
    Program("rdma_server",
            lambda port, address: ["rdma_server", "-p", port],
            lambda port, address: ["rdma_client", "-p", port, "-s", address],
            "end 0"),
    Program("rdma_xserver",
            lambda port, address: ["rdma_xserver", "-p", port, "-c", "x"],
            lambda port, address: ["rdma_xclient", "-p", port, "-s", address,
                                   "-c", "x"], "end 0"),
    Program("udaddy",
            lambda port, address: ["udaddy", "-c", "3"],
            lambda port, address: ["udaddy", "-c", "3", "-s", address],
            "return status 0"),
]


def is_done(process):
    """A program that has ended: did it do what it was asked to? In rping a thread
    of its own may ask for one more event when the program, which is done, has
    destroyed the channel, and ends it with a failure (linux-rdma/rdma-core pull
    request 1622). By then the server has seen the end of the connection, and the
    client all that it asked for."""
    lines = process.output().splitlines()
    return process.status == 0 or (
        "rdma_get_cm_event: Bad file descriptor" in lines and
        any("DISCONNECT EVENT" in line or "rdma-ping-9" in line
            for line in lines))


def run(program, servers, clients, address, limit=60):
    """The server in one environment, the client in another. The server says
    nothing when it listens: until then clients are refused, and come again."""
    port = str(20000 + os.getpid() % 20000)
    server = servers.start(program.server(port, address), "server")
    client = None
    patience = harness.Patience(limit)
    try:
        while True:
            client = clients.start(program.client(port, address), "client")
            status = client.wait(limit)
            if is_done(client) or not server.running():
                break
            check(not patience.is_over(), f"status {status}\n{client.tail()}")
            client.end()
            time.sleep(0.05)
        check(is_done(client), f"status {status}\n{client.tail()}")
        check(program.said in client.output(), client.tail())
        server.wait(limit)
        check(is_done(server), f"the server failed\n{server.tail()}")
    finally:
        for side in (client, server):
            if side:
                side.end()


def nobody_listens(environment, address):
    done = environment.run(["rdma_client", "-p", "17", "-s", address])
    check("refused" in done.output(), done.tail())


def cases(report, servers, clients, addresses, only):
    """Every program by the first address, some by the others."""
    for number, (family, address) in enumerate(addresses.items()):
        for program in PROGRAMS[:None if number == 0 else 1]:
            name = f"{program.name}, {family}"
            if not only or only in name:
                report.case(name, run, program, servers, clients, address)
        name = f"nobody listens, {family}"
        if not only or only in name:
            report.case(name, nobody_listens, clients, address)


def main():
    args = harness.arguments(__doc__.splitlines()[0])
    harness.need_program("rping")
    environment = harness.environment_of(args)
    report = harness.Report("connections between processes")
    cases(report, environment, environment, {"loopback": "127.0.0.1"},
          args.only)
    return report.finish()


if __name__ == "__main__":
    harness.main_guard(main)
