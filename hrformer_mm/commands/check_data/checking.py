"""Check every file and annotation in the data sets of a config."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import chain
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.dataset import BaseDataset

from ...checks import CheckedPipeline, DataError, Problem, describe, head_classes, read_data_set
from ...checks.classification import folder_problems
from ...checks.coco import Sizes, entries, grouped, read_coco, unlabelled
from ...checks.config import config_problems
from ...checks.evaluators import find_metrics, is_same, metric_problems
from ...checks.keypoints import count_problems, head_problems, metainfo_problems
from ...checks.lists import UNREADABLE, list_problems
from ...checks.reading import annotation_problems
from ...checks.segmentation import LabelCount, ignored_labels
from ..common import Progress, silent
from ..config import load_config
from .folders import empty_classes, unread
from .sources import SPLITS, build_unread, find_datasets

_AHEAD = 256  # number of samples that are queued for the threads


@dataclass
class Checked:
    """A checked data set: the splits that use it, its description, the numbers of samples and files, and its problems.

    `notes` report facts that are common in valid data sets.
    """

    splits: str
    dataset: str
    samples: int = 0
    files: int = 0
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass
class Report:
    """The report on all data sets of a config."""

    config: str
    datasets: list[Checked]

    @property
    def problems(self) -> list[Problem]:
        return [problem for dataset in self.datasets for problem in dataset.problems]

    def counts(self) -> Counter:
        """Count the problems of each kind."""
        counts: Counter = Counter()
        for problem in self.problems:
            counts[problem.kind] += problem.count
        return counts

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), 'counts': dict(self.counts())}


def check_data(
    config: str,
    splits: Sequence[str] = (),
    limit: int | None = None,
    options: dict[str, Any] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Check the data sets in the data loaders of a config.

    The loading transforms of the config decode every image and label map. The whole pipeline runs on one sample of
    each data set. Annotation files are read completely.

    Args:
        config (str): A config file or the name of a model.
        splits (Sequence[str]): Any of 'train', 'val' and 'test'. Default: all splits in the config.
        limit (int, optional): Number of samples to check in each data set, evenly spread. Default: all.
        options (dict, optional): Changes to the config, for example {'train_dataloader.dataset.data_root': 'data'}.
        progress (callable, optional): Wraps the iterable of samples, to show progress.

    Raises:
        FileNotFoundError, ValueError: If the config or a split does not exist.
    """
    cfg = load_config(config, options)
    checked: list[Checked] = []
    built: list[tuple[BaseDataset, dict | None]] = []
    first: dict[str, BaseDataset] = {}
    counts: dict[Any, list] = {}
    model = cfg.get('model') or {}
    for names, datasets in find_datasets(cfg, splits).items():
        for settings in datasets:
            dataset = build_unread(cfg, settings)
            result = Checked(names, describe(dataset))
            content = read_coco(dataset.ann_file)
            count = _check(dataset, content, result, cfg, limit, progress or silent)
            named = {(problem.path, problem.what) for other in checked for problem in other.problems}
            result.problems += (
                problem
                for problem in chain(metainfo_problems(dataset), head_problems(model, dataset))
                if (problem.path, problem.what) not in named
            )
            checked.append(result)
            built.append((dataset, content))
            first.update({split: dataset for split in names.split(', ') if split not in first})
            group = names, tuple(dataset.metainfo.get('classes') or ())
            counts.setdefault(group, []).append((dataset, result, count))
    _check_metrics(cfg, checked, built)
    for together in counts.values():
        _check_classes(*zip(*together))
    asked = tuple(splits or (split for split in SPLITS if split in first))
    problems = [*config_problems(cfg, asked), *folder_problems(first, cfg)]
    if problems:
        checked.insert(0, Checked('config', cfg.filename, problems=problems))
    return Report(config, checked)


def _check_classes(datasets: Sequence[BaseDataset], results: Sequence[Checked], counts: Sequence[LabelCount]) -> None:
    """Report classes without pixels in data sets that are used together."""
    total, classes = LabelCount.sum(counts), len(datasets[0].metainfo.get('classes') or ())
    problem = total.problem(datasets[0])
    if problem and total.read < total.masks:
        results[0].notes.append(str(problem).removesuffix('.'))
    elif problem:
        results[0].problems.append(problem)
    elif total.ignored(classes) > 0.5:
        results[0].notes.append(f'{total.ignored(classes):.1%} of the pixels are ignored')


def _check_metrics(cfg: Config, checked: list[Checked], built: list[tuple[BaseDataset, dict | None]]) -> None:
    """Add the problems in files of the metrics to the data sets that they evaluate."""
    done: list[Any] = []
    for split in ('val', 'test'):
        chosen = [index for index, result in enumerate(checked) if split in result.splits.split(', ')]
        evaluator = cfg.get(f'{split}_evaluator')
        if not chosen or not evaluator or (chosen, evaluator) in done:
            continue
        done.append((chosen, evaluator))
        problems = checked[chosen[0]].problems
        for metric in find_metrics(evaluator, f'{split}_evaluator'):
            metric.content = next(
                (
                    content
                    for dataset, content in map(built.__getitem__, chosen)
                    if is_same(metric.path or dataset.ann_file, dataset.ann_file)
                ),
                None,
            )
            found = grouped(metric_problems(metric, [built[index][0] for index in chosen]))
            known = {(problem.path, problem.what) for problem in problems}
            problems += [problem for problem in found if (problem.path, problem.what) not in known]


