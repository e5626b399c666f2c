"""Test and train on every Python from 3.11 to 3.14 that this machine has, and write the table of docs/install.md.

    python scripts/pythons.py [--cpu]

Each has a venv of its own below work_dirs/pythons/. Needs nothing but the standard library.
"""

import datetime
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / 'work_dirs' / 'pythons'
MINORS = (11, 12, 13, 14)
# Golden cases, models, hooks and weights, and the additions of this package to its libraries.
TESTS = (
    'tests/test_golden.py',
    'tests/ops',
    'tests/layers',
    'tests/models',
    'tests/deploy',
    'tests/hooks',
    'tests/weights',
    'tests/test_compat.py',
    'tests/test_safe_globals.py',
    'tests/test_imports.py',
)
# A training and a test of each task.
TRAININGS = (
    'ocr_hrformer-s_ade20k',
    'td-hm_hrformer-s_udp-coco-256x192',
    'hrformer-t_imagenet',
    'fcos_hrformer-s_coco',
)
COLUMNS = ('torch', 'numpy', 'mmcv-lite', 'mmengine', 'setuptools')
VERSIONS = f'import importlib.metadata as m; print(*map(m.version, {COLUMNS}))'


def find_pythons() -> dict[int, str]:
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
    return dict(sorted(found.items()))


def run(command: Sequence[object], log: Path) -> tuple[int, list[str]]:
    """Run a command, log its output, and return its exit status and its lines."""
    log.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        list(map(str, command)), cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    log.write_text(done.stdout, encoding='utf-8')
    return done.returncode, done.stdout.splitlines()


def counts(lines: Sequence[str]) -> str:
    """Return 'passed, failed, skipped' of the output of pytest."""
    found = {word: number for number, word in re.findall(r'(\d+) (passed|failed|error|skipped)', (lines or [''])[-1])}
    failed = int(found.get('failed', 0)) + int(found.get('error', 0))
    return f'{found.get("passed", 0)}, {failed}, {found.get("skipped", 0)}'


def try_python(minor: int, python: str, options: Sequence[str]) -> tuple[bool, str]:
    """Return whether all tests passed with a Python, and its row of the table."""
    venv = FOLDER / f'3.{minor}'
    task = [python, 'tasks.py', *options, '--venv', venv]
    failed, lines = run([*task, 'setup'], FOLDER / f'3.{minor}-setup.log')
    if failed:
        return False, f'| 3.{minor} | set-up failed: {lines[-1]} |'
    versions = subprocess.check_output([venv / 'bin' / 'python', '-c', VERSIONS], text=True).split()
    failed, lines = run([*task, 'test', '-q', *TESTS], FOLDER / f'3.{minor}-tests.log')
    untrained, _ = run([*task, 'zoo', *TRAININGS], FOLDER / f'3.{minor}-trainings.log')
    release = subprocess.check_output([python, '-c', 'import platform; print(platform.python_version())'], text=True)
    row = (release.strip(), *versions, counts(lines), 'failed' if untrained else 'passed')
    return not (failed or untrained), f'| {" | ".join(row)} |'


def main(options: Sequence[str]) -> int:
    pythons = find_pythons()
    today = datetime.date.today().strftime('%-d %B %Y')
    table = [
        f'On Linux, {today}. Not found on this machine: '
        f'{", ".join(f"3.{minor}" for minor in MINORS if minor not in pythons) or "none"}.',
        '',
        f'| Python | {" | ".join(COLUMNS)} | passed, failed, skipped | trainings |',
        '| --- ' * 8 + '|',
    ]
    print('\n'.join(table), flush=True)
    all_good = True
    for minor, python in pythons.items():
        good, row = try_python(minor, python, options)
        all_good = all_good and good
        table.append(row)
        print(row, flush=True)
        (FOLDER / 'table.md').write_text('\n'.join(table) + '\n', encoding='utf-8')
    print(f'The table is in {(FOLDER / "table.md").relative_to(ROOT)}, the logs are beside it.')
    return 0 if all_good else 1


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
