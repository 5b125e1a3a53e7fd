"""netconf-client: paramiko, a password where the server knows one."""

from xml.sax.saxutils import quoteattr

from lxml import etree
from netconf_client.connect import connect_ssh
from netconf_client.error import RpcError as ForeignError
from netconf_client.ncclient import Manager

from session import DEADLINE_S, NMDA, RpcError, Session, find, parse


class Client(Session):
    def __init__(self, server):
        credentials = {"password": server.password} if server.password else {"key_filename": str(server.key)}
        session = connect_ssh(host=server.host, port=server.port, username=server.user, **credentials)
        self.session = session
        self.manager = Manager(session, timeout=DEADLINE_S)

    def capabilities(self):
        return list(self.session.server_capabilities)

    def get(self, filter):
        return find(parse(self.manager.get(subtree(filter)).data_xml), "data")

    def get_config(self, source, filter):
        return find(parse(self.manager.get_config(source, subtree(filter)).data_xml), "data")

    def get_xpath(self, path, prefix, namespace):
        filter = f'<filter xmlns:{prefix}="{namespace}" type="xpath" select={quoteattr(path)}/>'
        return find(parse(self.manager.get(filter).data_xml), "data")

    def get_config_with_defaults(self, source, filter, mode):
        return find(parse(self.manager.get_config(source, subtree(filter), mode).data_xml), "data")

    def get_data(self, datastore, filter, with_origin=False):
        within = f"<subtree-filter>{filter}</subtree-filter>"
        reply = self._do(lambda: self.manager.get_data(f"ds:{datastore}", within, with_origin=with_origin))
        return find(parse(reply.data_xml), "data", NMDA)

    def edit_config(self, target, config):
        wrapped = f'<config xmlns="urn:ietf:params:xml:ns:netconf:base:1.0">{config}</config>'
        self._do(lambda: self.manager.edit_config(target=target, config=wrapped))

    def copy_config(self, source, target):
        self._do(lambda: self.manager.copy_config(target, source))

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
        self._do(lambda: self.manager.commit(confirmed=True, confirm_timeout=seconds))

    def commit_persistent(self, seconds, token):
        self._do(lambda: self.manager.commit(confirmed=True, confirm_timeout=seconds, persist=token))

    def confirm(self, token):
        self._do(lambda: self.manager.commit(persist_id=token))

    def cancel_commit(self, token=None):
        self._do(lambda: self.manager.cancel_commit(persist_id=token))

    def discard_changes(self):
        self._do(self.manager.discard_changes)

    def create_subscription(self):
        self._do(self.manager.create_subscription)

    def notification(self, seconds):
        taken = self.manager.take_notification(timeout=seconds)
        return None if taken is None else parse(taken.notification_xml)

    def rpc(self, operation):
        return parse(self._do(lambda: self.manager.dispatch(operation)).xml)

    def close(self):
        self._do(self.manager.close_session)

    @staticmethod
    def _do(operation):
        try:
            return operation()
        except ForeignError as error:
            raise RpcError(find(parse(etree.tostring(error.reply_ele)), "rpc-error")) from error


def subtree(filter):
    return f'<filter xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" type="subtree">{filter}</filter>'
