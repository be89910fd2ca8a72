"""The picture in README.md: what `rtkaraoke demo` draws of its own song, in a size for the web."""

import argparse
import tempfile

from common import FOLDER
from PIL import Image

from rtkaraoke import load_model
from rtkaraoke.demo import write_demo
from rtkaraoke.masks.models import DEFAULT_MODEL

PICTURE = FOLDER.parent / "docs" / "demo.png"
WIDTH = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = write_demo(folder, load_model(options.model, "cpu"))
        image = Image.open(report.picture).convert("RGB")
    small = image.resize((WIDTH, round(image.height * WIDTH / image.width)), Image.Resampling.LANCZOS)
    small.quantize(128, dither=Image.Dither.NONE).save(PICTURE, optimize=True)
    print(f"wrote {PICTURE.name}: {', '.join(f'{name} {value}' for name, value in report.figures)}")


if __name__ == "__main__":
    main()
