"""Samples made by a crew: whose fault a dead worker is, and what is tried again.

The sample that a worker was making when it died, or the case that it was reading, is tried once
more when all else is done, with no other worker beside it: memory that was short then is not now.
What kills a worker twice is left out. Hanging is no accident: what took too long is left out at
once.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from millimorph.generate.child import Work
from millimorph.generate.manifest import Failure
from millimorph.generate.pool import Crew, Died
from millimorph.generate.work import Outcome, Task

_ALONE = 1


@dataclass(frozen=True)
class Settled:
    """An outcome, and how many samples of its task it settles: those that a failed case lacks."""

    outcome: Outcome
    samples: int


def supervised(
    crew: Crew, work: Work, tasks: Sequence[Task], most: int | None = None
) -> Iterator[Settled]:
    """Make the samples of tasks, which `work` is for; at most `most` workers take part.

    Raises OutputError when a file cannot be written.
    """
    queue = _Queue(deque(tasks))
    yield from _round(crew, work, queue, most)
    while queue.again:
        queue.alone = True
        queue.waiting.append(queue.again.popleft())
        yield from _round(crew, work, queue, _ALONE)


@dataclass
class _Queue:
    """What waits, what waits for its second try, and what a worker died of once."""

    waiting: deque[Task]
    again: deque[Task] = field(default_factory=deque)
    once: set[tuple[str, int | None]] = field(default_factory=set)
    alone: bool = False

    @staticmethod
    def take_out(case: str, tasks: deque[Task]) -> list[Task]:
        """Remove all tasks of a case."""
        taken = [task for task in tasks if task.case.id == case]
        kept = [task for task in tasks if task.case.id != case]
        tasks.clear()
        tasks.extend(kept)
        return taken


def _round(crew: Crew, work: Work, queue: _Queue, most: int | None) -> Iterator[Settled]:
    """Work until nothing waits."""
    following: dict[tuple[str, int], int] = {}
    for task, event in crew.run(work, queue.waiting, most):
        key = (task.case.id, task.start)
        if isinstance(event, Died):
            yield from _after_death(
                replace(task, start=following.pop(key, task.start)), event, queue
            )
            continue
        ends = isinstance(event, Failure) and event.index is None
        begin = following.get(key, task.start)
        samples = task.stop - begin if ends else 1
        following[key] = begin + samples
        yield Settled(event, samples)


def _after_death(rest: Task, died: Died, queue: _Queue) -> Iterator[Settled]:
    """Decide about what a task has left: try again alone, go on behind a sample, or give up."""
    case, index = rest.case.id, None if died.step is None else died.step.index
    first = not queue.alone or (case, index) not in queue.once
    queue.once.add((case, index))
    if first and died.cause != "took too long":
        queue.again.append(rest)
        if index is None:
            queue.again.extend(queue.take_out(case, queue.waiting))
    elif index is None:
        reason = f"reading it {died.reason()}{_advice(died)}"
        others = (*queue.take_out(case, queue.waiting), *queue.take_out(case, queue.again))
        for task in (rest, *others):
            yield Settled(Failure(case, None, reason), task.stop - task.start)
    else:
        reason = f"making it, the process {died.reason()}{_advice(died)}"
        yield Settled(Failure(case, index, reason), 1)
        if index + 1 < rest.stop:
            queue.waiting.append(replace(rest, start=index + 1))


def _advice(died: Died) -> str:
    match died.cause:
        case "took too long" if died.step is not None and died.step.index is None:
            return "; if its files are sound, allow more with --read-seconds"
        case "took too long":
            return "; allow more with --sample-seconds"
        case _:
            return ", twice (out of memory?); if its files are sound, try fewer --workers"
