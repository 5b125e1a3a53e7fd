"""What each foreign client is made to do at the manager of a network: read it, see a fault through, configure a device."""

import time
from collections import Counter

from session import DEADLINE_S, NETCONF, RpcError, Session, said, schemas, texts

MANAGER = "urn:qkdn:yang:qkdn-manager"
ALARMS = "urn:ietf:params:xml:ns:yang:ietf-alarms"
QKDN_ALARMS = "urn:qkdn:yang:qkdn-alarms"
NETWORK = "urn:ietf:params:xml:ns:yang:ietf-network"
TOPOLOGY = "urn:ietf:params:xml:ns:yang:ietf-network-topology"
SIMULATION = "urn:qkdn:yang:qkdn-simulation"

# A link without a relay point, which would report a fault as well, and the modules at its ends.
LINK = "urn:qkdn:lab:link:bc"
ENDS = ("bc-tx", "bc-rx")
DEVICE = "bc-rx"
QKD_LINKS = 3

STATES = f'<devices xmlns="{MANAGER}"><device><name/><state><connection-state/></state></device></devices>'
RUNS = f'<procedures xmlns="{MANAGER}"/>'
ALARM = f"""<alarms xmlns="{ALARMS}"><alarm-list><alarm>
<alarm-type-id xmlns:qa="{QKDN_ALARMS}">qa:qber-threshold-exceeded</alarm-type-id><alarm-source-id xmlns="{QKDN_ALARMS}">{LINK}</alarm-source-id>
<resource/><alarm-type-qualifier/><is-cleared/><perceived-severity/><alarm-text/><operator-state-change/><alarm-id xmlns="{QKDN_ALARMS}"/>
</alarm></alarm-list></alarms>"""
ACKNOWLEDGE = f"""<action xmlns="urn:ietf:params:xml:ns:yang:1"><alarms xmlns="{ALARMS}"><alarm-list><alarm>
<resource xmlns:m="{MANAGER}">/m:network/m:resource[m:resource-id='{LINK}']</resource>
<alarm-type-id xmlns:qa="{QKDN_ALARMS}">qa:qber-threshold-exceeded</alarm-type-id><alarm-type-qualifier/>
<set-operator-state><state>ack</state><text>a technician is on the way</text></set-operator-state>
</alarm></alarm-list></alarms></action>"""
# Without the alarms that it names: how many had come by then depends on the clock.
ACTION = """<controller xmlns="urn:qkdn:yang:qkdn-mc"><state><control-action>
<action-id/><description/><type/><priority/><value><cause/><path/></value><state/><requestor/></control-action></state></controller>"""
AT_DEVICE = '<qkd-module xmlns="urn:qkdn:yang:qkdn-mq"><role/><thresholds/></qkd-module>'
GET_CONFIG = f"""<get-config xmlns="{NETCONF}"><source><running/></source>
<filter type="subtree">{AT_DEVICE}</filter></get-config>"""
AT_MANAGER = f'<devices xmlns="{MANAGER}"><device><name>{DEVICE}</name><qkd-module/></device></devices>'


def play(connect, server, transcript):
    """Goes through the scenario; `connect` opens a session of the client, to the manager or where its argument says."""
    # Imported here, because it imports the module that this one shares with it.
    from with_ncclient import Client as Other

    session = connect()
    transcript.say("# capabilities")
    for capability in sorted(set(session.capabilities())):
        transcript.say(f"  {capability}")
    if unreadable := session.unreadable_modules():
        transcript.heading("modules that this client cannot read")
        for module in unreadable:
            transcript.say(f"  {module}")
    transcript.heading("schemas")
    schemas(session, transcript)

    read_network(session, transcript)

    # A session of its own: some clients lose notifications that come while they wait for a reply.
    watcher = connect()
    # Not every client can send an operation that it does not know.
    operator, by = (session, "") if type(session).rpc is not Session.rpc else (Other(server), " by another client")
    transcript.heading("create-subscription, and what a fault brings")
    said(transcript, "create-subscription", watcher.create_subscription)
    fault = f'<inject-fault xmlns="{SIMULATION}"><qber><target>9</target></qber></inject-fault>'
    said(transcript, f"execute-operation{by}", lambda: operator.rpc(execute(DEVICE, fault)))
    alarm_id = see_fault(watcher, transcript)

    transcript.heading("get of the alarm, set-operator-state, get of the alarm")
    transcript.element(session.get(ALARM))
    said(transcript, f"set-operator-state{by}", lambda: operator.rpc(ACKNOWLEDGE))
    transcript.element(session.get(ALARM))

    transcript.heading("get of the procedure")
    run = next(run for run in session.get(RUNS).iter(f"{{{MANAGER}}}run") if texts(run, "procedure") == ["link-failure"])
    for name in ("state", "outcome"):
        transcript.say(f"  {name}: {text(run, name)}")
    for step in run.iter(f"{{{MANAGER}}}step"):
        say_step(step, transcript)

    transcript.heading("the action, at the controller")
    controller = connect(server.agent("controller"))
    transcript.element(until(lambda: controller.get(ACTION), lambda data: text(data, "control-action/{*}state") == "done"))
    controller.close()

    transcript.heading("the fault is cleared, and the alarm with it")
    clear = f'<clear-fault xmlns="{SIMULATION}"><all/></clear-fault>'
    said(transcript, f"execute-operation{by}", lambda: operator.rpc(execute(DEVICE, clear)))
    notified = collected(watcher, lambda found: is_alarm(found, "cleared"))
    cleared = text(notified[-1], "alarm-id") if notified and is_alarm(notified[-1], "cleared") else None
    transcript.say(f"alarm-notification, cleared: {'the same alarm' if cleared == alarm_id else 'NOT the alarm that was raised'}")
    transcript.element(session.get(ALARM))
    watcher.close()

    configure(connect, session, server, transcript)
    configure_candidate(session, transcript)

    transcript.heading("execute-operation of a get-config, and at a device that is not there")
    said(transcript, f"execute-operation{by}", lambda: transcript.element(operator.rpc(execute(DEVICE, GET_CONFIG))[0]))
    refused(transcript, f"execute-operation{by}", lambda: operator.rpc(execute("nowhere", clear)))
    if operator is not session:
        operator.close()
    transcript.heading("close-session")
    said(transcript, "close-session", session.close)


