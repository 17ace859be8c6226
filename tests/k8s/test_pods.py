"""How every pod is confined, stopped and looked after."""

from __future__ import annotations

import pytest

from qtasks.resources import Quantity
from qtasks.settings import Settings
from tests.k8s.objects import (
    OVERLAYS,
    Object,
    component,
    containers,
    environment,
    main,
    of_kind,
    overlay,
    own,
    pod,
    sandbox,
    workloads,
)

_EACH = [(name, each) for name in OVERLAYS for each in workloads(name)]
_OWN = [(name, each) for name in OVERLAYS for each in own(name).values()]


def _named(cases: list[tuple[str, Object]]) -> list[object]:
    return [pytest.param(each, id=f"{name}/{each['metadata']['name']}") for name, each in cases]


every_pod = pytest.mark.parametrize("workload", _named(_EACH))
every_own = pytest.mark.parametrize("workload", _named(_OWN))


@every_pod
def test_a_pod_meets_the_restricted_standard_with_a_read_only_root(workload: Object) -> None:
    security = pod(workload)["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] > 0
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    for forbidden in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"):
        assert forbidden not in pod(workload)
    for volume in pod(workload)["volumes"]:
        assert len(volume) == 2
        assert {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"} & set(volume)
    for container in containers(workload):
        own_security = container["securityContext"]
        assert own_security["allowPrivilegeEscalation"] is False
        assert own_security["readOnlyRootFilesystem"] is True
        assert own_security["capabilities"] == {"drop": ["ALL"]}
        assert own_security.get("runAsUser", 1) > 0
        assert "hostPort" not in str(container.get("ports", ""))


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_namespace_is_held_to_the_restricted_standard(name: str) -> None:
    [namespace] = of_kind(overlay(name), "Namespace")
    labels = namespace["metadata"]["labels"]
    assert all(labels[f"pod-security.kubernetes.io/{what}"] == "restricted" for what in ("enforce", "audit", "warn"))


@every_own
def test_qtasks_runs_as_the_user_of_its_images(workload: Object) -> None:
    security = pod(workload)["securityContext"]
    assert (security["runAsUser"], security["runAsGroup"], security["fsGroup"]) == (10001, 10001, 10001)


@every_pod
def test_no_variable_of_a_service_is_taken_for_a_setting(workload: Object) -> None:
    assert pod(workload)["enableServiceLinks"] is False


def test_a_variable_of_a_service_would_be_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QTASKS_API_PORT", "tcp://10.96.4.7:80")
    with pytest.raises(ValueError, match="api_port"):
        Settings()


@every_pod
def test_every_container_says_what_it_takes(workload: Object) -> None:
    for container in containers(workload):
        wanted, most = container["resources"]["requests"], container["resources"]["limits"]
        assert {"cpu", "memory"} <= set(wanted)
        assert {"cpu", "memory"} <= set(most)
        assert all(Quantity(wanted[what]).bytes <= Quantity(most[what]).bytes for what in ("memory",))


@every_pod
def test_only_the_four_that_speak_to_the_cluster_have_a_token_and_only_their_own_container(workload: Object) -> None:
    assert pod(workload)["automountServiceAccountToken"] is False
    tokens = {
        volume["name"]
        for volume in pod(workload)["volumes"]
        if any("serviceAccountToken" in source for source in volume.get("projected", {}).get("sources", ()))
    }
    assert bool(tokens) == (component(workload) in ("operator", "fetch", "provider", "polling"))
    holders = {
        container["name"]
        for container in containers(workload)
        if tokens & {mount["name"] for mount in container.get("volumeMounts", ())}
    }
    assert holders == ({"qtasks"} if tokens else set())


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_sandbox_stands_beside_every_worker_of_validation_and_shares_a_socket_alone(name: str) -> None:
    found = {what: workload for what, workload in own(name).items() if sandbox(workload)}
    assert set(found) == {"validation", "fetch"}
    for workload in found.values():
        beside = sandbox(workload)
        assert beside is not None
        assert beside["restartPolicy"] == "Always"
        assert (beside["securityContext"]["runAsUser"], beside["securityContext"]["runAsGroup"]) == (10002, 10002)
        assert [mount["name"] for mount in beside["volumeMounts"]] == ["sandbox"]
        assert "env" not in beside
        [volume] = [volume for volume in pod(workload)["volumes"] if volume["name"] == "sandbox"]
        assert "emptyDir" in volume
        socket = environment(main(workload))["QTASKS_SANDBOX_SOCKET"]
        assert beside["command"][-2:] == ["--socket", socket]
        assert any(socket.startswith(f"{mount['mountPath']}/") for mount in beside["volumeMounts"])


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_sandbox_has_room_for_all_sources_that_may_be_read_at_a_time(name: str) -> None:
    from qtasks.circuits.sandbox import client

    for what in ("validation", "fetch"):
        workload = own(name)[what]
        beside, args = sandbox(workload), main(workload)["args"]
        assert beside is not None
        processes = int(args[args.index("--concurrency") + 1])
        source = Quantity(environment(main(workload))["QTASKS_SANDBOX_MEMORY"]).bytes
        limit = Quantity(beside["resources"]["limits"]["memory"]).bytes
        assert limit >= 120 * 2**20 + processes * client._AT_ONCE * source


@every_own
def test_a_pod_is_given_the_time_that_its_work_is_given(workload: Object) -> None:
    stop = float(environment(main(workload)).get("QTASKS_STOP_SECONDS", Settings().stop_seconds))
    drain = main(workload).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    assert pod(workload)["terminationGracePeriodSeconds"] >= stop + drain + 20


@pytest.mark.system
def test_the_api_has_time_to_answer_what_it_was_asked() -> None:
    from qtasks.api import server

    for name in OVERLAYS:
        workload = own(name)["api"]
        drain = main(workload)["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert pod(workload)["terminationGracePeriodSeconds"] >= drain + server._GRACE_SECONDS + 20


@pytest.mark.parametrize("name", OVERLAYS)
def test_all_hold_the_same_leases(name: str) -> None:
    settings = [
        Settings(
            **{
                variable.removeprefix("QTASKS_").lower(): value
                for variable, value in environment(main(workload)).items()
                if variable.startswith("QTASKS_") and not variable.endswith("_FILE")
            }
        )
        for workload in own(name).values()
    ]
    assert len({(each.lease_seconds, each.heartbeat_seconds) for each in settings}) == 1
    assert settings[0].lease_seconds >= 3 * settings[0].heartbeat_seconds


@pytest.mark.parametrize("name", OVERLAYS)
def test_what_simulates_for_minutes_is_given_more_time_than_what_is_over_at_once(name: str) -> None:
    given = {what: pod(workload)["terminationGracePeriodSeconds"] for what, workload in own(name).items()}
    for what in ("execution-medium", "execution-large", "execution-huge"):
        if what in given:
            assert given[what] >= 3600
            annotations = own(name)[what]["spec"]["template"]["metadata"]["annotations"]
            assert annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "false"


@every_own
def test_every_server_is_looked_after_by_its_progress(workload: Object) -> None:
    if workload["kind"] == "Job":
        return
    container = main(workload)
    [port] = container["ports"]
    assert port["containerPort"] == {"api": 8000, "flower": 5555}.get(component(workload), 9464)
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] == port["name"]
    if port["containerPort"] == 9464:
        assert environment(container)["QTASKS_METRICS_PORT"] == "9464"
        assert environment(container)["QTASKS_METRICS_HOST"] == "0.0.0.0"
    if component(workload) != "flower":
        assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"


@every_own
def test_whoever_needs_the_database_waits_for_its_schema(workload: Object) -> None:
    waits = any(container["name"] == "schema" for container in containers(workload))
    assert waits == ("QTASKS_CONFIG" in environment(main(workload)))
    for container in containers(workload):
        if container["name"] == "schema":
            assert container["args"][:2] == ["db", "wait"]
            assert container["image"] == main(workload)["image"]


@every_own
def test_pods_are_spread_over_zones_and_nodes(workload: Object) -> None:
    if workload["kind"] == "Deployment":
        keys = [each["topologyKey"] for each in pod(workload)["topologySpreadConstraints"]]
        assert keys == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
