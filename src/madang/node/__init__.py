"""What one installation is made of: its home folder and its keys."""

from madang.node.home import Home

__all__ = ["Home"]
