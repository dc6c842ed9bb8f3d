#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Open MPI over the device, by UCX: four ranks of mpi_ring.c. Needs mpicc and
mpirun (Debian: openmpi-bin, libopenmpi-dev)."""

import os
import pathlib
import subprocess
import tempfile

import harness
from harness import DEVICE, check

SOURCE = pathlib.Path(__file__).resolve().parent / "mpi_ring.c"
RANKS = 4


def compiled(folder):
    program = pathlib.Path(folder) / "mpi_ring"
    done = subprocess.run(["mpicc", "-O2", "-o", program, SOURCE],
                          capture_output=True, text=True)
    check(done.returncode == 0, done.stderr)
    program.chmod(0o755)
    return program


def ring(environment, program, transports, ways):
    line = ["mpirun", "--oversubscribe", "-np", str(RANKS), "--mca", "pml",
            "ucx", "--mca", "osc", "ucx"]
    if os.geteuid() == 0:
        line.insert(1, "--allow-run-as-root")
    settings = {"UCX_TLS": transports, "UCX_NET_DEVICES": f"{DEVICE}:1", **ways}
    for name, value in settings.items():
        line += ["-x", f"{name}={value}"]
    done = environment.run([*line, str(program)], timeout=180)
    check(done.status == 0, done.tail(40))
    check(f"ring of {RANKS} is whole" in done.output(), done.tail(40))


def main():
    args = harness.arguments(__doc__.splitlines()[0])
    for program in ("mpicc", "mpirun", "ucx_info"):
        harness.need_program(program)
    environment = harness.environment_of(args)
    report = harness.Report("Open MPI")
    with tempfile.TemporaryDirectory(prefix="arnica-test-") as folder:
        os.chmod(folder, 0o755)
        program = compiled(folder)
        for way, ways in (("memory", {}),
                          ("packets", {"ARNICA_LOOPBACK": "off"})):
            for transports in ("rc_verbs,ud_verbs:aux,self", "ud_verbs,self"):
                name = f"{RANKS} ranks by {way}, {transports}"
                if args.only and args.only not in name:
                    continue
                report.case(name, ring, environment, program, transports, ways)
    return report.finish()


if __name__ == "__main__":
    harness.main_guard(main)
