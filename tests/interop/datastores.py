"""What each foreign client is made to do with the datastores of one server, and with what is refused there."""

import time

from session import DEADLINE_S, Session, kinship, said

LAMP = "urn:qkdn:tests:lamp"
REVISION = "2026-01-01"
ALL = f'<lamp xmlns="{LAMP}"/>'
# The operations of Session that a client may have a call for.
CALLS = (
    "get",
    "get_xpath",
    "get_config",
    "get_config_with_defaults",
    "get_data",
    "edit_config",
    "edit_data",
    "copy_config",
    "delete_config",
    "lock",
    "unlock",
    "validate",
    "validate_config",
    "commit",
    "commit_confirmed",
    "commit_persistent",
    "confirm",
    "cancel_commit",
    "discard_changes",
    "get_schema",
)
TOKEN = "evening"
# Long enough for what is done until a commit is confirmed or cancelled.
PENDING_S = 60


def lamp(content):
    return f'<lamp xmlns="{LAMP}">{content}</lamp>'


DAY = lamp("<brightness>80</brightness><bulb><socket>1</socket><colour>white</colour></bulb>")
NIGHT = lamp("<night-brightness>90</night-brightness>")
EVENING = lamp("<brightness>30</brightness><bulb><socket>2</socket><colour>amber &amp; blue</colour></bulb>")
TOO_BRIGHT = lamp("<brightness>101</brightness>")


def play(connect, server, transcript):
    # Imported here, because it imports the module that this one shares with it.
    from with_ncclient import Client as Other

    session = connect()
    transcript.say("# sent as XML, for want of a call of its own")
    sent = [call.replace("_", "-") for call in CALLS if getattr(type(session), call) is getattr(Session, call)]
    for call in sent or ["nothing"]:
        transcript.say(f"  {call}")

    edit_and_validate(session, transcript)
    confirmed_commit(session, transcript)
    copies(session, transcript)
    other = Other(server)
    locks(session, other, transcript)
    other.close()
    nmda(session, transcript)
    filters_and_defaults(session, transcript)

    transcript.heading("get-schema")
    transcript.say(f"  lamp@{REVISION}: {kinship('lamp', REVISION, session.get_schema('lamp', REVISION))}")
    said(transcript, "of a revision that is not there", lambda: session.get_schema("lamp", "1879-10-21"))

    transcript.heading("close-session")
    said(transcript, "close-session", session.close)


def edit_and_validate(session, transcript):
    transcript.heading("edit-config, validate, commit")
    said(transcript, "edit-config running", lambda: session.edit_config("running", DAY))
    show(session, transcript, "running")
    said(transcript, "edit-config candidate", lambda: session.edit_config("candidate", EVENING))
    said(transcript, "validate candidate", lambda: session.validate("candidate"))
    said(transcript, "commit", session.commit)
    show(session, transcript, "running")

    transcript.heading("what is not valid")
    said(transcript, "edit-config candidate, out of range", lambda: session.edit_config("candidate", TOO_BRIGHT))
    said(transcript, "edit-config running, against a must", lambda: session.edit_config("running", NIGHT))
    said(transcript, "edit-config candidate, against a must", lambda: session.edit_config("candidate", NIGHT))
    said(transcript, "validate candidate", lambda: session.validate("candidate"))
    said(transcript, "commit", session.commit)
    said(transcript, "discard-changes", session.discard_changes)
    show(session, transcript, "candidate")
    said(transcript, "validate of a configuration", lambda: session.validate_config(DAY))
    said(transcript, "validate of one against a must", lambda: session.validate_config(NIGHT))


def confirmed_commit(session, transcript):
    transcript.heading("confirmed commit, cancelled")
    dim(session, transcript, 10)
    said(transcript, "commit confirmed", lambda: session.commit_confirmed(PENDING_S))
    show(session, transcript, "running")
    said(transcript, "cancel-commit", session.cancel_commit)
    show(session, transcript, "running")
    said(transcript, "cancel-commit again", session.cancel_commit)

    transcript.heading("confirmed commit, confirmed")
    dim(session, transcript, 20)
    said(transcript, "commit confirmed", lambda: session.commit_confirmed(PENDING_S))
    said(transcript, "commit", session.commit)
    said(transcript, "cancel-commit", session.cancel_commit)
    show(session, transcript, "running")

    transcript.heading("confirmed commit with persist")
    dim(session, transcript, 30)
    said(transcript, "commit confirmed, persist", lambda: session.commit_persistent(PENDING_S, TOKEN))
    said(transcript, "commit without its persist-id", session.commit)
    said(transcript, "commit with another persist-id", lambda: session.confirm("morning"))
    said(transcript, "commit with its persist-id", lambda: session.confirm(TOKEN))
    dim(session, transcript, 40)
    said(transcript, "commit confirmed, persist", lambda: session.commit_persistent(PENDING_S, TOKEN))
    said(transcript, "cancel-commit with its persist-id", lambda: session.cancel_commit(TOKEN))
    show(session, transcript, "running")

    transcript.heading("confirmed commit that nobody confirms")
    dim(session, transcript, 50)
    said(transcript, "commit confirmed", lambda: session.commit_confirmed(1))
    settle(session, "30")
    show(session, transcript, "running")


