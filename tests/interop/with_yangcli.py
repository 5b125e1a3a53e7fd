"""yangcli, Debian's client from another stack: it reads commands at a prompt and needs a terminal for it."""

import fcntl
import os
import pathlib
import pty
import re
import select
import struct
import subprocess
import tempfile
import termios
import time
from xml.sax.saxutils import unescape

from session import DEADLINE_S, NETCONF, NMDA, RpcError, Session, checked, find, parse

PROMPT = re.compile(r"yangcli(?: \S+@\S+)?> ?$")
PROTOCOL = "urn:ietf:params:netconf:"
REPLY = re.compile(r"<rpc-reply\b.*</rpc-reply>", re.DOTALL)
TEXT = re.compile(r"<data\b[^>]*>(.*)</data>", re.DOTALL)
EVENT = re.compile(r"<notification\b.*?</notification>", re.DOTALL)
UNREADABLE = re.compile(r"Auto-load for module '([^']+)' failed")
OWN_MODULES = "/usr/share/yuma/modules"
# It fetches by get-schema and compiles every module it does not know before it shows its first prompt.
GREETING_S = 60


class Client(Session):
    def __init__(self, server):
        self.files = tempfile.TemporaryDirectory()
        self.terminal, slave = pty.openpty()
        # Its line editor would break lines at the terminal's width.
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 100, 4000, 0, 0))
        options = {
            "server": server.host,
            "ncport": server.port,
            "user": server.user,
            "private-key": server.key,
            "public-key": f"{server.key}.pub",
            # Without one it asks for a password, keys or not.
            "password": server.password or "unused",
            "display-mode": "xml",
            "log-level": "info",
            "timeout": DEADLINE_S,
            "autohistory": "false",
            "autoaliases": "false",
            "autouservars": "false",
            "home": self.files.name,
            "modpath": OWN_MODULES,
        }
        self.program = subprocess.Popen(
            ["yangcli", *(f"--{name}={value}" for name, value in options.items())],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=self.files.name,
            env=os.environ | {"HOME": self.files.name, "TERM": "dumb"},
            start_new_session=True,
        )
        os.close(slave)
        self.unread = ""
        self.greeting = self._until(PROMPT, GREETING_S)
        if "NETCONF session established" not in self.greeting:
            raise RuntimeError(f"yangcli did not connect: {self.greeting[-500:]}")

    def capabilities(self):
        # It prints the protocol's capabilities without their common beginning and knows modules only by name.
        listed = self.greeting.partition("Server Protocol Capabilities")[2].partition("Server Module Capabilities")[0]
        names = [word for word in listed.split() if ":" in word]
        return [PROTOCOL + (name if name.startswith("base:") else f"capability:{name}") for name in names]

    def unreadable_modules(self):
        return UNREADABLE.findall(self.greeting)

    def get(self, filter):
        return find(self._command(f"get filter=@{self._file(filter)}"), "data")

    def get_config(self, source, filter):
        return find(self._command(f"get-config source={source} filter=@{self._file(filter)}"), "data")

    def get_xpath(self, path, prefix, namespace):
        # It knows no prefixes of the server's own modules; a name without one is there in any module.
        return find(self._command(f"xget select={path.replace(f'{prefix}:', '')}"), "data")

    def get_config_with_defaults(self, source, filter, mode):
        return find(self._command(f"get-config source={source} filter=@{self._file(filter)} with-defaults={mode}"), "data")

    def get_data(self, datastore, filter, with_origin=False):
        origin = " with-origin" if with_origin else ""
        return find(self._command(f"get-data datastore=ds:{datastore} subtree-filter=@{self._file(filter)}{origin}"), "data", NMDA)

    def edit_data(self, datastore, config):
        self._command(f"edit-data datastore=ds:{datastore} config=@{self._file(config)}")

    def edit_config(self, target, config):
        self._command(f"edit-config target={target} config=@{self._file(config)}")

    def copy_config(self, source, target):
        self._command(f"copy-config source={source} target={target}")

    def delete_config(self, target):
        self._command(f"delete-config target={target}")

    def lock(self, target):
        self._command(f"lock target={target}")

    def unlock(self, target):
        self._command(f"unlock target={target}")

    def validate(self, source):
        self._command(f"validate source={source}")

    def validate_config(self, config):
        wrapped = f'<config xmlns="{NETCONF}">{config}</config>'
        self._command(f"validate source=@{self._file(wrapped)}")

    def commit(self):
        self._command("commit")

    def commit_confirmed(self, seconds):
        self._command(f"commit confirmed confirm-timeout={seconds}")

    def commit_persistent(self, seconds, token):
        self._command(f"commit confirmed confirm-timeout={seconds} persist={token}")

    def confirm(self, token):
        self._command(f"commit persist-id={token}")

    def cancel_commit(self, token=None):
        self._command(f"cancel-commit persist-id={token}" if token else "cancel-commit")

    def discard_changes(self):
        self._command("discard-changes")

    def get_schema(self, name, revision):
        version = f" version={revision}" if revision else ""
        printed = self._print(f"get-schema identifier={name}{version} format=yang")
        if "<rpc-error>" in printed:
            raise RpcError(find(parse(REPLY.search(printed).group()), "rpc-error"))
        return unescape(TEXT.search(printed).group(1), {"&quot;": '"', "&apos;": "'"})

    def create_subscription(self):
        self._command("create-subscription")

    def notification(self, seconds):
        found = self._until(EVENT, seconds)
        return parse(EVENT.search(found).group()) if EVENT.search(found) else None

    def close(self):
        self._command("close-session")
        os.write(self.terminal, b"quit\r")
        try:
            self.program.wait(DEADLINE_S)
        finally:
            if self.program.poll() is None:
                self.program.kill()
            os.close(self.terminal)
            self.files.cleanup()

    def _command(self, line):
        printed = self._print(line)
        reply = REPLY.search(printed)
        if reply:
            return checked(parse(reply.group()))
        if "RPC OK Reply" in printed:
            return parse(f'<rpc-reply xmlns="{NETCONF}"><ok/></rpc-reply>')
        raise RuntimeError(f"yangcli: {printed}")

    def _print(self, line):
        """What it prints between a command and its next prompt."""
        os.write(self.terminal, f"{line}\r".encode())
        printed = self._until(PROMPT, DEADLINE_S)
        if not PROMPT.search(printed):
            raise TimeoutError(f"yangcli has no answer to {line}: {printed}")
        return printed.partition("\n")[2]

    def _until(self, pattern, seconds):
        """Reads until `pattern` is there, and returns everything up to its end; all there is, if it does not come."""
        deadline = time.monotonic() + seconds
        while not (match := pattern.search(self.unread)):
            left = deadline - time.monotonic()
            ready = left > 0 and select.select([self.terminal], [], [], left)[0]
            try:
                read = os.read(self.terminal, 65536) if ready else b""
            except OSError:
                # The program has gone and its terminal with it.
                read = b""
            if not read:
                text, self.unread = self.unread, ""
                return text
            self.unread += read.decode(errors="replace").replace("\r\n", "\n").replace("\r", "")
        text, self.unread = self.unread[: match.end()], self.unread[match.end() :]
        return text

    def _file(self, xml):
        file = pathlib.Path(self.files.name, f"{time.monotonic_ns()}.xml")
        file.write_text(f'<?xml version="1.0" encoding="UTF-8"?>\n{xml}\n', encoding="utf-8")
        return file
