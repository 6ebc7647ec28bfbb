"""The beginnings of long documents, which a training reads without gradients and dropout, and seldom.

They are read again when the encoder has moved: every few epochs if it began with random weights or learns fast, hardly
ever if it began as a language model.
"""

import numpy as np
import torch
from torch import Tensor, nn

from skulmfit.inference.documents import document_outputs
from skulmfit.inference.passes import CHUNK_SIZE, evaluating, in_parallel, read_together
from skulmfit.nn.chunks import STEP
from skulmfit.nn.encoder import Encoder
from skulmfit.nn.pooling import Beginning, Pool, join_beginnings, read_to_ends
from skulmfit.nn.runtime import Runtime
from skulmfit.text.document_batches import pad
from skulmfit.text.token_corpus import TokenCorpus

# Share of its norm by which an encoder's weights may change. Fine-tuning `en` on 60 texts changes them by 0.008. Random
# weights, which change by 0.2 in 20 epochs, do not find a word in a beginning that is read once (docs/log).
_CHANGE = 0.02


class Beginnings:
    """Documents cut in two: what an encoder has made of the beginning of each, and the end that is yet to be read.

    Parameters
    ----------
    corpus : TokenCorpus
    longest_end : int
        No end is longer, and none of a cut document is much shorter.
    runtime : Runtime
    """

    def __init__(self, corpus: TokenCorpus, longest_end: int, runtime: Runtime):
        cuts = np.maximum(corpus.lengths - longest_end, 0)
        self._cuts = -(-cuts // STEP) * STEP  # where a document's state is that of its end
        self.corpus, self.runtime = corpus, runtime
        self._long = np.flatnonzero(self._cuts)
        cut_off = (document[cut:] for document, cut in zip(corpus, self._cuts))
        self.ends = TokenCorpus.from_documents(cut_off) if len(self._long) else corpus
        self._read: Beginning | None = None  # of the long documents, in their order
        self._weights: list[Tensor] = []  # of the encoder that has read them

    def read(self, encoder: Encoder, n_layers: int) -> None:
        """Read the beginnings, unless the encoder is nearly what it was when they were read last."""
        if not len(self._long) or self._is_near(encoder):
            return
        self._weights = [param.detach().clone() for param in encoder.layers.parameters()]
        groups = self._groups(self._cuts)

        @torch.no_grad()  # which holds for a thread
        def read_group(rows: np.ndarray) -> Beginning:
            heads = TokenCorpus.from_documents(self.corpus[row][: self._cuts[row]] for row in rows)
            ids, lengths = map(self.runtime.tensor, pad(heads, np.arange(len(rows))))
            nothing = Beginning.of_nothing(encoder, len(ids), n_layers)
            with self.runtime.autocast():  # in the precision of the training
                return read_to_ends(encoder, ids, lengths, nothing, chunk_size=CHUNK_SIZE, n_layers=n_layers)

        with evaluating(encoder, self.runtime):
            joined = join_beginnings(list(in_parallel(read_group, groups, self.runtime)))
        self._read = joined.rows(self.runtime.tensor(np.argsort(np.concatenate(groups))))

    def _groups(self, lengths: np.ndarray) -> list[np.ndarray]:
        """Long documents that are read together, by falling length."""
        return read_together(lengths, self._long[np.argsort(-lengths[self._long], kind="stable")], self.runtime)

    def _is_near(self, encoder: Encoder) -> bool:
        pairs = list(zip(encoder.layers.parameters(), self._weights))
        change = sum(float((now.detach() - before).square().sum()) for now, before in pairs)
        return bool(pairs) and change <= _CHANGE**2 * sum(float(before.square().sum()) for _, before in pairs)

    def of(self, batch: np.ndarray) -> Beginning | None:
        """The beginnings of some documents; None where none of them is long."""
        is_long = self._cuts[batch] > 0
        if self._read is None or not is_long.any():
            return None
        own = self._read.rows(self.runtime.tensor(np.searchsorted(self._long, batch[is_long])))
        # After them comes the one of nothing.
        places = np.where(is_long, np.cumsum(is_long) - 1, is_long.sum())
        return join_beginnings([own, _nothing_like(own)]).rows(self.runtime.tensor(places))

    def outputs(self, encoder: Encoder, n_layers: int, head: nn.Module | None = None) -> np.ndarray:
        """The same as `document_outputs`, but the beginnings are those that have been read."""
        if not len(self._long):
            return document_outputs(encoder, self.corpus, self.runtime, n_layers=n_layers, head=head)
        network = nn.Identity() if head is None else head

        groups = self._groups(self.ends.lengths)

        @torch.no_grad()
        def of_group(rows: np.ndarray) -> np.ndarray:
            ids, lengths = map(self.runtime.tensor, pad(self.ends, rows))
            beginning = self.of(rows)
            assert beginning is not None
            whole = read_to_ends(encoder, ids, lengths, beginning, chunk_size=CHUNK_SIZE, n_layers=n_layers)
            return network(whole.pool.concat(whole.n_read)).cpu().numpy()

        with evaluating(encoder, self.runtime), evaluating(network, self.runtime):
            long_rows = np.concatenate(list(in_parallel(of_group, groups, self.runtime)))
        outputs = np.empty((len(self.corpus), long_rows.shape[1]), np.float32)
        outputs[np.concatenate(groups)], short = long_rows, np.flatnonzero(self._cuts == 0)
        if len(short):
            corpus = self.corpus.take(short)
            outputs[short] = document_outputs(encoder, corpus, self.runtime, n_layers=n_layers, head=head)
        return outputs

    def state(self) -> list[list[Tensor]]:
        """What has been read, and the weights of the encoder that read it, for a checkpoint."""
        if self._read is None:
            return []
        pool, pairs = self._read.pool, self._read.state
        read = [self._read.n_read, pool.last, pool.max, pool.sum, *(part for pair in pairs for part in pair)]
        return [[tensor.cpu() for tensor in tensors] for tensors in (read, self._weights)]

    def load_state(self, state: list[list[Tensor]]) -> None:
        """Go on with what had been read."""
        if state:
            read, self._weights = [[tensor.to(self.runtime.device) for tensor in tensors] for tensors in state]
            n_read, last, maximum, total, *pairs = read
            self._read = Beginning(list(zip(pairs[::2], pairs[1::2])), Pool(last, maximum, total), n_read)


def _nothing_like(other: Beginning) -> Beginning:
    """The beginning of one document of which nothing is read."""
    first = other.rows(slice(0, 1))
    zeros = torch.zeros_like(first.pool.sum)
    state = [(torch.zeros_like(hidden), torch.zeros_like(cell)) for hidden, cell in first.state]
    return Beginning(state, Pool(zeros, zeros - torch.inf, zeros), torch.zeros_like(first.n_read))
