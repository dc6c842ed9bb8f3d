#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""UCX over the device: its transports rc_verbs and ud_verbs between two
processes of ucx_perftest, in shared memory and by packets. Connections are made
by datagrams; rc_verbs receives from a shared receive queue."""

import re

import harness
from harness import DEVICE, check

TRANSPORTS = {"rc_verbs": "rc_verbs,ud_verbs:aux", "ud_verbs": "ud_verbs"}

# Test, bytes, messages. What ud_verbs cannot do by itself UCX does with
# messages, and waits a while in between.
TESTS = (
    ("tag_lat", 8, 2000),
    ("tag_lat", 100000, 200),
    ("tag_bw", 65536, 1000),
    ("tag_lat", 4000000, 20),
    ("stream_bw", 4096, 2000),
    ("ucp_am_lat", 512, 2000),
    ("ucp_put_lat", 8, 2000),
    ("ucp_put_bw", 65536, 1000),
    ("ucp_get", 4096, 100),
    ("ucp_fadd", 8, 100),
    ("ucp_cswap", 8, 100),
)


def variables(transport, ways):
    return {"UCX_TLS": TRANSPORTS[transport],
            "UCX_NET_DEVICES": f"{DEVICE}:1", "UCX_WARN_UNUSED_ENV_VARS": "n",
            **ways}


def device_is_shown(environment):
    done = environment.run(["ucx_info", "-d"], timeout=60)
    check(done.status == 0, done.tail())
    for transport in TRANSPORTS:
        check(re.search(rf"Transport: {transport}\s*\n#\s+Device: {DEVICE}:1",
                        done.output()),
              f"no {transport} on {DEVICE}\n{done.tail(60)}")


def perftest(environment, transport, ways, test, size, messages):
    port = harness.free_port()
    line = ["ucx_perftest", "-p", str(port)]
    with harness.server_and_client(
            environment, line,
            [*line, harness.loopback_host(), "-t", test, "-s", str(size),
             "-n", str(messages), "-w", "10"],
            port, variables(transport, ways)) as (server, client):
        for side in (client, server):
            status = side.wait(120)
            check(status == 0,
                  f"{side.name} ended with status {status}\n{side.tail()}")
        check(re.search(rf"^Final:\s+{messages}\s", client.output(), re.M),
              f"no result\n{client.tail()}")
        check("ERROR" not in client.output() + server.output(),
              f"{client.tail()}\n{server.tail()}")


def main():
    args = harness.arguments(__doc__.splitlines()[0])
    harness.need_program("ucx_perftest")
    environment = harness.environment_of(args)
    report = harness.Report("UCX")
    if not args.only or args.only in "device is shown":
        report.case("device is shown", device_is_shown, environment)
    for way, ways in (("memory", {}), ("packets", {"ARNICA_LOOPBACK": "off"})):
        for transport in TRANSPORTS:
            for test, size, messages in TESTS:
                name = f"{transport} by {way}: {test}, {size} bytes"
                if args.only and args.only not in name:
                    continue
                report.case(name, perftest, environment, transport, ways, test,
                            size, messages)
    return report.finish()


if __name__ == "__main__":
    harness.main_guard(main)
