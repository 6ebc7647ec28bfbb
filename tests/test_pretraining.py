import bz2
import gzip
import json
import subprocess
import sys

import numpy as np
import pytest

from skulmfit import LMFineTuner
from skulmfit.pretrained.registry import load_pretrained
from skulmfit.pretraining.cli import main
from skulmfit.pretraining.corpus import clean, read_documents
from skulmfit.pretraining.encoding import open_corpus
from skulmfit.pretraining.evaluation import evaluate, read_held_out
from tests.conftest import TEXTS

LONG = "This is the text of a document that is long enough to be read, since it has more than twenty words in it."
SIZES = ["--embedding-dim=8", "--hidden-dim=8", "--n-layers=1", "--batch-size=2", "--tokens=3000"]


def test_blank_lines_end_documents_and_short_ones_are_left_out(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(f"Title\n{LONG}\n\nToo short.\n\n\n{LONG}\n")
    assert list(read_documents([path])) == [f"Title\n{LONG}\n", f"{LONG}\n"]


def test_compressed_files_and_folders_are_read(tmp_path):
    (tmp_path / "a.txt").write_text(LONG)
    (tmp_path / "b.txt.bz2").write_bytes(bz2.compress(LONG.encode()))
    (tmp_path / "c.txt.gz").write_bytes(gzip.compress(LONG.encode()))
    assert list(read_documents([tmp_path])) == [LONG] * 3


def test_placeholders_and_the_brackets_they_leave_are_dropped():
    assert clean("where formula_12 is ( formula_3 , ) constant").split() == ["where", "is", "constant"]


@pytest.fixture(scope="module")
def encoded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "text.txt").write_text("\n\n".join(f"{LONG} {text}" for text in TEXTS * 4))
    main(["encode", str(folder / "text.txt"), "--folder", str(folder / "encoded"), "--vocab-size=400"])
    return folder / "encoded"


def test_an_encoded_corpus_is_memory_mapped_and_decodes_to_its_text(encoded):
    corpus, tokenizer = open_corpus(encoded)
    assert isinstance(corpus.ids, np.memmap)
    assert corpus.ids.dtype == np.uint16
    assert tokenizer.decode(corpus[0]).startswith("xxmaj this is the text of a document")


def test_train_writes_a_language_model_that_pretrained_accepts(encoded, tmp_path):
    output = tmp_path / "lm.npz"
    main(["train", "--folder", str(encoded), "--output", str(output), *SIZES])
    assert load_pretrained(output).card["tokens_seen"] >= 3000
    assert LMFineTuner(output, epochs=0).fit(["-"]).transform(["text"]).shape == (1, 24)
    held_out = tmp_path / "held_out.txt"
    held_out.write_text(LONG)
    main(["evaluate", str(output), str(held_out), "--update-card"])
    assert load_pretrained(output).card["held_out"]["held_out.txt"]["words"] == 23


def test_a_killed_command_continues_to_the_same_weights(encoded, tmp_path):
    command = [sys.executable, "-m", "skulmfit.pretraining", "train", "--folder", str(encoded)]
    main([*command[3:], "--output", str(tmp_path / "whole.npz"), *SIZES])
    kill = "import os, skulmfit.training.checkpoint as c; save = c.Checkpoint.save\n" \
        "def once(self, state):\n    save(self, state)\n    state['n_done'] >= 5 and os.kill(os.getpid(), 9)\n" \
        "c.Checkpoint.save = once\nfrom skulmfit.pretraining.cli import main; main()"  # fmt: skip
    arguments = [*command[3:], "--output", str(tmp_path / "killed.npz"), "--checkpoint-seconds=0", *SIZES]
    killed = subprocess.run([sys.executable, "-c", kill, *arguments], capture_output=True)
    assert killed.returncode == -9
    assert not (tmp_path / "killed.npz").exists()
    main(arguments)
    whole, resumed = load_pretrained(tmp_path / "whole.npz"), load_pretrained(tmp_path / "killed.npz")
    for name, array in whole.weights.items():
        np.testing.assert_array_equal(resumed.weights[name], array)


def test_nats_per_word_counts_whitespace_separated_words(tiny_lm):
    figures = evaluate(tiny_lm.language_model(), TEXTS[:2])
    n_pieces = sum(len(tiny_lm._tokenizer.encode([text])[0]) - 1 for text in TEXTS[:2])
    total = -tiny_lm.score(TEXTS[:2]) * n_pieces
    assert figures["words"] == 13
    assert figures["pieces"] == n_pieces
    assert figures["nats_per_word"] == pytest.approx(total / 13, abs=1e-3)


def test_wikitext_is_cut_at_its_article_headings(tmp_path):
    path = tmp_path / "wiki.txt"
    path.write_text(" \n = One = \n \n text of one \n \n = = Part = = \n more \n = Two = \n text of two \n")
    documents = read_held_out(path)
    assert [document.split()[1] for document in documents] == ["One", "Two"]
    assert "Part" in documents[0]


def test_the_real_corpus_reads_as_documents(data_folder):
    documents = list(read_documents([data_folder / "corpus" / "en_valid.txt"]))
    assert len(documents) > 100
    assert not any("formula_" in document for document in documents)


def test_a_card_is_json(encoded, tmp_path):
    output = tmp_path / "lm.npz"
    main(["train", "--folder", str(encoded), "--output", str(output), *SIZES])
    assert json.loads(json.dumps(load_pretrained(output).card)) == load_pretrained(output).card
