"""The documents of a corpus in which people speak, and a share of the others: a filter for the end of a pretraining.

    python benchmarks/conversational.py en_0.txt.bz2 --others 0.3 |
        python -m skulmfit.pretraining encode - --folder conversational --tokenizer en

An encyclopedia says neither "I" nor "you" and asks nothing; most of the texts that people want classified do.
"""

import argparse
import re

import numpy as np

from skulmfit.pretraining.corpus import read_documents

SPEECH = re.compile(r"\b(?:I|me|[Mm]y|[Yy]ou|[Yy]our|[Ww]e|us|[Oo]ur)\b|[?!]")
LEAST = 0.015  # pronouns of the first and second person, question and exclamation marks for each word


def main():
    """Print what is chosen, a blank line between documents."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="+", help="as `python -m skulmfit.pretraining encode` takes them")
    parser.add_argument("--others", type=float, default=0.0, help="share of the other documents to keep")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    for document in read_documents(options.texts):
        if len(SPEECH.findall(document)) >= LEAST * len(document.split()) or rng.random() < options.others:
            print(document.strip(), end="\n\n")


if __name__ == "__main__":
    main()
