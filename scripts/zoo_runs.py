"""Train every config for two iterations and test it, with tools/train.py and tools/test.py, on generated data.

    python scripts/zoo_runs.py [--work-dir DIR] [NAME ...]     for example ocr_hrformer-s_cityscapes or 'ablations/*'

The configs are those of users: the command line changes paths, crops and batch sizes. Prints one line for each config:
seconds, the loss of both iterations, and the scores, which are meaningless after two iterations.
"""

import argparse
import fnmatch
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config

from hrformer_mm.data import synthesize

ROOT = Path(__file__).resolve().parents[1]
CONFIGS, TOOLS = ROOT / 'configs', ROOT / 'tools'
CROP = '(128,128)'
# Changes that shorten a run, by type of transform and by library.
TRANSFORMS = dict(
    RandomResize=f'scale={CROP}', Resize=f'scale={CROP}', RandomCrop=f'crop_size={CROP}', RandomResizedCrop='scale=64'
)
LIBRARIES = dict(
    mmseg=['train_dataloader.batch_size=2', f'model.data_preprocessor.size={CROP}', 'train_cfg.max_iters=2'],
    mmpose=['train_dataloader.batch_size=2', 'train_dataloader.dataset.indices=4', 'train_cfg.max_epochs=1'],
    mmpretrain=[
        'train_dataloader.batch_size=4',
        'val_dataloader.batch_size=4',
        'test_dataloader.batch_size=4',
        'train_cfg.max_epochs=1',
        'param_scheduler.1.begin=0',
        'param_scheduler.0.end=1',
    ],
    mmdet=[
        'train_dataloader.batch_size=2',
        'train_dataloader.dataset.indices=4',
        'train_cfg.max_epochs=1',
        'model.test_cfg.score_thr=0',
        'model.test_cfg.nms=None',
    ],
)  # mmcv-lite has no NMS
# No weights are downloaded.
COMMON = ['default_hooks.logger.interval=1', 'train_cfg.val_interval=100', 'model.backbone.init_cfg=None'] + [
    f'{split}_dataloader.{key}'
    for split in ('train', 'val', 'test')
    for key in ('num_workers=0', 'persistent_workers=False')
]
START = 'ocr_hrformer-s_cityscapes'  # the model that training on own data starts from
SEGFIX = 'segfix_hrnet-w18_cityscapes'  # its test writes the offsets for other configs


class Result(NamedTuple):
    """The result of a config: seconds, losses of its iterations, and scores or files of its tests."""

    seconds: float
    losses: list[float]
    scores: dict[str, Any]


def walk(value: Any, key: str = '') -> Iterator[tuple[str, Any]]:
    """Yield every entry of a config below ``key`` as an option of the command line."""
    yield key, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
    for name, entry in items:
        yield from walk(entry, f'{key}.{name}' if key else str(name))


def options(cfg: Config, data: Path, work_dir: Path) -> list[str]:
    """Return the command-line options that set the folders of data and results, and limit the amount of data."""
    found = COMMON + LIBRARIES[cfg.default_scope]
    for part in (
        'train_dataloader',
        'val_dataloader',
        'test_dataloader',
        'val_evaluator',
        'test_evaluator',
        'tta_pipeline',
    ):
        for key, value in walk(cfg.get(part, {}), part):
            if isinstance(value, str) and value.startswith('data/'):
                found.append(f'{key}={data / value[5:]}')
            elif isinstance(value, str) and value.startswith('work_dirs/'):
                found.append(f'{key}={work_dir / "files" / Path(value).name}')
            elif isinstance(value, dict) and value.get('type') in TRANSFORMS and 'scale_factor' not in value:
                found.append(f'{key}.{TRANSFORMS[value["type"]]}')
    if 'Swin' in cfg.model.backbone.type and cfg.default_scope == 'mmpretrain':
        found.append('model.backbone.pad_small_map=True')  # its last map is smaller than a window
    return found


def launch(script: str, name: str, work_dir: Path, *args: object) -> None:
    """Run a script of tools/ with a config."""
    line = [sys.executable, TOOLS / script, CONFIGS / f'{name}.py', *args, '--work-dir', work_dir]
    done = subprocess.run(list(map(str, line)), cwd=work_dir.parent, capture_output=True, text=True, timeout=1800)
    if done.returncode != 0:
        raise RuntimeError(f'{" ".join(map(str, line))}\n{(done.stdout + done.stderr)[-3000:]}')


