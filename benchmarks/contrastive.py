"""A lead for the next default: pairs of labelled texts draw the sentence vectors of a class together.

    python benchmarks/contrastive.py --sets trec6 mr --draws 3 --labels 100 --steps 60

Before anything else the encoder is trained on the labelled texts alone, by the supervised contrastive loss (Khosla et
al. 2020, section 3.2.2) of 32 texts a step, 2 of each of 16 classes drawn at random; then a logistic regression is
fitted on its features. Draws are tuning draws: draw `d` takes the permutation of seed 100 + d of the training texts,
and tests on its last 600. What is printed at step 0 is the frozen encoder.
Reads the labelled sets from the folder in SKULMFIT_DATA (default ../shared/data).
"""

import argparse
import time

import numpy as np
import torch
import torch.nn.functional as F
from accuracy import read_set
from sklearn.linear_model import LogisticRegression

from skulmfit.models.registry import load_pretrained
from skulmfit.models.sentence_map import build_features
from skulmfit.models.weights import load_numpy
from skulmfit.nn.dropout import PAPER_DROPOUTS
from skulmfit.nn.encoder import Encoder
from skulmfit.nn.pooling import pool_documents
from skulmfit.nn.threads import without_denormals
from skulmfit.text.document_batches import pad

N_TESTED, PAIRS, WARM_UP = 600, 16, 0.1


class Student:
    """The encoder of `en` and its features."""

    def __init__(self, dropout_multiplier):
        model = load_pretrained("en", "forward")
        self.tokenizer = model.tokenizer
        self.encoder = Encoder(model.architecture, PAPER_DROPOUTS * dropout_multiplier)
        own = {name.removeprefix("encoder."): array for name, array in model.weights.items() if "encoder." in name}
        load_numpy(self.encoder, own)
        self.map = build_features("combined", model.architecture, model.sentence_map)

    def features(self, corpus, rows):
        """Features (B, F) of some documents; the last ones are the sentence vector."""
        ids, lengths = map(torch.from_numpy, pad(corpus, rows))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            pooled = pool_documents(self.encoder, ids, lengths, chunk_size=256, n_layers=self.map.n_layers)
        return self.map(pooled.float())

    @torch.no_grad()
    def read(self, corpus):
        """Features of all documents, without dropout."""
        self.encoder.eval()
        order = np.argsort(corpus.lengths)
        rows = np.empty((len(corpus), self.map.n_features), np.float32)
        for start in range(0, len(corpus), 64):
            rows[order[start : start + 64]] = self.features(corpus, order[start : start + 64]).numpy()
        self.encoder.train()
        return rows


def contrastive_loss(vectors, labels, temperature):
    """Mean over anchors of the cross-entropy between their texts of the same class and all others."""
    vectors = F.normalize(vectors, dim=1)
    itself = torch.eye(len(vectors), dtype=torch.bool)
    log_shares = (vectors @ vectors.T / temperature).masked_fill(itself, -1e9).log_softmax(dim=1)
    same = torch.from_numpy(labels[:, None] == labels[None]) & ~itself
    return -((log_shares * same).sum(dim=1) / same.sum(dim=1).clamp(min=1)).mean()


def pairs(labels, rng):
    """Rows of texts, two after the other of one class."""
    of_class = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    drawn = [of_class[rng.integers(len(of_class))] for _ in range(PAIRS)]
    return np.concatenate([rng.choice(rows, 2, replace=len(rows) < 2) for rows in drawn])


def train(student, corpus, labels, draw, options):
    """The steps; the rate rises over the first tenth and falls to 0."""
    rng, params = np.random.default_rng(draw), list(student.encoder.parameters())
    optimizer = torch.optim.AdamW(params, lr=options.learning_rate, betas=(0.7, 0.99), weight_decay=0.01)
    for step in range(options.steps):
        done = step / options.steps
        rise = min((done + 1 / options.steps) / WARM_UP, (1 - done) / (1 - WARM_UP), 1)
        optimizer.param_groups[0]["lr"] = options.learning_rate * rise
        rows = pairs(labels, rng)
        vectors = student.features(corpus, rows)[:, -student.map.sentence_dim :]
        loss = contrastive_loss(vectors, labels[rows], options.temperature)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()


def main():
    """Print the accuracy of the features before and after."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=["trec6", "mr"])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--labels", type=int, default=100)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--dropout", type=float, default=0.2, help="multiplier")
    parser.add_argument("--temperature", type=float, default=0.1)
    options = parser.parse_args()
    for name in options.sets:
        for draw in range(options.draws):
            texts, _ = read_set(name)
            texts = texts.iloc[np.random.default_rng(100 + draw).permutation(len(texts))]
            known, tested = texts.iloc[: options.labels], texts.iloc[-N_TESTED:]
            labels = known["label"].to_numpy()
            torch.manual_seed(draw)
            student = Student(options.dropout)
            corpora = [student.tokenizer.encode(list(part["text"])) for part in (known, tested)]
            scores, started = [], time.process_time()
            with without_denormals():
                for after in (False, True):
                    if after:
                        train(student, corpora[0], labels, draw, options)
                    features, other = map(student.read, corpora)
                    model = LogisticRegression(max_iter=1000).fit(features, labels)
                    scores.append(round(100 * model.score(other, tested["label"]), 1))
            seconds = round(time.process_time() - started)
            print({"set": name, "draw": draw, "frozen": scores[0], "after": scores[1], "cpu_seconds": seconds})


if __name__ == "__main__":
    main()
