"""Segments of texts, and a teacher's vectors of them."""

import random
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from runs import nearly_full_disk
from skulmfit.models.registry import load_pretrained
from skulmfit.pretraining.cli import main
from skulmfit.pretraining.encoding import open_corpus
from skulmfit.pretraining.teaching import embedding
from skulmfit.pretraining.teaching.folder import open_folder
from skulmfit.pretraining.teaching.preparation import file_weights
from skulmfit.pretraining.teaching.segmentation import cut

TEXT = (
    "The old bridge\nThe bridge was built in 1890 by two brothers. It fell into the river in 1912! Nobody was hurt. "
    "The text goes on with formula_12 and with words. He said: “We must build it again.” They did so within a year.\n"
)


def segments_of(folder):
    return (folder / "segments.txt").read_text(encoding="utf-8").splitlines()


def test_segments_are_whole_sentences_of_3_to_100_words_without_placeholders():
    text = "One two. " + "This is a sentence of seven words. " * 3 + "Let formula_1 be a number here. " + "word " * 101
    for seed in range(20):
        segments = cut(text, random.Random(seed))
        assert all(segment.endswith(".") and 3 <= len(segment.split()) <= 100 for segment in segments)
        assert not any("formula_1" in segment for segment in segments)


def test_a_sentence_does_not_end_before_a_small_letter_and_ends_in_scripts_without_spaces_too():
    short = random.Random(1)  # one sentence at a time
    short.choice = lambda options: 1
    assert cut("He is approx. two metres tall! Is he not?", short) == ["He is approx. two metres tall!", "Is he not?"]
    first, second = (
        "这座桥是两个兄弟在很多年以前建造的，它很有名，很多人都去看它。",
        "它在许多年以后倒塌了，掉进了河里，但是没有人受伤。",
    )
    assert cut(first + second, short) == [first, second]


def test_of_segments_that_differ_in_numbers_and_punctuation_one_is_kept(tmp_path):
    (tmp_path / "a.txt").write_text("It cost 12 dollars in all.\nIt cost 7 dollars, in all!\nIt cost nothing at all.\n")
    main(["segment", str(tmp_path / "a.txt"), "--folder", str(tmp_path / "f")])
    assert segments_of(tmp_path / "f") == ["It cost 12 dollars in all.", "It cost nothing at all."]


def test_documents_and_texts_a_line_are_cut_into_segments_with_the_ids_of_a_tokenizer(tmp_path):
    (tmp_path / "documents.txt").write_text(f"{TEXT}\n{TEXT.replace('bridge', 'tower').replace('built', 'planned')}")
    (tmp_path / "lines.txt").write_text("how do I get there?\nthank you very much\nok\n")
    main(["segment", str(tmp_path), "--folder", str(tmp_path / "f"), "--tokenizer=en-lm"])
    segments, tokenizer = segments_of(tmp_path / "f"), load_pretrained("en-lm").tokenizer
    assert segments[-2:] == ["how do I get there?", "thank you very much"]
    assert not any("formula" in segment for segment in segments)
    corpus = open_corpus(tmp_path / "f")[0]
    assert [list(ids) for ids in corpus] == [list(ids) for ids in tokenizer.encode(segments)]
    assert len(np.load(tmp_path / "f" / "weights.npy")) == len(segments)


def test_a_random_choice_of_the_segments_can_be_taken(tmp_path):
    words = [f"{one}{other}" for one in "abcdefgh" for other in "abcdefgh"]
    (tmp_path / "a.txt").write_text("\n".join(f"The word is {word}" for word in words))
    main(["segment", str(tmp_path / "a.txt"), "--folder", str(tmp_path / "f"), "--most=20"])
    chosen = [segment.split()[-1] for segment in segments_of(tmp_path / "f")]
    assert len(chosen) == 20
    assert chosen == sorted(chosen)
    assert chosen != words[:20]
    assert len(open_corpus(tmp_path / "f")[0]) == 20


def test_weights_balance_files_by_a_power_of_their_size_and_by_what_is_asked_for():
    counts, even = np.array([10_000, 2_500, 900]), np.ones(3)
    np.testing.assert_allclose(file_weights(counts, 1.0, even), 1)
    read = file_weights(counts, 0.5, even) * counts
    np.testing.assert_allclose(read / read[0], [1, 0.5, 0.3])
    assert read.sum() == pytest.approx(counts.sum())
    read = file_weights(counts, 0.5, np.array([1, 0.5, 1])) * counts
    np.testing.assert_allclose(read / read[0], [1, 0.25, 0.3])
    assert file_weights(np.array([10_000, 1]), 0.0, np.ones(2))[1] == 4


def fake_sentence_transformers(monkeypatch, encode):
    """A module of that name whose models give the vectors of a function."""
    model = SimpleNamespace(encode=lambda texts, **options: encode(texts))
    module = SimpleNamespace(SentenceTransformer=lambda name, device: model)
    monkeypatch.setitem(sys.modules, "sentence_transformers", module)


