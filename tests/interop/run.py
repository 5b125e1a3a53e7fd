"""Drives one foreign client through a scenario against one server, and compares the transcript with what is expected.

    run.py CLIENT [SERVER]      UPDATE_GOLDEN=1 accepts the transcript
"""

import importlib
import pathlib
import sys
import tempfile
import traceback

import servers
import session
from transcript import Transcript, compare

sys.dont_write_bytecode = True


def main(client, server_name="qkd-module"):
    module = importlib.import_module(f"with_{client.replace('-', '_')}")
    expected = servers.HERE / "expected" / f"{server_name}.{client}.txt"
    with tempfile.TemporaryDirectory(prefix="qkdn-interop-") as directory:
        server = servers.Server(server_name, pathlib.Path(directory))
        transcript = Transcript(server.scenario.get("volatile", ()))
        try:
            session.play(lambda: module.Client(server), server, transcript)
        except Exception:
            print(transcript.text())
            traceback.print_exc()
            print(server.logs())
            return 1
        finally:
            server.stop()
    difference = compare(transcript.text(), expected)
    if difference:
        print(difference)
        return 1
    print(f"{client} against {server_name}: {len(transcript.lines)} lines as expected")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
