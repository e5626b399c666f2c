"""Atomic saving of checkpoints, which deletes old checkpoints only after the new one is written."""

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
    """mmengine's backend for local files, which writes checkpoints atomically and with a checksum."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        write_whole(filepath, seal(obj))


class _LateRemoval(_WholeFiles):
    """Defers the removal of files until :meth:`remove_outdated` is called."""

    def __init__(self) -> None:
        self._outdated: list[str] = []

    def remove(self, filepath: str | Path) -> None:
        self._outdated.append(str(filepath))

    rmtree = remove  # checkpoints of DeepSpeed are folders

    def remove_outdated(self, keep: Collection[str]) -> None:
        """Remove the deferred files and folders, except those to keep, which have been written again."""
        for path in self._outdated:
            if path not in keep and os.path.isfile(path):
                os.unlink(path)
            elif path not in keep and os.path.isdir(path):
                shutil.rmtree(path)
        self._outdated.clear()


register_backend(_BACKEND, _WholeFiles, force=True)


class _SafeCheckpointHook(CheckpointHook):
    """mmengine's `CheckpointHook`, which writes the new file, then the pointer to it, and then removes old files.

    All processes call `before_saving`; only the first process saves.
    """

    before_saving: Callable[[], None]

    def before_train(self, runner: Runner) -> None:
        super().before_train(runner)
        self.file_backend = _LateRemoval()
        # The resumed checkpoint holds the path of the best one. If the folder is a copy, it is in the original folder.
        best = getattr(self, 'best_ckpt_path', None)
        if best:
            self.best_ckpt_path = os.path.join(self.out_dir, os.path.basename(best))
        for key, path in getattr(self, 'best_ckpt_path_dict', {}).items():
            self.best_ckpt_path_dict[key] = path and os.path.join(self.out_dir, os.path.basename(path))
        if is_main_process() and os.path.isdir(self.out_dir):
            for unfinished in Path(self.out_dir).glob(f'{TEMPORARY}*'):  # left behind by a killed process
                unfinished.unlink()

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
    """Make the runner's `CheckpointHook` save atomically.

    A hook of another class, or one that does not write to a local folder, remains unchanged, with a warning.

    Args:
        runner (Runner): Runner of the training.
        before_saving (callable): Function that all processes call before a checkpoint is saved.

    Returns:
        Path: Folder to which the hook writes.
    """
    folder = Path(runner.work_dir)
    for hook in runner.hooks:
        if not isinstance(hook, CheckpointHook):
            continue
        out_dir = str(hook.out_dir or runner.work_dir)
        if type(hook) not in (CheckpointHook, _SafeCheckpointHook) or '://' in out_dir or hook.file_client_args:
            runner.logger.warning(
                f'{type(hook).__name__} writes to {out_dir} without protection: hrformer_mm.Safeguard only protects '
                "mmengine's CheckpointHook with a local folder and without file_client_args"
            )
            continue
        # Changed in place, because other objects may refer to the hook.
        hook.__class__ = _SafeCheckpointHook
        hook.backend_args = dict(backend=_BACKEND)
        hook.before_saving = before_saving
        if hook.out_dir is not None and Path(out_dir) != folder and not hasattr(hook, 'file_backend'):
            folder = Path(out_dir) / folder.name
    return folder
