"""Training texts of a labelled set, without their labels, as a file for `python -m skulmfit.pretraining evaluate`.

    python benchmarks/held_out_texts.py mr > mr.txt

A text is a document: --most of them, of a random permutation. Reads the set from the folder in SKULMFIT_DATA.
"""

import argparse
import random

from accuracy import read_set


def main():
    """Print the texts, a blank line between them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("--most", type=int, default=2500)
    options = parser.parse_args()
    texts = list(read_set(options.name)[0]["text"])
    random.Random(0).shuffle(texts)
    print("\n\n".join(" ".join(text.split()) for text in texts[: options.most]))


if __name__ == "__main__":
    main()
