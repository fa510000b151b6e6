"""How often what is asked about, such as the catalog, has changed; so that answers can be kept until it does."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Go one revision on."""
    op.create_table(
        "editions",
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("area", name=op.f("pk_editions")),
    )
