"""What each foreign client is made to do, and the interface by which it is made to do it."""

import pathlib
import time
from xml.sax.saxutils import quoteattr

from lxml import etree

from transcript import MONITORING, NETCONF, NOTIFICATION

NMDA = "urn:ietf:params:xml:ns:yang:ietf-netconf-nmda"
DATASTORES = "urn:ietf:params:xml:ns:yang:ietf-datastores"
WITH_DEFAULTS = "urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults"

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Where the original texts are that get-schema must answer with.
YANG = [ROOT / "yang", ROOT / "target/yang", ROOT / "tests/interop/yang"]

SCHEMAS = f'<netconf-state xmlns="{MONITORING}"><schemas/></netconf-state>'
# A reply or notification that is not there by then never will be.
DEADLINE_S = 20


class RpcError(Exception):
    """An `<rpc-error>`, as the client passed it on."""

    def __init__(self, element):
        super().__init__(etree.tostring(element).decode())
        self.element = element


class Session:
    """One NETCONF session of a foreign client. XML goes in as text and comes out as lxml elements; an `<rpc-error>` is
    raised as RpcError. What a client has no call for it sends as XML by rpc(), as it stands here."""

    def capabilities(self):
        """The server's capability URNs."""
        raise NotImplementedError

    def unreadable_modules(self):
        """The server's modules that the client itself says it cannot read: it shows their data, but not as their types
        have it."""
        return []

    def rpc(self, operation):
        """The `<rpc-reply>` to an operation that is given as XML."""
        raise NotImplementedError

    def notification(self, seconds):
        """The next `<notification>`, or None if there is none within that time."""
        raise NotImplementedError

    def close(self):
        """Ends the session with close-session."""
        raise NotImplementedError

    def get(self, filter):
        """The `<data>` of a get with a subtree filter."""
        return find(self.rpc(f'<get xmlns="{NETCONF}"><filter type="subtree">{filter}</filter></get>'), "data")

    def get_xpath(self, path, prefix, namespace):
        """The `<data>` of a get with an XPath filter that uses one prefix."""
        filter = f'<filter xmlns:{prefix}="{namespace}" type="xpath" select={quoteattr(path)}/>'
        return find(self.rpc(f'<get xmlns="{NETCONF}">{filter}</get>'), "data")

    def get_config(self, source, filter):
        within = f'<source><{source}/></source><filter type="subtree">{filter}</filter>'
        return find(self.rpc(f'<get-config xmlns="{NETCONF}">{within}</get-config>'), "data")

    def get_config_with_defaults(self, source, filter, mode):
        defaults = f'<with-defaults xmlns="{WITH_DEFAULTS}">{mode}</with-defaults>'
        within = f'<source><{source}/></source><filter type="subtree">{filter}</filter>{defaults}'
        return find(self.rpc(f'<get-config xmlns="{NETCONF}">{within}</get-config>'), "data")

    def get_data(self, datastore, filter, with_origin=False):
        """`datastore` is an identity of ietf-datastores, by its name alone."""
        origin = "<with-origin/>" if with_origin else ""
        within = f"<datastore>ds:{datastore}</datastore><subtree-filter>{filter}</subtree-filter>{origin}"
        return find(self.rpc(f'<get-data xmlns="{NMDA}" xmlns:ds="{DATASTORES}">{within}</get-data>'), "data", NMDA)

    def edit_config(self, target, config):
        """`config` is what stands inside `<config>`."""
        within = f"<target><{target}/></target><config>{config}</config>"
        self.rpc(f'<edit-config xmlns="{NETCONF}">{within}</edit-config>')

    def edit_data(self, datastore, config):
        within = f"<datastore>ds:{datastore}</datastore><config>{config}</config>"
        self.rpc(f'<edit-data xmlns="{NMDA}" xmlns:ds="{DATASTORES}">{within}</edit-data>')

    def copy_config(self, source, target):
        within = f"<target><{target}/></target><source><{source}/></source>"
        self.rpc(f'<copy-config xmlns="{NETCONF}">{within}</copy-config>')

    def delete_config(self, target):
        self.rpc(f'<delete-config xmlns="{NETCONF}"><target><{target}/></target></delete-config>')

    def lock(self, target):
        self.rpc(f'<lock xmlns="{NETCONF}"><target><{target}/></target></lock>')

    def unlock(self, target):
        self.rpc(f'<unlock xmlns="{NETCONF}"><target><{target}/></target></unlock>')

    def validate(self, source):
        self.rpc(f'<validate xmlns="{NETCONF}"><source><{source}/></source></validate>')

    def validate_config(self, config):
        """Validates what is given, and not a datastore."""
        self.rpc(f'<validate xmlns="{NETCONF}"><source><config>{config}</config></source></validate>')

    def commit(self):
        self.rpc(f'<commit xmlns="{NETCONF}"/>')

    def commit_confirmed(self, seconds):
        self.rpc(f'<commit xmlns="{NETCONF}"><confirmed/><confirm-timeout>{seconds}</confirm-timeout></commit>')

    def commit_persistent(self, seconds, token):
        """A confirmed commit that outlives its session."""
        within = f"<confirmed/><confirm-timeout>{seconds}</confirm-timeout><persist>{token}</persist>"
        self.rpc(f'<commit xmlns="{NETCONF}">{within}</commit>')

    def confirm(self, token):
        """The commit that ends a persistent one."""
        self.rpc(f'<commit xmlns="{NETCONF}"><persist-id>{token}</persist-id></commit>')

    def cancel_commit(self, token=None):
        by = f"<persist-id>{token}</persist-id>" if token else ""
        self.rpc(f'<cancel-commit xmlns="{NETCONF}">{by}</cancel-commit>')

    def discard_changes(self):
        self.rpc(f'<discard-changes xmlns="{NETCONF}"/>')

    def get_schema(self, name, revision):
        """The module's text."""
        version = f"<version>{revision}</version>" if revision else ""
        reply = self.rpc(f'<get-schema xmlns="{MONITORING}"><identifier>{name}</identifier>{version}</get-schema>')
        return find(reply, "data", MONITORING).text

    def create_subscription(self):
        self.rpc(f'<create-subscription xmlns="{NOTIFICATION}"/>')


