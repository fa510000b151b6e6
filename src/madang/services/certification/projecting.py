"""The signed status list, and the public keys beside it: copies of what register and keys say, for verifiers."""

from sqlalchemy import select

from madang.base.canonical import canonical_json
from madang.lake.files import put_instead, sentences
from madang.node import signing
from madang.node.node import Node
from madang.services.certification import status_list, times
from madang.services.certification.adopting import first_use
from madang.services.certification.credential import TYP, number
from madang.services.certification.handed_out import told_in
from madang.services.certification.models import Registered
from madang.services.certification.store import KEYS, STATUS, Store


def current_status_list(node: Node) -> str:
    """The signed status list, made anew if it differs from the register or gets old; to be handed out beside
    certificates and the public keys."""
    first_use(node)
    told = told_in(node.home) if (Store(node.home).folder / KEYS).is_file() else None
    if told is not None and told.is_fresh and told.encoded == status_list.encode(bits_of_register(node)):
        return told.text
    with Store(node.home).lock():
        return refresh(node)


def refresh(node: Node) -> str:
    """The same for whoever holds the lock of the store."""
    store, signer, issuer = Store(node.home), signing.signer(node.home), signing.issuer(node.home)
    _hand_out_keys(store)
    bits, told = bits_of_register(node), told_in(node.home)
    if told is not None:
        bits |= _for_good(node, told.bits - bits)
        if told.is_fresh and told.encoded == status_list.encode(bits):
            return told.text
    text = signer.sign(status_list.make_list(issuer, store.url, bits, times.now()), TYP, "vc")
    with sentences("write the status list"):
        put_instead(store.folder / STATUS, text.encode(), 0o644)
    return text


def bits_of_register(node: Node) -> set[int]:
    """The bits that the register sets: of each certificate that is revoked or suspended, one."""
    with node.read() as session:
        found = session.execute(select(Registered.number, Registered.state).where(Registered.state != "issued")).all()
    return {2 * int(place) + (state == "suspended") for place, state in found}


def _for_good(node: Node, bits: set[int]) -> set[int]:
    """Of bits that were told and that the register does not set, those that stay: a revocation is for good, and of a
    certificate that the register does not know the list alone says what became of it."""
    with node.read() as session:
        places = {number(bit // 2) for bit in bits}
        known = set(session.scalars(select(Registered.number).where(Registered.number.in_(places))))
    return {bit for bit in bits if bit % 2 == 0 or number(bit // 2) not in known}


def _hand_out_keys(store: Store) -> None:
    keys, path = canonical_json({"keys": signing.public_keys(store.home)}), store.folder / KEYS
    if not path.is_file() or path.read_bytes() != keys:
        with sentences("write the public keys"):
            put_instead(path, keys, 0o644)
