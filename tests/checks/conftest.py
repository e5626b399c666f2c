import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # faults and small_trainings, which the tests import
