"""The contract of a plugin that hangs or crashes: its checks end with a message, and nothing is left of them."""

import ctypes
import multiprocessing
import os
import threading
from collections.abc import Callable
from functools import partial

import pytest

from rtkaraoke.errors import PluginError
from rtkaraoke.plugins import check
from rtkaraoke.plugins.gain import Gain
from rtkaraoke.plugins.hosting import checking
from rtkaraoke.plugins.hosting.checking import check_contained
from rtkaraoke.plugins.protocol import Block
from rtkaraoke.plugins.registry import create_plugin

KEPT = ("declaration", "silence", "reset")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "CHECKS", {name: check.CHECKS[name] for name in KEPT})


class Hangs(Gain):
    """Waits for what never comes as soon as it gets sound."""

    def process(self, block: Block, out: Block) -> None:
        threading.Event().wait()


class HangsInC(Gain):
    """Does the same with the interpreter's lock held, where no thread of Python can end it."""

    def process(self, block: Block, out: Block) -> None:
        ctypes.PyDLL(None).pause()


class NeverMade(Gain):
    def __init__(self) -> None:
        threading.Event().wait()


class Crashes(Gain):
    def process(self, block: Block, out: Block) -> None:
        os._exit(7)


class Dirty(Gain):
    def process(self, block: Block, out: Block) -> None:
        out[:] = 1.0


def test_results_are_those_of_the_checks_themselves() -> None:
    for create in (partial(create_plugin, "gain"), Dirty):
        assert list(check_contained(create)) == list(check.check_plugin(create))


@pytest.mark.parametrize(
    "plugin",
    [
        Hangs,
        pytest.param(HangsInC, marks=pytest.mark.skipif(not hasattr(os, "fork"), reason="pause() is a call of POSIX")),
    ],
)
def test_a_plugin_that_hangs_ends_the_checks_with_a_message(
    plugin: Callable[[], Gain], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "PATIENCE_S", 5.0)
    results = check_contained(plugin)
    assert next(results).passed
    with pytest.raises(PluginError, match=r"the plugin hangs \(check 'silence'\): nothing has come of it for 5 s"):
        next(results)
    assert not multiprocessing.active_children()


def test_a_plugin_that_is_never_made_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "FIRST_S", 5.0)
    with pytest.raises(PluginError, match=r"the plugin hangs \(making it\)"):
        list(check_contained(NeverMade))


def test_a_plugin_that_crashes_is_told() -> None:
    with pytest.raises(
        PluginError, match=r"the plugin crashed \(check 'silence'\): its process ended by itself \(exit code 7\)"
    ):
        list(check_contained(Crashes))


def test_nothing_is_left_when_nobody_wants_the_rest() -> None:
    results = check_contained(Gain)
    next(results)
    results.close()
    assert not multiprocessing.active_children()
