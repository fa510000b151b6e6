"""How often somebody may try and fail, per account and per address. Kept in the database: a restart forgets nothing."""

import ipaddress
from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import delete

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.models import Attempts


def count_attempt(node: Node, most: Mapping[str, int], minutes: int) -> None:
    """Count one attempt in each bucket; `people.too_many_attempts` if one is full.

    It counts before anything is tried, so attempts that come at the same time cannot all be the last one.
    """
    at = now()
    oldest = at - timedelta(minutes=minutes)
    waits = []
    with node.write() as session:
        session.execute(delete(Attempts).where(Attempts.since < oldest))
        for bucket, limit in sorted(most.items()):
            found = session.get(Attempts, bucket, with_for_update=True)
            if found is None:
                session.add(Attempts(bucket=bucket, count=1, since=at))
            elif found.count < limit:
                found.count += 1
            else:
                waits.append(found.since - oldest)
    if waits:
        raise MadangError(
            "people.too_many_attempts",
            _("There were too many attempts."),
            _("Try again in {count} minutes.").format(count=int(max(waits).total_seconds() // 60) + 1),
        )


def forgive(node: Node, account: str, address: str) -> None:
    """After a success: the account begins anew, and the address gets its attempt back."""
    with node.write() as session:
        session.execute(delete(Attempts).where(Attempts.bucket == account))
        found = session.get(Attempts, address, with_for_update=True)
        if found is not None:
            found.count = max(0, found.count - 1)


def account_bucket(login: str) -> str:
    """The bucket of an account."""
    return f"account:{login[:200]}"


def address_bucket(address: str) -> str:
    """The bucket of an address; an IPv6 network of 64 bits, which one customer has, is one."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "address:"
    if parsed.version == 6:
        return f"address:{ipaddress.ip_network((parsed, 64), strict=False)}"
    return f"address:{parsed}"
