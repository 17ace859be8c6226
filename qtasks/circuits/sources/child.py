"""One fetch, from the request to the answer, in the process that was started for it."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

from qtasks.circuits.sources import bounds
from qtasks.circuits.sources.bounds import Late
from qtasks.circuits.sources.messages import Fetched, Request, decode_request, encode_answer
from qtasks.errors import InvalidInput, QTasksError, Unavailable


def main(arguments: list[str]) -> int:
    """Answers the request on standard input, and returns the exit status: always 0, a failure is an answer too."""
    [parent] = [int(argument.removeprefix("--parent=")) for argument in arguments] or [0]
    bounds.die_with(parent)
    request = decode_request(sys.stdin.buffer.read())
    bounds.limit_resources(request.seconds)
    sys.stdout.buffer.write(encode_answer(answer(request)))
    sys.stdout.buffer.flush()
    return 0


def answer(request: Request) -> Fetched | QTasksError:
    """What was fetched, or why not; never an exception, and never a value of the secret."""
    try:
        with bounds.deadline(request.seconds):
            return _fetch(request)
    except QTasksError as error:
        return _without_secret(error, request)
    except Late:
        return Unavailable(
            f"{request.shown} was not fetched within {request.seconds:g} s.",
            reason="SourceTimeout",
            hint="It is tried again; should it stay so, look whether the address answers.",
        )
    except MemoryError:
        return InvalidInput(f"What {request.shown} sends does not fit into memory.", reason="TooLarge")
    except Exception as error:
        # Its message may hold anything that was fetched or sent, so only its kind and place are told.
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        return Unavailable(
            f"Fetching {request.shown} failed with {type(error).__name__} ({where}).", reason="SourceFailed"
        )


def _fetch(request: Request) -> Fetched:
    if request.source == "url":
        from qtasks.circuits.sources.web import fetch_url

        return fetch_url(request)
    if request.source == "git":
        from qtasks.circuits.sources.git import fetch_file

        return fetch_file(request, Path.cwd())
    from qtasks.circuits.sources.configmap import fetch_key

    return fetch_key(request)


def _without_secret(error: QTasksError, request: Request) -> QTasksError:
    message, hint = error.message, error.hint
    for value in filter(None, request.secret.values()):
        message, hint = message.replace(value, "***"), hint.replace(value, "***")
    return type(error)(message, reason=error.reason, hint=hint, details=error.details)
