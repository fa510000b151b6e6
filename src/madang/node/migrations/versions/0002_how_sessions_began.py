"""How a session began: with a password, or through the provider."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Go one revision on."""
    op.add_column("sign_in_sessions", sa.Column("method", sa.Text(), server_default="password", nullable=False))
