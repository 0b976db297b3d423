"""What a node counts. With several workers the numbers of all of them are added up."""

import os

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

REQUEST_SECONDS = Histogram("rescind_request_seconds", "Time to answer a request.", ["method", "route", "status"])
FRESHNESS_SECONDS = Histogram(
    "rescind_freshness_seconds",
    "Time a request waited for the head of the log.",
    buckets=(0.00001, 0.00005, 0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5),
)
CHANGES = Counter("rescind_changes", "Changes written by this node.")
REVISION = Gauge("rescind_revision", "The newest revision that this node has seen.", multiprocess_mode="max")


def exposition() -> tuple[bytes, str]:
    """All numbers in Prometheus' text format, and its content type."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(), CONTENT_TYPE_LATEST
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry), CONTENT_TYPE_LATEST
