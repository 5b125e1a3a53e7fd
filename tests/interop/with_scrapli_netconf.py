"""scrapli-netconf: its asynchronous driver over AsyncSSH, an SSH implementation that no other client here has."""

import asyncio
import re
import time
import warnings

from scrapli_netconf.driver import AsyncNetconfDriver

from session import DEADLINE_S, Session, checked, find, parse

# What scrapli leaves of RFC 6242's framing in what its channel reads.
CHUNK = re.compile(rb"\n#\d+\n|\n##\n|\]\]>\]\]>")
EVENT = re.compile(rb"<(?:[\w-]+:)?notification[\s>].*?</(?:[\w-]+:)?notification>", re.DOTALL)


class Client(Session):
    def __init__(self, server):
        # It warns of a datastore that it does not find among the capabilities; the server's answer is what we want.
        warnings.filterwarnings("ignore", module="scrapli.*")
        self.loop = asyncio.new_event_loop()
        self.driver = AsyncNetconfDriver(
            host=server.host,
            port=server.port,
            auth_username=server.user,
            auth_private_key=str(server.key),
            auth_strict_key=False,
            ssh_config_file=str(server.empty_file),
            transport="asyncssh",
            timeout_ops=DEADLINE_S,
            timeout_socket=DEADLINE_S,
            timeout_transport=DEADLINE_S,
        )
        self._wait(self.driver.open())
        self.unread = b""

    def capabilities(self):
        return list(self.driver.server_capabilities)

    def get(self, filter):
        return find(self._reply(self.driver.get(filter_=filter, filter_type="subtree")), "data")

    def get_config(self, source, filter):
        return find(self._reply(self.driver.get_config(source=source, filter_=filter, filter_type="subtree")), "data")

    def get_xpath(self, path, prefix, namespace):
        # It declares no prefixes, so each has to be the name of a module.
        return find(self._reply(self.driver.get(filter_=path, filter_type="xpath")), "data")

    def get_config_with_defaults(self, source, filter, mode):
        return find(self._reply(self.driver.get_config(source=source, filter_=filter, default_type=mode)), "data")

    def edit_config(self, target, config):
        wrapped = f'<config xmlns="urn:ietf:params:xml:ns:netconf:base:1.0">{config}</config>'
        self._reply(self.driver.edit_config(config=wrapped, target=target))

    def copy_config(self, source, target):
        self._reply(self.driver.copy_config(source=source, target=target))

    def delete_config(self, target):
        self._reply(self.driver.delete_config(target=target))

    def lock(self, target):
        self._reply(self.driver.lock(target=target))

    def unlock(self, target):
        self._reply(self.driver.unlock(target=target))

    def validate(self, source):
        self._reply(self.driver.validate(source=source))

    def commit(self):
        self._reply(self.driver.commit())

    def commit_confirmed(self, seconds):
        self._reply(self.driver.commit(confirmed=True, timeout=seconds))

    def commit_persistent(self, seconds, token):
        self._reply(self.driver.commit(confirmed=True, timeout=seconds, persist=token))

    def confirm(self, token):
        self._reply(self.driver.commit(persist_id=token))

    def discard_changes(self):
        self._reply(self.driver.discard())

    def notification(self, seconds):
        # scrapli has no notion of notifications: this reads its channel and takes the framing off.
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            event = EVENT.search(CHUNK.sub(b"", self.unread))
            if event:
                self.unread = CHUNK.sub(b"", self.unread)[event.end() :]
                return parse(event.group())
            reading = asyncio.wait_for(self.driver.channel.read(), deadline - time.monotonic())
            try:
                self.unread += self._wait(reading)
            except TimeoutError:
                break
        return None

    def rpc(self, operation):
        return self._reply(self.driver.rpc(filter_=operation))

    def close(self):
        try:
            self.rpc("<close-session/>")
        except BrokenPipeError:
            # It ends each exchange with a line feed, sent once it has read the reply: by then the channel may be closed.
            pass
        self._wait(self.driver.close())
        self.loop.close()

    def _wait(self, work):
        return self.loop.run_until_complete(work)

    def _reply(self, request):
        return checked(parse(self._wait(request).result))
