"""Every table of the installation, rooms included: what the database's history must lead to."""

from madang.node import models as node
from madang.node.database import Base

__all__ = ["Base", "node"]
