"""Pictures of every screen: languages, text sizes, contrast, both orientations. `make gallery`."""

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from kiosk.config import ScreenSettings
from kiosk.questions import Settings
from kiosk.visit import Frame

MODES = {
    "vi": Settings("vi"),
    "en": Settings("en"),
    "vi-large": Settings("vi", large_text=True),
    "en-large": Settings("en", large_text=True),
    "vi-contrast": Settings("vi", high_contrast=True),
    "en-contrast": Settings("en", high_contrast=True),
}


def render_gallery(folder: Path, landscape: bool = False, only: str = "", modes: str = "") -> list[Path]:
    """Write `<screen>-<mode>.png` for every screen whose name begins with `only`; once in a process."""
    os.environ.setdefault("SDL_VIDEODRIVER", "offscreen")
    from screens.window import open_window

    size = (1920, 1080) if landscape else (1080, 1920)
    window = open_window(ScreenSettings(*size, fullscreen=False))
    from kivy.core.window import Window

    from screens.presenter import KivyPresenter
    from screens.samples import samples
    from screens.touch import screenshot

    presenter = KivyPresenter(window)
    Window.add_widget(presenter.stage)

    def pictures() -> Iterator[Path]:
        for name, sample in samples().items():
            for mode, settings in MODES.items():
                if not name.startswith(only) or (modes and mode not in modes.split(",")):
                    continue
                presenter.stand(sample.question, Frame(settings, sample.back), sample.draft)
                path = folder / f"{name}-{mode}{'-landscape' if landscape else ''}.png"
                screenshot(path)
                yield path

    return list(pictures())


def main() -> None:
    """`python -m screens.gallery FOLDER [--landscape] [--only NAME]`."""
    parser = argparse.ArgumentParser(description="Pictures of every screen")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--landscape", action="store_true")
    parser.add_argument("--only", default="", help="beginning of a screen's name")
    asked = parser.parse_args()
    made = render_gallery(asked.folder, asked.landscape, asked.only)
    sys.stdout.write(f"{len(made)} pictures in {asked.folder}\n")


if __name__ == "__main__":
    main()
