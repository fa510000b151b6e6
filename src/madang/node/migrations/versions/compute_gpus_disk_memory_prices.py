"""GPUs, memory and disk in quotas, what tasks keep, and prices."""

import sqlalchemy as sa
from alembic import op

revision = "compute_gpus_disk_memory_prices"
down_revision = "deposits_files_that_stay_and_checks_that_take_long"


def upgrade() -> None:
    """Go one revision on."""
    op.create_table(
        "compute_prices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("begins", sa.Date(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("core_hour", sa.Double(), nullable=False),
        sa.Column("gpu_hour", sa.Double(), nullable=False),
        sa.Column("gigabyte", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_compute_prices")),
        sa.UniqueConstraint("begins", name=op.f("uq_compute_prices_begins")),
    )
    op.add_column("compute_quotas", sa.Column("gpu_hours", sa.Double(), nullable=True))
    op.add_column("compute_quotas", sa.Column("memory", sa.BigInteger(), nullable=True))
    op.add_column("compute_quotas", sa.Column("disk", sa.BigInteger(), nullable=True))
    op.add_column("compute_tasks", sa.Column("gpus", sa.Integer(), server_default="0", nullable=False))
    op.add_column("compute_tasks", sa.Column("kept", sa.BigInteger(), server_default="0", nullable=False))
