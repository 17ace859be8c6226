"""The command that runs the Kubernetes operator."""

from __future__ import annotations

import typer


def add_to(app: typer.Typer) -> None:
    """Put the command on `app`."""
    app.command()(operator)


def operator() -> None:
    """Run the Kubernetes operator.

    It submits the QiskitJobs of the namespaces in QTASKS_OPERATOR_NAMESPACES (empty: all), writes how they go into
    their statuses, and keeps budgets, sessions and backends. It works over the database and broker that the settings
    name, or over REST with QTASKS_API_URL; the cluster is that of the pod, or of KUBECONFIG. Run one.

    Example: `QTASKS_OPERATOR_NAMESPACES=lab,teaching qtasks operator`
    """
    from qtasks.operator.server import run
    from qtasks.settings import settings

    run(settings())
