"""ncclient: paramiko, public key."""

from lxml import etree
from ncclient import manager
from ncclient.operations.rpc import RPCError
from ncclient.xml_ import to_ele

from session import DEADLINE_S, RpcError, Session, parse


class Client(Session):
    def __init__(self, server):
        self.manager = manager.connect(
            host=server.host,
            port=server.port,
            username=server.user,
            key_filename=str(server.key),
            hostkey_verify=False,
            allow_agent=False,
            look_for_keys=False,
            timeout=DEADLINE_S,
        )

    def session_id(self):
        return self.manager.session_id

    def capabilities(self):
        return list(self.manager.server_capabilities)

    def get(self, filter):
        return parse(self.manager.get(("subtree", filter)).data_xml)

    def get_config(self, source, filter):
        return parse(self.manager.get_config(source, ("subtree", filter)).data_xml)

    def get_xpath(self, path, prefix, namespace):
        return parse(self.manager.get(("xpath", ({prefix: namespace}, path))).data_xml)

    def get_config_with_defaults(self, source, filter, mode):
        return parse(self.manager.get_config(source, ("subtree", filter), mode).data_xml)

    def edit_config(self, target, config):
        wrapped = f'<config xmlns="urn:ietf:params:xml:ns:netconf:base:1.0">{config}</config>'
        self._do(lambda: self.manager.edit_config(target=target, config=wrapped))

    def copy_config(self, source, target):
        self._do(lambda: self.manager.copy_config(source, target))

    def delete_config(self, target):
        self._do(lambda: self.manager.delete_config(target))

    def lock(self, target):
        self._do(lambda: self.manager.lock(target))

    def unlock(self, target):
        self._do(lambda: self.manager.unlock(target))

    def validate(self, source):
        self._do(lambda: self.manager.validate(source))

    def validate_config(self, config):
        wrapped = parse(f'<config xmlns="urn:ietf:params:xml:ns:netconf:base:1.0">{config}</config>')
        self._do(lambda: self.manager.validate(wrapped))

    def commit(self):
        self._do(self.manager.commit)

    def commit_confirmed(self, seconds):
        self._do(lambda: self.manager.commit(confirmed=True, timeout=str(seconds)))

    def commit_persistent(self, seconds, token):
        self._do(lambda: self.manager.commit(confirmed=True, timeout=str(seconds), persist=token))

    def confirm(self, token):
        self._do(lambda: self.manager.commit(persist_id=token))

    def cancel_commit(self, token=None):
        self._do(lambda: self.manager.cancel_commit(persist_id=token))

    def discard_changes(self):
        self._do(self.manager.discard_changes)

    def get_schema(self, name, revision):
        return self._do(lambda: self.manager.get_schema(name, revision or None)).data

    def create_subscription(self):
        self._do(self.manager.create_subscription)

    def notification(self, seconds):
        taken = self.manager.take_notification(timeout=seconds)
        return None if taken is None else parse(taken.notification_xml)

    def rpc(self, operation):
        return parse(self._do(lambda: self.manager.dispatch(to_ele(operation))).xml)

    def close(self):
        self._do(self.manager.close_session)

    @staticmethod
    def _do(operation):
        try:
            return operation()
        except RPCError as error:
            raise RpcError(parse(etree.tostring(error.xml))) from error
