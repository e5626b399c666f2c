"""Checkpoints are written whole, and the old ones are deleted when the new one is safe."""

import os
import shutil
from collections.abc import Callable, Collection
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from ..weights import TEMPORARY, seal, write_whole

POINTER = 'last_checkpoint'
_BACKEND = 'hrformer_mm_whole_files'


class _WholeFiles(LocalBackend):
    """mmengine's backend for local files, which writes checkpoints whole and with their checksum."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        write_whole(filepath, seal(obj))


class _LateRemoval(_WholeFiles):
    """Keeps the files that it is asked to remove until :meth:`remove_outdated`."""

    def __init__(self) -> None:
        self._outdated: list[str] = []

    def remove(self, filepath: str | Path) -> None:
        self._outdated.append(str(filepath))

    rmtree = remove  # DeepSpeed's checkpoints are folders

    def remove_outdated(self, keep: Collection[str]) -> None:
        """Remove these files and folders, except those to keep, which were written again."""
        for path in self._outdated:
            if path not in keep and os.path.isfile(path):
                os.unlink(path)
            elif path not in keep and os.path.isdir(path):
                shutil.rmtree(path)
        self._outdated.clear()


register_backend(_BACKEND, _WholeFiles, force=True)


class _SafeCheckpointHook(CheckpointHook):
    """mmengine's hook in another order: it writes the new file, then the pointer to it, and then removes the old ones.

    All processes call `before_saving`; only the first one saves.
    """

    before_saving: Callable[[], None]

    def before_train(self, runner: Runner) -> None:
        super().before_train(runner)
        self.file_backend = _LateRemoval()
        # The resumed checkpoint has the path of its best, which may be in the folder that this one was copied from.
        if getattr(self, 'best_ckpt_path', None):
            self.best_ckpt_path = os.path.join(self.out_dir, os.path.basename(self.best_ckpt_path))
        for key, path in getattr(self, 'best_ckpt_path_dict', {}).items():
            self.best_ckpt_path_dict[key] = path and os.path.join(self.out_dir, os.path.basename(path))
        if is_main_process() and os.path.isdir(self.out_dir):
            for left in Path(self.out_dir).glob(f'{TEMPORARY}*'):  # by a process that was killed
                left.unlink()

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        self.before_saving()
        super()._save_checkpoint_with_step(runner, step, meta)
        if is_main_process():
            write_whole(Path(runner.work_dir) / POINTER, self.last_ckpt.encode())
            self._remove_outdated()

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        if self.save_best is not None:
            self.before_saving()
        super()._save_best_checkpoint(runner, metrics)
        if is_main_process() and self.save_best is not None:
            self._remove_outdated()

    def _remove_outdated(self) -> None:
        best = [getattr(self, 'best_ckpt_path', None), *getattr(self, 'best_ckpt_path_dict', {}).values()]
        self.file_backend.remove_outdated(keep=[path for path in [self.last_ckpt, *best] if path])


def protect_saving(runner: Runner, before_saving: Callable[[], None]) -> Path:
    """Make the runner's CheckpointHook a safe one, which calls `before_saving`; returns the folder that it writes to.

    A hook of another class, or that does not write to a local folder, stays unchanged, with a warning.
    """
    folder = Path(runner.work_dir)
    for hook in runner.hooks:
        if not isinstance(hook, CheckpointHook):
            continue
        out_dir = str(hook.out_dir or runner.work_dir)
        if type(hook) not in (CheckpointHook, _SafeCheckpointHook) or '://' in out_dir or hook.file_client_args:
            runner.logger.warning(
                f'{type(hook).__name__} writes to {out_dir} without protection: '
                "hrformer_mm.Safeguard protects mmengine's CheckpointHook on local folders, without "
                'file_client_args'
            )
            continue
        # Changed in place, so that the hook keeps its priority and whatever refers to it.
        hook.__class__ = _SafeCheckpointHook
        hook.backend_args = dict(backend=_BACKEND)
        hook.before_saving = before_saving
        if hook.out_dir is not None and Path(out_dir) != folder and not hasattr(hook, 'file_backend'):
            folder = Path(out_dir) / folder.name
    return folder