def _check(
    dataset: BaseDataset,
    content: dict[str, Any] | None,
    result: Checked,
    cfg: Config,
    limit: int | None,
    progress: Progress,
) -> LabelCount:
    count, classes = LabelCount(), head_classes(cfg.get('model') or {})
    if content:
        result.problems += grouped(annotation_problems(content, dataset))
        result.files += 1
        without = unlabelled(content)
        if without:
            total = len(entries(content, 'annotations'))
            result.notes.append(
                f'{without} of {total} annotations have no keypoints (num_keypoints=0): poses are not trained on them'
            )
    result.problems += empty_classes(dataset)
    listed = list(list_problems(dataset, classes))
    result.problems += listed
    try:
        read_data_set(dataset)
    except DataError as error:
        path = str(dataset.ann_file or next(iter(dict(dataset.data_prefix).values()), dataset.data_root))
        what, _, remedy = str(error).removeprefix(f'{result.dataset} ').partition('. ')
        # The cause may be reported already, for example as an annotation without a bbox.
        cause = error.problem
        named = cause and any(
            problem.path == cause.path and problem.what.endswith(cause.what.rpartition(') ')[2])
            for problem in result.problems
        )
        if not named and not any(problem.kind in UNREADABLE for problem in listed):
            result.problems.append(Problem('unreadable data set', path, what, remedy.removesuffix('.')))
        return count
    if content:
        result.problems += count_problems(content, dataset)
    dataset.pipeline = CheckedPipeline(
        dataset,
        result.dataset,
        content and Sizes.of(content),
        classes,
        strict=True,
        ignored=ignored_labels(cfg, result.splits.partition(', ')[0]),
    )
    result.samples = len(dataset)
    samples = _choose(dataset, limit)
    paths = {path for sample in samples.values() for path in _files(sample)}
    result.files += len(paths)
    if limit is None:
        result.notes += filter(None, [unread(dataset, paths)])
    good = None
    description = f'{result.splits}: {type(dataset).__name__}'
    for index, (problem, labels) in zip(progress(samples, description), _load_all(dataset, list(samples.values()))):
        if problem:
            if not (problem.kind == 'label beyond classes' and listed):  # the entry is already reported
                result.problems.append(problem)
        elif good is None:
            good = index
        count.add(labels)
    count.masks = len(dataset) if limit else count.read
    if good is not None and 'number of keypoints' not in {problem.kind for problem in result.problems}:
        result.problems += _try_pipeline(dataset, good, samples[good])
    return count


def _choose(dataset: BaseDataset, limit: int | None) -> dict[int, dict[str, Any]]:
    """Choose samples by index, one for each image, which may have several annotations."""
    count = min(len(dataset), limit or len(dataset))
    chosen: dict[Any, tuple[int, dict[str, Any]]] = {}
    for index in np.linspace(0, len(dataset) - 1, count).astype(int).tolist():
        sample = dataset.get_data_info(index)
        chosen.setdefault(tuple(_files(sample)) or index, (index, sample))
    return dict(chosen.values())


def _files(sample: dict[str, Any]) -> list[str]:
    return [sample[key] for key in ('img_path', 'seg_map_path') if isinstance(sample.get(key), str)]


def _load_all(
    dataset: BaseDataset, samples: list[dict[str, Any]]
) -> Iterator[tuple[Problem | None, np.ndarray | None]]:
    """Yield the problem of each sample, or None, and its label counts, in order.

    Loads in threads, since decoders release the global interpreter lock.
    """

    def load(sample: dict[str, Any]) -> tuple[Problem | None, np.ndarray | None]:
        try:
            return None, dataset.pipeline.load(sample)
        except DataError as error:
            return error.problem, None
        except Exception as error:  # a library's transform may raise anything
            return _failure(error, sample), None

    with ThreadPoolExecutor(len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else None) as pool:
        for start in range(0, len(samples), _AHEAD):
            yield from pool.map(load, samples[start : start + _AHEAD])


def _try_pipeline(dataset: BaseDataset, index: int, sample: dict[str, Any]) -> Iterator[Problem]:
    try:
        dataset.prepare_data(index)
    except Exception as error:
        yield _failure(error, sample)


def _failure(error: Exception, sample: dict[str, Any]) -> Problem:
    return Problem(
        'pipeline',
        ', '.join(_files(sample)),
        f'cannot go through the pipeline: {type(error).__name__}: {error}'.rstrip('.'),
        'Correct the transforms of the config, or this sample',
    )
