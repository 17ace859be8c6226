"""What a resource may say: defaults, ranges, what belongs together, and how wrong input is refused."""

import pytest

from qtasks.errors import InvalidInput
from qtasks.resources import (
    PRESETS,
    BackendSelection,
    BackendType,
    Circuit,
    Execution,
    JobBackend,
    JobSpec,
    Metadata,
    Preset,
    Priority,
    QiskitBackend,
    QiskitJob,
    Quantity,
    dump,
    parse,
)

INLINE = {"source": "inline", "code": "qc = 1"}


def job(metadata=None, **spec) -> dict:
    return {
        "apiVersion": "quantum.io/v1",
        "kind": "QiskitJob",
        "metadata": metadata or {},
        "spec": {"circuit": INLINE} | spec,
    }


def document(kind, **spec) -> dict:
    return {"apiVersion": "quantum.io/v1", "kind": kind, "metadata": {"name": "it"}, "spec": spec}


def problems(given: dict) -> list[dict]:
    with pytest.raises(InvalidInput) as refused:
        parse(given)
    assert refused.value.reason == "InvalidResource"
    return refused.value.details["problems"]


def lines(given: dict) -> list[str]:
    return [f"{problem['path']}: {problem['message']}" for problem in problems(given)]


def test_a_minimal_job_has_the_documented_defaults():
    spec = parse(job()).spec
    assert spec.backend.type is BackendType.LOCAL_SIMULATOR
    assert (spec.execution.shots, spec.execution.optimization_level) == (1024, 1)
    assert spec.execution.priority is Priority.NORMAL
    assert (spec.execution.method, spec.execution.reuse, spec.program) == ("automatic", "never", "sampler")
    assert spec.retry_policy.max_retries == 3
    backoff = spec.retry_policy.backoff
    assert (backoff.initial.seconds, backoff.maximum.seconds, backoff.multiplier) == (30, 300, 2)
    assert (spec.timeouts.validation.seconds, spec.timeouts.execution, spec.timeouts.total) == (60, None, None)
    assert (spec.output, spec.budget, spec.session, spec.debug) == (None, None, None, False)
    assert parse(job()).metadata == Metadata(name=None, namespace="default")


def test_a_job_made_in_python_is_the_one_that_is_read():
    made = QiskitJob(
        metadata=Metadata(name="bell"),
        spec=JobSpec(
            backend=JobBackend(type="local_simulator"),
            circuit=Circuit(source="inline", code="qc = 1"),
            execution=Execution(shots=100, seed_simulator=7, memory_limit="8Gi", max_execution_time=60),
        ),
    )
    execution = {"shots": 100, "seedSimulator": 7, "memoryLimit": "8Gi", "maxExecutionTime": 60}
    read = parse(job({"name": "bell"}, backend={"type": "local_simulator"}, execution=execution))
    assert made == read
    assert dump(made) == dump(read)
    assert list(dump(made)) == ["apiVersion", "kind", "metadata", "spec"]


def test_a_constructor_refuses_as_a_document_is_refused():
    with pytest.raises(InvalidInput, match=r"^shots: 0 is not allowed: 1 to 100000$"):
        Execution(shots=0)
    with pytest.raises(InvalidInput, match=r'^spec.execution.shotz: unknown field; did you mean "shots"\?$'):
        QiskitJob(spec={"circuit": INLINE, "execution": {"shotz": 1}})


def test_a_resource_never_changes():
    made = parse(job())
    with pytest.raises(ValueError, match="frozen"):
        made.spec.execution.shots = 5


def test_resources_do_not_share_their_labels():
    parse(job()).metadata.labels["a"] = "b"
    assert parse(job()).metadata.labels == {}


def test_all_fields_of_the_design_are_read():
    execution = {
        "method": "stabilizer",
        "maxExecutionTime": "5m",
        "seedTranspiler": 3,
        "parameters": {"theta": 0.5, "n": 2},
        "reuse": "identical",
    }
    given = job(
        execution=execution,
        backend={"type": "ibm_quantum", "account": "lab-open"},
        circuit={"source": "url", "url": "https://example.com/c.qasm", "sha256": "0" * 64, "format": "qasm3"},
        ttlAfterFinished="7d",
        program="sampler",
        backendSelection={"preset": "cost-optimized"},
        output={"location": "s3://b/{namespace}/{job_id}", "type": "s3", "credentials": {"secretRef": {"name": "s3"}}},
    )
    assert dump(parse(given)) == given
    assert parse(given).spec.backend_selection.effective_weights == PRESETS[Preset.COST_OPTIMIZED]


def test_a_registered_backend_says_what_it_can_do():
    capabilities = {
        "numQubits": 3,
        "basisGates": ["cz", "sx", "rz"],
        "couplingMap": [[0, 1], [1, 2]],
        "maxShots": 100000,
        "simulator": False,
        "dynamicCircuits": True,
        "meanError": 0.01,
    }
    given = document("QiskitBackend", type="ibm_quantum", name="ibm_brisbane", capabilities=capabilities)
    backend = parse(given)
    assert isinstance(backend, QiskitBackend)
    assert backend.spec.capabilities.coupling_map == ((0, 1), (1, 2))
    assert dump(backend) == given


