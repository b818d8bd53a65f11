"""How large and how often each row is measured."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Sizes are edge lengths of a cubic image; the gates belong to the sizes of FULL."""

    label: str
    size: int
    small_size: int
    cubic_size: int
    slow_filter_size: int
    rounds: int
    slow_rounds: int
    at_least_s: float
    peers: tuple[str, ...]
    process_runs: int
    fresh_compile: bool


FULL = Plan(
    label="full",
    size=256,
    small_size=128,
    cubic_size=192,
    slow_filter_size=48,
    rounds=4,
    slow_rounds=2,
    at_least_s=0.2,
    peers=("torch", "torchio", "monai", "batchgeneratorsv2"),
    process_runs=5,
    fresh_compile=True,
)
QUICK = Plan(
    label="quick: smaller sizes, fewer peers; the gates belong to the full run",
    size=128,
    small_size=96,
    cubic_size=96,
    slow_filter_size=32,
    rounds=3,
    slow_rounds=1,
    at_least_s=0.1,
    peers=("torch",),
    process_runs=2,
    fresh_compile=False,
)
SMOKE = Plan(
    label="smoke: shows that every row runs; the figures mean nothing",
    size=32,
    small_size=32,
    cubic_size=32,
    slow_filter_size=16,
    rounds=1,
    slow_rounds=1,
    at_least_s=0.0001,
    peers=FULL.peers,
    process_runs=1,
    fresh_compile=False,
)
