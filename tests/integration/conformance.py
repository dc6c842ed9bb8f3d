#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""rdma-core's own test suite on the device, unmodified, and docs/conformance.md.

Debian's python3-pyverbs ships the suite among its documentation. It runs once;
what it says about each test is compared with the document in the tree: a test
that passed there must pass here, and one that was skipped must be skipped for
the same reason. Only what the machine itself lacks (see MACHINE) is excused.
--write renews the document."""

import gzip
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import harness
from harness import DEVICE, Failure, Skip, check

DOCUMENT = harness.ROOT / "docs" / "conformance.md"
SUITE = pathlib.Path("/usr/share/doc/rdma-core/tests")
PYTHON = "/usr/bin/python3"  # pyverbs is built for the distribution's

# What the machine decides, and not the device: the tests by name, the words with
# which the suite skips them, and what they need.
MACHINE = (
    (r"huge", r"There are no huge pages", "huge pages of 2 MiB"),
    (r"DmaBuf", r"Allocating dmabuf is not supported|No DRM",
     "a GPU in /dev/dri that lends its memory as a dma-buf"),
    (r"cuda", r"cuda|CUDA", "an NVIDIA GPU with cuda-python"),
    (r"_raw_|test_flow\.|test_rss_traffic\.", r"by root on Ethernet", "root"),
)
VENDORS = (("tests.test_mlx5", "mlx5"), ("tests.test_efa", "efa"))


class Outcome:
    """What the suite said about one test."""

    def __init__(self, name, word, reason, said):
        self.name, self.word = name, word
        self.reason, self.said = reason, said

    def is_excused(self):
        """Skipped because of the machine?"""
        return self.word == "skipped" and any(
            re.search(names, self.name) and re.search(words, self.reason)
            for names, words, _ in MACHINE)

    def machine_need(self):
        """What of the machine decides this outcome, or None."""
        if self.word == "ok" or self.is_excused():
            for names, _, need in MACHINE:
                if re.search(names, self.name):
                    return need
        return None


MANY = 5
START = re.compile(r"^(test_\w+) \((tests\.[\w.]+)\)", re.M)
END = re.compile(r"(?:^|\.\.\. )(ok|FAIL|ERROR|skipped (['\"])(.*)\2)$", re.M)


def parse(output):
    """Tests by name. What a test prints stands between its name and its
    outcome, so the last thing that looks like an outcome is it."""
    body = re.split(r"^[=-]{70}$", output, maxsplit=1, flags=re.M)[0]
    starts = list(START.finditer(body))
    results = {}
    for number, start in enumerate(starts):
        end = starts[number + 1].start() if number + 1 < len(starts) else None
        text = body[start.end():end]
        words = list(END.finditer(text))
        check(words, f"no outcome of {start[1]}:\n{text}")
        name = start[2]
        if not name.endswith("." + start[1]):  # Python before 3.11
            name += "." + start[1]
        results[name] = Outcome(name, words[-1][1].split()[0],
                                words[-1][3] or "", text)
    return results


def check_sums(output, results):
    """Did we understand what unittest printed? It counts, too."""
    ran = re.search(r"^Ran (\d+) tests", output, re.M)
    check(ran and int(ran[1]) == len(results),
          f"{len(results)} outcomes read, but the suite said "
          f"'{ran[0] if ran else 'nothing'}'")
    for word, sum_name in (("FAIL", "failures"), ("ERROR", "errors"),
                           ("skipped", "skipped")):
        found = re.search(rf"\b{sum_name}=(\d+)", output)
        counted = sum(o.word == word for o in results.values())
        check(counted == (int(found[1]) if found else 0),
              f"{counted} tests read as {word}, but: "
              f"{output.rstrip().splitlines()[-1]}")


def copy_suite(folder):
    target = pathlib.Path(folder, "tests")
    shutil.copytree(SUITE, target)
    for packed in target.glob("*.py.gz"):
        packed.with_suffix("").write_bytes(gzip.decompress(
            packed.read_bytes()))
        packed.unlink()
    subprocess.run(["chmod", "-R", "a+rX", str(folder)], check=True)
    return target


def run_suite(environment, only):
    """The outcomes, and all that the suite printed."""
    with tempfile.TemporaryDirectory(prefix="arnica-suite-") as folder:
        suite = copy_suite(folder)
        line = [PYTHON, "-B", "-W", "ignore", suite / "run_tests.py", "--dev",
                DEVICE, "-v"]
        if only:
            line += ["-k", only]
        done = environment.run(line, timeout=480, name="suite")
        output = done.output()
        if only:
            print(output)
        check(re.search(r"^Ran \d+ tests? in", output, re.M),
              f"the suite did not come to its end: status {done.status}\n"
              f"{done.tail(30)}")
        results = parse(output)
        if not only:
            check_sums(output, results)
        return results, output


def check_outcome(outcome):
    check(outcome.word not in ("FAIL", "ERROR"),
          f"{outcome.word}{outcome.said}")


def details(output, name):
    """The suite's own report of a failed test."""
    where, _, method = name.rpartition(".")
    parts = re.split(r"^={70}$", output, flags=re.M)
    return "".join(part for part in parts[1:]
                   if re.match(rf"\n(ERROR|FAIL): {method} \({where}", part))


def version():
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}",
                           "python3-pyverbs"], capture_output=True, text=True)
    return done.stdout.partition("-")[0] if done.returncode == 0 else None


