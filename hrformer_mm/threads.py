"""Detection of more threads than free processors."""

import os
import time
from pathlib import Path

CPU_MAX = Path('/sys/fs/cgroup/cpu.max')  # quota of a container: microseconds of CPU time per period, or "max"
STAT = Path('/proc/stat')
SAMPLE = 0.3  # seconds over which the load is measured


def available_cpus() -> float:
    """Return the number of processors that this process may use, by its affinity and the quota of its container."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    try:
        quota, period = CPU_MAX.read_text().split()
    except (OSError, ValueError):
        return cpus
    return cpus if quota == 'max' else min(cpus, int(quota) / int(period))


def busy_cpus() -> float:
    """Return the number of processors that other processes use, measured while this thread sleeps; 0 if unknown."""
    try:
        first = _clock()
        time.sleep(SAMPLE)
        busy, total = (after - before for after, before in zip(_clock(), first))
    except (OSError, ValueError):
        return 0
    return busy / total * (os.cpu_count() or 1) if total else 0


def _clock() -> tuple[int, int]:
    """Return the busy ticks and all ticks of all processors since the machine started."""
    user, nice, system, idle, wait, *rest = map(int, STAT.read_text().splitlines()[0].split()[1:9])
    working = user + nice + system + sum(rest)
    return working, working + idle + wait


def crowded(threads: int) -> str | None:
    """Return a warning with the remedy if this number of threads exceeds the free processors, otherwise None."""
    cpus, busy = available_cpus(), busy_cpus()
    free = max(1, round(min(cpus, (os.cpu_count() or 1) - busy)))
    if threads <= free:
        return None
    return (
        f'{threads} threads of PyTorch would share {cpus:g} processors, of which other processes use {busy:.1f}: '
        'computation on the CPU becomes several times slower when threads wait for each other. Set the environment '
        f'variable OMP_NUM_THREADS={free}'
    )
