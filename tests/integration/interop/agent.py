#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Runs in the guest: starts programs for the test outside.

One TCP connection for each request, a line of JSON; so is the answer. A program
runs as long as the test keeps its side of the connection open.
"""
import json
import os
import pathlib
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time


def listening(port):
    wanted = f":{port:04X}"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in pathlib.Path(table).read_text().splitlines()[1:]:
            words = line.split()
            if words[1].endswith(wanted) and words[3] == "0A":
                return True
    return False


def wait_listening(request):
    deadline = time.monotonic() + request["timeout"]
    while not listening(request["port"]):
        if time.monotonic() > deadline:
            return {"listening": False}
        time.sleep(0.05)
    return {"listening": True}


class Request(socketserver.StreamRequestHandler):
    def handle(self):
        line = self.rfile.readline()
        if not line:
            return  # somebody asks whether we are there
        request = json.loads(line)
        if "command" in request:
            answer = self.run(request)
        else:
            answer = wait_listening(request)
        self.wfile.write(json.dumps(answer).encode() + b"\n")

    def run(self, request):
        output = tempfile.TemporaryFile()
        try:
            process = subprocess.Popen(
                request["command"], stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True)
        except OSError as reason:
            return {"status": 127, "output": str(reason)}
        threading.Thread(target=self.watch, args=(process,),
                         daemon=True).start()
        status = process.wait()
        output.seek(0)
        return {"status": status,
                "output": output.read().decode(errors="replace")}

    def watch(self, process):
        """Ends the program when the connection ends before it."""
        try:
            self.connection.recv(1)
        except OSError:
            pass
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


class Server(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET
    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    Server((sys.argv[1], int(sys.argv[2])), Request).serve_forever()
