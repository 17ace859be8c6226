"""What git's messages mean to a user. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from qtasks.circuits.sources.git_process import Outcome
from qtasks.circuits.sources.repository import Repository
from qtasks.errors import Forbidden, InvalidInput, NotFound, QTasksError, Unavailable

_NO_REF = re.compile(r"couldn't find remote ref|Could not find remote branch")
_NO_OBJECT = re.compile(
    r"not our ref|unadvertised object|Server does not allow request|no such remote ref|couldn't find remote ref"
)
_OTHER_FORMAT = re.compile(r"mismatched algorithms|unknown object format|object format '?sha")
_TOO_LARGE = re.compile(r"died of signal 25|signal SIGXFSZ|File too large|[Oo]ut of memory|malloc failed|mmap failed")
_LAST_LINE = re.compile(r"^(?:fatal|error|ERROR|ssh|remote): *(.+)$", re.MULTILINE)
_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Meaning:
    """Reads git's messages about one repository, reached with the secret of this name or, when empty, without one."""

    repository: Repository
    secret_name: str

    def no_such_ref(self, text: str) -> bool:
        """Whether the server has no branch or tag of that name."""
        return _NO_REF.search(text) is not None

    def no_such_object(self, text: str) -> bool:
        """Whether the server does not have the commit, or does not give it away by its id."""
        return _NO_OBJECT.search(text) is not None

    def other_object_format(self, text: str) -> bool:
        """Whether the repository's ids are of the other kind, SHA-256 or SHA-1."""
        return _OTHER_FORMAT.search(text) is not None

    def of(self, outcome: Outcome) -> QTasksError:
        """The error that git's messages tell of, most certain first; what is not known may heal."""
        text = outcome.stderr
        shown, host = self.repository.shown, self.repository.host
        if outcome.flooded or _TOO_LARGE.search(text):
            return InvalidInput(
                f"{shown} sends more than is taken for one file.",
                reason="TooLarge",
                hint="Give the commit in full, or use source url; its server should support partial clones.",
            )
        if re.search(r"Host key verification failed|REMOTE HOST IDENTIFICATION|No .* host key is known", text):
            return InvalidInput(
                f"The key of {host} is not the one in known_hosts of the secret {self.secret_name}.",
                reason="SourceNotTrusted",
                hint="Ask its operator for the right key; ssh-keyscan alone proves nothing.",
            )
        if re.search(r"SSL certificate problem|certificate verification failed|no alternative certificate|SSL: ", text):
            return InvalidInput(
                f"The certificate of {host} is not trusted.",
                reason="SourceNotTrusted",
                hint="An operator can add an authority of your own with SSL_CERT_FILE.",
            )
        if re.search(r"returned error: 30\d|redirect", text):
            return InvalidInput(
                f"{shown} redirects to another address, which is not followed.",
                reason="SourceRedirected",
                hint="Use the address that its page gives for cloning; it often ends in .git.",
            )
        if re.search(r"dumb http transport|not support shallow", text):
            return InvalidInput(
                f"{shown} is served as plain files, from which one commit cannot be fetched.",
                reason="ServerUnsupported",
                hint="Serve it with git http-backend, or fetch the file with source url.",
            )
        return self._access(text) or self._unreachable(text)

    def _access(self, text: str) -> QTasksError | None:
        shown = self.repository.shown
        asked = re.search(r"could not read (Username|Password)|Authentication failed|returned error: 40[13]", text)
        if (asked or re.search(r"Permission denied \(|Load key .* error", text)) and self.secret_name:
            return Forbidden(
                f"{shown} refuses the credentials of the secret {self.secret_name}, or shows them no such repository.",
                reason="SourceForbidden",
                hint="Check that they may read it, and its spelling.",
            )
        if asked:
            return NotFound(
                f"There is no repository {shown} that can be read without credentials.",
                reason="RepositoryNotFound",
                hint="Check its spelling; for a private one name a secret in gitRef.secretRef.",
            )
        if re.search(
            r"[Rr]epository .*not found|returned error: 4(04|10)|does not appear to be a git repository"
            r"|not a git repository|is this a git repository|no such repository|not exported",
            text,
        ):
            return NotFound(
                f"There is no repository {shown}; its host answers.",
                reason="RepositoryNotFound",
                hint="Check its spelling.",
            )
        return None

    def _unreachable(self, text: str) -> QTasksError:
        said = [line for line in _LAST_LINE.findall(text) if not line.startswith("Could not read from remote")]
        why = re.sub(r"[^\x20-\x7e]", "?", said[-1] if said else "git gave no reason")[:_SHOWN].rstrip(".")
        return Unavailable(
            f"{self.repository.shown} cannot be fetched from at present: {why}.",
            reason="SourceUnreachable",
            hint="It is tried again; should it stay so, look whether the server answers.",
        )
