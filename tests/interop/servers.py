"""The servers that the foreign clients are driven against, each with its own directory, keys and free loopback port."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import time
import tomllib
from dataclasses import dataclass

HERE = pathlib.Path(__file__).resolve().parent
HOST = "127.0.0.1"
# A server that does not listen by then never will.
START_S = 30


@dataclass
class Login:
    """How to log in to a server of a network: what a client reads of a Server."""

    host: str
    port: int
    user: str
    key: pathlib.Path
    password: str
    empty_file: pathlib.Path


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
        self.port = free_port()
        self.user = self.description.get("user")
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
                if "network" in self.description:
                    self.log_in_as(self.login(self.network()["manager"]))
                with socket.create_connection((self.host, self.port), timeout=1) as connection:
                    connection.settimeout(1)
                    if connection.recv(4) == b"SSH-":
                        return
            # What a network has written of itself may not be there yet, or half of it.
            except (OSError, json.JSONDecodeError):
                pass
            time.sleep(0.05)
        raise RuntimeError(f"no SSH server on {self.host}:{self.port} within {START_S} s")

    def network(self):
        """What the network that a description names has written of itself: its manager, its agents, who may log in."""
        return json.loads((self.directory / self.description["network"]).read_text(encoding="utf-8"))

    def agent(self, name):
        """The login of an agent of the network."""
        return self.login(next(agent for agent in self.network()["agents"] if agent["name"] == name))

    def login(self, entry):
        user = entry["users"][0]
        password = pathlib.Path(user["password-file"]).read_text(encoding="utf-8").rstrip("\n")
        return Login(entry["address"], entry["port"], user["name"], pathlib.Path(user["private-key"]), password, self.empty_file)

    def log_in_as(self, login):
        self.host, self.port, self.user, self.key, self.password = login.host, login.port, login.user, login.key, login.password

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


def free_port():
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]
