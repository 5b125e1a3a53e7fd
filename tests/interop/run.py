"""Drives one foreign client through a scenario against one server, and compares the transcript with what is expected.

    run.py CLIENT [SERVER]      UPDATE_GOLDEN=1 accepts the transcript
"""

import importlib
import pathlib
import signal
import sys
import tempfile
import traceback

import servers
from transcript import Transcript, compare

sys.dont_write_bytecode = True
# A run takes two to fifteen seconds. One that is not over by then hangs in a client that has no deadline of its own.
LIMIT_S = 120


def main(client, server_name="qkd-module"):
    module = importlib.import_module(f"with_{client.replace('-', '_')}")
    expected = servers.HERE / "expected" / f"{server_name}.{client}.txt"
    with tempfile.TemporaryDirectory(prefix="qkdn-interop-") as directory:
        server = servers.Server(server_name, pathlib.Path(directory))
        script = importlib.import_module(server.description.get("script", "session"))
        transcript = Transcript(server.scenario.get("volatile", ()), server.scenario.get("masks", {}))
        signal.signal(signal.SIGALRM, over)
        signal.alarm(LIMIT_S)
        try:
            script.play(lambda login=server: module.Client(login), server, transcript)
        except Exception:
            print(transcript.text())
            traceback.print_exc()
            print(server.logs())
            return 1
        finally:
            signal.alarm(0)
            ended = server.stop()
        logs = server.logs()
        if ended or "panicked at" in logs:
            print("\n".join([*ended, logs]))
            return 1
    difference = compare(transcript.text(), expected)
    if difference:
        print(difference)
        return 1
    print(f"{client} against {server_name}: {len(transcript.lines)} lines as expected")
    return 0


def over(_signal, _frame):
    raise TimeoutError(f"the session is not over after {LIMIT_S} s")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
