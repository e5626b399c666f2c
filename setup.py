"""How hrformer_mm is installed; requirements.txt pins the whole stack that the tests run on."""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
README = ROOT / 'README.md'
# mmengine and mim import pkg_resources, which setuptools 80.9 deprecates with a warning and 82 removed.
MMENGINE = ['mmengine>=0.10.7', 'setuptools>=77,<80.9']


def version() -> str:
    # Read, not imported: the package's requirements may not be installed yet.
    text = (ROOT / 'hrformer_mm' / '__init__.py').read_text(encoding='utf-8')
    return re.search(r"^__version__ = '(.+)'$", text, re.MULTILINE).group(1)


class BuildWithMim(build_py):
    """Adds the folder `.mim`, in which mim looks for configs, launchers and the model index.

    Of an editable install mim sees only what lies in site-packages, beside the metadata. There each config is one line
    that names the checkout's as its base, so that changes of these count at once; new ones, once it is installed anew.
    """

    def run(self) -> None:
        super().run()
        # An editable install takes over nothing of build_lib; install_lib is what becomes site-packages.
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


setup(
    name='hrformer_mm',
    version=version(),
    description='HRFormer for mmsegmentation, mmpose, mmpretrain and mmdetection',
    long_description=README.read_text(encoding='utf-8') if README.exists() else '',
    long_description_content_type='text/markdown',
    author='The hrformer_mm authors',
    license='Apache-2.0',
    # Said outright, it makes an editable install a line in a .pth file. Its other form, an import hook, comes after the
    # search of folders, and would lose the package to the folder with .mim that has its name in site-packages.
    package_dir={'': '.'},
    packages=find_packages(include=['hrformer_mm*']),
    package_data={'': ['*.json', '*.yml', '*.yaml', '*.html', '*.css']},
    python_requires='>=3.11',
    classifiers=[f'Programming Language :: Python :: 3.{minor}' for minor in (11, 12, 13, 14)],
    # Not mmengine, mmcv and OpenCV, which each have several distributions under one module name: requiring one would
    # overwrite another. The hosts require them, and `hrformer-mm doctor` checks.
    install_requires=['torch>=2.4', 'numpy', 'click', 'filelock', 'pillow', 'pyyaml', 'rich'],
    extras_require={
        'report': ['jinja2', 'matplotlib'],
        'cli': ['hrformer_mm[report]', 'scipy'],
        'export': ['onnx>=1.19', 'onnxscript>=0.5', 'onnxruntime>=1.23'],
        'openvino': ['openvino>=2025.0', 'nncf>=2.17'],
        'safetensors': ['safetensors'],
        'seg': [*MMENGINE, 'mmsegmentation>=1.2.2', 'scipy', 'ftfy', 'regex'],  # mmseg does not declare the last two
        # All that mmpose imports. mmpose itself requires chumpy and xtcocotools, which do not build on every Python:
        # docs/install.md has the command that installs mmpose and xtcocotools without compiling.
        'pose': [*MMENGINE, 'mmdet>=3.3', 'json-tricks', 'munkres', 'pycocotools', 'scipy', 'torchvision'],
        'cls': [*MMENGINE, 'mmpretrain>=1.2'],
        'det': [*MMENGINE, 'mmdet>=3.3'],
        'all': ['hrformer_mm[cli,export,openvino,safetensors,seg,pose,cls,det]'],
        'test': ['pytest', 'pytest-xdist', 'hypothesis', 'markdown-it-py', 'torchao'],
    },
    cmdclass={'build_py': BuildWithMim},
    entry_points={'console_scripts': ['hrformer-mm = hrformer_mm.cli:main']},
)
