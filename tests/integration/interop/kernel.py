# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""A Linux kernel with rdma_rxe, and what boots it: from this system if it has
one, else from Debian's package, kept in a folder between runs."""
import gzip
import lzma
import os
import pathlib
import re
import shutil
import stat
import subprocess

from harness import Skip

# What the guest needs before it sees the files of this system.
BOOT_MODULES = ("virtio_pci", "9p", "9pnet_virtio", "overlay", "virtio_net")

INIT = """#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sysfs /sys
$b mount -t devtmpfs devtmpfs /dev
for module in $($b cat /modules); do $b insmod /lib/$module; done
p9=trans=virtio,version=9p2000.L,msize=262144,cache=loose,ro
$b mount -t 9p -o $p9 all-files /system
$b mount -t tmpfs -o size=50% tmpfs /changes
$b mkdir /changes/upper /changes/work
$b mount -t overlay -o \\
    lowerdir=/system,upperdir=/changes/upper,workdir=/changes/work root /root
$b mkdir -p /root/lib/modules
$b mount -t 9p -o $p9 kernel-modules /root/lib/modules
for tree in proc sys dev; do $b mount --move /$tree /root/$tree; done
exec $b switch_root /root /bin/sh {start}
"""


class Kernel:
    def __init__(self, image, modules):
        self.image = pathlib.Path(image)
        self.modules = pathlib.Path(modules)  # the folder of all versions
        self.version = self.image.name.partition("-")[2]

    def has_rxe(self):
        folder = self.modules / self.version
        return any(folder.glob("kernel/drivers/infiniband/sw/rxe/rdma_rxe.ko*"))

    def usable(self):
        return os.access(self.image, os.R_OK) and self.has_rxe()


def of_this_system():
    for image in sorted(pathlib.Path("/boot").glob("vmlinuz-*"), reverse=True):
        kernel = Kernel(image, "/lib/modules")
        if kernel.usable():
            return kernel
    return None


def unpacked(folder):
    for image in folder.glob("boot/vmlinuz-*"):
        for modules in (folder / "usr/lib/modules", folder / "lib/modules"):
            kernel = Kernel(image, modules)
            if kernel.usable():
                return kernel
    return None


def run(*command, cwd=None):
    done = subprocess.run([str(word) for word in command], cwd=cwd,
                          capture_output=True, text=True)
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise Skip(f"{command[0]}: {words[-1] if words else 'failed'}")
    return done.stdout


def of_debian(folder):
    for tool in ("apt-get", "apt-cache", "dpkg-deb"):
        if not shutil.which(tool):
            raise Skip("no kernel with rdma_rxe here, and this is not Debian "
                       "to fetch one")
    depends = run("apt-cache", "depends", "linux-image-amd64")
    package = re.search(r"Depends: (linux-image-\S+)", depends)
    if not package:
        raise Skip("no package linux-image-amd64: apt-get update may help")
    folder.mkdir(parents=True, exist_ok=True)
    run("apt-get", "download", package[1], cwd=folder)
    for archive in folder.glob("linux-image-*.deb"):
        run("dpkg-deb", "-x", archive, folder)
        archive.unlink()
    kernel = unpacked(folder)
    if not kernel:
        raise Skip(f"{package[1]} has no rdma_rxe")
    # It looks for lib/modules below the folder it is given.
    run("depmod", "-b", kernel.modules.parents[1], kernel.version)
    return kernel


def find(folder):
    return of_this_system() or unpacked(folder) or of_debian(folder)


def module_files(kernel):
    """The modules that the guest boots with, each after what it needs."""
    base = kernel.modules / kernel.version
    needs = {}
    for line in (base / "modules.dep").read_text().splitlines():
        name, _, others = line.partition(":")
        needs[name] = others.split()
    by_name = {pathlib.Path(path).name.split(".")[0].replace("-", "_"): path
               for path in needs}
    builtin = {pathlib.Path(path).stem.replace("-", "_") for path in
               (base / "modules.builtin").read_text().split()}
    files = []
    for module in BOOT_MODULES:
        if module in builtin:
            continue
        if module not in by_name:
            raise Skip(f"the kernel {kernel.version} has no module {module}")
        path = by_name[module]
        for file in reversed([path] + needs[path]):
            if file not in files:
                files.append(file)
    return [base / file for file in files]


def plain_module(path):
    if path.suffix == ".xz":
        return lzma.decompress(path.read_bytes())
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix != ".ko":
        raise Skip(f"cannot decompress {path.name}")
    return path.read_bytes()


def cpio_entry(name, mode, data=b""):
    """One file of the format "newc", which the kernel takes."""
    encoded = name.encode() + b"\0"
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
    header = b"070701" + b"".join(b"%08x" % field for field in fields)
    entry = header + encoded
    entry += bytes(-len(entry) % 4)
    return entry + data + bytes(-len(data) % 4)


def build_initrd(kernel, path, start):
    """`start`: what /bin/sh runs in the end, a path of this system."""
    busybox = shutil.which("busybox")
    if not busybox:
        raise Skip("no busybox (Debian: busybox-static)")
    folders = ("bin", "lib", "proc", "sys", "dev", "system", "changes", "root")
    parts = [cpio_entry(name, stat.S_IFDIR | 0o755) for name in folders]
    parts.append(cpio_entry("bin/busybox", stat.S_IFREG | 0o755,
                            pathlib.Path(busybox).read_bytes()))
    files = module_files(kernel)
    for file in files:
        parts.append(cpio_entry(f"lib/{file.name}", stat.S_IFREG | 0o644,
                                plain_module(file)))
    names = "".join(f"{file.name}\n" for file in files)
    parts.append(cpio_entry("modules", stat.S_IFREG | 0o644, names.encode()))
    parts.append(cpio_entry("init", stat.S_IFREG | 0o755,
                            INIT.format(start=start).encode()))
    parts.append(cpio_entry("TRAILER!!!", 0))
    path.write_bytes(gzip.compress(b"".join(parts), 1))