def vendor_of(name):
    return next((vendor for prefix, vendor in VENDORS
                 if name.startswith(prefix)), None)


def short(name):
    return name.removeprefix("tests.")


# The document.


def names_by(items):
    """A list for each key, both in order of first appearance and of name."""
    groups = {}
    for key, name in items:
        groups.setdefault(key, []).append(short(name))
    return {key: sorted(names) for key, names in sorted(groups.items())}


def listing(groups):
    lines = []
    for key, names in groups.items():
        lines.append(f"**{key}** ({len(names)})\n")
        lines += [f"- {name}" for name in names]
        lines.append("")
    return "\n".join(lines)


HEADING = """# rdma-core's test suite on arnica0

Generated by `tests/integration/conformance.py --write`; do not edit.

The suite of rdma-core {version} (Debian's package python3-pyverbs ships it in
/usr/share/doc/rdma-core/tests), unmodified, as root, with

    arnica run -- /usr/bin/python3 run_tests.py --dev arnica0 -v

| tests | |
|---|---|
| {total} | in the suite |
| {vendor} | skipped: written for one vendor's own interface |
| {machine} | decided by the machine: {passed_there} of them passed where this was written |
| {skipped} | skipped: the device does not offer it |
| {passed} | **passed**, everywhere |

No test fails. Whenever the tests run, every outcome except those that the
machine decides is compared with this page.
"""
# Parts of the document: key, title, what stands below the title.
PARTS = (
    ("skipped", "Not offered by the device", "In the suite's words."),
    ("machine", "Decided by the machine", "Each group needs what it says."),
    ("passed", "Passed", ""),
    ("vendor", "Written for one vendor's own interface", ""),
)


def place(outcome):
    """The part of the document in which a test stands, and its group there."""
    if outcome.machine_need():
        return "machine", outcome.machine_need()
    if outcome.word == "skipped" and vendor_of(outcome.name):
        return "vendor", f"{vendor_of(outcome.name)}: {outcome.reason}"
    if outcome.word == "skipped":
        return "skipped", outcome.reason
    return "passed", outcome.name.split(".")[1]


def render(results):
    places = {name: place(outcome) for name, outcome in results.items()}
    counts = {key: sum(place[0] == key for place in places.values())
              for key, _, _ in PARTS}
    decided = sum(results[name].word == "ok"
                  for name, place in places.items() if place[0] == "machine")
    text = HEADING.format(version=version(), total=len(results),
                          passed_there=decided, **counts)
    for key, title, below in PARTS:
        if counts[key]:
            text += f"\n## {title}\n\n" + (below + "\n\n" if below else "")
            text += listing(names_by((group, name) for name, (part, group)
                                     in places.items() if part == key))
    return text


def read_document():
    """Part and group of each test, as the document says."""
    keys = {title: key for key, title, _ in PARTS}
    places, key, group = {}, None, None
    for line in DOCUMENT.read_text().splitlines():
        heading = re.match(r"## (.*)", line)
        bold = re.match(r"\*\*(.*)\*\* \(\d+\)$", line)
        if heading:
            key = keys[heading[1]]
        elif bold:
            group = bold[1]
        elif key and line.startswith("- "):
            places["tests." + line[2:]] = (key, group)
    return places


def compare(results):
    check(DOCUMENT.exists(), f"{DOCUMENT} is missing; run with --write")
    theirs = re.search(r"suite of rdma-core ([\d.]+)", DOCUMENT.read_text())
    if not version() or theirs[1] != version():
        raise Skip(f"the document is about rdma-core {theirs[1]}, here is "
                   f"{version() or 'an unknown version'}")
    known = read_document()
    words = []
    for name in sorted(known.keys() | results.keys()):
        here = place(results[name]) if name in results else ("gone", "")
        there = known.get(name, ("not there", ""))
        if here != there and not (name in results and
                                  results[name].is_excused()):
            words.append(f"{short(name)}: {' '.join(here)}; in the document: "
                         f"{' '.join(there)}")
    if words:
        raise Failure("other outcomes; if they are right, run with --write\n" +
                      "\n".join(words))


def need_suite():
    if not (SUITE / "run_tests.py").exists():
        raise Skip(f"{SUITE} is not there; install python3-pyverbs (some "
                   "images leave documentation out)")


def main():
    args = harness.arguments(
        __doc__.splitlines()[0],
        write=dict(action="store_true", help="renew docs/conformance.md"))
    need_suite()
    environment = harness.environment_of(args)
    report = harness.Report("rdma-core's suite")
    found = []
    report.case("the suite runs to its end",
                lambda: found.extend(run_suite(environment, args.only)))
    if not found:
        return report.finish()
    results, output = found
    for name, outcome in sorted(results.items()):
        if outcome.word in ("FAIL", "ERROR"):
            if len(report.failed) < MANY:  # the others tell the same
                outcome.said += details(output, name)
            report.case(short(name), check_outcome, outcome)
    if not args.only:
        if args.write:
            DOCUMENT.write_text(render(results))
            print(f"wrote {DOCUMENT}")
        else:
            report.case("docs/conformance.md is up to date", compare, results)
    count = sum(outcome.word == "ok" for outcome in results.values())
    print(f"{count} of {len(results)} tests of the suite passed")
    return report.finish()


if __name__ == "__main__":
    harness.main_guard(main)
