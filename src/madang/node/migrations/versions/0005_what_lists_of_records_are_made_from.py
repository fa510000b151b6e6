"""What lists of records are chosen, ordered and counted by, in one index; how many rows a record has."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

FOUND = "state published id organization_id kind tier tier_after embargo_end verdict certificate year rows".split()


def upgrade() -> None:
    """Go one revision on."""
    op.add_column("records", sa.Column("rows", sa.BigInteger(), server_default="0", nullable=False))
    op.execute(
        """UPDATE records SET rows = COALESCE((
            SELECT v.rows FROM record_versions v WHERE v.record_id = records.id AND v.state = 'published'
            ORDER BY v.number DESC LIMIT 1
        ), 0)"""
    )
    op.drop_index(op.f("ix_records_state"), "records")
    op.drop_index(op.f("ix_records_published"), "records")
    op.create_index("ix_records_found", "records", FOUND)
