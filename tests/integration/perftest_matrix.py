#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""perftest's programs with each option, as two processes on one device.

A case passes when both processes exit with 0 and the client prints a row of
numbers for each message size. An option that a program does not take must be
refused by the program itself, with the same words with and without the device.
The result is a table, docs/perftest-matrix.md; the test compares it with what
it found, --write renews it.
"""

import re
import subprocess

import harness
from harness import Failure, Pair, check

TABLE = harness.ROOT / "docs" / "perftest-matrix.md"

PROGRAMS = [f"ib_{verb}_{kind}" for verb in ("send", "write", "read", "atomic")
            for kind in ("lat", "bw")]

# Label, options, iterations. The iterations are divisible by the list size.
PLAIN = "(none)"
OPTIONS = {
    PLAIN: ([], 200),
    "-a": (["-a"], 16),
    "-b": (["-b"], 200),
    "-q 16": (["-q", "16"], 80),
    "-e": (["-e"], 200),
    "-I 64": (["-I", "64"], 200),
    "-I 64 -s 64": (["-I", "64", "-s", "64"], 200),
    "-t 1": (["-t", "1"], 200),
    "-l 8": (["-l", "8"], 200),
    "--use_old_post_send": (["--use_old_post_send"], 200),
    "-c UC": (["-c", "UC"], 200),
    # A size that every MTU has room for.
    "-c UD -s 256": (["-c", "UD", "-s", "256"], 200),
    "--use-srq": (["--use-srq"], 200),
    "--use-srq -c UD -s 256": (["--use-srq", "-c", "UD", "-s", "256"], 200),
}

GROUP = "0:0:0:0:0:0:0:0:0:0:255:255:239:1:2:3"
# For which it makes no difference what the device can do.
OPTIONS_ONCE = {
    # A group of the family that the default GID has.
    "-g -M GROUP -s 256": (["-g", "-M", GROUP, "-s", "256"], 200),
    "-c SRD": (["-c", "SRD"], 200),
    "-x 0 --report-counters": (["-x", "0",
                                "--report-counters=counters/port_xmit_data"],
                               200),
}

# The part id by which perftest takes the device for one that has inline data
# and the ibv_wr_* calls, and the device's own.
PART_IDS = {"default part id": None, "part id 61344": "61344"}

ALL_OPTIONS = {**OPTIONS, **OPTIONS_ONCE}


def options_for(title):
    return ALL_OPTIONS if PART_IDS[title] is None else OPTIONS


SIZE_FIXED = "Message size cannot be changed for Atomic tests"
BW_ONLY = "Bidirectional is only available in BW test"
ONE_QP = "Multiple QPs only available on bw tests"
NO_EVENTS = "Events feature not available on WRITE verb"
NO_INLINE = "Inline feature not available on READ/Atomic verbs"
BW_LIST = "Post list is supported in BW tests only"
NO_UC = "UC connection not possible in READ/ATOMIC verbs"
SEND_SRQ = "Using SRQ only avavilible in SEND tests"  # as it spells it
SEND_GROUP = "MultiCast feature only available on SEND verb"
SEND_READ_SRD = "SRD connection only possible in SEND/READ verbs"
# What it says when libefa, which makes such queue pairs, refuses the device.
NO_SRD_QP = "Unable to create QP."
NO_EFA = "Error when trying to query EFA device"
SEND_UD = "UD connection only possible in SEND verb"


def refusal(program, label):
    """What the program's own parser says to this option, or None."""
    _, verb, kind = program.split("_")
    if label == "-a" and verb == "atomic":
        return SIZE_FIXED
    if label == "-b" and kind == "lat":
        return BW_ONLY
    if label == "-q 16" and kind == "lat":
        return ONE_QP
    if label == "-e" and verb == "write":
        return NO_EVENTS
    if label.startswith("-I") and verb in ("read", "atomic"):
        return NO_INLINE
    if label == "-l 8" and kind == "lat":
        return BW_LIST
    if label == "-c UC" and verb in ("read", "atomic"):
        return NO_UC
    if label.endswith("-c UD -s 256") and verb != "send":
        return SEND_UD
    if label.startswith("-g") and verb != "send":
        return SEND_GROUP
    if label == "-c SRD":
        return {"send": NO_SRD_QP, "read": NO_EFA}.get(verb, SEND_READ_SRD)
    if label == "--use-srq" and verb != "send":
        return SEND_SRQ
    return None


def expected_sizes(program, label):
    _, verb, kind = program.split("_")
    if label == "-a":
        return [2 ** power for power in range(1, 24)]
    if label == "-I 64 -s 64":
        return [64]
    if label.endswith("-s 256"):
        return [256]
    if verb == "atomic":
        return [8]
    return [65536] if kind == "bw" else [2]


