"""Who did what, in a way that cannot be rewritten unseen.

An event is one canonical JSON text; every other column is computed from it. Events are chained by hash, each link
signed with a key of the installation (HMAC), and how far the chain reaches is kept in a file of its own. An act and
its event commit together; the event of a read is committed before the first byte is given.
"""

from madang.node.audit.chain import START, Event, Finding, Report
from madang.node.audit.log import Audit
from madang.node.audit.models import audit_events

__all__ = ["START", "Audit", "Event", "Finding", "Report", "audit_events"]
