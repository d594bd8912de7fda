"""What is promised of numbers holds under the kernels of other processors, which a variable of each library chooses."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[1]

# PyTorch's own kernels, those of oneDNN, and those of MKL. Wider ones than a processor has cannot be chosen.
INSTRUCTION_SETS = [
    {"ATEN_CPU_CAPABILITY": "default"},
    {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "AVX2"},
]
# Other batches against offline predictions; training that is resumed, stops early, and learns; scoring against whole sequences.
NUMERICAL = [
    "tests/serve/test_same_answers.py",
    "tests/finetune/test_resume.py::test_a_run_that_early_stopping_had_ended_is_not_trained_on",
    "tests/finetune/test_generative.py::test_it_learns_to_answer_and_to_stop",
    "tests/inference/test_likelihood.py",
]


@pytest.mark.parametrize("chosen", INSTRUCTION_SETS, ids=lambda chosen: "-".join(chosen.values()))
def test_the_numerical_tests_pass_under_another_instruction_set(chosen: dict[str, str], tmp_path: Path) -> None:
    if "avx2" in map(str.lower, chosen.values()) and torch.backends.cpu.get_cpu_capability() not in {"AVX2", "AVX512"}:
        pytest.skip("this processor has no AVX2")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--basetemp", str(tmp_path / "run"), *NUMERICAL],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | chosen,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]


def test_the_variable_changes_the_kernels() -> None:
    """Otherwise the test above would compare a processor with itself."""
    shown = "import torch; print(torch.backends.cpu.get_cpu_capability())"
    done = subprocess.run(
        [sys.executable, "-c", shown],
        env=os.environ | {"ATEN_CPU_CAPABILITY": "default"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "DEFAULT"
