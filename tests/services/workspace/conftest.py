"""The workspaces of the attack tests."""

from attacks.conftest import boxes_are_made as boxes_are_made
from attacks.conftest import spaces as spaces