@pytest.mark.parametrize("pair", [[0, 3], [1, 1]])
def test_a_coupling_is_between_two_of_the_devices_qubits(pair):
    given = document("QiskitBackend", type="ibm_quantum", capabilities={"numQubits": 3, "couplingMap": [pair]})
    assert lines(given) == [f"spec.capabilities.couplingMap: {pair} is not a pair of two of the device's qubits"]


def test_without_weights_the_selection_is_balanced():
    assert BackendSelection().effective_weights == PRESETS[Preset.BALANCED]
    assert BackendSelection(weights={"cost": 1}).effective_weights.queue_time == 0


@pytest.mark.parametrize(
    ("execution", "line"),
    [
        ({"shots": 0}, "shots: 0 is not allowed: 1 to 100000"),
        ({"shots": 100_001}, "shots: 100001 is not allowed: 1 to 100000"),
        ({"shots": "5"}, 'shots: "5" is not allowed: 1 to 100000'),
        ({"shots": True}, "shots: true is not allowed: 1 to 100000"),
        ({"shots": 1.5}, "shots: 1.5 is not allowed: 1 to 100000"),
        ({"shots": 10**4500}, "shots: a number out of range is not allowed: 1 to 100000"),
        ({"shotz": 5}, 'shotz: unknown field; did you mean "shots"?'),
        ({"optimization_level": 1}, 'optimization_level: unknown field; did you mean "optimizationLevel"?'),
        ({"location": "x"}, 'location: unknown field; did you mean "spec.output.location"?'),
        ({"zzz": "x"}, "zzz: unknown field"),
        ({"optimizationLevel": 4}, "optimizationLevel: 4 is not allowed: 0 to 3"),
        (
            {"priority": "hgih"},
            'priority: "hgih" is not allowed: low, normal, high, urgent; did you mean "high"?',
        ),
        ({"priority": "HIGH"}, 'priority: "HIGH" is not allowed: low, normal, high, urgent; did you mean "high"?'),
        ({"seedSimulator": -1}, "seedSimulator: -1 is not allowed: 0 to 9223372036854775807"),
        ({"initialLayout": [1, 1]}, "initialLayout: [1, 1] is not allowed: distinct physical qubits, at least one"),
        ({"initialLayout": [0, -1]}, "initialLayout[1]: -1 is not allowed: 0 or more"),
        ({"initialLayout": 3}, "initialLayout: 3 is not allowed: a list"),
        ({"memoryLimit": "0Gi"}, 'memoryLimit: "0Gi" is not allowed: more than zero'),
        ({"maxExecutionTime": 0}, "maxExecutionTime: 0 is not allowed: more than zero"),
        ({"parameters": {"a": "x"}}, 'parameters.a: "x" is not allowed: a number'),
        ({"parameters": {"a": float("nan")}}, "parameters.a: a number out of range is not allowed: a finite number"),
    ],
)
def test_wrong_execution_is_refused(execution, line):
    assert lines(job(execution=execution)) == [f"spec.execution.{line}"]


@pytest.mark.parametrize(
    ("circuit", "line"),
    [
        ({"source": "inline"}, "code: required by source inline"),
        (
            {"source": "inline", "code": " \n"},
            'code: " \\n" is not allowed: a circuit as text, at most 16 Mi characters',
        ),
        ({"source": "configmap"}, "configMapRef: required by source configmap"),
        ({"source": "git"}, "gitRef: required by source git"),
        ({"source": "url"}, "url: required by source url"),
        ({**INLINE, "url": "https://a.b/c"}, "url: belongs to source url, not to source inline"),
        (
            {**INLINE, "configMapRef": {"name": "a", "key": "b"}},
            "configMapRef: belongs to source configmap, not to source inline",
        ),
        ({**INLINE, "sha256": "0" * 64}, "sha256: belongs to source url, not to source inline"),
        ({"source": "configmap", "configMapRef": {"name": "a"}}, "configMapRef.key: required"),
        (
            {"source": "git", "gitRef": {"repository": "https://a.b/c", "path": "x/../../y"}},
            "gitRef.path: must stay inside of the repository",
        ),
        ({"source": "gti"}, 'source: "gti" is not allowed: inline, configmap, git, url; did you mean "git"?'),
    ],
)
def test_a_circuit_has_the_field_of_its_source_and_no_other(circuit, line):
    assert lines(job(circuit=circuit)) == [f"spec.circuit.{line}"]


@pytest.mark.parametrize("repository", ["https://github.com/a/b", "ssh://git@a.b/c.git", "git@github.com:a/b.git"])
def test_a_repository_is_reached_over_https_or_ssh(repository):
    circuit = {"source": "git", "gitRef": {"repository": repository, "path": "a.py", "commit": "abc1234"}}
    assert dump(parse(job(circuit=circuit)))["spec"]["circuit"] == circuit


