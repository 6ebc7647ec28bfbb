"""The picture of README: accuracy against the number of labels, from files of finished fits; nothing is computed.

    python benchmarks/figure.py benchmarks/results/frozen_and_fine_tuned.jsonl --output docs/results/accuracy.svg

Points are means over the draws, bars their standard deviations. A set of which TF-IDF has two sizes is drawn.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from json_lines import JSONLines

SETS = {  # title, and how many labels "all" are
    "trec6": ("questions (TREC-6)", 5452), "mr": ("film reviews (MR)", 9611), "sst2": ("film reviews (SST-2)", 6920),
    "sms_spam": ("SMS spam", 4447),
}  # fmt: skip
METHODS = {
    "tfidf": ("TF-IDF", "#8a8f98", "s"),
    "minilm": ("MiniLM embeddings", "#d98324", "^"),
    "features": ("skulmfit: features", "#6aa5e8", "o"),
    "ulmfit": ("skulmfit: ULMFiTClassifier", "#1f5fb0", "o"),
}


def main():
    """Read, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="+", type=Path, help="JSON lines of benchmarks/accuracy.py")
    parser.add_argument("--output", type=Path, required=True, help="an .svg or .png file")
    options = parser.parse_args()
    rows = pd.DataFrame([row for path in options.results for row in JSONLines(path).rows])
    rows = rows.drop_duplicates(["set", "size", "method", "draw"], keep="last")
    all_labels = rows["set"].map({name: n_labels for name, (_, n_labels) in SETS.items()})
    rows["labels"] = pd.to_numeric(rows["size"], errors="coerce").fillna(all_labels)
    n_sizes = rows[rows["method"] == "tfidf"].groupby("set")["labels"].nunique()
    draw(rows, [name for name in SETS if n_sizes.get(name, 0) > 1], options.output)


def draw(rows, sets, path):
    """A panel for each set, a line for each method."""
    plt.rcParams.update({"svg.hashsalt": "skulmfit", "font.size": 10})
    figure, panels = plt.subplots(
        1, len(sets), figsize=(0.6 + 3.2 * len(sets), 3.3), layout="constrained", squeeze=False
    )
    for panel, name in zip(panels[0], sets):
        of_set = rows[rows["set"] == name]
        for method, (label, color, marker) in METHODS.items():
            curve = of_set[of_set["method"] == method].groupby("labels")["accuracy"].agg(["mean", "std"])
            panel.errorbar(
                curve.index,
                curve["mean"],
                curve["std"],
                label=label,
                color=color,
                marker=marker,
                markersize=5,
                capsize=2,
            )
        ticks = sorted(of_set[of_set["method"].isin(METHODS)]["labels"].unique())
        panel.set_xscale("log")
        panel.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
        panel.minorticks_off()
        panel.set(title=SETS[name][0], xlabel="labels")
        panel.grid(alpha=0.3)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0][0].set_ylabel("accuracy in %")
    figure.legend(
        *panels[0][0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=2 if len(sets) < 3 else 4,
        frameon=False,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120, facecolor="white", metadata={"Date": None} if path.suffix == ".svg" else None)


if __name__ == "__main__":
    main()
