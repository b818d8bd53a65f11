"""The rows that set millimorph beside itself: labels along with the image, two threads."""

import os
from collections.abc import Callable
from functools import partial

from benchmarks.ours import AFFINE, ELASTIC, image_case, prepare, with_labels
from benchmarks.plan import Plan
from benchmarks.table import Gate, Row
from benchmarks.timing import best_call, race

SPATIAL = {"affine": AFFINE, "affine + B-spline": ELASTIC}


def label_rows(plan: Plan) -> list[Row]:
    """Time of float32 image and int16 labels together over that of the image alone."""
    image = image_case(plan.size)
    both = with_labels(image)
    rows = []
    for name, spatial in SPATIAL.items():
        alone, together = (prepare(case, spatial, "linear").run for case in (image, both))
        alone_s, together_s = _race(alone, together, plan)
        rows.append(
            Row(
                f"image + label / image, {name}, {plan.size}³",
                together_s / alone_s,
                "×",
                Gate("at most", 1.5),
                f"{_ns(together_s, plan):.2f} / {_ns(alone_s, plan):.2f} ns",
            )
        )
    return rows


def thread_rows(plan: Plan) -> list[Row]:
    """Time on one thread over that on two."""
    gate = Gate("at least", 1.8)
    rows = []
    for name, spatial in SPATIAL.items():
        title = f"two threads / one, {name}, {plan.size}³"
        if (os.cpu_count() or 1) < 2:
            rows.append(Row(title, None, "×", gate, "needs two processors"))
            continue
        work = prepare(image_case(plan.size), spatial, "linear")
        one_s, two_s = _race(work.run, work.run_on_two_threads, plan)
        note = f"{_ns(one_s, plan):.2f} / {_ns(two_s, plan):.2f} ns"
        rows.append(Row(title, one_s / two_s, "×", gate, note))
    return rows


def _race(
    first: Callable[[], object], second: Callable[[], object], plan: Plan
) -> tuple[float, float]:
    first()
    second()
    best = race(
        {
            "first": partial(best_call, first, plan.at_least_s),
            "second": partial(best_call, second, plan.at_least_s),
        },
        plan.rounds,
    )
    return best["first"], best["second"]


def _ns(seconds: float, plan: Plan) -> float:
    return seconds * 1e9 / plan.size**3
