"""What one installation is made of: home folder, settings, database, people, permissions, audit, jobs, mail, backup."""

from madang.node.home import Home

__all__ = ["Home"]
