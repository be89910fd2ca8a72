"""A small data folder in the layout of the real one, with clips that sound like singing over a beat."""

from pathlib import Path

import numpy as np
import soundfile

HEADER = "kind,family,id,group,split,sample_rate,channels,seconds,path,licence"
SINGERS = ("abjones", "abjones", "amy", "amy", "leon", "Ani")
RATE = 16_000


def write_clips(root: Path, seconds: float = 1.0, singers: tuple[str, ...] = SINGERS) -> Path:
    """Pairs of the family ``mir1k``, one per singer named; returns ``root``."""
    rows = [HEADER]
    for number, singer in enumerate(singers):
        rng = np.random.default_rng(number)
        t = np.arange(round(seconds * RATE)) / RATE
        pitch = 200 + 20 * number
        phase = 2 * np.pi * pitch * t + 3 * np.sin(2 * np.pi * 5 * t)
        voice = sum(0.2 / h * np.sin(h * phase) for h in range(1, 8)) * (np.sin(2 * np.pi * t) > -0.3)
        beat = np.exp(-20 * (t * 4 % 1))
        music = 0.2 * beat * rng.standard_normal(len(t)) + 0.1 * np.sin(2 * np.pi * 110 * t)
        folder = root / "pairs" / "mir1k" / f"{singer}_{number}"
        folder.mkdir(parents=True)
        for name, part in (("vocals", voice), ("accompaniment", music)):
            soundfile.write(folder / f"{name}.ogg", part.astype(np.float32), RATE)
        path = folder.relative_to(root).as_posix()
        rows.append(f"pair,mir1k,{singer}_{number},{singer},train,{RATE},1,{seconds},{path},none")
    (root / "manifest.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return root
