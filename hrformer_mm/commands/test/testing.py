"""The metrics of a config for its checkpoint and for exported files."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from ...checks.evaluators import find_metrics
from ..export.metadata import metadata
from ..model import build_model, load_model, read_config
from .exported import check_fit, open_exported, replace_network

Progress = Callable[[Iterable, str], Iterable]


@dataclass
class Row:
    """The metrics of a file: its path, 'f32', 'bf16' or 'int8', and the number of samples of the test data."""

    file: str
    precision: str
    samples: int
    metrics: dict[str, float]


def test(
    config: str,
    files: Sequence[str],
    checkpoint: str | None = None,
    batch: int | None = None,
    limit: int | None = None,
    progress: Progress = lambda items, _: items,
    options: Mapping[str, Any] | None = None,
) -> Iterator[Row]:
    """Evaluate exported files on the test data of a config, with its test_evaluator.

    Only the network is the file's: data, pre- and post-processing are those of `mim test`.

    Args:
        config (str): A config or a name in the zoo.
        files (Sequence[str]): Files of `hrformer-mm export` of any format.
        checkpoint (str, optional): Weights, which are evaluated first.
        batch (int, optional): Images at a time. Default: as the config says.
        limit (int, optional): Only so many samples, the first ones.
        progress (callable): Takes the batches and the name of a file, and returns the batches.
        options (Mapping[str, Any], optional): Changes of the config.

    Yields:
        Row: The checkpoint's, then that of each file.

    Raises:
        ImportError: If an engine is missing.
        FileNotFoundError, ValueError: If an argument cannot be used, or a file is of another model.
    """
    cfg = read_config(config, options=options)
    opened = [open_exported(path) for path in files]
    model = load_model(cfg, checkpoint) if checkpoint else build_model(cfg)
    wanted = metadata(cfg, model)
    for path, exported in zip(files, opened):
        check_fit(exported.metadata, wanted, path, config)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        loader = _build_loader(cfg, batch, limit)
        if checkpoint:
            yield Row(checkpoint, 'f32', *evaluate(cfg, model, loader, lambda batches: progress(batches, checkpoint)))
        for path, exported in zip(files, opened):
            replace_network(model, exported)
            yield Row(
                path,
                exported.metadata['precision'],
                *evaluate(cfg, model, loader, lambda batches: progress(batches, path)),
            )


def _build_loader(cfg: Config, batch: int | None, limit: int | None) -> DataLoader:
    if not cfg.get('test_dataloader') or not cfg.get('test_evaluator'):
        raise ValueError(f'{cfg.filename} has no test_dataloader or no test_evaluator, which are needed to test')
    loader = dict(cfg.test_dataloader)
    if batch:
        loader['batch_size'] = batch
    if limit:
        for metric in find_metrics(cfg.test_evaluator, 'test_evaluator'):
            raise ValueError(
                f'--limit is incompatible with the {metric.kind} of {metric.key}, which counts all images '
                'of its annotations: leave it out'
            )
        loader['dataset'] = dict(loader['dataset'], indices=limit)
    try:
        return Runner.build_dataloader(loader)
    except AssertionError as error:  # of a data set's class
        raise ValueError(f'{cfg.filename}: the test data cannot be read: {error}') from error


def evaluate(
    cfg: Config, model: nn.Module, loader: DataLoader, progress: Callable[[Iterable], Iterable]
) -> tuple[int, dict[str, float]]:
    """Run a model on test data, as mmengine's test loop does.

    Returns:
        tuple: The number of samples, and the metrics.
    """
    evaluator = Evaluator(cfg.test_evaluator)
    evaluator.dataset_meta = loader.dataset.metainfo
    with torch.no_grad():
        for data in progress(loader):
            evaluator.process(model.test_step(data), data)
    metrics = evaluator.evaluate(len(loader.dataset))
    # A metric without an average is a list over the classes.
    return len(loader.dataset), {name: float(value) for name, value in metrics.items() if np.ndim(value) == 0}
