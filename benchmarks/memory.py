"""Peak memory of `predict` and `transform` against the number of short documents, one fresh process a row.

    python benchmarks/memory.py --documents 10000 100000 1000000

The network is a small one, since what is asked is what grows: beside the texts and the result that should be nothing.
"""

import argparse
import random
import resource
import subprocess
import sys

from skulmfit import LMFineTuner, ULMFiTClassifier

WORDS = "a the film story acting music dull fine boring best worst evening nothing to see and hear was is".split()


def one(method, n_documents):
    """Mebibytes: before, the result, and the peak."""
    choices = random.Random(0).choices
    texts = [" ".join([*choices(WORDS, k=12), str(number)]) for number in range(n_documents)]
    lm = LMFineTuner(None, vocab_size=300, embedding_dim=8, hidden_dim=8, n_layers=1, epochs=1)
    model = ULMFiTClassifier(lm, epochs=1, gradual_unfreezing=False).fit(texts[:200], [0, 1] * 100)
    model.predict(texts[:2000])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = getattr(model, method)(texts)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result_size = result.nbytes / 2**20
    print(f"| {method} | {n_documents:,} | {before / 1024:.0f} | {result_size:.0f} | {(peak - before) / 1024:.0f} |")


def main():
    """Print the table, a process for each row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", nargs="+", type=int, default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--one", nargs=2, metavar=("METHOD", "N"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one(options.one[0], int(options.one[1]))
        return
    print(
        "MiB of resident memory\n\n| | documents | before | result | further peak |",
        "|---" * 5 + "|",
        sep="\n",
    )
    for method in ("predict", "transform"):
        for n_documents in options.documents:
            subprocess.run([sys.executable, __file__, "--one", method, str(n_documents)], check=True)


if __name__ == "__main__":
    main()
