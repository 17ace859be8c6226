"""Every metric that there is. The names of jobs, and of what is secret, are in none of them."""

from __future__ import annotations

from qtasks.telemetry.metric import Kind, Metric, Shown

_WORKER, _API, _BEAT = (Shown.WORKER,), (Shown.API,), (Shown.BEAT,)
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LONG_SECONDS = (0.01, 0.05, 0.25, 1.0, 5.0, 30.0, 120.0, 600.0, 3600.0)
_QUEUE = "as in `qtasks worker --queues`"
_PRIORITY = "urgent, high, normal, low"
_STAGE = "validation, scheduling, execution"
_NAMESPACE = "of the jobs; beyond a hundred, those with least are `other` together"
_BACKEND = "where they run; `unassigned` until that is chosen"
_ACCOUNT = "as QTASKS_CONFIG has it; `*.physics`: the worst of those that jobs of namespace physics brought themselves"
_REASON = "the reason code, as in a job's status"

# Counted by workers: by their pool processes and their lease keeper, and shown by the keeper for all of them.
STAGE_SECONDS = Metric(
    "qtasks_stage_seconds",
    Kind.HISTOGRAM,
    "seconds",
    "How long a claim was worked on at a stage; it may be of one job or of a batch.",
    _WORKER,
    {"stage": _STAGE},
    _LONG_SECONDS,
)
STAGE_JOBS = Metric(
    "qtasks_stage_jobs_total",
    Kind.COUNTER,
    "jobs",
    "Jobs that were worked on at a stage, each time that they were.",
    _WORKER,
    {"stage": _STAGE},
)
WAIT_SECONDS = Metric(
    "qtasks_wait_seconds",
    Kind.HISTOGRAM,
    "seconds",
    "From a job's submission until a worker first took it up.",
    _WORKER,
    {"priority": _PRIORITY},
    _LONG_SECONDS,
)
LEASES_LOST = Metric(
    "qtasks_leases_lost_total",
    Kind.COUNTER,
    "jobs",
    "Jobs that a process held and could not end.",
    _WORKER,
    {"cause": "died: its process; expired: nobody renewed; failed: an error of ours; taken: cancelled, or taken over"},
)
TAKEOVERS = Metric(
    "qtasks_takeovers_total",
    Kind.COUNTER,
    "jobs",
    "Jobs taken up that an earlier process had lost.",
    _WORKER,
    {"stage": _STAGE},
)
PROCESSES_KILLED = Metric(
    "qtasks_processes_killed_total",
    Kind.COUNTER,
    "processes",
    "Pool processes that the lease keeper killed.",
    _WORKER,
    {"cause": "limit: the job's time ran out; taken: what it held was cancelled or taken over"},
)
RETRIES = Metric(
    "qtasks_retries_total",
    Kind.COUNTER,
    "attempts",
    "Attempts that failed and are followed by another.",
    _WORKER,
    {"reason": _REASON},
)
FAILURES = Metric(
    "qtasks_failures_total", Kind.COUNTER, "jobs", "Jobs that ended as Failed.", _WORKER, {"reason": _REASON}
)
SANDBOX_STARTS = Metric(
    "qtasks_sandbox_starts_total", Kind.COUNTER, "processes", "Children that the sandbox was asked for.", _WORKER
)
SANDBOX_KILLS = Metric(
    "qtasks_sandbox_kills_total",
    Kind.COUNTER,
    "processes",
    "Children of the sandbox that did not end well, by what ended them.",
    _WORKER,
    {"layer": "deadline, cpu, memory, seccomp (a system call that nobody needs), crash (all else)"},
)
PROVIDER_REQUESTS = Metric(
    "qtasks_provider_requests_total",
    Kind.COUNTER,
    "requests",
    "Requests to providers.",
    _WORKER,
    {"provider": "ibm_quantum, aws_braket", "outcome": "2xx, 3xx, 4xx, 429, 5xx, or error: there was no answer"},
)
PROVIDER_SECONDS = Metric(
    "qtasks_provider_request_seconds",
    Kind.HISTOGRAM,
    "seconds",
    "How long a provider took to answer, or not to.",
    _WORKER,
    {"provider": "ibm_quantum, aws_braket"},
    _SECONDS,
)
DELIVERIES = Metric(
    "qtasks_deliveries_total",
    Kind.COUNTER,
    "tries",
    "Tries to deliver something to a user.",
    _WORKER,
    {
        "kind": "output: a copy of a result; notice: spec.webhook; alert: of a budget",
        "outcome": "delivered; put_off: it is tried again; refused, given_up: it is not",
    },
)

# Read by the lease keeper when it is asked.
POOL_PROCESSES = Metric(
    "qtasks_pool_processes",
    Kind.GAUGE,
    "processes",
    "Processes of the worker's pool.",
    _WORKER,
    {"state": "wanted, alive"},
)
HELD_JOBS = Metric("qtasks_held_jobs", Kind.GAUGE, "jobs", "Jobs that the worker's processes hold now.", _WORKER)
HEART_AGE = Metric(
    "qtasks_heart_age_seconds",
    Kind.GAUGE,
    "seconds",
    "Since the event loop of the worker's main process last turned; it notes so every two seconds.",
    _WORKER,
)
RENEWAL_AGE = Metric(
    "qtasks_lease_renewal_age_seconds",
    Kind.GAUGE,
    "seconds",
    "Since the worker last told the database that it lives, and renewed what it holds.",
    _WORKER,
)