def play(connect, server, transcript):
    """Has the client do everything in the server's scenario and writes down what came of it."""
    # Imported here, because it imports this module.
    from with_ncclient import Client as Other

    scenario = server.scenario
    session = connect()
    transcript.say("# capabilities")
    capabilities = sorted(set(session.capabilities()))
    for capability in capabilities:
        transcript.say(f"  {capability}")
    if unreadable := session.unreadable_modules():
        transcript.heading("modules that this client cannot read")
        for module in unreadable:
            transcript.say(f"  {module}")

    transcript.heading("schemas")
    schemas(session, transcript)

    transcript.heading("get")
    transcript.element(settled(session, scenario["get"], scenario.get("settled", {})))
    transcript.heading("get-config running")
    transcript.element(session.get_config("running", scenario["config"]))

    if any(":writable-running:" in capability for capability in capabilities):
        transcript.heading("lock running, edit-config running, unlock running")
        said(transcript, "lock", lambda: session.lock("running"))
        other = Other(server)
        said(transcript, "lock by another session", lambda: other.lock("running"))
        other.close()
        said(transcript, "edit-config", lambda: session.edit_config("running", scenario["edit"]))
        said(transcript, "unlock", lambda: session.unlock("running"))
        transcript.element(session.get_config("running", scenario["config"]))
        said(transcript, "edit-config with a bad value", lambda: session.edit_config("running", scenario["bad_edit"]))

    if any(":candidate:" in capability for capability in capabilities):
        transcript.heading("lock candidate, edit-config candidate, commit, unlock candidate")
        said(transcript, "lock", lambda: session.lock("candidate"))
        said(transcript, "edit-config", lambda: session.edit_config("candidate", scenario["candidate_edit"]))
        transcript.say("candidate:")
        transcript.element(session.get_config("candidate", scenario["config"]))
        said(transcript, "commit", session.commit)
        said(transcript, "unlock", lambda: session.unlock("candidate"))
        transcript.say("running:")
        transcript.element(session.get_config("running", scenario["config"]))
        transcript.heading("edit-config candidate, discard-changes")
        said(transcript, "edit-config", lambda: session.edit_config("candidate", scenario["restore"]))
        said(transcript, "discard-changes", session.discard_changes)
        transcript.say("candidate:")
        transcript.element(session.get_config("candidate", scenario["config"]))

    transcript.heading("create-subscription, and what another session's RPC brings")
    said(transcript, "create-subscription", session.create_subscription)
    # Not every client can send an operation that it does not know.
    other = Other(server)
    said(transcript, "rpc by another session", lambda: other.rpc(scenario["trigger"]))
    awaited(session, scenario["notification"], transcript)
    if "clear" in scenario:
        said(transcript, "rpc by another session", lambda: other.rpc(scenario["clear"]))
        awaited(session, scenario["clear_notification"], transcript)
    other.close()

    transcript.heading("close-session")
    said(transcript, "close-session", session.close)


