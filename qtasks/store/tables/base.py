"""What all tables share: the metadata, and columns that several have."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, MetaData, Uuid

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

serial = BigInteger().with_variant(Integer(), "sqlite")


def of_job(*, primary_key: bool = False) -> Column[str]:
    return Column(
        "job_id",
        Uuid(as_uuid=False),
        ForeignKey("jobs.id", ondelete="CASCADE"),
        primary_key=primary_key,
        nullable=False,
    )


def job_noted() -> Column[str]:
    """The job of a note. No foreign key: a job has a dozen notes, written by the statement that changes its row, and
    checking each of them again was a tenth of all that a small job costs. Whoever deletes a job deletes its notes."""
    return Column("job_id", Uuid(as_uuid=False), nullable=False)
