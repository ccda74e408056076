"""The emulation of CUDA on the host finds the mistakes it is there for, and only those."""

import ctypes

import cudabuild
import pytest

TREE, NEIGHBOURS, COPIES = range(3)


@pytest.fixture(scope="module")
def run():
    library = ctypes.CDLL(str(cudabuild.host_library("broken")))

    def call(mistake, kernel):
        result, text = ctypes.c_float(), ctypes.create_string_buffer(500)
        failed = library.cuda_host_broken(
            mistake, kernel, ctypes.byref(result), text, ctypes.c_size_t(len(text))
        )
        return text.value.decode() if failed else result.value

    return call


@pytest.mark.parametrize(("kernel", "result"), [(TREE, 2016.0), (NEIGHBOURS, 0.0), (COPIES, 0.0)])
def test_right_kernels_run(run, kernel, result):
    assert run(0, kernel) == result


@pytest.mark.parametrize(
    ("mistake", "kernel", "message"),
    [
        (1, TREE, "a race: thread"),
        (2, TREE, "shared memory: access out of bounds at element 64 of 64"),
        (3, TREE, "divergent barrier: thread 0 waits in __syncthreads at broken.cu:"),
        (4, TREE, "shared memory: a read of what nobody wrote"),
        (5, TREE, "device memory: a read of what nobody wrote"),
        (6, TREE, "device memory: access out of bounds at element 64 of 64"),
        (7, NEIGHBOURS, "shared memory: a read of what nobody wrote"),
        (8, COPIES, "shared memory: a read of what nobody wrote"),
        (9, COPIES, "shared memory: a read of what nobody wrote"),
        (10, COPIES, "divergent barrier: thread 0 waits in __shfl_sync at broken.cu:"),
    ],
)
def test_broken_kernels_are_caught(run, mistake, kernel, message):
    assert message in run(mistake, kernel)
    assert isinstance(run(0, kernel), float)  # and the next launch is not harmed