def settled(session, filter, wanted):
    """The data once the leafs in `wanted` have their values, and what they are at the deadline if they never do."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        data = session.get(filter)
        if all(value in texts(data, name) for name, value in wanted.items()) or time.monotonic() > deadline:
            return data
        time.sleep(0.1)


def schemas(session, transcript):
    """Fetches every schema the server lists and holds it against the original text where there is one."""
    listed = session.get(SCHEMAS).iter(f"{{{MONITORING}}}schema")
    names = set()
    for schema in listed:
        identifier, version, form = (schema.findtext(f"{{{MONITORING}}}{tag}") for tag in ("identifier", "version", "format"))
        if form.split(":")[-1] == "yang":
            names.add((identifier, version or ""))
    for name, revision in sorted(names):
        text = session.get_schema(name, revision)
        transcript.say(f"  {name}@{revision}: {kinship(name, revision, text)}")


def kinship(name, revision, text):
    """How a text that came by get-schema relates to the module's original."""
    for directory in YANG:
        for file in (directory / f"{name}@{revision}.yang", directory / f"{name}.yang"):
            if file.exists():
                original = file.read_text(encoding="utf-8")
                if text == original:
                    return "original text"
                # XML clients differ in what they leave of white space at the ends of a text.
                if text.strip() == original.strip():
                    return "original text"
                return "NOT the original text"
    words = text.split()
    declared = any(word in ("module", "submodule") and after == name for word, after in zip(words, words[1:]))
    return "no original here, declares itself" if declared else "NOT that module"


def said(transcript, what, operation):
    """Runs an operation and writes down whether it was done or which error it met. Returns the error."""
    try:
        operation()
        transcript.say(f"{what}: ok")
        return None
    except RpcError as error:
        transcript.say(f"{what}: rpc-error")
        for child in error.element:
            tag = etree.QName(child).localname
            # error-message is for people, and free; so is error-info beyond its standard elements.
            if tag in ("error-type", "error-tag", "error-severity", "error-app-tag"):
                transcript.say(f"  {tag}: {(child.text or '').strip()}")
            elif tag == "error-path":
                transcript.say(f"  error-path: {(child.text or '').strip()}")
        return error


def awaited(session, wanted, transcript):
    """Writes down the first notification of the name in `wanted` whose leafs have the values in `wanted`; others, such
    as another session's start, pass by."""
    deadline = time.monotonic() + DEADLINE_S
    while (left := deadline - time.monotonic()) > 0:
        notification = session.notification(left)
        if notification is None:
            break
        named = next(notification.iter(f"{{*}}{wanted['name']}"), None)
        if named is not None and all(value in texts(named, name) for name, value in wanted["leafs"].items()):
            transcript.element(notification)
            return
    transcript.say(f"no {wanted['name']} within {DEADLINE_S} s")


def texts(element, name):
    """The values of the leafs of that name, without an identity's prefix."""
    return [(leaf.text or "").strip().split(":")[-1] for leaf in element.iter(f"{{*}}{name}")]


def parse(text):
    """An element of text or bytes, large ones too."""
    text = text.encode() if isinstance(text, str) else text
    return etree.fromstring(text.strip(), etree.XMLParser(huge_tree=True, remove_blank_text=False))


def find(reply, tag, namespace=NETCONF):
    """The element itself or a descendant of that name."""
    return next(reply.iter(f"{{{namespace}}}{tag}"), None)


def checked(reply):
    """The reply, or RpcError for the first error it holds."""
    error = find(reply, "rpc-error")
    if error is not None:
        raise RpcError(error)
    return reply
