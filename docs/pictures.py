"""Runs the notebook of examples, and makes the pictures of the documentation from what it shows.

    python docs/pictures.py
    python docs/pictures.py --images docs/images

The notebook with its outputs goes to `it_explains_itself.executed.ipynb`, which is not kept. A cell whose first line is
`# picture: NAME` gives NAME.png. Figures are taken as they are. Of tables and highlighted texts a picture is taken in a
browser without a window, if PyQt6-WebEngine is installed. Needs nbclient and ipykernel.
"""

import argparse
import base64
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from PIL import Image, ImageOps

NOTEBOOK = Path(__file__).parents[1] / "examples" / "it_explains_itself.ipynb"
STYLE = "<style>body {font: 15px sans-serif; width: 760px} td, th {padding: 2px 8px; text-align: left}</style>"
FLAGS = "--no-sandbox --disable-gpu"


def main() -> None:
    """Run, write, take pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, help="folder of the pictures")
    options = parser.parse_args()
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=3600, resources={"metadata": {"path": str(NOTEBOOK.parent)}}).execute()
    nbformat.write(notebook, NOTEBOOK.with_suffix(".executed.ipynb"))
    if options.images:
        options.images.mkdir(parents=True, exist_ok=True)
        pages = {}
        for name, output in pictures(notebook):
            if "image/png" in output:
                (options.images / f"{name}.png").write_bytes(base64.b64decode(output["image/png"]))
            elif "text/html" in output:
                pages[options.images / f"{name}.png"] = STYLE + output["text/html"]
        photograph(pages)


def pictures(notebook: Any) -> Iterator[tuple[str, dict[str, str]]]:
    """Names of pictures, and the outputs that they show, a figure before all else."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.source.startswith("# picture: "):
            shown = [output["data"] for output in cell.outputs if "data" in output]
            shown.sort(key=lambda data: "image/png" not in data)
            yield cell.source.partition("\n")[0].removeprefix("# picture: "), shown[0]


def photograph(pages: dict[Path, str]) -> None:
    """Write a picture of each page of HTML."""
    os.environ |= {"QT_QPA_PLATFORM": "offscreen", "QTWEBENGINE_CHROMIUM_FLAGS": FLAGS}
    try:
        from PyQt6.QtCore import QEventLoop, QTimer
        from PyQt6.QtWebEngineWidgets import QWebEngineView
        from PyQt6.QtWidgets import QApplication
    except ImportError:
        print("PyQt6-WebEngine is not installed: no pictures of tables and texts")
        return
    application = QApplication(sys.argv)

    def wait(signal: Any) -> Any:
        loop, values = QEventLoop(), []
        signal.connect(lambda *value: (values.extend(value), loop.quit()))
        loop.exec()
        return values[0] if values else None

    def pause(milliseconds: int) -> None:
        timer = QTimer()
        timer.setSingleShot(True)
        timer.start(milliseconds)
        wait(timer.timeout)

    for path, page in pages.items():
        view = QWebEngineView()
        view.resize(800, 3000)
        view.setHtml(page)
        view.show()
        wait(view.loadFinished)
        pause(1000)  # until it is drawn
        view.grab().save(str(path))
        trim(path)
    application.quit()


def trim(path: Path) -> None:
    """Cut off what is white below a picture."""
    image = Image.open(path).convert("RGB")
    box = ImageOps.invert(image).getbbox()
    image.crop((0, 0, image.width, box[3] + 8 if box else image.height)).save(path, optimize=True)


if __name__ == "__main__":
    main()
