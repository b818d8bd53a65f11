"""What is said while kernels are compiled: the truth, once, and only if it takes long."""

import time
from types import SimpleNamespace

import numba
import pytest
from numba.core import event

from millimorph.backends.cpu.announce import MESSAGE, Announcer


def compilation_of(module):
    function = SimpleNamespace(py_func=SimpleNamespace(__module__=module))
    return event.trigger_event("numba:compile", data={"dispatcher": function})


def after(seconds):
    return event.install_listener("numba:compile", Announcer(after_s=seconds))


def test_compiling_for_long_is_told_once(capfd):
    with after(0.05):
        for _ in range(2):
            with compilation_of("millimorph.kernels.sampling"):
                time.sleep(0.2)
    assert capfd.readouterr().err.count(MESSAGE) == 1


def test_many_short_compilations_are_told(capfd):
    with after(0.1):
        for _ in range(4):
            with compilation_of("millimorph.kernels.sampling"):
                time.sleep(0.05)
    assert capfd.readouterr().err.count(MESSAGE) == 1


def test_a_compilation_inside_another_is_waited_for_once(capfd):
    with after(0.4), compilation_of("millimorph.kernels.traverse"):
        with compilation_of("millimorph.kernels.sampling"):
            time.sleep(0.01)
        with compilation_of("millimorph.kernels.points"):
            time.sleep(0.01)
    assert capfd.readouterr().err == ""


def test_long_work_after_a_short_compilation_is_not_called_compiling(capfd):
    with after(0.05):
        with compilation_of("millimorph.kernels.sampling"):
            pass
        time.sleep(0.2)
    assert capfd.readouterr().err == ""


def test_functions_of_others_are_not_told_of(capfd):
    with after(0.0), compilation_of("somebody.elses"):
        time.sleep(0.1)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("module", ["millimorph.kernels.trial", "trial"])
def test_numba_tells_when_it_compiles(capfd, module):
    """Held against Numba itself: a function is compiled for its first argument type."""

    def double(x):
        return x + x

    double.__module__ = module
    with after(0.0):
        assert numba.njit(double)(2) == 4
    assert (MESSAGE in capfd.readouterr().err) == module.startswith("millimorph.")
