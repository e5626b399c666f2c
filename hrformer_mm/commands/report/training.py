"""Join the runs of a training, and extract its curves."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .reading import Run, is_number

_COUNTERS = {'iter', 'step', 'epoch', 'x', 'base_lr'}  # base_lr is lr before automatic scaling


@dataclass(frozen=True)
class Curve:
    """The values `y` of one name at the iterations or epochs `x`."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass
class Training:
    """A sequence of runs, each of which resumed the one before.

    Attributes:
        train, val: The records of all runs. Those of a resumed run replace later records of the run before it.
        starts: The names of the resumed runs, and the iterations from which they continued.
        dropped: The number of replaced records.
    """

    runs: list[Run]
    train: list[dict[str, Any]] = field(default_factory=list)
    val: list[dict[str, Any]] = field(default_factory=list)
    starts: list[tuple[str, int]] = field(default_factory=list)
    dropped: int = 0


def newest_training(runs: Sequence[Run]) -> tuple[Training | None, list[Run]]:
    """Return the newest training, and the runs of older trainings, which it did not resume."""
    runs = [run for run in runs if run.train or run.val]
    if not runs:
        return None, []
    first = max((index for index, run in enumerate(runs) if run.log.resumed is None), default=0)
    training = Training(runs[first:])
    for index, run in enumerate(training.runs):
        if index and (resumed := run.log.resumed) is not None:
            training.starts.append((run.name, resumed))
            for records in (training.train, training.val):
                kept = [record for record in records if record['iter'] <= resumed]
                training.dropped += len(records) - len(kept)
                records[:] = kept
        training.train += run.train
        training.val += run.val
    return training, runs[:first]


def curves(records: Sequence[dict[str, Any]], x: str) -> list[Curve]:
    """Return a curve for every name with numeric values, over the key `x` of the records."""
    found = []
    for name in dict.fromkeys(key for record in records for key in record if key not in _COUNTERS):
        points = [(record[x], float(record[name])) for record in records if is_number(record.get(name))]
        if points:
            found.append(Curve(name, *zip(*points)))
    return found
