"""The build step that mim needs; pyproject.toml describes the package."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithMim(build_py):
    """Add the folder `.mim`, in which mim looks for configs, launchers and the model index.

    In an editable install, mim sees only what is in site-packages, next to the metadata. There, each config is one line
    that names the checkout's config as its base, so that changes to it take effect at once. New configs take effect
    after the next installation.
    """

    def run(self) -> None:
        super().run()
        # An editable install ignores build_lib; install_lib is what becomes site-packages.
        lib = self.get_finalized_command('install').install_lib if self.editable_mode else self.build_lib
        mim = Path(lib, 'hrformer_mm', '.mim')
        for pattern in ('model-index.yml', 'configs/**/*.py', 'configs/**/*.yml', 'tools/*.py'):
            for source in Path().glob(pattern):
                target = mim / source
                target.parent.mkdir(parents=True, exist_ok=True)
                if self.editable_mode and pattern == 'configs/**/*.py':
                    target.write_text(f'_base_ = {str(source.resolve())!r}\n', encoding='utf-8')
                else:
                    shutil.copyfile(source, target)


setup(cmdclass={'build_py': BuildWithMim})
