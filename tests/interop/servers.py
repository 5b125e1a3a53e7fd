"""The servers that the foreign clients are driven against, each with its own directory, keys and free loopback port."""

import os
import pathlib
import random
import shutil
import socket
import subprocess
import time
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
HOST = "127.0.0.1"
# A server that does not listen by then never will.
START_S = 30


class Server:
    """A running server, and how to log in to it."""

    def __init__(self, name, directory):
        self.host = HOST
        self.directory = directory
        self.key = keypair(directory / "client-key")
        self.empty_file = directory / "empty"
        self.empty_file.touch()
        self.programs = []
        with open(HERE / "servers" / f"{name}.toml", "rb") as file:
            self.description = tomllib.load(file)
        self.port = free_port(self.description.get("ports", 1))
        self.user = self.description["user"]
        self.password = self.description.get("password")
        self.scenario = self.description["scenario"]
        try:
            self.start()
            self.wait()
        except BaseException:
            self.stop()
            raise

    def start(self):
        """Writes the files that the description names and runs its commands, with what stands in {} filled in."""
        fill = {
            "binary": os.environ.get("QKDN_BINARY", str(HERE.parents[1] / "target/debug/qkdn")),
            "directory": self.directory,
            "here": HERE,
            "yang": HERE.parents[1] / "yang",
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "key": self.key,
            "public_key": self.key.with_suffix(".pub").read_text(encoding="utf-8").strip(),
        }
        for name, content in self.description.get("file", {}).items():
            (self.directory / name).write_text(content.format_map(fill), encoding="utf-8")
        for directory in self.description.get("directories", []):
            (self.directory / directory).mkdir()
        for index, command in enumerate(self.description["command"]):
            self.run(f"server-{index}.log", [word.format_map(fill) for word in command])

    def run(self, log, command):
        program = shutil.which(command[0]) or shutil.which(command[0], path="/usr/sbin:/sbin")
        if program is None:
            raise RuntimeError(f"{command[0]} is not there")
        with open(self.directory / log, "wb") as file:
            self.programs.append(
                subprocess.Popen(
                    [program, *command[1:]],
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    cwd=self.directory,
                    env=os.environ | {"HOME": str(self.directory)},
                )
            )

    def wait(self):
        """Returns when the server greets as an SSH server does, and fails when a program of it ended."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            for program in self.programs:
                if program.poll() is not None:
                    raise RuntimeError(f"{program.args[0]} ended with status {program.returncode}")
            try:
                with socket.create_connection((self.host, self.port), timeout=1) as connection:
                    connection.settimeout(1)
                    if connection.recv(4) == b"SSH-":
                        return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"no SSH server on {self.host}:{self.port} within {START_S} s")

    def logs(self):
        return "\n".join(
            f"{file.name}:\n{file.read_text(encoding='utf-8', errors='replace')[-4000:]}"
            for file in sorted(self.directory.glob("server-*.log"))
        )

    def stop(self):
        """Ends the programs, and returns a line on each that had ended by itself."""
        ended = [program for program in self.programs if program.poll() is not None]
        for program in reversed(self.programs):
            program.terminate()
        for program in self.programs:
            try:
                program.wait(10)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
        return [f"{program.args[0]} had ended with status {program.returncode}" for program in ended]


def keypair(file):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "interop", "-f", file], check=True)
    return file


def free_port(count=1):
    """A port that is free, and the next ones too. More than one are taken from below those that outgoing connections are given."""
    if count == 1:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            return probe.getsockname()[1]
    for base in random.sample(range(20000, 30000, count), 100):
        if all(is_free(port) for port in range(base, base + count)):
            return base
    raise RuntimeError(f"no {count} ports in a row are free")


def is_free(port):
    with socket.socket() as probe:
        # As the servers do it: a port that an ended connection lingers on is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