# Counted by the API, for all of its processes.
API_REQUESTS = Metric(
    "qtasks_api_requests_total",
    Kind.COUNTER,
    "requests",
    "Requests to the API and the page.",
    _API,
    {
        "route": "the template, as `/v1/jobs/{name}`; `page` for all of the page, `none` where nothing is",
        "method": "of HTTP",
        "status": "of HTTP",
    },
)
API_SECONDS = Metric(
    "qtasks_api_request_seconds",
    Kind.HISTOGRAM,
    "seconds",
    "How long requests took, those left out that wait for something to happen (`?wait=`, events).",
    _API,
    {"route": "the template", "method": "of HTTP"},
    _SECONDS,
)
REJECTIONS = Metric(
    "qtasks_rejections_total", Kind.COUNTER, "requests", "Submissions that were refused.", _API, {"reason": _REASON}
)

# Read by the API from the database when it is asked: every API says the same, so take `max by`, never a sum of them.
JOBS = Metric(
    "qtasks_jobs",
    Kind.GAUGE,
    "jobs",
    "Jobs by phase: those that are not final, and those that ended within the last hour.",
    _API,
    {"phase": "as in a job's status", "backend": _BACKEND, "priority": _PRIORITY, "namespace": _NAMESPACE},
)
COST = Metric(
    "qtasks_cost_dollars",
    Kind.GAUGE,
    "US dollars",
    "What the jobs cost that ended within the last hour.",
    _API,
    {"backend": _BACKEND, "namespace": _NAMESPACE},
)
QUEUE_JOBS = Metric(
    "qtasks_queue_jobs",
    Kind.GAUGE,
    "jobs",
    "Jobs that may start and wait for a worker (queued), or are worked on (running).",
    _API,
    {"queue": _QUEUE, "priority": _PRIORITY, "state": "queued, running"},
)
QUEUE_OLDEST = Metric(
    "qtasks_queue_oldest_seconds",
    Kind.GAUGE,
    "seconds",
    "How long the job that waits longest could have started already.",
    _API,
    {"queue": _QUEUE, "priority": _PRIORITY},
)
BUDGET_DOLLARS = Metric(
    "qtasks_budget_dollars",
    Kind.GAUGE,
    "US dollars",
    "What counts in the current period of a budget, and its limit where it has one.",
    _API,
    {"namespace": "of the budget", "budget": "its name", "state": "reserved, settled, limit"},
)
BUDGET_QUANTUM = Metric(
    "qtasks_budget_quantum_seconds",
    Kind.GAUGE,
    "seconds of quantum time",
    "What counts in the current period of a budget that limits quantum time.",
    _API,
    {"namespace": "of the budget", "budget": "its name", "state": "reserved, settled, limit"},
)
POLLING_LAG = Metric(
    "qtasks_polling_lag_seconds",
    Kind.GAUGE,
    "seconds",
    "For how long an account is due to be looked at, and nobody does.",
    _API,
    {"account": _ACCOUNT},
)
POLLING_FAILURES = Metric(
    "qtasks_polling_failures",
    Kind.GAUGE,
    "visits",
    "Visits of an account in a row that its provider did not answer.",
    _API,
    {"account": _ACCOUNT},
)
WAIT_ERROR = Metric(
    "qtasks_wait_error_seconds",
    Kind.GAUGE,
    "seconds",
    "How far estimated and real starts lay apart: the median over the last hundred jobs of an account, of one day.",
    _API,
    {"account": _ACCOUNT},
)
WAIT_BIAS = Metric(
    "qtasks_wait_bias_seconds",
    Kind.GAUGE,
    "seconds",
    "As qtasks_wait_error_seconds, with a sign: more than zero where jobs start later than they were thought to.",
    _API,
    {"account": _ACCOUNT},
)
WORKERS = Metric("qtasks_workers", Kind.GAUGE, "workers", "Workers that were heard of lately.", _API, {"queue": _QUEUE})
DATABASE_UP = Metric(
    "qtasks_database_up",
    Kind.GAUGE,
    "0 or 1",
    "Whether the database answered when these figures were wanted; where it did not, there are none.",
    _API,
)
FIGURES_SECONDS = Metric(
    "qtasks_figures_seconds", Kind.GAUGE, "seconds", "How long the database took to answer for these figures.", _API
)

# By beat.
BEAT_TICK_AGE = Metric(
    "qtasks_beat_tick_age_seconds",
    Kind.GAUGE,
    "seconds",
    "Since beat last looked at its table.",
    _BEAT,
)
BEAT_SENT = Metric(
    "qtasks_beat_sent_total",
    Kind.COUNTER,
    "messages",
    "Periodic tasks that beat published, or could not.",
    _BEAT,
    {"task": "as in Flower", "outcome": "sent, failed"},
)

ALL: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
