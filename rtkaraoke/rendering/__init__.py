"""Files through the engine: song by song or a folder at once, as long as the input and aligned with it."""

from rtkaraoke.files import INPUT_SUFFIXES
from rtkaraoke.rendering.folder import FolderReport, render_folder
from rtkaraoke.rendering.song import BLOCK, STEMS, Progress, RenderReport, render, render_array

__all__ = [
    "BLOCK",
    "INPUT_SUFFIXES",
    "STEMS",
    "FolderReport",
    "Progress",
    "RenderReport",
    "render",
    "render_array",
    "render_folder",
]