def read_network(session, transcript):
    """Devices, inventory and topology, once every device is connected and the configuration procedure is over."""
    transcript.heading("connection states of the devices")
    until(
        lambda: session.get(STATES),
        lambda data: (states := texts(data, "connection-state")) and set(states) == {"operational"},
    )
    until(lambda: session.get(RUNS), lambda data: texts(data, "procedure") and set(texts(data, "state")) == {"completed"})
    for device in session.get(STATES).iter(f"{{{MANAGER}}}device"):
        transcript.say(f"  {text(device, 'name')}: {text(device, 'connection-state')}")

    links_are_up(session)
    transcript.heading("inventory: kinds, and one link")
    resources = session.get(f'<network xmlns="{MANAGER}"><resource><resource-id/><kind/></resource></network>')
    for kind, count in sorted(Counter(texts(resources, "kind")).items()):
        transcript.say(f"  {kind}: {count}")
    leafs = "<kind/><oper-state/><layer/><reference-point/><presence/>"
    selected = f"<resource><resource-id>{LINK}</resource-id>{leafs}</resource>"
    transcript.element(session.get(f'<network xmlns="{MANAGER}">{selected}</network>'))

    transcript.heading("topology: networks, a QKD link, a KM link and what it stands on, a node of all layers")
    networks = session.get(f'<networks xmlns="{NETWORK}"><network><network-id/></network></networks>')
    for network in networks.iter(f"{{{NETWORK}}}network-id"):
        transcript.say(f"  {network.text}")
    for network, part in (
        ("quantum", f'<link xmlns="{TOPOLOGY}"><link-id>{LINK}</link-id></link>'),
        ("key-management", f'<link xmlns="{TOPOLOGY}"><link-id>urn:qkdn:lab:km-link:b--c</link-id></link>'),
        ("qkdn", f'<link xmlns="{TOPOLOGY}"><link-id>{LINK}#qkdn</link-id></link>'),
        ("qkdn", "<node><node-id>urn:qkdn:node:b</node-id></node>"),
    ):
        within = f"<network><network-id>urn:qkdn:network:{network}</network-id>{part}</network>"
        transcript.element(session.get(f'<networks xmlns="{NETWORK}">{within}</networks>'))


def links_are_up(session):
    """Returns once the simulation has had its first sample, with which the links come up in every layer."""
    qkdn = f'<link xmlns="{TOPOLOGY}"><qkdn xmlns="{MANAGER}"/></link>'
    links = f'<networks xmlns="{NETWORK}"><network>{qkdn}</network></networks>'
    until(
        lambda: session.get(links),
        lambda data: set(texts(data, "oper-state")) == {"operational"} and len(texts(data, "qber")) == QKD_LINKS,
    )


