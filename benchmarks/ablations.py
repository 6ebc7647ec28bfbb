"""What each part of the method gives: the ablations of Howard & Ruder 2018, tables 4 to 7.

    python benchmarks/ablations.py --sets trec6 mr --size 500 --draws 3 --results ablations.jsonl

Every row changes the default recipe as it says. Sets, draws and seeds are those of accuracy.py; with --results finished
fits are kept, and a second run continues. A draw is tested on the same texts in every row.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
from accuracy import draw_texts
from json_lines import JSONLines

from skulmfit import (
    CLASSIFIER_RECIPES,
    LANGUAGE_MODEL_RECIPES,
    EpochsForUpdates,
    LMFineTuner,
    Phase,
    ULMFiTClassifier,
)
from skulmfit.training.schedules import SlantedTriangular

CONSTANT = {"schedule": SlantedTriangular(ratio=1.0)}
ONE_RATE = {"lr_decay": 1.0}
NOT_AWD = {"dropout_multiplier": 0.0}
GRADUAL = {"gradual_unfreezing": True}
HEAD, UNFREEZING, WHOLE = (Phase(1, EpochsForUpdates(200, most=50)), *CLASSIFIER_RECIPES["skulmfit"].phases[1:])

VARIANTS = {  # of the language model: parameters, recipe; of the classifier: recipe
    "everything (the default)": ({}, {}, {}),
    # table 4: pretraining
    "language model from nothing, on the texts": ({"pretrained": None, "epochs": 10}, {}, {}),
    "no language model at all": ({"pretrained": None, "epochs": 0}, {}, {}),
    # table 5: a plain LSTM
    "no dropout of any kind, no AR, no TAR": ({}, NOT_AWD | {"alpha": 0.0, "beta": 0.0}, NOT_AWD),
    # table 6: fine-tuning of the language model
    "language model not fine-tuned": ({"epochs": 0}, {}, {}),
    "... fine-tuned with one constant rate": ({}, ONE_RATE | CONSTANT, {}),
    "... with discriminative rates": ({}, CONSTANT, {}),
    # table 7: fine-tuning of the classifier
    "head alone, 200 updates": ({}, {}, GRADUAL | {"phases": (HEAD,)}),
    "all layers at once, one constant rate": ({}, {}, ONE_RATE | CONSTANT),
    "all layers at once, one constant rate of a tenth": ({}, {}, ONE_RATE | CONSTANT | {"learning_rate": 1e-3}),
    "all at once, discriminative rates": ({}, {}, CONSTANT),
    "all at once, slanted triangular": ({}, {}, ONE_RATE),
    "gradual unfreezing, one constant rate": ({}, {}, GRADUAL | ONE_RATE | CONSTANT),
    "gradual, discriminative rates": ({}, {}, GRADUAL | CONSTANT),
    "gradual, slanted triangular": ({}, {}, GRADUAL | ONE_RATE),
    "gradual, discriminative, slanted triangular": ({}, {}, GRADUAL),
    "head for 200 updates, then all": ({}, {}, GRADUAL | {"phases": (HEAD, WHOLE)}),
    "head for 200 updates, then gradual": ({}, {}, GRADUAL | {"phases": (HEAD, UNFREEZING, WHOLE)}),
}


def main():
    """Fit what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=["trec6", "mr"])
    parser.add_argument("--size", type=int, default=500)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--pretrained", default="en")
    parser.add_argument("--results", type=Path, required=True, help="JSON lines of finished fits")
    parser.add_argument("--cache", help="folder of fine-tuned language models, which many rows share")
    options = parser.parse_args()
    fits = JSONLines(options.results)
    for draw in range(options.draws):
        for name in options.sets:
            train, test = draw_texts(name, draw, tuning=False)
            chosen = train.iloc[: options.size]
            for variant, (lm_params, lm_recipe, recipe) in VARIANTS.items():
                if fits.has(set=name, size=options.size, variant=variant, draw=draw):
                    continue
                started = time.perf_counter()
                lm = LMFineTuner(options.pretrained, recipe=replace(LANGUAGE_MODEL_RECIPES["skulmfit"], **lm_recipe))
                model = ULMFiTClassifier(
                    lm.set_params(**lm_params), recipe=replace(CLASSIFIER_RECIPES["skulmfit"], **recipe),
                    memory=options.cache, random_state=draw,
                )  # fmt: skip
                model.fit(chosen["text"], chosen["label"])
                fits.append({
                    "set": name, "size": options.size, "variant": variant, "draw": draw,
                    "accuracy": round(100 * model.score(test["text"], test["label"]), 2),
                    "seconds": round(time.perf_counter() - started, 1),
                })  # fmt: skip
    print_table(pd.DataFrame([row for row in fits.rows if row["size"] == options.size]), options.sets)


def print_table(rows, sets):
    """Mean and standard deviation of the draws as Markdown."""
    draws = rows.groupby(["variant", "set"])["accuracy"].agg(["mean", "std"])
    print(f"| | {' | '.join(sets)} |", "|---" * (len(sets) + 1) + "|", sep="\n")
    for variant in [variant for variant in VARIANTS if variant in set(rows["variant"])]:
        cells = [
            f"{draws.loc[(variant, name), 'mean']:.1f} ± {draws.loc[(variant, name), 'std']:.1f}"
            if (variant, name) in draws.index else ""
            for name in sets
        ]  # fmt: skip
        print(f"| {variant} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
