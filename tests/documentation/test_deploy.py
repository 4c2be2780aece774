"""The files for deployment and monitoring are valid and agree with the service."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import promql_parser as promql
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from gistapi.events import (
    CacheFailed,
    CacheRead,
    CacheStatus,
    ContentRead,
    CountingFailed,
    Event,
    FileScanned,
    GithubBudgetSeen,
    GithubLimited,
    GithubRequestEnded,
    HostState,
    NotSearched,
    SearchEnded,
    WorkerKilled,
)
from gistapi.settings import Settings, variable
from gistapi.web import Operation, Parts, create_web
from tests.serving import ROOT
from tests.web.searches import SEARCH, Searches

DEPLOY = ROOT / "deploy"
MANIFESTS = sorted(
    path for path in (DEPLOY / "kubernetes").glob("*.yaml") if path.name != "kustomization.yaml"
)
SCRAPED = {"job": {"gistapi"}, "instance": {"gistapi:9876"}}
"""Labels that Prometheus adds to every series."""
# Variables of Grafana, and values for them.
PLACED = {"$__rate_interval": "5m", "$instance": ".*"}


def objects() -> Iterator[dict[str, Any]]:
    """Every Kubernetes object."""
    for path in MANIFESTS:
        yield from yaml.safe_load_all(path.read_text("utf-8"))


def alerts() -> dict[str, str]:
    """Each alert's query."""
    groups = yaml.safe_load((DEPLOY / "monitoring/alerts.yaml").read_text("utf-8"))["groups"]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana imports it."""
    loaded: dict[str, Any] = json.loads((DEPLOY / "monitoring/dashboard.json").read_text("utf-8"))
    return loaded


def panels() -> dict[str, list[str]]:
    """The queries of each panel."""
    return {
        panel["title"]: [_placed(target["expr"]) for target in panel["targets"]]
        for panel in dashboard()["panels"]
        if panel["type"] != "row"
    }


def _placed(query: str) -> str:
    for name, value in PLACED.items():
        query = query.replace(name, value)
    return query


QUERIES = {
    **alerts(),
    **{title: " or ".join(f"({q})" for q in qs) for title, qs in panels().items()},
}

Series = dict[str, dict[str, set[str]]]


@pytest.fixture(scope="module")
def exposed() -> Series:
    """Return what /metrics exposes after every kind of event: metric -> label -> values."""
    operation = Operation()
    client = create_web(Searches([RuntimeError()]), operation).test_client()
    client.post(SEARCH, json={"username": "octocat", "pattern": "x"}, buffered=True)
    client.get("/readyz", buffered=True)
    events: list[Event] = [
        *(GithubRequestEnded("list", "host", status, None, 1, 1) for status in (200, 401, 502)),
        GithubRequestEnded("raw", "host", None, "TransientError", 1, 1),
        GithubBudgetSeen(60, 59, 60),
        *(GithubLimited("host", kind, 1) for kind in ("primary", "secondary")),
        FileScanned("re2", 1, 1),
        WorkerKilled("died"),
        CacheRead("content", 1, 1),
        CacheFailed("write", "Full: no room"),
        CountingFailed("ConnectionError: refused"),
        NotSearched("deadline"),
        SearchEnded("success", 1, 1, 1, 1, 1),
        ContentRead("graphql", "limited"),
    ]
    host = HostState("host", "raw", 1, 1, 16, 1.0, 1.0, 1, 60, 60.0)
    cache = CacheStatus("ok", size_bytes=0)
    parts = Parts(lambda: "ready", lambda: cache, lambda: 0, 64, lambda: 0, hosts=lambda: (host,))
    operation.watch(parts)
    for event in events:
        operation.observe(event)
    found: Series = {"up": dict(SCRAPED)}
    text = client.get("/metrics", buffered=True).text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = found.setdefault(sample.name, defaultdict(set, SCRAPED))
            for name, value in sample.labels.items():
                labels[name].add(value)
    return found


def faults(query: str, series: Series) -> list[str]:
    """The metrics, labels and label values in a query that are not exposed."""
    wrong = []
    tree = promql.parse(query)
    grouped = _grouped(tree)
    for selector in _selectors(tree):
        labels = series.get(selector.name or "")
        if labels is None:
            wrong.append(f"metric {selector.name}")
            continue
        for matcher in selector.matchers.matchers:
            test = matcher.value if "Re" in str(matcher.op) else re.escape(matcher.value)
            if not any(re.fullmatch(test, value) for value in labels.get(matcher.name, ())):
                wrong.append(f"{selector.name}{{{matcher.name}={matcher.value}}}")
        wrong += [f"{selector.name} by {name}" for name in grouped if name not in labels]
    return wrong


def _children(tree: promql.Expr) -> Iterator[promql.Expr]:
    for name in ("expr", "lhs", "rhs", "vector_selector", "vs"):
        if isinstance(child := getattr(tree, name, None), promql.Expr):
            yield child
    args = getattr(tree, "args", None) or []
    yield from args if isinstance(args, list) else args.args


def _selectors(tree: promql.Expr) -> Iterator[promql.VectorSelector]:
    if isinstance(tree, promql.VectorSelector):
        yield tree
    for child in _children(tree):
        yield from _selectors(child)


def _grouped(tree: promql.Expr) -> set[str]:
    found = set()
    modifier = getattr(tree, "modifier", None)
    if isinstance(tree, promql.AggregateExpr) and modifier is not None:
        found |= set(modifier.labels)
    for child in _children(tree):
        found |= _grouped(child)
    return found


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_uses_exposed_metrics(exposed: Series, name: str) -> None:
    """Its metrics, labels and label values are those of /metrics."""
    assert list(_selectors(promql.parse(QUERIES[name])))
    assert faults(QUERIES[name], exposed) == []


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("rate(gistapi_searches[5m])", "metric gistapi_searches"),
        ('gistapi_searches_total{kind="x"}', "gistapi_searches_total{kind=x}"),
        ('gistapi_searches_total{outcome="won"}', "gistapi_searches_total{outcome=won}"),
        ('1 + up{job=~"git.*"}', "up{job=git.*}"),
        ("sum by (user) (rate(gistapi_searches_total[5m]))", "gistapi_searches_total by user"),
        ("histogram_quantile(0.9, sum(nothing))", "metric nothing"),
        ("(nothing or up)", "metric nothing"),
    ],
)
def test_a_query_for_an_unknown_metric_is_found(exposed: Series, query: str, fault: str) -> None:
    """The rule above finds what it forbids."""
    assert faults(query, exposed) == [fault]


def test_every_metric_is_monitored(exposed: Series) -> None:
    """Each of our metrics is in a panel or an alert."""
    ours = {re.sub(r"_(bucket|count|sum)$", "", name) for name in exposed}
    asked = {
        re.sub(r"_bucket$", "", selector.name or "")
        for query in QUERIES.values()
        for selector in _selectors(promql.parse(query))
    }
    unwatched = {name for name in ours if re.match("gistapi_(?!.*_created$)", name)} - asked
    assert unwatched <= {"gistapi_http_requests_in_progress", "gistapi_matching_workers"}


def test_the_tables_of_metrics_and_alerts_are_complete(exposed: Series) -> None:
    """docs/deploy.md lists each metric and alert, and no other."""
    page = (ROOT / "docs/deploy.md").read_text("utf-8")
    ours = {re.sub(r"_(bucket|count|sum)$", "", name) for name in exposed}
    ours = {name for name in ours if re.match("gistapi_(?!.*_created$)", name)}
    assert set(re.findall(r"`(gistapi_[a-z0-9_]+)`", page)) == ours
    assert set(re.findall(r"`(G(?:istapi|ithub)[A-Z]\w+)`", page)) == set(alerts())


def test_the_panels_do_not_overlap() -> None:
    """Each panel has its own number."""
    shown = dashboard()["panels"]
    assert len({panel["id"] for panel in shown}) == len(shown) > 20
    taken: set[tuple[int, int]] = set()
    for panel in shown:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


@pytest.mark.parametrize("version", ["1.30", "1.34"])
def test_the_manifests_are_valid(version: str) -> None:
    """Validation is strict: a field unknown to the schema is an error."""
    kinds = []
    for manifest in objects():
        kubernetes_validate.validate(manifest, version, strict=True)
        kinds.append(manifest["kind"])
    assert sorted(kinds) == [
        "Deployment",
        "Deployment",
        "PodDisruptionBudget",
        "Service",
        "Service",
    ]
    kustomization = yaml.safe_load((DEPLOY / "kubernetes/kustomization.yaml").read_text("utf-8"))
    assert sorted(kustomization["resources"]) == [path.name for path in MANIFESTS]


def test_pods_have_no_rights() -> None:
    """They are not root, and have no capability, writable root or cluster token."""
    pods = [manifest for manifest in objects() if manifest["kind"] == "Deployment"]
    assert len(pods) == 2
    for pod in (manifest["spec"]["template"]["spec"] for manifest in pods):
        assert pod["enableServiceLinks"] is pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert "memory" in container["resources"]["limits"]


def test_selectors_match_their_pods() -> None:
    """Services and the disruption budget use labels and port names of a Deployment."""
    found = {
        tuple(manifest["spec"]["template"]["metadata"]["labels"].items()): manifest
        for manifest in objects()
        if manifest["kind"] == "Deployment"
    }
    for manifest in objects():
        selector = manifest["spec"]["selector"]
        pod = found[tuple(selector.get("matchLabels", selector).items())]
        (container,) = pod["spec"]["template"]["spec"]["containers"]
        names = {port["name"] for port in container["ports"]}
        assert {port["targetPort"] for port in manifest["spec"].get("ports", [])} <= names


def test_probes_and_variables_exist() -> None:
    """Probes use routes, variables are settings, and the user is the image's."""
    (deployment,) = (
        m for m in objects() if m["metadata"]["name"] == "gistapi" and "template" in m["spec"]
    )
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    routes = {rule.rule for rule in create_web(Searches()).url_map.iter_rules()}
    probes = ("startupProbe", "livenessProbe", "readinessProbe")
    assert {container[probe]["httpGet"]["path"] for probe in probes} <= routes
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    known = {variable(field) for field in Settings.model_fields}
    given = {entry["name"] for entry in container["env"]}
    given |= set(compose["services"]["gistapi"]["environment"])
    assert given <= known
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    user = pod["securityContext"]
    assert f"USER {user['runAsUser']}:{user['runAsGroup']}\n" in dockerfile


