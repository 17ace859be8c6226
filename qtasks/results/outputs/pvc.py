"""A result in a volume: a file below the folder where its claim is mounted, `<folder>/<namespace>/<claim>/`."""

from __future__ import annotations

from pathlib import Path

from qtasks.errors import InvalidInput, NotFound
from qtasks.results.outputs import files
from qtasks.results.outputs.configmap import check_names
from qtasks.results.outputs.places import file_name
from qtasks.results.outputs.protocol import Delivery


class VolumeOutput:
    """An Output that writes the file `path` of the claim named by the output's `location`; without a path
    `<job id>.<format>`. `make_claims`: a claim is a folder like any other, made when it is first named; otherwise it
    must be mounted, so that nothing is written to where no volume is."""

    def __init__(self, folder: Path, *, make_claims: bool) -> None:
        self._folder = folder
        self._make_claims = make_claims

    def deliver(self, job: Delivery, rendered: bytes) -> str:
        """Write it, and give the path of the file.

        A path with a slash first is the volume's own; none leads out of it, and no symbolic link in it is followed.
        Raises NotFound (`ClaimNotMounted`), InvalidInput (`InvalidOutput`), Forbidden (`OutputForbidden`) or
        Unavailable (`OutputUnavailable`: also a full disk).
        """
        check_names(job.namespace, job.location, "a PersistentVolumeClaim")
        *parents, name = self._segments(job.path or file_name(job))
        claim = self._folder / job.namespace / job.location
        where = claim.joinpath(*parents, name)
        hint = "Set output.path to a file of the volume, whose folders are no links."
        try:
            if not self._make_claims and not claim.is_dir():
                raise NotFound(
                    f"The claim {job.namespace}/{job.location} is not mounted at {claim}.",
                    reason="ClaimNotMounted",
                    hint="Mount it there on every worker (QTASKS_VOLUMES_DIR); the queue keeps its own copy: "
                    f"qtasks results {job.job_id}",
                )
            below = (job.namespace, job.location, *parents)
            with files.folder(self._folder, below, make_root=self._make_claims) as parent:
                files.write(parent, name, rendered)
        except OSError as error:
            raise files.meaning(error, where, hint=hint) from None
        return f"claim {job.namespace}/{job.location}, {'/'.join((*parents, name))} ({where})"

    def _segments(self, path: str) -> list[str]:
        segments = [segment for segment in path.split("/") if segment not in ("", ".")]
        if not segments or path.endswith("/") or ".." in segments or "\0" in path or segments[-1].startswith(".tmp-"):
            raise InvalidInput(
                f"{path[:80]!r} is not a file's path inside of the volume.",
                reason="InvalidOutput",
                hint="Set output.path to a file such as results/job.json.",
            )
        return segments
