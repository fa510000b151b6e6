"""Every table of the installation, rooms included: what the database's history must lead to."""

from madang.node import models as node
from madang.node.database import Base
from madang.services.catalog import models as catalog

__all__ = ["Base", "catalog", "node"]
