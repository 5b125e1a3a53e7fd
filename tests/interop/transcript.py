"""The transcript of one client's session: every line the same from run to run, and whichever prefixes a server uses."""

import difflib
import os
import re

from lxml import etree

NETCONF = "urn:ietf:params:xml:ns:netconf:base:1.0"
MONITORING = "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"
NOTIFICATION = "urn:ietf:params:xml:ns:netconf:notification:1.0"

DATE_AND_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
# What identifies a set of modules changes with each revision of any of them.
MODULE_SET = re.compile(r"(module-set-id|content-id)=[^&]*")


class Transcript:
    def __init__(self, volatile=(), masks=None):
        """`volatile` names the leafs whose value is another in each run; `masks` has what to write in place of what
        matches a regular expression."""
        self.volatile = set(volatile)
        self.masks = [(re.compile(pattern), text) for pattern, text in (masks or {}).items()]
        self.lines = []

    def say(self, line):
        line = mask(line)
        for pattern, text in self.masks:
            line = pattern.sub(text, line)
        self.lines.append(line)

    def heading(self, text):
        self.lines += ["", f"# {text}"]

    def element(self, element):
        """An element as indented lines: a namespace where it changes, attributes sorted, no prefixes."""
        self._element(element, None, 1)

    def _element(self, element, outer, depth):
        name = etree.QName(element)
        attributes = "".join(f' {etree.QName(key).localname}="{without_prefix(value, element)}"' for key, value in sorted(element.attrib.items()))
        namespace = f" xmlns={name.namespace}" if name.namespace != outer else ""
        text = (element.text or "").strip()
        children = [child for child in element if isinstance(child.tag, str)]
        if name.localname in self.volatile and text:
            text = "(volatile)"
        if ":" in text and element.nsmap:
            text = without_prefix(text, element)
        lines = text.splitlines() or [""]
        first = f"{'  ' * depth}{name.localname}{namespace}{attributes}"
        self.say(f"{first}: {lines[0]}" if text else first)
        for line in lines[1:]:
            self.say(f"{'  ' * (depth + 1)}{line.strip()}")
        for child in children:
            self._element(child, name.namespace, depth + 1)

    def text(self):
        return "\n".join(self.lines).strip() + "\n"


def mask(line):
    line = DATE_AND_TIME.sub("(time)", line)
    return MODULE_SET.sub(r"\1=(set)", line)


def without_prefix(text, element):
    """An identityref's value without the prefix, which is the server's to choose."""
    prefix, _, rest = text.partition(":")
    return rest if prefix in element.nsmap and re.fullmatch(r"[\w.-]+", rest) else text


def compare(found, expected_file):
    """Returns an empty string if `found` is what the file holds, else the difference. UPDATE_GOLDEN=1 rewrites the file."""
    if os.environ.get("UPDATE_GOLDEN") == "1":
        with open(expected_file, "w", encoding="utf-8") as file:
            file.write(found)
        return ""
    try:
        with open(expected_file, encoding="utf-8") as file:
            expected = file.read()
    except FileNotFoundError:
        return f"{expected_file} is missing; UPDATE_GOLDEN=1 writes it"
    difference = difflib.unified_diff(
        expected.splitlines(), found.splitlines(), os.path.basename(expected_file), "this run", lineterm=""
    )
    return "\n".join(difference)
