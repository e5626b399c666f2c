"""Fixtures of all tests: few threads, fixed seeds, and a clean interpreter."""

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope

ROOT = Path(__file__).resolve().parent.parent

torch.set_num_threads(1)  # the tests run in several processes, on small tensors
os.environ.setdefault('OMP_NUM_THREADS', '1')  # for the processes that tests start


@pytest.fixture(autouse=True)
def fixed_seeds() -> None:
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def own_scope() -> Iterator[None]:
    """Restore mmengine's default scope, which a runner sets permanently."""
    yield
    DefaultScope._instance_dict.clear()


_FIGURES = pytest.StashKey[dict]()


@pytest.fixture(scope='session')
def figure(request: pytest.FixtureRequest) -> Callable[[str, float, float], None]:
    """Return ``figure(name, value, bound)``, which asserts value <= bound; the summary prints each maximum."""
    figures = request.config.stash.setdefault(_FIGURES, {})

    def check(name: str, value: float, bound: float) -> None:
        if not value <= figures.get(name, (-1.0, bound))[0]:
            figures[name] = (value, bound)
        assert value <= bound, f'{name}: {value:.3g}, but at most {bound:.0e}'

    return check


OPENVINO = ('test_openvino.py', 'test_export_openvino.py', 'test_exported.py', 'test_int8.py', 'test_test.py')


# What starts a process: a test that uses one of these is an integration test.
PROCESSES = {'run_python', 'wheel'}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what can be seen from names; run the tests with OpenVINO last (pyproject.toml describes the markers)."""
    for item in items:
        if item.path.name in OPENVINO:
            item.add_marker('openvino')
        if PROCESSES & set(getattr(item, 'fixturenames', ())):
            item.add_marker('integration')
    items.sort(key=lambda item: item.path.name in OPENVINO)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    figures = config.stash.get(_FIGURES, {})
    if figures:
        terminalreporter.section('largest deviations, and what is allowed')
        for name, (value, bound) in figures.items():
            terminalreporter.write_line(f'{value:8.1e}  {bound:8.1e}  {name}')


@pytest.fixture
def kept_bytes() -> Callable[[Callable], int]:
    """Return ``kept_bytes(run)``, which calls a function and returns the bytes of new tensors that stay alive."""

    def measure(run: Callable) -> int:
        os.environ.setdefault('KINETO_LOG_LEVEL', '5')  # a CUDA build of torch would log the lack of a GPU
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
            result = run()
        del result
        return sum(event.self_cpu_memory_usage for event in profile.events())

    return measure


@pytest.fixture(scope='session')
def run_python() -> Callable[..., str]:
    """Return ``run_python(code, *args)``, which runs code in a fresh interpreter at the root and returns its output."""

    def run(code: str, *args: object) -> str:
        command = [sys.executable, '-W', 'ignore', '-c', code, *map(str, args)]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
        assert result.returncode == 0, f'exit status {result.returncode} of\n{code}\n{result.stdout}\n{result.stderr}'
        return result.stdout

    return run
