"""What a worker's lease keeper answers over HTTP: it lives beside the pool, and no simulation holds it up."""

from __future__ import annotations

from pathlib import Path

from qtasks.settings import Settings
from qtasks.stages.pulse import Pulse
from qtasks.telemetry import metric, serving


def answer_probes(config: Settings, runtime: Path, sandbox: Path | None) -> Pulse | None:
    """Serve `/metrics`, `/healthz` and `/readyz` of the worker whose folder is `runtime`; returns what the keeper notes
    its progress in. None where QTASKS_METRICS_PORT is 0: nobody asks."""
    if not config.metrics_port:
        return None
    metric.switch_on(metrics_folder(runtime))
    pulse = Pulse(config, runtime, sandbox)
    pages = {
        "/metrics": serving.metrics_page(pulse.readings),
        "/healthz": pulse.healthz,
        "/readyz": pulse.readyz,
    }
    serving.serve(config, pages)
    return pulse


def metrics_folder(runtime: Path) -> Path:
    """Where all processes of a worker keep what they count."""
    folder = runtime / "metrics"
    folder.mkdir(exist_ok=True)
    return folder
