"""netconf-console2: its interactive console, one command a line on standard input."""

import os
import pathlib
import queue
import subprocess
import sys
import tempfile
import threading
import time

from lxml import etree

from session import DEADLINE_S, MONITORING, NETCONF, Session, checked, find

CONSOLE = pathlib.Path(sys.executable).with_name("netconf-console2")


class Client(Session):
    def __init__(self, server):
        # Without an SSH configuration it takes "admin" for a password, and for the passphrase of the key.
        credentials = ["--password", server.password] if server.password else ["--privKeyFile", str(server.key)]
        credentials += ["--ssh-config", str(server.empty_file)]
        self.console = subprocess.Popen(
            [CONSOLE, "--host", server.host, "--port", str(server.port), "--user", server.user, *credentials]
            + ["--reply-timeout", str(DEADLINE_S), "--huge-tree", "--interactive"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        self.files = tempfile.TemporaryDirectory()
        self.replies, self.notifications = queue.Queue(), queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def capabilities(self):
        return [element.text for element in self._command("hello").iter(f"{{{NETCONF}}}capability")]

    def get_xpath(self, path, prefix, namespace):
        # --ns is no option of a command, so a prefix has to be the name of a module.
        return find(self._command(f"get {path}"), "data")

    def edit_config(self, target, config):
        self._command(f"edit-config --db {target} {self._file(config)}")

    def lock(self, target):
        self._command(f"lock --db {target}")

    def unlock(self, target):
        self._command(f"unlock --db {target}")

    def validate(self, source):
        if source != "candidate":
            raise ValueError(f"netconf-console2 takes {source} for the name of a file")
        self._command("validate candidate")

    def validate_config(self, config):
        wrapped = self._file(f'<config xmlns="{NETCONF}">{config}</config>')
        self._command(f"validate {wrapped}")

    def commit(self):
        self._command("commit")

    def commit_confirmed(self, seconds):
        self._command(f"commit confirmed --timeout {seconds}")

    def discard_changes(self):
        self._command("discard-changes")

    def get_schema(self, name, revision):
        return find(self._command(f"get-schema {name}/{revision}"), "data", MONITORING).text

    def create_subscription(self):
        self._command("create-subscription")

    def notification(self, seconds):
        try:
            return self.notifications.get(timeout=seconds)
        except queue.Empty:
            return None

    def rpc(self, operation):
        return self._command(f"rpc {self._file(operation)}")

    def close(self):
        # The console sends close-session at the end of its input.
        self.console.stdin.close()
        status = self.console.wait(DEADLINE_S)
        self.files.cleanup()
        if status != 0:
            raise RuntimeError(f"netconf-console2 ended with status {status}")

    def _command(self, line):
        self.console.stdin.write(line + "\n")
        self.console.stdin.flush()
        reply = self.replies.get(timeout=DEADLINE_S)
        if isinstance(reply, str):
            raise RuntimeError(f"netconf-console2: {reply}")
        return checked(reply)

    def _file(self, xml):
        file = pathlib.Path(self.files.name, f"{time.monotonic_ns()}.xml")
        file.write_text(xml, encoding="utf-8")
        return file

    def _read(self):
        """Cuts what the console prints into XML documents; each begins at the start of a line."""
        document, parser = "", None
        for line in self.console.stdout:
            if parser is None:
                if not line.lstrip().startswith("<"):
                    if line.strip():
                        self.replies.put(line.strip())
                    continue
                document, parser, depth = "", etree.XMLPullParser(("start", "end"), huge_tree=True), 0
            # The declaration names an encoding, which a text that is decoded already cannot have.
            if line.startswith("<?xml"):
                line = line.partition("?>")[2]
            document += line
            parser.feed(line.encode())
            for event, _ in parser.read_events():
                depth += 1 if event == "start" else -1
                ended = event == "end" and depth == 0
                if ended:
                    element, parser = etree.fromstring(document.encode(), etree.XMLParser(huge_tree=True)), None
                    (self.notifications if etree.QName(element).localname == "notification" else self.replies).put(element)
                    break
        self.replies.put("the console ended")
