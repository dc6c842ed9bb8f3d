# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""A virtual machine with a stock kernel and its rdma_rxe on a virtual network
with this machine, and programs in it.

It sees the files of this system read-only (what it writes stays in its memory),
so that it runs the same tools at the same paths.
"""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time

import kernel as kernels
from harness import Failure, Skip, die_with_parent

HERE = pathlib.Path(__file__).resolve().parent
TAP = "tap0"
OUTSIDE = "10.9.1.1"
INSIDE = "10.9.1.2"
OUTSIDE6 = "fd00:9::1"
INSIDE6 = "fd00:9::2"
AGENT_PORT = 18000
BOOT_SECONDS = 300

START = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
hostname guest
ulimit -l unlimited
ip link set lo up
for module in ib_uverbs rdma_ucm rdma_rxe; do modprobe $module; done
nic=$(ls /sys/class/net | grep -v lo | head -n 1)
ip link set $nic mtu {mtu} up
ip addr add {inside}/24 dev $nic
ip -6 addr add {inside6}/64 dev $nic nodad
rdma link add rxe0 type rxe netdev $nic
echo "guest: $(uname -r), $(ibv_devices | grep -c rxe0) device"
exec python3 -B - {inside} {port} <<'EOF'
{agent}
EOF
"""


def command(*words):
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise Skip(f"{' '.join(words)}: {done.stderr.strip()}")


def make_network(mtu):
    """In a network namespace of our own: nobody else meets these addresses."""
    command("ip", "link", "set", "lo", "up")
    command("ip", "tuntap", "add", TAP, "mode", "tap")
    command("ip", "link", "set", TAP, "mtu", str(mtu), "up")
    command("ip", "addr", "add", f"{OUTSIDE}/24", "dev", TAP)
    command("ip", "-6", "addr", "add", f"{OUTSIDE6}/64", "dev", TAP, "nodad")


class Program:
    """A program in the guest; used as harness.Process is."""

    def __init__(self, words, name):
        self.name = name
        self.command = [str(word) for word in words]
        self.status = None
        self._output = ""
        self._answer = b""
        self._connection = connect(30)
        # Line by line, so that there is something to see of one that hangs.
        send(self._connection, {"command": ["stdbuf", "-oL", *self.command]})

    def running(self):
        return self.status is None and not self._receive(0)

    def wait(self, timeout):
        if self.status is None and not self._receive(timeout):
            raise Failure(f"{self.name} did not end within {timeout} s")
        return self.status

    def _receive(self, timeout):
        """True when the answer is complete."""
        deadline = time.monotonic() + timeout
        while not self._answer.endswith(b"\n"):
            self._connection.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                data = self._connection.recv(65536)
            except TimeoutError:
                return False
            if not data:
                raise Failure(f"{self.name}: the guest is gone")
            self._answer += data
        answer = json.loads(self._answer)
        self.status, self._output = answer["status"], answer["output"]
        return True

    def end(self):
        """Kills it if it still runs; its output can be read then."""
        if self._connection is None:
            return
        if self.status is None:
            try:
                self._connection.shutdown(socket.SHUT_WR)
                self._receive(10)
            except (OSError, Failure):
                pass
        self._connection.close()
        self._connection = None

    def output(self):
        return self._output

    def tail(self, lines=12):
        return "\n".join(f"      {self.name} | {line}" for line in
                         self._output.rstrip().splitlines()[-lines:])


def connect(timeout):
    return socket.create_connection((INSIDE, AGENT_PORT), timeout)


def send(connection, request):
    connection.sendall(json.dumps(request).encode() + b"\n")


def wait_listening(port, timeout):
    with connect(timeout + 30) as connection:
        send(connection, {"port": port, "timeout": timeout})
        answer = connection.makefile().readline()
    if not answer or not json.loads(answer)["listening"]:
        raise Failure(f"nobody in the guest listened on port {port} within "
                      f"{timeout} s")


class Guest:
    def __init__(self, folder, mtu):
        """`folder` keeps the kernel between runs, and the console's output."""
        qemu = shutil.which("qemu-system-x86_64")
        if not qemu:
            raise Skip("no qemu (Debian: qemu-system-x86)")
        kernel = kernels.find(folder)
        folder.mkdir(parents=True, exist_ok=True)
        start = folder / "start"
        start.write_text(START.format(
            mtu=mtu, inside=INSIDE, inside6=INSIDE6, port=AGENT_PORT,
            agent=(HERE / "agent.py").read_text()))
        initrd = folder / "initrd.gz"
        kernels.build_initrd(kernel, initrd, start)
        self.console = folder / "console"
        self.kernel = kernel
        with open(self.console, "wb") as console:
            self.qemu = subprocess.Popen(
                self.line(qemu, kernel, initrd), stdin=subprocess.DEVNULL,
                stdout=console, stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent)

    @staticmethod
    def line(qemu, kernel, initrd):
        shared = [("all-files", "/"), ("kernel-modules", kernel.modules)]
        # Emulation works everywhere; virtualisation is faster where it does.
        # Emulated, carry-less multiplication takes many times as long as the
        # tables that CRCs are done with where there is none. And the kernel
        # gives its usual clock up when the host is busy for a while; the others
        # are devices, which are slow to read.
        accel = os.environ.get("ARNICA_INTEROP_ACCEL",
                               "tcg,thread=multi,tb-size=512")
        cpu = "max,-pclmulqdq" if accel.startswith("tcg") else "max"
        words = [qemu, "-accel", accel, "-cpu", cpu, "-machine", "q35",
                 "-smp", "2", "-m", "2048", "-nographic", "-nodefaults",
                 "-no-reboot", "-serial", "stdio", "-monitor", "none",
                 "-kernel", kernel.image, "-initrd", initrd, "-append",
                 "console=ttyS0 quiet panic=-1 mitigations=off net.ifnames=0 "
                 "tsc=reliable",
                 "-device", "virtio-rng-pci",
                 "-netdev", f"tap,id=net,ifname={TAP},script=no,downscript=no",
                 "-device", "virtio-net-pci,netdev=net,romfile="]
        for tag, path in shared:
            words += ["-fsdev", f"local,id={tag},path={path},readonly=on,"
                      "security_model=none,multidevs=remap",
                      "-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]
        return [str(word) for word in words]

    def wait_ready(self):
        deadline = time.monotonic() + BOOT_SECONDS
        while True:
            if self.qemu.poll() is not None:
                raise Failure(f"qemu ended with {self.qemu.returncode}\n"
                              f"{self.tail()}")
            try:
                with connect(5):
                    return
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise Failure(f"the guest did not start within {BOOT_SECONDS} "
                              f"s\n{self.tail()}")
            time.sleep(0.5)

    def run(self, words, timeout=60):
        program = Program(words, str(words[0]))
        try:
            if program.wait(timeout):
                raise Failure(f"{' '.join(map(str, words))} in the guest: "
                              f"status {program.status}")
            return program.output()
        except Failure as failure:
            program.end()
            raise Failure(f"{failure}\n{program.tail()}") from None
        finally:
            program.end()

    def tail(self, lines=15):
        text = self.console.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join(f"      guest | {line}" for line in text)

    def end(self):
        self.qemu.kill()
        self.qemu.wait()
