#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The configuration file as users meet it: what it sets holds for programs, the
environment wins, `arnica doctor` says which, and a file that is wrong refuses
the device with one line."""

import pathlib
import sys
import tempfile

import harness
from harness import DEVICE, check


class Configured:
    """An environment whose configuration file has this text."""

    def __init__(self, environment, folder, text, variables=None):
        self.file = pathlib.Path(folder, "arnica.conf")
        self.file.write_text(text)
        folder.chmod(0o755)
        self.file.chmod(0o644)
        self.environment = environment.with_(
            variables={"ARNICA_CONFIG": str(self.file), **(variables or {})})

    def devinfo(self):
        return self.environment.run(["ibv_devinfo", "-d", DEVICE])

    def doctor(self):
        return self.environment.run_tool(["doctor"]).output()


def a_file_sets_what_programs_see(environment, folder):
    configured = Configured(environment, folder,
                            "# ours\n[device]\npart-id = 0xefa1\n")
    done = configured.devinfo()
    check(done.status == 0 and "61345" in done.output(), done.tail())
    text = configured.doctor()
    check(f"{configured.file} was read" in text, text)
    check("[device] part-id = 0xefa1 by the file, line 3" in text, text)


def the_environment_wins(environment, folder):
    configured = Configured(environment, folder, "[device]\npart-id = 7\n",
                            {"ARNICA_PART_ID": "0xefa2"})
    done = configured.devinfo()
    check(done.status == 0 and "61346" in done.output(), done.tail())
    text = configured.doctor()
    check("by the environment (ARNICA_PART_ID), not as the file says" in text,
          text)


def doctor_names_only_this(configured, why):
    """Of the checks that fail none gives another reason than this."""
    text = configured.doctor()
    what, advice = why.rsplit(": ", 1)
    check(f"fail  configuration  {what}; to do: {advice}\n" in text, text)
    device = [line for line in text.splitlines() if line.startswith(
        "fail  device ")]
    check(len(device) == 1 and why in device[0], text)
    check("ARNICA_RUNTIME_DIR" not in text and
          "Invalid argument" not in text, text)


def a_wrong_file_refuses_the_device(environment, folder):
    configured = Configured(environment, folder,
                            "[device]\npart-id = 7\nadopt = maybe\n")
    why = (f"{configured.file} line 3: adopt = maybe: "
           "it must be auto, off or all")
    done = configured.devinfo()
    check(done.status != 0, "the device is there all the same")
    lines = [line for line in done.output().splitlines()
             if line.startswith("arnica:")]
    check(lines == ["arnica: " + why], done.tail())
    doctor_names_only_this(configured, why)


def settings_that_contradict_refuse_it(environment, folder):
    configured = Configured(environment, folder, "[scheduler]\n"
                            "execution-engines = 2\ngather-engines = 5\n")
    why = (f"{configured.file} line 3: gather-engines = 5 is more than "
           "execution-engines = 2 of line 2: lower the one or raise the other")
    done = configured.devinfo()
    check(done.status != 0 and "arnica: " + why in done.output(), done.tail())
    doctor_names_only_this(configured, why)


def a_wrong_variable_refuses_it(environment, folder):
    for variable, allowed in (("ARNICA_ECN", "on or off"),
                              ("ARNICA_EVEN_WRITES", "on or off"),
                              ("ARNICA_LOOPBACK", "on or off"),
                              ("ARNICA_ADOPT", "auto, off or all"),
                              ("ARNICA_ENGINES", "a number from 0 to 64")):
        configured = Configured(environment, folder, "",
                                {variable: "maybe"})
        why = f"{variable}=maybe must be {allowed}: correct or unset it"
        done = configured.devinfo()
        check(done.status != 0, f"{variable}: the device is there all the same")
        check("arnica: " + why in done.output(), done.tail())
        doctor_names_only_this(configured, why)


def a_variable_that_nothing_reads_is_told(environment, folder):
    configured = Configured(environment, folder, "",
                            {"ARNICA_EVENWRITES": "off", "ARNICA_ECN": "off"})
    text = configured.doctor()
    check("warn  setting        nothing reads ARNICA_EVENWRITES; to do: " in
          text and "nothing reads ARNICA_ECN" not in text, text)


def a_file_that_others_may_write_refuses_it(environment, folder):
    configured = Configured(environment, folder, "[device]\npart-id = 7\n")
    configured.file.chmod(0o666)
    done = configured.devinfo()
    check(done.status != 0 and "chmod o-w" in done.output(), done.tail())


def main():
    args = harness.arguments(__doc__)
    environment = harness.environment_of(args)
    harness.need_program("ibv_devinfo")
    report = harness.Report("configuration")
    for case in (a_file_sets_what_programs_see, the_environment_wins,
                 a_wrong_file_refuses_the_device,
                 settings_that_contradict_refuse_it,
                 a_wrong_variable_refuses_it,
                 a_variable_that_nothing_reads_is_told,
                 a_file_that_others_may_write_refuses_it):
        with tempfile.TemporaryDirectory(prefix="arnica-conf-") as folder:
            report.case(case.__name__, case, environment,
                        pathlib.Path(folder))
    return report.finish()


if __name__ == "__main__":
    harness.main_guard(main)
