"""The schemas of what the operator writes into `status`. Pure."""

from __future__ import annotations

from typing import Any

from qtasks.lifecycle import ConditionStatus, Phase

Schema = dict[str, Any]


def text(description: str = "") -> Schema:
    return _described({"type": "string"}, description)


def whole(description: str = "") -> Schema:
    return _described({"type": "integer", "format": "int64"}, description)


def number(description: str = "") -> Schema:
    return _described({"type": "number"}, description)


def flag(description: str = "") -> Schema:
    return _described({"type": "boolean"}, description)


def time(description: str = "") -> Schema:
    return _described({"type": "string", "format": "date-time"}, description)


def fields(description: str = "", /, **properties: Schema) -> Schema:
    return _described({"type": "object", "properties": properties}, description)


def anything(description: str) -> Schema:
    """What has other fields for every job: no schema could name them."""
    return _described({"type": "object", "x-kubernetes-preserve-unknown-fields": True}, description)


def _described(schema: Schema, description: str) -> Schema:
    return {"description": description, **schema} if description else schema


CONDITIONS: Schema = {
    "description": "What is known of it, in Kubernetes' form; Accepted says whether its latest spec is.",
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["type"],
    "items": {
        "type": "object",
        "required": ["type", "status"],
        "properties": {
            "type": text(),
            "status": {"type": "string", "enum": [str(status) for status in ConditionStatus]},
            "reason": text(),
            "message": text(),
            "lastTransitionTime": time(),
        },
    },
}
_OBSERVED = whole("The generation of the resource that the conditions are about.")

_ATTEMPT = fields(
    attempt=whole(),
    backend=text(),
    worker=text(),
    startTime=time(),
    completionTime=time(),
    outcome=text(),
    reason=text(),
    message=text(),
    account=text(),
    providerJobId=text(),
    providerState=text(),
    quantumSeconds=number(),
)
_PROVIDER = fields(
    "The latest attempt's job at its provider.",
    type=text(),
    account=text(),
    device=text(),
    jobId=text(),
    state=text(),
    tag=text(),
    queuePosition=whole(),
    estimatedStart=time(),
    session=text(),
    quantumSeconds=number(),
    estimatedQuantumSeconds=number(),
    isaCircuit=text(),
    calibration=text(),
    submittedAt=time(),
    runningAt=time(),
    finishedAt=time(),
    cost=text(),
    price=text(),
)
_CIRCUIT = fields(
    "The circuit, as validation found it.",
    format=text(),
    hash=text(),
    qubits=whole(),
    clbits=whole(),
    depth=whole(),
    size=whole(),
    twoQubitGates=whole(),
    measurements=whole(),
)

JOB = fields(
    "How the job is; written by the operator.",
    observedGeneration=_OBSERVED,
    jobId=text("The job's id in qtasks: `qtasks logs ID`, `qtasks results ID`."),
    jobName=text("The job's name in qtasks: the resource's own, or one made of it where that was taken."),
    phase={**text("How far the job is."), "enum": [str(phase) for phase in Phase]},
    reason=text("Why it is so, as a code."),
    message=text("Why it is so, in a sentence."),
    backend=text("Where it runs or, before that is known, where it was meant to."),
    priority=text(),
    shots=whole(),
    attempt=whole("Which attempt it is at, from 1."),
    cost=text("What it has cost so far, in US dollars: $1.60."),
    conditions=CONDITIONS,
    startTime=time("When the latest attempt started."),
    completionTime=time("When the job became final."),
    queue=fields(
        "Its place among those that wait.",
        position=whole(),
        of=text(),
        estimatedStart=time(),
        estimatedBy=text(),
    ),
    budget=fields("What is reserved for it.", estimatedCost=text(), reserved=text(), price=text()),
    retry=fields("When it is tried again.", notBefore=time()),
    attempts={**_described({"type": "array"}, "Every attempt, the first first."), "items": _ATTEMPT},
    provider=_PROVIDER,
    source=fields("What was fetched.", origin=text(), commit=text(), sha256=text(), format=text()),
    circuit=_CIRCUIT,
    metrics=anything("Times in seconds, transpiled depth and gates, method and seed."),
    counts=anything("The counts, where they are few."),
    results=fields(
        "Where the result lies in the object store; `spec.output` names the copy.",
        objectKey=text(),
        offset=whole(),
        length=whole(),
        sha256=text(),
    ),
)

_QUANTUM = fields(used=number(), reserved=number(), remaining=number())

BUDGET = fields(
    "How the budget stands in its current period; written by the operator.",
    observedGeneration=_OBSERVED,
    keptGeneration=whole("The generation whose spec is in force."),
    conditions=CONDITIONS,
    limit=text("US dollars."),
    spent=text("US dollars."),
    reserved=text("US dollars."),
    remaining=text("US dollars."),
    percent=number("What is spent and reserved of the limit that is nearer."),
    thresholdsCrossed={"type": "array", "items": {"type": "number"}},
    quantumSeconds=_QUANTUM,
    period=fields(start=time(), end=time(), timeZone=text()),
)

SESSION = fields(
    "How the session is; written by the operator.",
    observedGeneration=_OBSERVED,
    keptGeneration=whole("The generation whose spec is in force."),
    conditions=CONDITIONS,
    phase=text("Declared, Opening, Open, Closing, Closed or Deleted."),
    providerSessionId=text(),
    account=text(),
    device=text(),
    mode=text(),
    openedAt=time(),
    usedAt=time(),
    startedAt=time(),
    expiresAt=time(),
    closedAt=time(),
    deletedAt=time(),
    jobs=whole("Jobs that named it."),
    openJobs=whole("Those of them that are not final."),
    message=text(),
)

BACKEND = fields(
    "What is known of the device; written by the operator.",
    observedGeneration=_OBSERVED,
    keptGeneration=whole("The generation whose spec is in force."),
    conditions=CONDITIONS,
    state=text("up, down or unknown."),
    available=flag("Whether it is in service."),
    account=text("The accounts under which it can be used, with commas between."),
    device=text("The provider's name of it."),
    qubits=whole(),
    simulator=flag(),
    pendingJobs=whole("Jobs in its provider's queue."),
    waitSeconds=number("How long a job is thought to wait there."),
    waitIs=text("How that is known."),
    meanError=number("Mean two-qubit gate error, 0 to 1."),
    calibration=text(),
    maxShots=whole(),
    dynamicCircuits=flag(),
    queueAt=time("When its queue was looked at."),
    refreshedAt=time("When all else was."),
    stale=flag("Whether the figures of its queue are old."),
    message=text(),
)