def test_grace_periods_exceed_the_shutdown() -> None:
    """Compose and Kubernetes wait longer than the service takes to end."""
    from gistapi.cli.server import EXIT_SECONDS, GRACE_SECONDS, LINGER_SECONDS  # noqa: PLC0415

    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    pod = next(objects())["spec"]["template"]["spec"]
    grace = int(compose["services"]["gistapi"]["stop_grace_period"].removesuffix("s"))
    ends = GRACE_SECONDS + LINGER_SECONDS + EXIT_SECONDS
    assert ends < grace
    sleep = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert sleep + ends < pod["terminationGracePeriodSeconds"]


def test_the_services_resources_fit_composes_limits() -> None:
    """The tables of docs/deploy.md have the code's numbers, whose sums fit."""
    from gistapi.app import THREADS  # noqa: PLC0415
    from gistapi.cli.server import (  # noqa: PLC0415
        MAX_CONNECTIONS,
        MIN_CONNECTIONS,
        OTHER_DESCRIPTORS,
    )

    page = (ROOT / "docs/deploy.md").read_text("utf-8")
    sums = {}
    for heading in ("threads and processes", "descriptors"):
        rows = page.partition(f"| {heading} | at most | |\n")[2].partition("\n\n")[0].splitlines()
        found = {row.split(" | ")[0].strip("| "): row.split(" | ")[1] for row in rows[1:]}
        sums[heading] = {name: int(value.replace(",", "")) for name, value in found.items()}
    threads, descriptors = sums["threads and processes"], sums["descriptors"]
    assert threads["threads that run requests"] == THREADS
    assert descriptors["clients' connections"] == MAX_CONNECTIONS
    assert sum(descriptors.values()) == MAX_CONNECTIONS + OTHER_DESCRIPTORS
    assert f"fewer than {MIN_CONNECTIONS + OTHER_DESCRIPTORS}" in page
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    service = compose["services"]["gistapi"]
    assert sum(threads.values()) < service["deploy"]["resources"]["limits"]["pids"]
    assert sum(descriptors.values()) < service["ulimits"]["nofile"]


def test_the_manifests_set_rate_limits() -> None:
    """A service exposed by them limits its callers."""
    limits = {
        "GISTAPI_RATE_LIMIT",
        "GISTAPI_DAILY_LIMIT",
        "GISTAPI_CALLER_SEARCHES",
        "GISTAPI_CALLER_GITHUB_REQUESTS",
        "GISTAPI_CALLER_GITHUB_BYTES",
    }
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    written = compose["services"]["gistapi"]["environment"]
    defaults = {name: re.sub(r"\$\{\w+-(.*)\}", r"\1", str(written[name])) for name in limits}
    (deployment,) = (
        m for m in objects() if m["metadata"]["name"] == "gistapi" and "template" in m["spec"]
    )
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    set_there = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert {name: set_there.get(name) for name in limits} == defaults
    assert all(defaults.values())
