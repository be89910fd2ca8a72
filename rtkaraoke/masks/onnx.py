"""Mask networks from ONNX files: find, check, open, step.

::

    network = load_model("default")          # or a path; checks the whole contract, chooses CPU or GPU
    mask_model = network.open(48_000)        # state and buffers of one stream, at one sample rate
    mask_model.step(spectrum, mask)          # once per hop; allocates nothing, raises nothing

A step never raises: a provider that fails is replaced by the CPU, NaN resets the network's memory, and in both cases
the previous mask holds for that hop. Both are counted and said in ``notes``.
"""

from importlib import resources
from pathlib import Path

from rtkaraoke.errors import ModelError, ProviderError
from rtkaraoke.geometry import StftGeometry
from rtkaraoke.masks import providers
from rtkaraoke.masks.batch import Batch
from rtkaraoke.masks.binding import BoundSession
from rtkaraoke.masks.contract import Signature, read_contract
from rtkaraoke.masks.protocol import Mask, ModelInfo, Spectrum
from rtkaraoke.masks.providers import OpenedSession

CENTRE = "centre"  # needs no file: see rtkaraoke.masks.models
FIRST_BYTE = 0x08  # tag of `ir_version`, the first field of every ONNX file
MAX_FILE_SIZE = 2**31  # Protocol Buffers' limit; larger weights lie in a file beside, which ONNX Runtime reads itself


def shipped_models() -> dict[str, Path]:
    """The networks inside the package: name to file."""
    folder = Path(str(resources.files("rtkaraoke.masks"))) / "weights"
    return {path.stem: path for path in sorted(folder.glob("*.onnx"))}


def load_model(name: str | Path, provider: str = "auto", graphs: bool = True) -> "Network":
    """Load and check a network.

    Parameters
    ----------
    name : str or Path
        A shipped network's name, or the path of an ONNX file.
    provider : str
        ``"cpu"``, ``"cuda"``, or ``"auto"``: whichever has the lower 99th percentile of a step.
    graphs : bool
        Whether a card may replay a step as a CUDA graph; without, it is launched node by node.

    Raises
    ------
    ModelError
        When there is no such network, or it breaks the contract.
    ProviderError
        When the provider is unknown or cannot be had here.
    """
    providers.check_provider(provider)
    path = _find(name)
    try:
        cpu = providers.open_cpu(path)
    except Exception as error:  # noqa: BLE001 - ONNX Runtime's exceptions share no other base class
        raise ModelError(f"{path}: ONNX Runtime cannot load it: {providers.reason(error)}") from None
    info, signature = read_contract(cpu.session, str(path))
    notes = []
    if info.non_commercial:
        free = "choose the network 'free'" if "free" in shipped_models() else "train one on data of your own"
        notes.append(
            f"network {info.name!r} was trained on non-commercial data ({info.training_data}): "
            f"not for commercial use; for that {free}"
        )
    cuda = None if provider == "cpu" else _choose_cuda(path, signature, cpu, provider == "cuda", graphs, notes)
    return Network(path, info, signature, cpu, cuda, notes, graphs)


class Network:
    """A checked ONNX file; see :func:`load_model`. Opens any number of streams.

    Attributes
    ----------
    path : Path
        The file.
    info : ModelInfo
        What the file says of itself.
    provider : str
        ``"cpu"`` or ``"cuda"``: where streams start.
    notes : list of str
        Lines for the user, each to be said once; grows when a provider fails in mid-song.
    """

    def __init__(
        self,
        path: Path,
        info: ModelInfo,
        signature: Signature,
        cpu: OpenedSession,
        cuda: OpenedSession | None,
        notes: list[str],
        graphs: bool = True,
    ) -> None:
        self.path = path
        self.info = info
        self.provider = "cpu" if cuda is None else "cuda"
        self.notes = notes
        self._signature = signature
        self._cpu: OpenedSession | None = cpu
        self._unused_cuda = cuda
        self._graphs = graphs

    def open(self, sample_rate: int) -> "OnnxMask":
        """A stream of its own state at ``sample_rate`` Hz.

        Streams on the CPU share one session. On a card each has its own, because a session that replays CUDA graphs
        serves one thread; the CPU's is bound beside it, ready to take over.

        Raises
        ------
        GeometryError
            When the rate cannot work.
        ProviderError
            When the card refuses another session.
        """
        geometry = self.info.geometry.at_rate(sample_rate)
        return OnnxMask(self.info, geometry, self.batch(1))

    def batch(self, n_streams: int) -> Batch:
        """Streams that share their runs. Raises :class:`ProviderError` when the card refuses another session."""
        if self._cpu is None:
            raise ValueError(f"network {self.info.name!r} is closed")
        candidates = [self._cpu]
        if self.provider == "cuda":
            candidates.insert(0, self._unused_cuda or providers.open_cuda(self.path, self._graphs))
            self._unused_cuda = None
        bound = [BoundSession(opened, self._signature, n_streams) for opened in candidates]
        return Batch(self.info.name, bound, self.notes)

    def close(self) -> None:
        """Let go of the sessions; streams that are open go on. May be called twice."""
        self._cpu = self._unused_cuda = None