def check_rows(output, sizes):
    rows = {}
    for line in output.splitlines():
        # On a busy machine perftest cannot measure the processor's clock, and
        # says so in the middle of a row.
        words = line.partition("Correlation")[0].split()
        if len(words) >= 5 and all(re.fullmatch(r"[\d.]+|inf|-?nan", word)
                                   for word in words):
            rows[int(words[0])] = words
    for size in sizes:
        check(size in rows, f"no row for {size} bytes\n{output}")
        check(int(rows[size][1]) > 0, f"no iterations for {size} bytes")
    check(len(rows) == len(sizes), f"rows of other sizes: {sorted(rows)}")


def run_accepted(environment, program, label):
    options, iterations = ALL_OPTIONS[label]
    pair = Pair(environment, program, ["-F", "-n", str(iterations), *options])
    pair.finish(timeout=120)
    check_rows(pair.client.output(), expected_sizes(program, label))


def run_refused_by_device(environment, program, label):
    """Once both sides have the device, and not before, they give up."""
    pair = Pair(environment, program, ["-F", *ALL_OPTIONS[label][0]])
    try:
        for side in pair.sides():
            check(side.wait(30) == 1, f"status {side.status}\n{side.tail()}")
            check(refusal(program, label) in side.output(), side.tail())
    finally:
        pair.end()


def run_refused(environment, program, label):
    text = refusal(program, label)
    if text in (NO_SRD_QP, NO_EFA):
        run_refused_by_device(environment, program, label)
        return
    line = [program, "-d", harness.DEVICE, "-F", "-n", "400",
            *ALL_OPTIONS[label][0]]
    with_device = environment.run(line, timeout=30)
    check(text in with_device.output(),
          f"other words than '{text}'\n{with_device.tail()}")
    alone = subprocess.run(line, capture_output=True, text=True, timeout=30)
    check(text in alone.stdout + alone.stderr,
          f"without the device, other words than '{text}'")
    check(with_device.status == alone.returncode != 0,
          f"status {with_device.status}, without the device "
          f"{alone.returncode}")


def run_case(environment, program, label):
    if refusal(program, label):
        run_refused(environment, program, label)
    else:
        run_accepted(environment, program, label)


def heading():
    return """# perftest on arnica0

Generated by `tests/integration/perftest_matrix.py --write`; do not edit.

Each cell is one test of two unmodified processes, `PROGRAM -d arnica0 OPTION`
and `PROGRAM -d arnica0 OPTION localhost`. *ok*: both end with status 0 and the
client prints its table, with a row for each message size. A number: the
program refuses the option, with the words below: by itself, whatever the
device is, or (SRD) because the device is no EFA.
"""


def cell(program, label, outcome, notes):
    if not outcome:
        return "fails"
    text = refusal(program, label)
    if text is None:
        return "ok"
    if text not in notes:
        notes.append(text)
    return f"({notes.index(text) + 1})"


def render(results):
    notes, parts = [], [heading()]
    for title in PART_IDS:
        what = ("perftest uses neither inline data nor `ibv_wr_*`"
                if PART_IDS[title] is None else
                "perftest uses inline data and `ibv_wr_*`")
        parts.append(f"\n## {title[0].upper()}{title[1:]}: {what}\n\n")
        parts.append("| option | " + " | ".join(PROGRAMS) + " |\n")
        parts.append("|---" * (len(PROGRAMS) + 1) + "|\n")
        for label in options_for(title):
            cells = [cell(program, label, results[title, program, label],
                          notes) for program in PROGRAMS]
            shown = label if label == PLAIN else f"`{label}`"
            parts.append(f"| {shown} | " + " | ".join(cells) + " |\n")
    parts.append("\n")
    for number, text in enumerate(notes, 1):
        parts.append(f"{number}. \"{text}\"\n")
    return "".join(parts)


def compare_table(text):
    check(TABLE.exists(), f"{TABLE} is missing; run with --write")
    if TABLE.read_text() != text:
        raise Failure(f"{TABLE} is not what this run found; look at the cells "
                      "that failed, or run with --write")


def main():
    args = harness.arguments(
        __doc__.splitlines()[0],
        write=dict(action="store_true", help="renew docs/perftest-matrix.md"))
    harness.need_program("ib_send_bw")
    environment = harness.environment_of(args)
    report = harness.Report("perftest matrix")
    results = {}
    for title, part_id in PART_IDS.items():
        here = environment.with_(part_id=part_id)
        for program in PROGRAMS:
            for label in options_for(title):
                name = f"{program} {label}, {title}"
                if args.only and args.only not in name:
                    continue
                results[title, program, label] = report.case(
                    name, run_case, here, program, label)
    if not args.only:
        text = render(results)
        if args.write:
            TABLE.parent.mkdir(exist_ok=True)
            TABLE.write_text(text)
            print(f"wrote {TABLE}")
        else:
            report.case("docs/perftest-matrix.md is up to date",
                        compare_table, text)
    return report.finish()


if __name__ == "__main__":
    harness.main_guard(main)
