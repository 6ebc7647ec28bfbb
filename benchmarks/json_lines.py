"""A file of JSON lines, one for each finished fit, so that a measurement that was cut goes on where it was."""

import json
from pathlib import Path


class JSONLines:
    """The rows of a file, oldest first; without a path they are kept in memory alone."""

    def __init__(self, path):
        self.path = path and Path(path)
        lines = self.path.read_text().splitlines() if self.path and self.path.exists() else []
        self.rows = [json.loads(line) for line in lines]

    def has(self, **fields):
        """Whether there is a row with these values."""
        return any(all(row.get(name) == value for name, value in fields.items()) for row in self.rows)

    def append(self, row):
        """Print a finished row and keep it, on disk at once."""
        print(row, flush=True)
        self.rows.append(row)
        if self.path:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "a") as file:
                file.write(json.dumps(row) + "\n")
