"""The desk of a holder."""

import pytest
from access_house import Desk, open_desk

from portal_house import House


@pytest.fixture
def desk(house: House) -> Desk:
    return open_desk(house.node)
