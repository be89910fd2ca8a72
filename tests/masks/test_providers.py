"""CPU or card: what is missing is said in one line, and what is quicker is measured."""

import ctypes
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

import onnxruntime
import pytest

from rtkaraoke.errors import ProviderError
from rtkaraoke.masks import providers
from rtkaraoke.masks.onnx import load_model
from tests.support.cards import FakeCard
from tests.support.networks import constant_mask

NAMES = ["CUDAExecutionProvider", "CPUExecutionProvider"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return constant_mask(tmp_path / "network.onnx", n_fft=64, hop=16)


class FakeDriver:
    """NVIDIA's driver; the codes that its calls answer and the number of its cards are given."""

    def __init__(self, n_cards: int = 1, init: int = 0) -> None:
        self._n_cards = n_cards
        self._init = init

    def cuInit(self, flags: int) -> int:
        return self._init

    def cuDeviceGetCount(self, count: Any) -> int:
        count._obj.value = self._n_cards
        return 0


def install_libraries(monkeypatch: pytest.MonkeyPatch, libraries: dict[str, Any], loud: bool = False) -> None:
    """Let ctypes find ``libraries`` by name and no others, and ONNX Runtime be a GPU build for CUDA 13."""

    def load(name: str) -> Any:
        if name not in libraries:
            raise OSError(f"{name}: cannot open shared object file")
        return libraries[name]

    def preload_dlls() -> None:
        if loud:
            print("Failed to load libcublasLt.so.13")

    monkeypatch.setattr(ctypes, "CDLL", load)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: NAMES)
    monkeypatch.setattr(onnxruntime, "preload_dlls", preload_dlls)
    monkeypatch.setattr(onnxruntime, "cuda_version", "13.0", raising=False)


def all_libraries(driver: FakeDriver | None = None) -> dict[str, Any]:
    return {"libcuda.so.1": driver or FakeDriver()} | dict.fromkeys(providers.cuda_libraries("13"), object())


# -- what is missing


def test_a_build_without_cuda_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: NAMES[1:])
    assert "rtkaraoke[cuda]" in (providers.cuda_problem() or "")


def test_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    install_libraries(monkeypatch, {})
    assert providers.cuda_problem() == "there is no NVIDIA driver"


@pytest.mark.parametrize("driver", [FakeDriver(n_cards=0), FakeDriver(init=100)])
def test_a_driver_without_a_card(monkeypatch: pytest.MonkeyPatch, driver: FakeDriver) -> None:
    install_libraries(monkeypatch, all_libraries(driver))
    assert "no card" in (providers.cuda_problem() or "")


@pytest.mark.parametrize("missing", providers.cuda_libraries("13"))
def test_a_missing_library_is_named_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    libraries = all_libraries()
    del libraries[missing]
    install_libraries(monkeypatch, libraries, loud=True)
    problem = providers.cuda_problem() or ""
    assert missing in problem
    assert "pip install 'rtkaraoke[cuda]'" in problem
    assert capsys.readouterr().out == ""


def test_nothing_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    install_libraries(monkeypatch, all_libraries())
    assert providers.cuda_problem() is None


def test_libraries_have_their_names_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert providers.cuda_libraries("13")[:2] == ["cublasLt64_13.dll", "cublas64_13.dll"]
    assert providers.cuda_runtime_library("12") == "cudart64_12.dll"


