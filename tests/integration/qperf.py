#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""qperf, unmodified, over the device: a program that waits by events for every
completion, and looks at the results of atomic operations. Needs qperf."""

import re

import harness
from harness import check

TESTS = (
    # test, ways by which it runs
    ("rc_lat", "memory"),
    ("rc_bi_bw", "packets"),
    ("uc_bw", "memory"),
    ("rc_rdma_read_lat", "memory", "packets"),
    ("ver_rc_compare_swap", "memory"),
)
WAYS = {"memory": {}, "packets": {"ARNICA_LOOPBACK": "off"}}
SECONDS = 1


def measure(environment, test, ways):
    port = harness.free_port()
    line = ["qperf", "-lp", str(port)]
    with harness.server_and_client(
            environment, line,
            [*line, "-t", str(SECONDS), harness.loopback_host(), test],
            port, ways) as (_, client):
        status = client.wait(60)
        check(status == 0, f"status {status}\n{client.tail()}")
        # The figure's unit depends on its size; that it is one is enough.
        check(re.search(r"^\s+(latency|\w*bw|msg_rate)\s+=\s+[1-9]",
                        client.output(), re.M), f"no result\n{client.tail()}")


def main():
    args = harness.arguments(__doc__.splitlines()[0])
    harness.need_program("qperf")
    environment = harness.environment_of(args)
    report = harness.Report("qperf")
    for test, *ways in TESTS:
        for way in ways:
            name = f"{test} by {way}"
            if args.only and args.only not in name:
                continue
            report.case(name, measure, environment, test, WAYS[way])
    return report.finish()


if __name__ == "__main__":
    harness.main_guard(main)
