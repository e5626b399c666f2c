"""Whether the threads of a process have processors of their own."""

import os
import time
from pathlib import Path

CPU_MAX = Path('/sys/fs/cgroup/cpu.max')  # of a container: microseconds of CPU time in each period, or "max"
STAT = Path('/proc/stat')
SAMPLE = 0.3  # seconds


def available_cpus() -> float:
    """Processors that this process may use: those of its affinity, or the quota of its container if that is less."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    try:
        quota, period = CPU_MAX.read_text().split()
    except (OSError, ValueError):
        return cpus
    return cpus if quota == 'max' else min(cpus, int(quota) / int(period))


def busy_cpus() -> float:
    """Processors of the machine that other work keeps busy, measured while this thread sleeps; 0 if unknown."""
    try:
        first = _clock()
        time.sleep(SAMPLE)
        busy, total = (after - before for after, before in zip(_clock(), first))
    except (OSError, ValueError):
        return 0
    return busy / total * (os.cpu_count() or 1) if total else 0


def _clock() -> tuple[int, int]:
    """Ticks of all processors since the machine started: those in which they worked, and all."""
    user, nice, system, idle, wait, *rest = map(int, STAT.read_text().splitlines()[0].split()[1:9])
    working = user + nice + system + sum(rest)
    return working, working + idle + wait


def crowded(threads: int) -> str | None:
    """A sentence with a remedy if so many threads, started now, would wait for processors; otherwise None."""
    cpus, busy = available_cpus(), busy_cpus()
    free = max(1, round(min(cpus, (os.cpu_count() or 1) - busy)))
    if threads <= free:
        return None
    return (
        f'{threads} threads of PyTorch would share {cpus:g} processors, of which other work keeps {busy:.1f} busy: '
        'computing on the CPU becomes several times slower when threads wait for each other. Set the environment '
        f'variable OMP_NUM_THREADS={free}'
    )
