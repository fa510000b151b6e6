"""The workspaces of the attack tests."""

from attacks.conftest import spaces as spaces
