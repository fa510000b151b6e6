"""What a kernel may show, held against a written list: text, tables of text, and plain pictures, of bounded size.

Nothing that comes out of a box is believed. There is no HTML, SVG, JavaScript, widget, link or metadata: what is not
in the list is dropped and counted. A picture is taken apart and put together again from its pixels' chunks alone.
"""

import base64
import binascii
import struct
import zlib
from dataclasses import dataclass
from typing import Any

TABLE = "application/vnd.madang.table+json"
MESSAGES = ("ready", "begun", "text", "show", "error", "done", "names", "ended")
LINE = 6 << 20  # bytes of one message
TEXT = 200_000  # characters of text of a cell, errors too
PICTURE = 1 << 20  # bytes of a picture
PICTURES = 10  # of a cell
_EDGE = 2_000  # pixels
_ROWS, _COLUMNS, _CELL = 60, 40, 200
_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by color type


@dataclass
class Budget:
    """What a cell has shown so far."""

    text: int = 0
    pictures: int = 0
    size: int = 0
    refused: int = 0


def allowed(message: Any, budget: Budget) -> dict[str, Any] | None:
    """A message in the only form in which it is passed on, or None if it is not passed on at all."""
    if not isinstance(message, dict) or message.get("say") not in MESSAGES:
        budget.refused += 1
        return None
    make = {"text": _text, "show": _show, "error": _error, "begun": _begun, "done": _done, "names": _names}
    made = make.get(message["say"], lambda _message, _budget: {})(message, budget)
    return None if made is None else {"say": message["say"], **made}


def _begun(message: dict[str, Any], _budget: Budget) -> dict[str, Any]:
    count = message.get("count")
    return {"count": count if isinstance(count, int) and 0 <= count < 10**9 else 0}


def _done(message: dict[str, Any], _budget: Budget) -> dict[str, Any]:
    seconds = message.get("seconds")
    return {"seconds": round(float(seconds), 3) if isinstance(seconds, int | float) and 0 <= seconds < 10**9 else 0.0}


def _names(message: dict[str, Any], budget: Budget) -> dict[str, Any]:
    names = message.get("names") if isinstance(message.get("names"), list) else []
    place = message.get("from")
    kept = [_cut(str(name), 100, budget) for name in (names or [])[:50]]
    return {"names": kept, "from": place if isinstance(place, int) and 0 <= place < 10**9 else 0}


def _text(message: dict[str, Any], budget: Budget) -> dict[str, Any] | None:
    text = _cut(message.get("text"), TEXT - budget.text, budget)
    budget.text += len(text)
    return {"text": text} if text else None


def _error(message: dict[str, Any], budget: Budget) -> dict[str, Any]:
    found = {}
    for name, longest in (("name", 100), ("value", 2_000), ("trace", 20_000)):
        found[name] = _cut(message.get(name, ""), min(longest, max(0, TEXT - budget.text)), budget)
        budget.text += len(found[name])
    return found


def _show(message: dict[str, Any], budget: Budget) -> dict[str, Any] | None:
    kinds = message.get("kinds")
    if not isinstance(kinds, dict):
        budget.refused += 1
        return None
    budget.refused += len(set(kinds) - {"text/plain", "image/png", TABLE})
    shown: dict[str, Any] = {}
    if TABLE in kinds and (table := _table(kinds[TABLE], budget)) is not None:
        shown["table"] = table
    elif "image/png" in kinds and (picture := _picture(kinds["image/png"], budget)) is not None:
        shown["picture"] = picture
    elif "text/plain" in kinds:
        text = _cut(kinds["text/plain"], TEXT - budget.text, budget)
        budget.text += len(text)
        shown["text"] = text
    return shown or None