def test_without_cuda_auto_takes_the_cpu_with_one_line(
    path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(providers, "cuda_problem", lambda: "there is no NVIDIA driver")
    network = load_model(path, "auto")
    assert network.provider == "cpu"
    assert network.notes == ["inference runs on the CPU: there is no NVIDIA driver"]
    assert load_model(path, "cpu").notes == []
    assert capfd.readouterr() == ("", "")


def test_without_cuda_asking_for_it_is_an_error_with_the_way_out(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "cuda_problem", lambda: "it is missing; pip install 'rtkaraoke[cuda]' brings it")
    with pytest.raises(ProviderError, match=r"pip install 'rtkaraoke\[cuda\]'.*auto or cpu"):
        load_model(path, "cuda")


# -- opening


class FakeSession:
    """Notes how it was opened; refuses CUDA graphs or CUDA itself when told to."""

    opened: ClassVar[list[dict[str, str]]] = []
    refuse_graphs = False
    fall_back = False

    def __init__(self, path: Path, options: Any, providers: list[Any], enable_fallback: int) -> None:
        assert enable_fallback == 0  # its fallback prints and says nothing to a program
        assert options.intra_op_num_threads == options.inter_op_num_threads == 1
        assert options.log_severity_level == 4
        assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
        (name, cuda), cpu = providers
        assert [name, cpu] == NAMES
        self.opened.append(cuda)
        if self.refuse_graphs and cuda["enable_cuda_graph"] == "1":
            raise RuntimeError("[ONNXRuntimeError] : 1 : FAIL : not all nodes are on the card")

    def get_providers(self) -> list[str]:
        return NAMES[1:] if self.fall_back else NAMES


@pytest.fixture
def fake_session(monkeypatch: pytest.MonkeyPatch) -> type[FakeSession]:
    class Session(FakeSession):
        opened: ClassVar[list[dict[str, str]]] = []

    install_libraries(monkeypatch, all_libraries())
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    return Session


def test_a_card_replays_graphs_where_it_can(fake_session: type[FakeSession]) -> None:
    opened = providers.open_cuda(Path("network.onnx"))
    assert opened.device == "cuda"
    assert opened.graph
    assert opened.cudart is not None
    (options,) = fake_session.opened
    assert options["enable_cuda_graph"] == "1"
    assert options["use_tf32"] == "0"


def test_a_card_runs_node_by_node_where_graphs_are_refused(fake_session: type[FakeSession]) -> None:
    fake_session.refuse_graphs = True
    assert not providers.open_cuda(Path("network.onnx")).graph
    assert [options["enable_cuda_graph"] for options in fake_session.opened] == ["1", "0"]


def test_a_card_runs_node_by_node_where_graphs_are_not_wanted(fake_session: type[FakeSession]) -> None:
    assert not providers.open_cuda(Path("network.onnx"), graphs=False).graph
    assert [options["enable_cuda_graph"] for options in fake_session.opened] == ["0"]


def test_a_silent_fallback_to_the_cpu_is_noticed(fake_session: type[FakeSession]) -> None:
    fake_session.fall_back = True
    with pytest.raises(ProviderError, match=r"CUDA cannot run network.onnx .*fell back to the CPU"):
        providers.open_cuda(Path("network.onnx"))


def test_the_runtimes_reason_is_one_line_without_codes() -> None:
    error = RuntimeError("[ONNXRuntimeError] : 7 : INVALID_PROTOBUF : Load failed: parsing\nsecond line")
    assert providers.reason(error) == "Load failed: parsing"
    assert providers.reason(KeyError()) == "KeyError"


# -- choosing


def test_p99_is_that_of_the_slow_steps() -> None:
    steps = iter([0.0] * 5 + [0.0] * 96 + [0.003] * 4)
    assert providers.p99_s(lambda: time.sleep(next(steps)), n_steps=100, n_warm_up=5) >= 0.003


@pytest.mark.parametrize(("cpu_s", "cuda_s", "chosen"), [(0.002, 0.001, "cuda"), (0.001, 0.002, "cpu")])
def test_auto_takes_the_one_with_the_lower_p99(
    path: Path, monkeypatch: pytest.MonkeyPatch, cpu_s: float, cuda_s: float, chosen: str
) -> None:
    FakeCard().install(monkeypatch)
    measured = iter([cuda_s, cpu_s])

    def p99_s(step: Any) -> float:
        step()
        return next(measured)

    monkeypatch.setattr(providers, "p99_s", p99_s)
    network = load_model(path, "auto")
    assert network.provider == chosen
    (note,) = network.notes
    assert f"{1e3 * cpu_s:.2f} ms on the CPU, {1e3 * cuda_s:.2f} ms on the GPU" in note


def test_a_slow_card_is_left_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, with real clocks: a stall in one step of fifty."""
    steps = iter(range(10_000))
    card = FakeCard(lambda: time.sleep(0.02) if next(steps) % 50 == 0 else None).install(monkeypatch)
    assert load_model(path, "auto").provider == "cpu"
    assert not card.cudart.pinned


@pytest.mark.parametrize("provider", ["auto", "cuda"])
def test_a_card_that_fails_at_once(path: Path, monkeypatch: pytest.MonkeyPatch, provider: str) -> None:
    card = FakeCard().install(monkeypatch)
    card.cudart.broken = True
    if provider == "auto":
        network = load_model(path, "auto")
        assert network.provider == "cpu"
        assert "CUDA error 719" in network.notes[0]
    else:
        with pytest.raises(ProviderError, match="CUDA error 719"):
            load_model(path, "cuda")
    assert not card.cudart.pinned


def test_every_cuda_graph_has_a_number_of_its_own(path: Path) -> None:
    """A graph holds addresses: a number used twice would replay another stream's."""
    from rtkaraoke.masks.binding import BoundSession
    from rtkaraoke.masks.contract import read_contract

    opened = providers.open_cpu(path)
    _, signature = read_contract(opened.session, "network")
    graphs = [BoundSession(providers.OpenedSession(opened.session, graph=True), signature) for _ in range(3)]
    numbers = [options.get_run_config_entry("gpu_graph_id") for graph in graphs for options in graph._options]
    assert len(set(numbers)) == 6
    for graph in graphs:
        graph.run()
