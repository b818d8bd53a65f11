"""Best-of timing in interleaved rounds; standard library only, for a peer's process uses it too."""

from collections.abc import Callable, Mapping
from time import perf_counter


def best_call(work: Callable[[], object], at_least_s: float) -> float:
    """Return the seconds of the fastest of as many calls as fill `at_least_s`."""
    best = float("inf")
    spent = 0.0
    while spent < at_least_s:
        start = perf_counter()
        work()
        seconds = perf_counter() - start
        best = min(best, seconds)
        spent += seconds
    return best


def race(contenders: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Return each contender's best seconds; they take turns, so all meet the same noise."""
    best = dict.fromkeys(contenders, float("inf"))
    for _ in range(rounds):
        for name, one_round in contenders.items():
            best[name] = min(best[name], one_round())
    return best