def newest(work_dir: Path, pattern: str) -> list[dict[str, Any]]:
    """Return the lines of the newest JSON file that matches a pattern."""
    path = max(work_dir.glob(pattern), key=lambda found: found.stat().st_mtime)
    return [json.loads(line) for line in path.read_text().splitlines()]


def last_checkpoint(folder: Path) -> Path:
    """Return the last checkpoint of a training: `Safeguard` writes its name, mmengine alone its whole path."""
    return folder / Path((folder / 'last_checkpoint').read_text()).name


def run(name: str, data: Path, root: Path) -> Result:
    """Train and test one config; segmentation is also tested at several scales with flips.

    Raises:
        RuntimeError: If a launcher fails, with its command and the end of its output; or if a loss is not finite.
    """
    start = time.monotonic()
    cfg = Config.fromfile(CONFIGS / f'{name}.py', import_custom_modules=False)
    work_dir = root / name
    (work_dir / 'files').mkdir(parents=True, exist_ok=True)
    changes = options(cfg, data, work_dir)
    if cfg.get('load_from'):
        if not (root / START / 'train/last_checkpoint').exists():
            run(START, data, root)
        changes.append(f'load_from={last_checkpoint(root / START / "train")}')
    if cfg.test_evaluator.get('offsets'):
        if not (root / SEGFIX / 'files').exists():
            run(SEGFIX, data, root)
        changes.append(f'test_evaluator.offsets={root / SEGFIX / "files" / Path(cfg.test_evaluator.offsets).name}')
    launch('train.py', name, work_dir / 'train', '--cfg-options', *changes)
    losses = [line['loss'] for line in newest(work_dir / 'train', '*/vis_data/scalars.json') if 'loss' in line]
    if len(losses) < 2 or not all(0 < loss < float('inf') for loss in losses):
        raise RuntimeError(f'{name}: its losses are {losses}')
    checkpoint = last_checkpoint(work_dir / 'train')

    scores: dict[str, Any] = {}
    if cfg.test_evaluator.type == 'CityscapesMetric' and find_spec('cityscapesscripts') is None:
        return Result(time.monotonic() - start, losses, {'not tested, needs': 'pip install cityscapesscripts'})
    modes = {'': (), 'tta ': ('--tta',)} if cfg.test_evaluator.type == 'IoUMetric' else {'': ()}
    for mode, flags in modes.items():
        folder = work_dir / f'test{mode.strip()}'
        launch('test.py', name, folder, checkpoint, *flags, '--cfg-options', *changes)
        if cfg.test_evaluator.get('format_only'):
            scores['files'] = sum(path.is_file() for path in (work_dir / 'files').rglob('*'))
        else:
            wanted = ('mIoU', 'coco/AP', 'coco-wholebody/AP', 'accuracy/top1', 'coco/bbox_mAP', 'boundary_IoU')
            report = newest(folder, '*/*.json')[-1]
            scores.update({f'{mode}{key}': report[key] for key in wanted if key in report})
    return Result(time.monotonic() - start, losses, scores)


def names(patterns: Sequence[str]) -> list[str]:
    """Return the configs that match the patterns, or all. The demonstration has its own command."""
    found = [
        str(path.relative_to(CONFIGS).with_suffix(''))
        for folder in ('.', 'ablations')
        for path in sorted((CONFIGS / folder).glob('*.py'))
    ]
    chosen = [name for name in found if not patterns or any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]
    if not chosen:
        raise SystemExit(f'no config is named {" or ".join(patterns)} in {CONFIGS}')
    return chosen


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('names', nargs='*')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/zoo'))
    args = parser.parse_args()
    root = args.work_dir.resolve()
    synthesize(root / 'data', train=8, val=4)
    failed = []
    print(f'{"config":48}{"seconds":>8}{"loss before":>13}{"after":>9}  scores', flush=True)
    for name in names(args.names):
        try:
            result = run(name, root / 'data', root)
        except RuntimeError as error:
            failed.append(name)
            print(f'{name:48} failed:\n{error}', flush=True)
            continue
        scores = ', '.join(
            f'{key} {value if isinstance(value, str) else round(value, 4)}' for key, value in result.scores.items()
        )
        if name != START:  # with the states of AdamW, all checkpoints would take 40 GB
            for path in (root / name / 'train').glob('*.pth'):
                path.unlink()
        before, after = result.losses[0], result.losses[-1]
        print(f'{name:48}{result.seconds:8.0f}{before:13.4g}{after:9.4g}  {scores}', flush=True)
    if failed:
        print(f'{len(failed)} failed: {", ".join(failed)}')
    return len(failed) > 0


if __name__ == '__main__':
    sys.exit(main())