def see_fault(watcher, transcript):
    """Writes down the alarm of the link and the steps of the procedure, each in its order, and returns the alarm's id.
    How the alarm's notification stands among those of the steps is left open."""
    seen = {"alarm": None, "ended": False}

    def over(found):
        if seen["alarm"] is None and is_alarm(found, "major"):
            seen["alarm"] = found
        seen["ended"] |= text(found, "procedure") == "link-failure" and of(found, "procedure-ended") is not None
        return seen["alarm"] is not None and seen["ended"]

    notified = collected(watcher, over)
    if seen["alarm"] is None:
        transcript.say(f"no alarm-notification of the link within {DEADLINE_S} s")
    else:
        transcript.element(seen["alarm"])
    for notification in notified:
        if (step := of(notification, "procedure-step")) is not None:
            say_step(step, transcript)
        elif (ended := of(notification, "procedure-ended")) is not None:
            transcript.say(f"procedure-ended: {text(ended, 'procedure')} {text(ended, 'state')}: {text(ended, 'outcome')}")
    return None if seen["alarm"] is None else text(seen["alarm"], "alarm-id")


def configure(connect, session, server, transcript):
    """A threshold of a device by way of the manager, then an edit of which the device takes no part."""
    transcript.heading("a threshold is set at the manager, and the device has it")
    device = connect(server.agent(DEVICE))
    transcript.element(device.get_config("running", AT_DEVICE))
    said(transcript, "edit-config", lambda: session.edit_config("running", edit("4.5")))
    transcript.say("manager:")
    transcript.element(session.get_config("running", AT_MANAGER))
    transcript.say("device:")
    transcript.element(device.get_config("running", AT_DEVICE))

    transcript.heading("an edit that the device refuses changes nothing")
    refused(transcript, "edit-config", lambda: session.edit_config("running", edit("4.0", "<role>transmitter</role>")))
    transcript.say("manager:")
    transcript.element(session.get_config("running", AT_MANAGER))
    transcript.say("device:")
    transcript.element(device.get_config("running", AT_DEVICE))
    device.close()


def configure_candidate(session, transcript):
    transcript.heading("a description by way of the candidate, and one that is discarded")
    said(transcript, "lock candidate", lambda: session.lock("candidate"))
    said(transcript, "edit-config candidate", lambda: session.edit_config("candidate", described("Receiver at C")))
    said(transcript, "commit", session.commit)
    said(transcript, "edit-config candidate", lambda: session.edit_config("candidate", described("never committed")))
    said(transcript, "discard-changes", session.discard_changes)
    said(transcript, "unlock candidate", lambda: session.unlock("candidate"))
    for datastore in ("running", "candidate"):
        transcript.say(f"{datastore}:")
        transcript.element(session.get_config(datastore, described("")))


def described(text):
    return f'<devices xmlns="{MANAGER}"><device><name>{DEVICE}</name><description>{text}</description></device></devices>'


def edit(warning, more=""):
    wanted = f"{more}<thresholds><qber><warning>{warning}</warning></qber></thresholds>"
    return f'<devices xmlns="{MANAGER}"><device><name>{DEVICE}</name><qkd-module>{wanted}</qkd-module></device></devices>'


def execute(device, operation):
    return f'<execute-operation xmlns="{MANAGER}"><device>{device}</device><operation>{operation}</operation></execute-operation>'


def say_step(step, transcript):
    peer = text(step, "peer")
    # Both ends alert, and whichever comes first starts the run.
    if text(step, "number") == "1" and peer in ENDS:
        peer = "an end of the link"
    dealing = f"{text(step, 'actor')} with {peer}" if peer else text(step, "actor")
    transcript.say(f"  step {text(step, 'number')}: {dealing}: {text(step, 'text')}")


def refused(transcript, what, operation):
    """Like said(), with the reason: the manager passes on what the device said, and that is what is to be seen."""
    try:
        operation()
        transcript.say(f"{what}: ok")
    except RpcError as error:
        transcript.say(f"{what}: rpc-error")
        for name in ("error-tag", "error-path", "error-message"):
            if value := text(error.element, name):
                transcript.say(f"  {name}: {value}")


def is_alarm(notification, severity):
    """Whether it tells of the link's QBER alarm, in that severity."""
    alarm = of(notification, "alarm-notification")
    if alarm is None or texts(alarm, "alarm-type-id") != ["qber-threshold-exceeded"]:
        return False
    return text(alarm, "alarm-source-id") == LINK and text(alarm, "perceived-severity") == severity


def collected(watcher, over):
    """The notifications up to the first for which `over` is true; all that came, if there is none before the deadline."""
    found = []
    deadline = time.monotonic() + DEADLINE_S
    while (left := deadline - time.monotonic()) > 0:
        notification = watcher.notification(left)
        if notification is None:
            break
        found.append(notification)
        if over(notification):
            break
    return found


def until(read, good):
    """What is read once it is good, and what it is at the deadline if it never is."""
    deadline = time.monotonic() + DEADLINE_S
    while not good(data := read()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return data


def of(notification, name):
    return next(notification.iter(f"{{*}}{name}"), None)


def text(element, name):
    """The text of the first descendant of that name."""
    return (element.findtext(f".//{{*}}{name}") or "").strip()
