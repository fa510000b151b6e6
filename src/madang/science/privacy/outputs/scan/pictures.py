"""Pictures do not leave as they are: a figure is drawn again from its specification, a table is asked for as one."""

import re
import struct
import xml.etree.ElementTree as ElementTree
import zlib

from madang.base.translate import later
from madang.science.privacy.outputs.judge import Finding, Status
from madang.science.privacy.outputs.said import said
from madang.science.privacy.outputs.scan import Scan, refused
from madang.science.privacy.outputs.scan.delimited import decoded
from madang.science.privacy.outputs.scan.signs import blocks, identifiers

PLAIN_CHUNKS = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"pHYs", b"sRGB", b"gAMA", b"cHRM", b"tRNS", b"sBIT", b"bKGD"}
FORBIDDEN = {"script", "foreignObject", "image", "iframe", "use", "set", "animate", "handler", "metadata"}


def scan_picture(name: str, content: bytes) -> Scan:
    """A PNG or SVG: parsed, and refused with what to bring instead; hidden contents are named."""
    found = _png(content) if content.startswith(b"\x89PNG") else _svg(content)
    wanted = said(later("A picture does not leave as it is: bring its specification, from which it is drawn again."))
    return Scan("picture", (*found.findings, Finding("specification", Status.FAIL, wanted)))


def _png(content: bytes) -> Scan:
    place, kinds, size = 8, list[bytes](), 0
    while place + 12 <= len(content):
        length, kind = struct.unpack(">I4s", content[place : place + 8])
        body = content[place + 8 : place + 8 + length]
        check = content[place + 8 + length : place + 12 + length]
        if len(check) != 4 or zlib.crc32(kind + body) != struct.unpack(">I", check)[0]:
            return refused("picture", "content", said(later("The picture is damaged.")))
        kinds.append(kind)
        size += length
        place += 12 + length
        if kind == b"IEND":
            break
    if not kinds or kinds[0] != b"IHDR" or kinds[-1] != b"IEND":
        return refused("picture", "content", said(later("The picture is damaged.")))
    hidden = place < len(content) or any(kind not in PLAIN_CHUNKS for kind in kinds)
    return Scan(
        "picture",
        (
            Finding(
                "hidden", Status.FAIL if hidden else Status.PASS, said(later("Nothing but a picture is in the file."))
            ),
        ),
    )


def _svg(content: bytes) -> Scan:
    text = decoded(content)
    if text is None or "<!DOCTYPE" in text.upper() or "<!ENTITY" in text.upper():
        return refused("picture", "content", said(later("The drawing declares entities or is not text.")))
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return refused("picture", "content", said(later("The drawing is damaged.")))
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    scripts = any(key.lower().startswith("on") for element in root.iter() for key in element.attrib)
    links = re.search(r"(href|url)\s*[=(]\s*['\"]?\s*(data:|https?:|file:|//)", text)
    hidden = bool(tags & FORBIDDEN) or scripts or bool(links) or bool(identifiers(text)) or blocks(text) > 0
    return Scan(
        "picture",
        (
            Finding(
                "hidden", Status.FAIL if hidden else Status.PASS, said(later("Nothing but a picture is in the file."))
            ),
        ),
    )
