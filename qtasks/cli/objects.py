"""The commands for the object store: objects check, lifecycle."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from qtasks.cli import terminal
from qtasks.errors import NotFound

objects = typer.Typer(
    help="The object store.\n\nExample: `qtasks objects check`", no_args_is_help=True, rich_markup_mode="markdown"
)


def add_to(app: typer.Typer) -> None:
    """Put the commands on `app`."""
    for command in (check, lifecycle):
        objects.command()(command)
    app.add_typer(objects, name="objects")


def check(
    repair: Annotated[bool, typer.Option("--repair", help="Put back what lies elsewhere in the store.")] = False,
) -> None:
    """Look whether every object is there that a job needs.

    For a restored installation, before its workers start: a job may have gone on between the copy of the database and
    that of the objects. Each missing object is a line; exit code 4 when one stays missing.

    Example: `qtasks objects check --repair`
    """
    from qtasks.client import inventory
    from qtasks.settings import settings

    lost = 0
    with inventory.opened(settings()) as (store, there):
        for found in inventory.missing(store, there):
            pointer = found.pointer
            said = "put back" if repair and found.twin else f"lies at {found.twin}" if found.twin else "missing"
            if repair and found.twin:
                inventory.repair(there, found)
            else:
                lost += 1
            terminal.write(f"{pointer.namespace}/{pointer.name} ({pointer.phase}): {pointer.key} {said}\n")
    if lost:
        raise NotFound(
            f"{lost} {'object is' if lost == 1 else 'objects are'} not where jobs need them.",
            reason="ObjectsMissing",
            hint="Copy them from the backup of the object store"
            + ("." if repair else "; what lies elsewhere in the store is put back by --repair."),
        )
    terminal.write("Every object is there that a job needs.\n")


def lifecycle(
    apply: Annotated[bool, typer.Option("--apply", help="Set the rules, beside those of others.")] = False,
) -> None:
    """Print the lifecycle rules for the bucket of the object store.

    They are made of the retention in QTASKS_CONFIG, remove nothing that a job needs, and catch what retention itself
    would miss: old versions and uploads that were cut off. JSON as `aws s3api put-bucket-lifecycle-configuration` or
    `gcloud storage buckets update --lifecycle-file` takes it; both replace the rules of others, which --apply keeps.

    Example: `qtasks objects lifecycle > rules.json`
    """
    from qtasks.client import lifecycle as bucket
    from qtasks.settings import settings

    if not apply:
        terminal.write(json.dumps(bucket.document(settings()), indent=2) + "\n")
        return
    url, others = bucket.apply(settings())
    terminal.write(f"The rules for {url} are set; {others} of others in its bucket are as they were.\n")
