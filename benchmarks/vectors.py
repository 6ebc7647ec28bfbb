"""Vectors of texts, each computed once in a run, and kept in a file if there is a folder for it."""

from hashlib import blake2b

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin


class Vectors(TransformerMixin, BaseEstimator):
    """What an encoder makes of texts, remembered.

    `name` is that of the file; `make` gives the encoder, a fitted transformer, and is called when a text is new.
    """

    folder = None  # of all of them

    def __init__(self, name, make):
        self.name, self.make = name, make
        self._known, self._encoder = None, None

    def __sklearn_clone__(self):
        """Itself, so that pipelines share what is known."""
        return self

    def fit(self, X, y=None):
        """Nothing."""
        return self

    def transform(self, X):
        """Vectors (n_texts, D)."""
        path = self.folder and self.folder / f"{self.name}.npz"
        if self._known is None:
            self._known = {}
            if path and path.exists():
                with np.load(path) as file:
                    self._known = dict(zip(file["keys"].tolist(), file["vectors"]))
        keys = [blake2b(text.encode(), digest_size=16).hexdigest() for text in X]
        new = {key: text for key, text in zip(keys, X) if key not in self._known}
        if new:
            self._encoder = self._encoder or self.make()
            self._known.update(zip(new, self._encoder.transform(list(new.values()))))
            if path:
                path.parent.mkdir(parents=True, exist_ok=True)
                np.savez(path, keys=np.array(list(self._known)), vectors=np.array(list(self._known.values())))
        return np.array([self._known[key] for key in keys])