def copies(session, transcript):
    transcript.heading("copy-config, delete-config")
    said(transcript, "copy-config running to startup", lambda: session.copy_config("running", "startup"))
    show(session, transcript, "startup")
    said(transcript, "edit-config running", lambda: session.edit_config("running", DAY))
    said(transcript, "copy-config startup to candidate", lambda: session.copy_config("startup", "candidate"))
    show(session, transcript, "candidate")
    said(transcript, "commit", session.commit)
    show(session, transcript, "running")
    said(transcript, "delete-config startup", lambda: session.delete_config("startup"))
    show(session, transcript, "startup")


def locks(session, other, transcript):
    """Another session holds the locks, and this one meets them."""
    transcript.heading("what another session has locked")
    for target in ("running", "candidate"):
        said(transcript, f"lock {target} by another session", lambda: other.lock(target))
        error = said(transcript, f"lock {target}", lambda: session.lock(target))
        if error is not None:
            holder = error.element.findtext(".//{*}session-id")
            known = "the other session's" if holder == other.session_id() else f"NOT the other session's: {holder}"
            transcript.say(f"  session-id: {known}")
        said(transcript, f"edit-config {target}", lambda: session.edit_config(target, DAY))
        said(transcript, f"unlock {target}", lambda: session.unlock(target))
        if target == "running":
            said(transcript, "copy-config candidate to running", lambda: session.copy_config("candidate", "running"))
            said(transcript, "commit", session.commit)
        else:
            said(transcript, "discard-changes", session.discard_changes)
        said(transcript, f"unlock {target} by another session", lambda: other.unlock(target))
    transcript.heading("lock, unlock")
    for target in ("running", "candidate", "startup"):
        said(transcript, f"lock {target}", lambda: session.lock(target))
    said(transcript, "lock startup again", lambda: session.lock("startup"))
    for target in ("running", "candidate", "startup"):
        said(transcript, f"unlock {target}", lambda: session.unlock(target))
    said(transcript, "unlock startup again", lambda: session.unlock("startup"))


def filters_and_defaults(session, transcript):
    transcript.heading("get with an XPath filter")
    transcript.element(session.get_xpath("/lamp:lamp/lamp:bulb[lamp:socket=2]/lamp:colour", "lamp", LAMP))

    transcript.heading("get-config with-defaults, before and after a default is set")
    report(session, transcript, "report-all-tagged")
    said(transcript, "edit-config running", lambda: session.edit_config("running", lamp("<fade>2</fade>")))
    for mode in ("explicit", "report-all", "report-all-tagged", "trim"):
        report(session, transcript, mode)


def report(session, transcript, mode):
    transcript.say(f"{mode}:")
    transcript.element(session.get_config_with_defaults("running", ALL, mode))


def nmda(session, transcript):
    transcript.heading("edit-data, get-data")
    said(transcript, "edit-data running", lambda: session.edit_data("running", lamp("<brightness>60</brightness>")))
    said(transcript, "edit-data running, out of range", lambda: session.edit_data("running", TOO_BRIGHT))
    said(transcript, "edit-data operational", lambda: session.edit_data("operational", DAY))
    for datastore in ("running", "intended", "operational"):
        transcript.say(f"{datastore}:")
        transcript.element(session.get_data(datastore, ALL))
    transcript.say("operational, with-origin:")
    transcript.element(session.get_data("operational", ALL, with_origin=True))
    said(transcript, "get-data running, with-origin", lambda: session.get_data("running", ALL, with_origin=True))


def show(session, transcript, datastore):
    transcript.say(f"{datastore}:")
    transcript.element(session.get_config(datastore, ALL))


def dim(session, transcript, brightness):
    edit = lamp(f"<brightness>{brightness}</brightness>")
    said(transcript, f"edit-config candidate, brightness {brightness}", lambda: session.edit_config("candidate", edit))


def settle(session, brightness):
    """Returns when running has that brightness, or at the deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        if session.get_config("running", ALL).findtext(".//{*}brightness") == brightness:
            return
        time.sleep(0.1)
