"""What the things are called that commands take: jobs, accounts, backends. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from enum import StrEnum

from qtasks.errors import InvalidInput


class Kind(StrEnum):
    """What can be listed."""

    JOBS = "jobs"
    ACCOUNTS = "accounts"
    SESSIONS = "sessions"
    BUDGETS = "budgets"
    BACKENDS = "backends"


_WORDS = {
    **dict.fromkeys(("jobs", "job", "qiskitjobs", "qiskitjob"), Kind.JOBS),
    **dict.fromkeys(("accounts", "account"), Kind.ACCOUNTS),
    **dict.fromkeys(("sessions", "session", "qiskitsessions", "qiskitsession"), Kind.SESSIONS),
    **dict.fromkeys(("budgets", "budget", "qiskitbudgets", "qiskitbudget"), Kind.BUDGETS),
    **dict.fromkeys(("backends", "backend", "qiskitbackends", "qiskitbackend"), Kind.BACKENDS),
}


def kind_of(word: str) -> Kind | None:
    """The kind that a noun names; None for what is no noun."""
    return _WORDS.get(word)


def meant(word: str, known: Iterable[str]) -> str:
    """`Did you mean "jobs"? ` for a word that is nearly one of those that are known; else empty."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.7)
    return f'Did you mean "{near[0]}"? ' if near else ""


def after_noun(words: Sequence[str]) -> tuple[Kind, list[str]]:
    """What `sessions NAME…`, or `session/NAME…`, names, and of which kind; no names for all. Raises InvalidInput for
    what there is no kind of."""
    noun = words[0].partition("/")[0]
    if noun not in _WORDS:
        raise InvalidInput(
            f'There is no kind of thing called "{noun}".',
            reason="NoSuchKind",
            hint=f"{meant(noun, _WORDS)}Kinds: {', '.join(Kind)}; `qtasks get job {noun}` is for the job of that name.",
        )
    kind = _WORDS[noun]
    return kind, [_bare(word, kind) for word in (words if "/" in words[0] else words[1:])]


def of_any_kind(words: Sequence[str]) -> tuple[Kind, list[str]]:
    """What `NAME…`, `session NAME…` or `session/NAME…` names, at least one, each once: jobs where no noun says
    otherwise."""
    noun, slash, _ = words[0].partition("/")
    kind = _WORDS.get(noun, Kind.JOBS) if slash or len(words) > 1 else Kind.JOBS
    rest = words[1:] if len(words) > 1 and _WORDS.get(words[0]) is kind else words
    return kind, list(dict.fromkeys(_bare(word, kind) for word in rest))


def names(words: Sequence[str]) -> list[str]:
    """The jobs that `NAME…`, `job NAME…` or `job/NAME…` name, at least one, each once. Raises InvalidInput for names of
    anything else."""
    kind, found = of_any_kind(words)
    if kind is not Kind.JOBS and "/" in words[0]:
        raise InvalidInput(f"Jobs are wanted, not {kind}.", reason="WrongKind")
    if kind is not Kind.JOBS:
        return list(dict.fromkeys(words))
    return found


def name(words: Sequence[str]) -> str:
    """The one job that `NAME`, `job NAME` or `job/NAME` names; raises InvalidInput when there are several."""
    found = names(words)
    if len(found) > 1:
        raise InvalidInput(f"One job is wanted, not {len(found)}: {', '.join(found)}.")
    return found[0]


def only_noun(words: Sequence[str], kind: Kind) -> bool:
    """Whether the words are a noun of this kind alone."""
    return len(words) == 1 and _WORDS.get(words[0]) is kind


def _bare(word: str, kind: Kind) -> str:
    noun, slash, bare = word.partition("/")
    return bare if slash and _WORDS.get(noun) is kind else word
