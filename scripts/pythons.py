"""Run the tests, the demonstration and short trainings on several Pythons, for the table of docs/install.md.

    python tasks.py [--cpu] pythons [3.11 3.12 3.13 3.14 newest]

Default: every Python from 3.11 to 3.14 that this machine has, and "newest", which is the newest Python with the
newest torch, torchvision, NumPy and setuptools of the index. Each has a venv below work_dirs/pythons/, and keeps
its row of the table until it runs again. Needs nothing but the standard library.
"""

import datetime
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tasks import PYTHONS, ROOT, installer

FOLDER = ROOT / 'work_dirs' / 'pythons'
MINORS = tuple(minor for _, minor in PYTHONS)
NEWEST = 'newest'
UPGRADED = ('torch', 'torchvision', 'numpy', 'setuptools')
TRAININGS = ('hrformer-t_imagenet', 'fcos_hrformer-s_coco')  # of tasks that the demonstration does not show
COLUMNS = ('torch', 'numpy', 'mmcv-lite', 'mmengine', 'setuptools')
VERSIONS = f'import importlib.metadata as m, platform as p; print(p.python_version(), *map(m.version, {COLUMNS}))'
HEADER = (
    f'| Python | {" | ".join(COLUMNS)} | passed, failed, skipped | demonstration | trainings | date |',
    '|' + ' --- |' * (len(COLUMNS) + 5),
)


def find_pythons() -> dict[str, str]:
    """Return the first interpreter of each version: on PATH, the running one, or one of pyenv."""
    found: dict[int, str] = {}
    pyenv = Path(os.environ.get('PYENV_ROOT', Path.home() / '.pyenv'), 'versions')
    candidates = [
        sys.executable,
        *(shutil.which(f'python3.{minor}') for minor in MINORS),
        *sorted(pyenv.glob('3.*/bin/python')),
    ]
    for candidate in filter(None, candidates):
        try:
            done = subprocess.run(
                [candidate, '-c', 'import sys, venv; print(sys.version_info[1])'], capture_output=True, text=True
            )
        except OSError:
            continue
        if done.returncode == 0 and int(done.stdout) in MINORS:  # shims of pyenv fail for inactive versions
            found.setdefault(int(done.stdout), str(candidate))
    return {f'3.{minor}': found[minor] for minor in sorted(found)}


def run(command: Sequence[object], log: Path) -> tuple[bool, str]:
    """Run a command, log its output, and return whether it succeeded, and the output."""
    log.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        list(map(str, command)), cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    log.write_text(done.stdout, encoding='utf-8')
    return done.returncode == 0, done.stdout


def counts(output: str) -> str:
    """Return 'passed, failed, skipped' of the output of pytest."""
    last = output.strip().rpartition('\n')[2]
    found = {word: int(number) for number, word in re.findall(r'(\d+) (passed|failed|error|skipped)', last)}
    return f'{found.get("passed", 0)}, {found.get("failed", 0) + found.get("error", 0)}, {found.get("skipped", 0)}'


def try_python(name: str, python: str, options: Sequence[str]) -> tuple[bool, str]:
    """Return whether everything passed in the environment of a name, and its row of the table."""
    venv = FOLDER / name
    task = [python, 'tasks.py', *options, '--venv', venv]
    good, output = run([*task, 'setup'], FOLDER / f'{name}-setup.log')
    if good and name == NEWEST:
        command = [*installer(venv / 'bin' / 'python'), '--upgrade', *UPGRADED]
        good, output = run(command, FOLDER / f'{name}-upgrade.log')
    if not good:
        return False, f'| {name} | set-up failed: {output.strip().rpartition(chr(10))[2]} |'
    versions = subprocess.check_output([venv / 'bin' / 'python', '-c', VERSIONS], text=True).split()
    tested, output = run([*task, 'test', '-q'], FOLDER / f'{name}-tests.log')
    shown, demo = run([*task, 'demo'], FOLDER / f'{name}-demo.log')
    scores = re.findall(r'(mIoU|AP) (\d\.\d+) \(untrained', demo)
    trained, _ = run([*task, 'zoo', *TRAININGS], FOLDER / f'{name}-trainings.log')
    demonstration = ', '.join(map(' '.join, scores)) if shown else 'failed'
    today = datetime.date.today().strftime('%-d %B %Y')
    row = (*versions, counts(output), demonstration, 'passed' if trained else 'failed', today)
    return tested and shown and trained, f'| {" | ".join(row)} |'


def main(arguments: Sequence[str]) -> int:
    pythons = find_pythons()
    pythons[NEWEST] = list(pythons.values())[-1]  # older Pythons do not get the newest packages
    options = [argument for argument in arguments if argument == '--cpu']
    names = [argument for argument in arguments if argument != '--cpu'] or list(pythons)
    missing = [name for name in names if name not in pythons]
    if missing:
        print(f'pythons.py: no {", ".join(missing)} here; found: {", ".join(pythons)}', file=sys.stderr)
        return 2
    failed = False
    for name in names:
        good, row = try_python(name, pythons[name], options)
        failed = failed or not good
        print(row, flush=True)
        (FOLDER / f'{name}-row.md').write_text(row, encoding='utf-8')
        rows = [path.read_text(encoding='utf-8') for path in sorted(FOLDER.glob('*-row.md'))]
        (FOLDER / 'table.md').write_text('\n'.join((*HEADER, *rows, '')), encoding='utf-8')
    print(f'The table is in {(FOLDER / "table.md").relative_to(ROOT)}, the logs are beside it.')
    return int(failed)


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
