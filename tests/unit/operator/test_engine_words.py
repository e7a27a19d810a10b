"""The lines of a log that tell why an engine ended."""

from hypothesis import given
from hypothesis import strategies as st
from mizzen_operator.engine_words import MOST_CHARACTERS, last_words, telling_lines

OPTIONS = "\n".join(f"| --option-{number:<40} | {'value':<60} |" for number in range(60))
TRITON = f"""I1122 10:00:00.000001 17 server.cc:604] "started"
E1122 10:00:01.000001 17 model_lifecycle.cc:654] "failed to load 'sentiment' version 1: Internal: no such op: Foo"
+-----------+---------+---------------------+
| Model     | Version | Status              |
+-----------+---------+---------------------+
{OPTIONS}
error: creating server: Internal - failed to load all models
"""

WITHOUT_A_GPU = """\
W1123 03:00:28.944749 2285 pinned_memory_manager.cc:273] "Unable to allocate pinned system memory, pinned memory pool \
will not be available: CUDA driver version is insufficient for CUDA runtime version"
I1123 03:00:28.945610 2285 cuda_memory_manager.cc:117] "CUDA memory pool disabled"
E1123 03:00:28.945713 2285 server.cc:241] "CudaDriverHelper has not been initialized."
"""
BROKEN = """\
I1123 03:00:28.950090 2285 model_lifecycle.cc:472] "loading: broken:1"
I1123 03:00:29.053011 2295 pb_stub.cc:298]  Failed to initialize Python stub for auto-complete: ModuleNotFoundError

At:
  /models/broken/1/model.py(1): <module>

E1123 03:00:29.070768 2285 model_lifecycle.cc:642] "failed to load 'broken' version 1: Internal: ModuleNotFoundError: \
No module named 'nothing_of_that_name'"
I1123 03:00:29.070828 2285 model_lifecycle.cc:777] "failed to load 'broken'"
error: creating server: Internal - failed to load all models
"""
"""Both recorded from Triton 2.51 on a machine without a GPU."""


def test_what_triton_says_at_each_start_without_a_gpu_does_not_stand_before_the_cause() -> None:
    first, *rest = telling_lines(WITHOUT_A_GPU + BROKEN).splitlines()
    assert "failed to load 'broken' version 1: Internal: ModuleNotFoundError" in first
    assert rest == ["error: creating server: Internal - failed to load all models"]


def test_a_triton_that_ended_without_an_error_is_not_said_to_lack_a_gpu() -> None:
    assert telling_lines(WITHOUT_A_GPU + BROKEN.splitlines()[0]).endswith('"loading: broken:1"')
    assert "Cuda" not in telling_lines(WITHOUT_A_GPU + BROKEN.splitlines()[0])
    assert "CudaDriverHelper" in telling_lines(WITHOUT_A_GPU), "where it said nothing else, these are its last words"


def test_a_driver_that_is_too_old_is_told_where_it_is_the_cause() -> None:
    cause = "RuntimeError: CUDA driver version is insufficient for CUDA runtime version"
    assert telling_lines(f"INFO 11-23 starting\n{cause}\n") == cause


def test_last_words_are_whole_where_they_fit_and_else_the_errors_of_their_end() -> None:
    assert last_words("INFO loading weights\nRuntimeError: another shape\n", 60).startswith("INFO loading weights\n")
    frames = "\n".join(f'  File "/engine/part_{number}.py", line {number}, in load' for number in range(40))
    assert last_words(f"{frames}\nValueError: max_model_len is 4096\n", 1024) == "ValueError: max_model_len is 4096"
    assert last_words(WITHOUT_A_GPU + BROKEN, 1024) == telling_lines(BROKEN)


def test_of_tritons_last_words_the_reason_is_kept_and_its_table_of_options_is_not() -> None:
    told = telling_lines(TRITON)
    assert "no such op: Foo" in told
    assert "failed to load all models" in told
    assert "--option" not in told


def test_of_a_traceback_the_error_is_kept() -> None:
    log = 'Traceback (most recent call last):\n  File "serve.py", line 3\nValueError: max_model_len is 4096\n'
    assert telling_lines(log) == "ValueError: max_model_len is 4096"


def test_a_log_without_an_error_gives_its_last_lines() -> None:
    assert telling_lines("\n".join(f"step {number}" for number in range(1000)), 14) == "step 999"
    assert telling_lines("loading\nready\n") == "loading\nready"


def test_one_line_that_is_too_long_keeps_its_beginning() -> None:
    assert telling_lines("RuntimeError: shapes differ " + "x" * 9000).startswith("RuntimeError: shapes differ")


@given(st.text(), st.integers(min_value=1, max_value=200))
def test_no_more_is_told_than_fits(text: str, most: int) -> None:
    assert len(telling_lines(text, most)) <= most
    assert len(telling_lines(text * 300)) <= MOST_CHARACTERS