class OnnxMask:
    """A mask network at one sample rate with the memory of one stream: a :class:`~rtkaraoke.masks.protocol.MaskModel`.

    Attributes
    ----------
    info, geometry
        As in the protocol.
    batch : Batch
        The one stream that steps run in; knows what failed.
    """

    def __init__(self, info: ModelInfo, geometry: StftGeometry, batch: Batch) -> None:
        self.info = info
        self.geometry = geometry
        self.batch = batch

    @property
    def provider(self) -> str:
        """Where steps run now: ``"cpu"`` or ``"cuda"``."""
        return self.batch.provider

    def step(self, spectrum: Spectrum, mask: Mask) -> None:
        """Read ``spectrum`` ``(channel, bin)`` at the network's level, fill ``mask`` ``(channel, bin)``.

        How channels and bins are fitted: :meth:`Batch.feed` and :meth:`Batch.read`.
        """
        self.batch.feed(0, spectrum)
        self.batch.run()
        self.batch.read(0, mask)

    def reset(self) -> None:
        """Forget everything: the next step is the first."""
        self.batch.forget(0)

    def close(self) -> None:
        """Free buffers and pinned memory; no step after it. May be called twice."""
        self.batch.close()


def _find(name: str | Path) -> Path:
    """The file that ``name`` stands for; only a file that may be ONNX at all."""
    models = shipped_models()
    if str(name) in models:
        return models[str(name)]
    path = Path(name)
    shipped = ", ".join([*models, CENTRE])
    try:
        if not path.exists():
            raise ModelError(
                f"there is no network or file {str(name)!r}: shipped are {shipped}; or give an ONNX file's path"
            )
        if not path.is_file():
            raise ModelError(
                f"{path} is no file: give the path of an ONNX file, or a shipped network's name ({shipped})"
            )
        size = path.stat().st_size
        with path.open("rb") as file:
            first = file.read(1)
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}): check its name and permissions") from None
    if not first:
        raise ModelError(f"{path} is empty (0 bytes): copy or export the network again")
    if first[0] != FIRST_BYTE:
        raise ModelError(f"{path} is no ONNX file: export the network with `rtkaraoke export`; shipped are {shipped}")
    if size >= MAX_FILE_SIZE:
        raise ModelError(
            f"{path} has {size} bytes, wanted less than {MAX_FILE_SIZE}: no such network keeps up with a hop"
        )
    return path


def _choose_cuda(
    path: Path, signature: Signature, cpu: OpenedSession, wanted: bool, graphs: bool, notes: list[str]
) -> OpenedSession | None:
    """The session on a card if it can be had and is ``wanted`` or quicker; else None and a line in ``notes``."""
    try:
        if problem := providers.cuda_problem():
            raise ProviderError(problem)
        cuda = providers.open_cuda(path, graphs)
        cuda_s = _p99_s(cuda, signature)
    except ProviderError as error:
        if wanted:
            raise ProviderError(
                f"the provider cuda cannot be had: {error}; or choose the provider auto or cpu"
            ) from None
        notes.append(f"inference runs on the CPU: {error}")
        return None
    if wanted:
        return cuda
    cpu_s = _p99_s(cpu, signature)
    quicker = cuda_s < cpu_s
    notes.append(
        f"inference runs on the {'GPU' if quicker else 'CPU'}: "
        f"p99 of a step is {1e3 * cpu_s:.2f} ms on the CPU, {1e3 * cuda_s:.2f} ms on the GPU"
    )
    return cuda if quicker else None


def _p99_s(opened: OpenedSession, signature: Signature) -> float:
    """99th percentile of a step's time in seconds, in a stream made for it."""
    try:
        bound = BoundSession(opened, signature)
        try:
            return providers.p99_s(bound.run)
        finally:
            bound.close()
    except Exception as error:  # noqa: BLE001 - ONNX Runtime's exceptions share no other base class
        raise ProviderError(f"a step on the {opened.device} fails ({providers.reason(error)})") from None