@pytest.mark.parametrize(
    "repository",
    [
        "file:///etc",
        "ext::sh -c id",
        "--upload-pack=x",
        "http://a.b/c",
        "https://u:hunter2@a.b/c",
        "ssh://-oProxy/x",
        "a@b:-x",
    ],
)
def test_any_other_repository_is_refused_and_no_password_repeated(repository):
    [problem] = problems(job(circuit={"source": "git", "gitRef": {"repository": repository, "path": "a.py"}}))
    assert problem["path"] == "spec.circuit.gitRef.repository"
    assert "hunter2" not in str(problem)


@pytest.mark.parametrize(
    ("spec", "line"),
    [
        (
            {"backend": {"type": "ibm"}},
            'backend.type: "ibm" is not allowed: local_simulator, ibm_simulator, ibm_quantum, aws_braket',
        ),
        (
            {"backendSelection": {"weights": {"cost": -1}}},
            "backendSelection.weights.cost: -1 is not allowed: 0 or more",
        ),
        (
            {"backendSelection": {"weights": {"cost": 0}}},
            "backendSelection.weights: at least one weight must be more than zero",
        ),
        (
            {"backendSelection": {"preset": "balanced", "weights": {"cost": 1}}},
            "backendSelection.preset: give either preset or weights, not both",
        ),
        ({"budget": {"maxCost": "-$1"}}, 'budget.maxCost: "-$1" is not allowed: not less than zero'),
        ({"budget": {"alertThreshold": 80}}, "budget.alertThreshold: 80 is not allowed: 0 to 1"),
        ({"session": {}}, "session.name: required"),
        ({"session": {"name": "a", "mode": "fast"}}, 'session.mode: "fast" is not allowed: dedicated, batch'),
        ({"retryPolicy": {"maxRetries": -1}}, "retryPolicy.maxRetries: -1 is not allowed: 0 to 100"),
        (
            {"retryPolicy": {"backoff": {"multiplier": 0.5}}},
            "retryPolicy.backoff.multiplier: 0.5 is not allowed: 1 or more",
        ),
        (
            {"retryPolicy": {"backoff": {"initial": "10m"}}},
            "retryPolicy.backoff.initial: 10m is more than backoff.maximum, 300s",
        ),
        (
            {"resources": {"requests": {"ephemeral-storage": "2Gi"}, "limits": {"ephemeral-storage": "1Gi"}}},
            "resources.requests.ephemeral-storage: 2Gi is more than the limit, 1Gi",
        ),
        (
            {"output": {"type": "s3", "location": "x"}},
            "output.location: must be an address of the form s3://bucket/prefix for type s3",
        ),
        ({"output": {"location": "My_Map"}}, "output.location: must be the name of a ConfigMap for type configmap"),
        ({"output": {"location": "a", "path": "/b"}}, "output.path: belongs to type pvc, not to type configmap"),
        (
            {"output": {"type": "pvc", "location": "a", "path": "/b/../c"}},
            "output.path: must stay inside of the volume",
        ),
        (
            {"securityContext": {"runAsNonRoot": True, "runAsUser": 0}},
            "securityContext.runAsUser: 0 is root, which runAsNonRoot refuses",
        ),
        ({"debug": "yes"}, 'debug: "yes" is not allowed: true or false'),
        ({"session": []}, "session: [] is not allowed: a mapping"),
    ],
)
def test_a_wrong_spec_is_refused(spec, line):
    assert lines(job(**spec)) == [f"spec.{line}"]


@pytest.mark.parametrize(
    ("metadata", "path"),
    [
        ({"name": "My-Job"}, "name"),
        ({"name": "a" * 254}, "name"),
        ({"name": "a\n"}, "name"),
        ({"namespace": "a.b"}, "namespace"),
        ({"namespace": "a" * 64}, "namespace"),
        ({"labels": {"a b": "c"}}, "labels.a b"),
        ({"labels": {"a": "b c"}}, "labels.a"),
        ({"labels": {"version": 1}}, "labels.version"),
        ({"annotations": {"count": 1}}, "annotations.count"),
    ],
)
def test_names_and_labels_follow_kubernetes(metadata, path):
    assert [problem["path"] for problem in problems(job(metadata))] == [f"metadata.{path}"]


@pytest.mark.parametrize("threshold", [-1, 101])
def test_alert_thresholds_are_percentages(threshold):
    given = document("QiskitBudget", limit="$5", period="weekly", alertThresholds=[50, threshold])
    assert lines(given) == [f"spec.alertThresholds[1]: {threshold} is not allowed: 0 to 100"]


def test_quantities_compare_in_equal_jobs():
    one, other = (parse(job(execution={"memoryLimit": limit})) for limit in ("1Gi", "1024Mi"))
    assert one == other
    assert other.spec.execution.memory_limit == Quantity("1Gi")