def _table(table: Any, budget: Budget) -> dict[str, Any] | None:
    if not isinstance(table, dict) or not all(isinstance(table.get(n), list) for n in ("columns", "index", "rows")):
        budget.refused += 1
        return None
    columns = [_cut(name, _CELL, budget) for name in table["columns"][:_COLUMNS]]
    rows = [
        [_cut(cell, _CELL, budget) for cell in row[:_COLUMNS]] for row in table["rows"][:_ROWS] if isinstance(row, list)
    ]
    index = [_cut(name, _CELL, budget) for name in table["index"][: len(rows)]]
    budget.text += sum(map(len, columns)) + sum(map(len, index)) + sum(len(cell) for row in rows for cell in row)
    if budget.text > TEXT:
        budget.refused += 1
        return None
    numeric = table.get("numeric") if isinstance(table.get("numeric"), list) else []
    whole = {name: table.get(name) for name in ("gap", "count", "width")}
    numbers = {n: value if isinstance(value, int) and 0 <= value < 10**12 else None for n, value in whole.items()}
    return {
        "columns": columns,
        "index": index,
        "rows": rows,
        "numeric": [bool(each) for each in (numeric or [])[:_COLUMNS]],
        **numbers,
    }


def _cut(value: Any, longest: int, budget: Budget) -> str:
    """Text that may be shown: no control characters that a terminal or a page would obey, no marks of direction."""
    if not isinstance(value, str):
        budget.refused += value is not None
        return ""
    if len(value) > longest:
        budget.refused += 1
    return value[: max(0, longest)].translate(_INVISIBLE)


_INVISIBLE = {
    **{number: None for number in range(32) if number not in (9, 10)},
    **dict.fromkeys((0x7F, *range(0x80, 0xA0), *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070))),
    **dict.fromkeys((0xFEFF, *range(0xD800, 0xE000), *range(0xE0000, 0xE0080))),
}


def _picture(value: Any, budget: Budget) -> str | None:
    try:
        if not isinstance(value, str) or len(value) > 2 * PICTURE or budget.pictures >= PICTURES:
            raise ValueError
        clean = clean_picture(base64.b64decode(value, validate=False))
    except (ValueError, binascii.Error, struct.error, zlib.error):
        budget.refused += 1
        return None
    budget.pictures += 1
    return base64.b64encode(clean).decode()


def clean_picture(data: bytes) -> bytes:
    """A PNG made anew from its pixels: no text, no metadata, nothing behind the last line. Errors: ValueError."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n") or len(data) > PICTURE:
        raise ValueError("no picture")
    chunks: dict[bytes, bytes] = {}
    place = 8
    while place < len(data):
        (length,) = struct.unpack_from(">I", data, place)
        kind, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        if len(body) != length:
            raise ValueError("cut off")
        if kind in _KEPT:
            chunks[kind] = chunks.get(kind, b"") + body if kind == b"IDAT" else body
        place += 12 + length
        if kind == b"IEND":
            break
    if len(chunks.get(b"IHDR", b"")) != 13:
        raise ValueError("no head")
    width, height, depth, color, _packing, _filter, interlaced = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    large = not (0 < width <= _EDGE and 0 < height <= _EDGE)
    if large or color not in _SAMPLES or interlaced or depth not in (1, 2, 4, 8):
        raise ValueError("unusual")
    line = 1 + (width * _SAMPLES[color] * depth + 7) // 8
    unpack = zlib.decompressobj()
    pixels = unpack.decompress(chunks.get(b"IDAT", b""), line * height + 1)
    if len(pixels) != line * height or any(pixels[start] > 4 for start in range(0, len(pixels), line)):
        raise ValueError("more or less than its pixels")
    made = [(b"IHDR", chunks[b"IHDR"])]
    if b"PLTE" in chunks and len(chunks[b"PLTE"]) <= 768:
        made.append((b"PLTE", chunks[b"PLTE"]))
    if b"tRNS" in chunks and len(chunks[b"tRNS"]) <= 256:
        made.append((b"tRNS", chunks[b"tRNS"]))
    made += [(b"IDAT", zlib.compress(pixels, 6)), (b"IEND", b"")]
    packed = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in made
    )
    if len(packed) + 8 > PICTURE:
        raise ValueError("large")
    return b"\x89PNG\r\n\x1a\n" + packed
