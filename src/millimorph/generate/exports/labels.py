"""Names of label values: told by the data set of the originals, or found in their label maps."""

from collections.abc import Mapping
from dataclasses import dataclass

from millimorph.errors import OutputError
from millimorph.generate.exports.files import checked_labels
from millimorph.generate.exports.members import FinishedJob

BACKGROUND = "background"


@dataclass(frozen=True)
class LabelTable:
    """The name of each label value, background first.

    `told` says that the data set gives the names.
    """

    names: Mapping[int, str]
    told: bool


def label_table(job: FinishedJob, role: str) -> LabelTable:
    """Return the names of the values in the originals' label maps.

    A value of several regions is named by all of them. Samples hold no other values than their
    originals, and the background.

    Raises OutputError for a value that the data set does not name though it names others.
    """
    told = _told(job)
    found = {0}
    for member in job.originals:
        file = member.labels[role]
        values = set(checked_labels(file).labels())
        unnamed = sorted(values - told.keys() - {0})
        if told and unnamed:
            raise OutputError(
                f"{file.path}: holds the label values {unnamed}, which the data set does not name; "
                f"name them in its description"
            )
        found |= values
    if told:
        return LabelTable({0: told.get(0, BACKGROUND)} | told, told=True)
    if min(found) < 0:
        raise OutputError(
            f"{job.root}: its label maps hold {min(found)}; labels must be 0 or more, so renumber "
            f"them in the originals"
        )
    named = {value: f"label_{value}" for value in sorted(found - {0})}
    return LabelTable({0: BACKGROUND} | named, told=False)


def _told(job: FinishedJob) -> dict[int, str]:
    names: dict[int, list[str]] = {}
    for name, values in (job.data_set.label_names if job.data_set is not None else {}).items():
        for value in values.split("+"):
            names.setdefault(int(value), []).append(name)
    return {value: " and ".join(names[value]) for value in sorted(names)}
