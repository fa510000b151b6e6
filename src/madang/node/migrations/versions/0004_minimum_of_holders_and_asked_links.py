"""How few persons a holder lets numbers be about, and who asked for an identity to be linked."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Go one revision on."""
    op.add_column("openid_requests", sa.Column("person_id", sa.Integer(), nullable=True))
    op.add_column("organizations", sa.Column("minimum", sa.Integer(), server_default="5", nullable=False))
