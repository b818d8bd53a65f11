"""Prints the table of speed and memory; run from the repository root, see benchmarks/README.md."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from time import perf_counter

from benchmarks import comparisons, generate, intensity, machine, processes, scaling
from benchmarks.comparisons import Settings
from benchmarks.peers import HOW_TO_INSTALL
from benchmarks.plan import FULL, QUICK, SMOKE, Plan
from benchmarks.table import Comparison, Row, comparison_lines, row_lines

RESAMPLING: dict[str, Callable[[Settings], list[Comparison]]] = {
    "affine, linear": comparisons.affine_linear,
    "affine + B-spline": comparisons.elastic_linear,
    "affine + B-spline, small": comparisons.elastic_linear_small,
    "nearest": comparisons.affine_nearest,
    "cubic": comparisons.affine_cubic,
}
RESAMPLING_ROWS: dict[str, Callable[[Plan], list[Row]]] = {
    "image and label together": scaling.label_rows,
    "two threads": scaling.thread_rows,
    "memory": processes.memory_rows,
    "start-up": processes.start_up_rows,
    "first augment": processes.first_augment_rows,
}
INTENSITY: dict[str, Callable[[Settings], list[Comparison]]] = {
    "whole pipelines": intensity.whole_pipelines,
    "nnU-Net": intensity.nnunet,
    "blur": intensity.blur,
    "median": intensity.median,
    "motion": intensity.motion,
    "adaptive equalisation": intensity.adaptive_equalization,
    "bilateral": intensity.bilateral,
}
INTENSITY_ROWS: dict[str, Callable[[Plan], list[Row]]] = {"fused": intensity.fused_rows}
GENERATE: dict[str, Callable[[Settings], list[Comparison]]] = {"loops": generate.loops}
GENERATE_ROWS: dict[str, Callable[[Plan], list[Row]]] = {
    "where the time goes": generate.share_rows,
    "two workers": generate.worker_rows,
}
PARTS = {
    "resampling": (RESAMPLING, RESAMPLING_ROWS),
    "intensity": (INTENSITY, INTENSITY_ROWS),
    "generate": (GENERATE, GENERATE_ROWS),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure everything, print the tables and write the JSON that was asked for."""
    parser = _parser()
    options = parser.parse_args(arguments)
    plan: Plan = options.plan
    if options.peers_python is not None and not options.peers_python.is_file():
        parser.error(f"--peers-python: there is no interpreter {options.peers_python}")
    start = perf_counter()
    described = machine.described()
    print(f"millimorph benchmarks ({plan.label}); one thread, best of interleaved rounds")
    print("; ".join(f"{name} {value}" for name, value in described.items()), end="\n\n")

    compared = []
    comparing, measuring = PARTS[options.part]
    for name, compare in comparing.items():
        _say(name)
        compared += compare(Settings(plan, options.peers_python))
    print("\n".join(comparison_lines(compared)), end="\n\n")
    measured = []
    for name, measure in measuring.items():
        _say(name)
        measured += measure(plan)
    print("\n".join(row_lines(measured)), end="\n\n")
    if any(comparison.row.note == "not installed" for comparison in compared):
        print(HOW_TO_INSTALL)
    seconds = perf_counter() - start
    print(f"took {seconds:.0f} s")

    if options.json is not None:
        report = {
            "plan": asdict(plan),
            "machine": described,
            "seconds": seconds,
            "comparisons": [_with_verdict(asdict(line), line.row) for line in compared],
            "rows": [_with_verdict(asdict(row), row) for row in measured],
        }
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.set_defaults(plan=FULL)
    parser.add_argument("part", nargs="?", choices=tuple(PARTS), default="resampling")
    for option, plan in (("--quick", QUICK), ("--smoke", SMOKE)):
        parser.add_argument(option, dest="plan", action="store_const", const=plan, help=plan.label)
    parser.add_argument(
        "--peers-python",
        # A virtual environment's interpreter is a link that must not be followed.
        type=lambda path: Path(path).absolute(),
        metavar="PATH",
        default=os.environ.get("MILLIMORPH_PEERS_PYTHON"),
        help="interpreter that has the peers (or MILLIMORPH_PEERS_PYTHON); " + HOW_TO_INSTALL,
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser


def _say(name: str) -> None:
    print(f"measuring: {name} …", file=sys.stderr, flush=True)


def _with_verdict(fields: dict[str, object], row: Row) -> dict[str, object]:
    return {**fields, "verdict": row.verdict}


if __name__ == "__main__":
    sys.exit(main())
