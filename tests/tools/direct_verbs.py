#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Every direct verb of the public header is exported, and has a man page that
mandoc understands; nothing else is exported.

Usage: direct_verbs.py SOURCE_FOLDER LIBRARY
"""

import pathlib
import re
import shutil
import subprocess
import sys


def fail(message):
    sys.exit(f"direct_verbs: {message}")


def main():
    source, library = pathlib.Path(sys.argv[1]), sys.argv[2]
    header = (source / "include/infiniband/arnicadv.h").read_text()
    text = re.sub(r"/\*.*?\*/", "", header, flags=re.S)
    inline = set(re.findall(r"static inline [^;{]*?(arnicadv_\w+)\(", text))
    declared = set(re.findall(r"^\w[^;{}]*?[\s*](arnicadv_\w+)\(", text, re.M))
    if not inline or not declared - inline:
        fail("no functions found in the header")
    listing = subprocess.run(["nm", "-D", "--defined-only", library],
                             check=True, capture_output=True, text=True).stdout
    exported = set(re.findall(r" T (\w+)@@ARNICA_", listing))
    if exported != declared - inline:
        fail(f"exported and declared differ: {exported ^ (declared - inline)}")
    for name in sorted(declared):
        page = source / "man" / f"{name}.3"
        if not page.exists():
            fail(f"{name} has no man page")
        other = re.match(r"\.so man3/(\S+)", page.read_text())
        if other:
            page = source / "man" / other.group(1)
        if name not in page.read_text():
            fail(f"{page} does not speak of {name}")
        if shutil.which("mandoc"):
            lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning",
                                   str(page)], capture_output=True, text=True)
            if lint.returncode:
                fail(lint.stdout)


if __name__ == "__main__":
    main()
