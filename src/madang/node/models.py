"""Every table of the node itself, so that the whole of `Base.metadata` is known after one import."""

from madang.node import acts
from madang.node.audit.models import audit_events
from madang.node.database import Base
from madang.node.editions import Edition
from madang.node.jobs import models as jobs
from madang.node.mail import Mail
from madang.node.people import models as people

__all__ = ["Base", "Edition", "Mail", "acts", "audit_events", "jobs", "people"]