@pytest.fixture
def cut_texts(tmp_path, monkeypatch):
    """A folder of 20 segments, to be embedded in parts of 8."""
    monkeypatch.setattr(embedding, "_SEGMENTS_PER_PART", 8)
    lines = (f"The number {word} is not the last one." for word in "abcdefghijklmnopqrst")
    (tmp_path / "a.txt").write_text("\n".join(lines))
    main(["segment", str(tmp_path / "a.txt"), "--folder", str(tmp_path / "f"), "--tokenizer=en-lm"])
    return tmp_path / "f"


def lengths_of_words(texts):
    return np.array([[len(text), text.count("o"), ord(text[11])] for text in texts], np.float32)


def test_a_teachers_vectors_are_kept_in_parts_at_length_one(cut_texts, monkeypatch):
    fake_sentence_transformers(monkeypatch, lengths_of_words)
    main(["embed", "--folder", str(cut_texts), "--teacher=some/model"])
    parts = [np.load(path) for path in sorted((cut_texts / "vectors").glob("*.npy"))]
    assert [part.shape for part in parts] == [(8, 3), (8, 3), (4, 3)]
    assert {part.dtype for part in parts} == {np.dtype(np.float16)}
    expected = lengths_of_words(segments_of(cut_texts))
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(np.concatenate(parts), expected, atol=1e-3)
    assert open_folder(cut_texts).teacher() == "some/model"


def test_a_job_of_embedding_that_was_cut_short_goes_on_where_it_was(cut_texts, monkeypatch):
    read = []

    def failing(texts):
        read.append(len(texts))
        if len(read) == 2:
            raise OSError("power cut")
        return lengths_of_words(texts)

    fake_sentence_transformers(monkeypatch, failing)
    command = ["embed", "--folder", str(cut_texts), "--teacher=some/model"]
    with pytest.raises(SystemExit, match="power cut"):
        main(command)
    with pytest.raises(ValueError, match=r"20 segments and 8 vectors.*the same command goes on"):
        open_folder(cut_texts)
    main(command)
    assert read == [8, 8, 8, 4]
    with pytest.raises(SystemExit, match=r"vectors by some/model; remove it to embed the segments with another/model"):
        main([*command[:-1], "--teacher=another/model"])
    with pytest.raises(SystemExit, match="vectors of other segments"):
        main(["segment", str(cut_texts.parent / "a.txt"), "--folder", str(cut_texts)])


def test_vectors_of_ones_own_are_taken(cut_texts):
    vectors = np.random.default_rng(0).normal(size=(20, 4)) * 1e6
    np.save(cut_texts / "mine.npy", vectors)
    main(["embed", "--folder", str(cut_texts), f"--vectors={cut_texts / 'mine.npy'}"])
    expected = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(np.concatenate(open_folder(cut_texts).vectors), expected, atol=1e-3)


def test_vectors_of_another_number_than_the_segments_are_refused(cut_texts):
    np.save(cut_texts / "mine.npy", np.ones((19, 4)))
    with pytest.raises(SystemExit, match=r"shape \(19, 4\); it must hold floats, one row for each of the 20 segments"):
        main(["embed", "--folder", str(cut_texts), f"--vectors={cut_texts / 'mine.npy'}"])


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_vectors_without_a_direction_are_refused(cut_texts, value):
    vectors = np.ones((20, 4), np.float32)
    vectors[[9, 13]] = value
    np.save(cut_texts / "mine.npy", vectors)
    with pytest.raises(SystemExit, match="2 of the vectors are 0, NaN or infinite, the first that of segment 9"):
        main(["embed", "--folder", str(cut_texts), f"--vectors={cut_texts / 'mine.npy'}"])


def test_a_teachers_folder_that_is_none_is_refused(cut_texts, monkeypatch):
    fake_sentence_transformers(monkeypatch, lengths_of_words)
    for name in (str(cut_texts / "nothing"), str(cut_texts / "vectors")):
        (cut_texts / "vectors").mkdir(exist_ok=True)
        with pytest.raises(SystemExit, match="is not the folder of a sentence-transformers model"):
            main(["embed", "--folder", str(cut_texts), "--teacher", name])

    def unknown(name, device):
        raise OSError(f"{name} is not a local folder\nand much more")

    monkeypatch.setattr(sys.modules["sentence_transformers"], "SentenceTransformer", unknown)
    with pytest.raises(SystemExit, match=r"nor the name of one that can be loaded: some/model is not a local folder$"):
        main(["embed", "--folder", str(cut_texts), "--teacher=some/model"])


def test_without_sentence_transformers_the_error_says_what_to_install(cut_texts, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(SystemExit, match=r"pip install 'skulmfit\[teacher\]'.*--vectors FILE\.npy"):
        main(["embed", "--folder", str(cut_texts), "--teacher=some/model"])


def test_a_full_disk_is_an_error_with_the_name_of_the_file_and_leaves_nothing_half_written(cut_texts):
    np.save(cut_texts / "mine.npy", np.ones((20, 4000)))
    with (
        nearly_full_disk(),
        pytest.raises(SystemExit, match=r"^error: .*000000\.npy: cannot be written, as on a full disk"),
    ):
        main(["embed", f"--folder={cut_texts}", f"--vectors={cut_texts / 'mine.npy'}"])
    assert list((cut_texts / "vectors").iterdir()) == []
