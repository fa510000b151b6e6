"""The certificate in a photo of its QR code.

Pictures come from anybody, and what reads them is C++: it runs in a closed process that sees nothing else.
"""

import sys
import threading

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node import closed

LARGEST = 12 << 20  # bytes of a photo
_PIXELS = 64_000_000  # of a picture that is unpacked
_EDGE = 3_000  # pixels that a code is looked for in
_TEXT = 20_000  # characters
_KINDS = ("JPEG", "PNG", "WEBP")
_BOX = closed.Box(closed.Limits(seconds=10, memory=2 << 30, address=2 << 30, output=_TEXT * 4))
_one = threading.BoundedSemaphore(1)


def is_picture(data: bytes) -> bool:
    """Whether a file looks like a picture that can be read."""
    return data.startswith((b"\x89PNG\r\n", b"\xff\xd8\xff")) or (data[:4], data[8:12]) == (b"RIFF", b"WEBP")


def text_in(data: bytes) -> str:
    """The text of the one QR code in a picture (JPEG, PNG or WebP).

    Errors: `certificate.picture` where there is none, or several; `closed.missing`, `ask.busy`.
    """
    if not _one.acquire(timeout=5):
        raise MadangError("ask.busy", _("Others are asking just now."), _("Try again in a moment."))
    try:
        done = _BOX.run([_BOX.python, "-P", "-s", "-m", __name__], data)
    except MadangError as error:
        if error.code == "closed.missing":
            raise
        raise _unreadable() from None
    finally:
        _one.release()
    if done.code or not done.output:
        raise _unreadable()
    return done.output.decode()


def _unreadable() -> MadangError:
    return MadangError(
        "certificate.picture",
        _("No single QR code can be read in this picture."),
        _("Take it straight on, in good light, with the whole code in it; or paste what a phone reads from it."),
    )


def main() -> None:
    """In the closed process: a picture from standard input, the text of its code to standard output."""
    import zxingcpp
    from PIL import Image

    with Image.open(sys.stdin.buffer, formats=_KINDS) as picture:
        if picture.width * picture.height > _PIXELS:
            sys.exit(1)
        picture.draft("L", (_EDGE, _EDGE))  # a JPEG is unpacked smaller at once
        gray = picture.convert("RGBA" if picture.has_transparency_data else "L")
    if gray.mode == "RGBA":
        gray = Image.alpha_composite(Image.new("RGBA", gray.size, "white"), gray).convert("L")
    gray.thumbnail((_EDGE, _EDGE))
    found = {code.text for code in zxingcpp.read_barcodes(gray, formats=zxingcpp.barcode_formats_from_str("QRCode"))}
    if len(found) != 1:
        sys.exit(1)
    sys.stdout.write(found.pop()[:_TEXT])


if __name__ == "__main__":
    main()
