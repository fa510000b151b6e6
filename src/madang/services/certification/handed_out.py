"""The status list that verifiers have been handed, read again."""

import contextlib
import datetime
from dataclasses import dataclass

from madang.node import signing
from madang.node.home import Home
from madang.services.certification import status_list, times
from madang.services.certification.credential import TYP
from madang.services.certification.store import STATUS, Store


@dataclass(frozen=True)
class Told:
    """The list that is there: its text, when it was signed, its encoded bits, whether by the key that signs now."""

    text: str
    signed: datetime.datetime
    encoded: str
    current: bool

    @property
    def is_fresh(self) -> bool:
        """Whether it may be handed out as it is, if it says what is so."""
        age = times.now() - self.signed
        return self.current and datetime.timedelta(0) <= age < datetime.timedelta(days=status_list.DAYS / 2)

    @property
    def bits(self) -> set[int]:
        """The bits that are set in it."""
        try:
            return status_list.set_in(status_list.decode(self.encoded))
        except ValueError:  # signed here, and yet no list
            return set()


def told_in(home: Home) -> Told | None:
    """The list that is there, if keys of this home signed it."""
    keys = signing.public_keys(home)
    with contextlib.suppress(OSError, UnicodeError, ValueError, KeyError, TypeError, signing.NotBelieved):
        text = (Store(home).folder / STATUS).read_bytes().decode("ascii")
        current = True
        try:
            document = signing.read_signed(text, keys[:1], TYP)
        except signing.NotBelieved:
            document, current = signing.read_signed(text, keys[1:], TYP), False
        if "BitstringStatusListCredential" in document["type"]:
            return Told(text, times.parse(document["validFrom"]), document["credentialSubject"]["encodedList"], current)
    return None
