import bz2
import gzip
import io
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import TEXTS

from runs import KILLED_AS_IT_WRITES_ITS_SECOND_CHECKPOINT, TORCHRUN, WORDS, run, same_weights
from skulmfit import LMFineTuner
from skulmfit.models.registry import load_pretrained
from skulmfit.pretraining.cleaning import clean
from skulmfit.pretraining.cli import main
from skulmfit.pretraining.corpus import read_documents
from skulmfit.pretraining.encoding import encode_corpus, open_corpus
from skulmfit.pretraining.evaluation import evaluate, read_held_out
from skulmfit.text.rules import apply_rules

LONG = "This is the text of a document that is long enough to be read, since it has more than twenty words in it."
SIZES = ["--embedding-dim=8", "--hidden-dim=8", "--n-layers=1", "--batch-size=2", "--bptt=20", "--dropout-multiplier=1"]


def documents(n, seed=0):
    """Documents that differ in more than names and numbers."""
    rng = np.random.default_rng(seed)
    return ["A title\n" + " ".join(rng.choice(WORDS, 40)) + ".\n" for _ in range(n)]


def test_blank_lines_end_documents_and_short_ones_are_left_out(tmp_path):
    path = tmp_path / "a.txt"
    first, second = documents(2)
    path.write_text(f"{first}\nToo short.\n\n\n{second}\n")
    assert list(read_documents([path])) == [first, second]


def test_compressed_files_and_folders_are_read(tmp_path):
    plain, bzipped, gzipped = documents(3)
    (tmp_path / "a.txt").write_text(plain)
    (tmp_path / "b.txt.bz2").write_bytes(bz2.compress(bzipped.encode()))
    (tmp_path / "c.txt.gz").write_bytes(gzip.compress(gzipped.encode()))
    assert list(read_documents([tmp_path])) == [plain, bzipped, gzipped]


def test_standard_input_is_read(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join(documents(2)).encode())))
    assert list(read_documents(["-"])) == documents(2)


def test_sentences_with_placeholders_are_dropped():
    document = (
        "Waves\nThey are in phase. Let formula_12 be (formula_3) large. They add up.\nformula_4\nThe end, 3.14.\n"
    )
    assert clean(document) == "Waves\nThey are in phase. They add up.\nThe end, 3.14.\n"
    assert clean("One line. Of formula_1. It ends.") == "One line. It ends.\n"


def test_brackets_and_commas_around_nothing_are_dropped():
    assert clean("A town ( ; , ) in the north, , , east and west f().") == "A town  in the north, east and west f()."


def test_texts_can_be_read_as_they_are(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("Title\nNobody knew.\n\nformula_1\n\nformula_1\n")
    assert list(read_documents([path], as_is=True)) == ["Title\nNobody knew.\n", "formula_1\n", "formula_1\n"]
    main(["encode", str(path), "--folder", str(tmp_path / "e"), "--tokenizer=en", "--as-is"])
    assert len(open_corpus(tmp_path / "e")[0]) == 3


def test_text_that_is_not_utf_8_is_refused_by_name(tmp_path):
    (tmp_path / "a.txt").write_text("né " * 60, encoding="latin1")
    with pytest.raises(SystemExit, match=r"a\.txt is not UTF-8 text.*Convert it"):
        main(["encode", str(tmp_path / "a.txt"), "--folder", str(tmp_path / "e"), "--tokenizer=en"])


def test_a_damaged_gzip_file_is_an_error_without_a_traceback(tmp_path):
    content = bytearray(gzip.compress("\n".join(documents(50)).encode()))
    content[200:220] = b"\xff" * 20
    (tmp_path / "a.gz").write_bytes(content)
    with pytest.raises(SystemExit, match="error: "):
        main(["encode", str(tmp_path / "a.gz"), "--folder", str(tmp_path / "e"), "--tokenizer=en"])


@pytest.mark.parametrize("option", ["--vocab-size=500", "--tokenizer-words=500"])
def test_what_is_for_a_new_tokenizer_is_refused_beside_a_given_one(tmp_path, option):
    (tmp_path / "a.txt").write_text(documents(1)[0])
    with pytest.raises(SystemExit, match="are for a new tokenizer"):
        main(["encode", str(tmp_path / "a.txt"), "--folder", str(tmp_path), "--tokenizer=en", option])


def test_headings_are_dropped_but_not_the_title_nor_short_sentences_of_speech():
    document = 'History.\nEarly life and education.\nIt began in 1066.\nHe left.\n"Yes."\nWhy not?\nReferences.\n'
    assert clean(document).splitlines() == ["History.", "It began in 1066.", "He left.", '"Yes."', "Why not?"]


def test_of_documents_that_differ_in_names_and_numbers_one_is_kept(tmp_path):
    stub = "{0}\n{0} is a village in {1} County. At the 2011 census its population was {2}, in {3} families, and " \
        "there is little else to be said of it, but that it lies near the river."  # fmt: skip
    path = tmp_path / "a.txt"
    path.write_text("\n\n".join([stub.format("Abak", "Kerman", 12, 3), stub.format("Zir", "Ilam", "1,208", 344)]))
    assert [document.split()[0] for document in read_documents([path])] == ["Abak"]


@pytest.fixture(scope="module")
def encoded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "text.txt").write_text("\n".join(documents(60)))
    main(["encode", str(folder / "text.txt"), "--folder", str(folder / "encoded"), "--vocab-size=320"])
    return folder / "encoded"


@pytest.fixture(scope="module")
def trained(encoded, tmp_path_factory):
    output = tmp_path_factory.mktemp("trained") / "lm.npz"
    main(["train", "--folder", str(encoded), "--output", str(output), *SIZES, "--data=Sixteen words", "--licence=none"])
    return output


def test_an_encoded_corpus_is_memory_mapped_and_decodes_to_its_text(encoded):
    corpus, tokenizer = open_corpus(encoded)
    assert isinstance(corpus.ids, np.memmap)
    assert corpus.ids.dtype == np.uint16
    assert corpus.offsets[-1] == len(corpus.ids)
    assert [tokenizer.decode(ids) for ids in corpus] == [apply_rules(document) for document in documents(60)]


@pytest.mark.parametrize(
    "alphabet", ["абвгдежзиклмнопрсту", "的一是不了人我在有他这中大来上国"], ids=["Cyrillic", "Chinese"]
)
def test_documents_of_other_scripts_are_told_apart(tmp_path, alphabet):
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list(alphabet), 5)) for _ in range(90)]
    both = [" ".join(words[:45]) + "\n", "".join(words[45:]) + "\n"]  # not every script separates words
    (tmp_path / "a.txt").write_text("\n".join(both))
    assert list(read_documents([tmp_path])) == both


def test_folders_give_their_text_files_only(tmp_path):
    (tmp_path / "a.txt").write_text(documents(1)[0])
    (tmp_path / "b.npy").write_text(documents(2)[1])
    assert list(read_documents([tmp_path])) == documents(1)


def test_a_missing_file_is_said_before_any_is_read(tmp_path):
    (tmp_path / "a.txt").write_text(documents(1)[0])
    with pytest.raises(FileNotFoundError, match=r"b\.txt does not exist"):
        next(read_documents([tmp_path / "a.txt", tmp_path / "b.txt"]))


def test_encoding_that_fails_leaves_no_corpus_behind(encoded, tmp_path):
    def failing():
        yield from documents(2)
        raise OSError("disk")

    encode_corpus(iter(documents(3)), open_corpus(encoded)[1], tmp_path)
    with pytest.raises(OSError, match="disk"):
        encode_corpus(failing(), open_corpus(encoded)[1], tmp_path)
    with pytest.raises(FileNotFoundError, match="holds no encoded corpus"):
        open_corpus(tmp_path)


def test_texts_without_a_document_are_refused(tmp_path):
    (tmp_path / "a.txt").write_text("Too short.")
    with pytest.raises(SystemExit, match=r"no document in the texts.*less than 100 characters"):
        main(["encode", str(tmp_path / "a.txt"), "--folder", str(tmp_path / "encoded"), "--vocab-size=300"])


def test_an_encoded_corpus_can_take_the_tokenizer_of_a_language_model(trained, tmp_path):
    (tmp_path / "a.txt").write_text("\n".join(documents(2, seed=1)))
    main(["encode", str(tmp_path / "a.txt"), "--folder", str(tmp_path / "e"), f"--tokenizer={trained}"])
    assert (tmp_path / "e" / "tokenizer.model").read_bytes() == load_pretrained(trained).tokenizer.model


def test_train_writes_a_language_model_that_pretrained_accepts(encoded, trained):
    assert load_pretrained(trained).card["tokens_seen"] == len(open_corpus(encoded)[0].ids)
    assert LMFineTuner(trained, epochs=0).fit(["-"]).transform(["text"]).shape == (1, 24)


def test_evaluation_goes_into_the_model_and_its_card(trained, tmp_path):
    model = tmp_path / "copy.npz"
    model.write_bytes(trained.read_bytes())
    held_out = tmp_path / "held_out.txt"
    held_out.write_text(LONG)
    main(["evaluate", str(model), str(held_out), "--update-card"])
    figures = load_pretrained(model).card["held_out"]["held_out.txt"]
    assert figures["words"] == 23
    (tmp_path / "other.txt").write_text(LONG)
    main(["evaluate", str(model), str(tmp_path / "other.txt"), "--update-card"])
    assert set(load_pretrained(model).card["held_out"]) == {"held_out.txt", "other.txt"}
    card = model.with_suffix(".md").read_text()
    assert f"| `held_out.txt` | 23 | {figures['nats_per_word']:.3f} |" in card


def test_the_cards_of_shipped_models_are_not_written(tmp_path):
    (tmp_path / "held_out.txt").write_text(LONG)
    with pytest.raises(SystemExit, match="'en' is the package's own"):
        main(["evaluate", "en", str(tmp_path / "held_out.txt"), "--update-card"])


def test_the_card_says_what_the_command_line_said(trained):
    card = trained.with_suffix(".md").read_text()
    assert "| data | Sixteen words |" in card
    assert "--bptt 20" in card
    assert "a forward language model" in card


def test_a_killed_command_continues_to_the_same_weights(encoded, trained, tmp_path):
    output = tmp_path / "killed.npz"
    arguments = ["train", "--folder", str(encoded), "--output", str(output), "--checkpoint-seconds=0", *SIZES]
    command = [sys.executable, "-c", KILLED_AS_IT_WRITES_ITS_SECOND_CHECKPOINT, *arguments]
    assert subprocess.run(command, capture_output=True).returncode == -9
    assert not output.exists()
    assert len(list(tmp_path.glob("killed.checkpoint.*.part"))) == 1
    main([*arguments, "--resume"])
    assert same_weights(output, trained)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed.md", "killed.npz"]


def test_a_run_in_slices_of_minutes_gives_the_same_weights(encoded, trained, tmp_path, capsys):
    output = tmp_path / "sliced.npz"
    arguments = ["train", "--folder", str(encoded), "--output", str(output), *SIZES, "--resume"]
    for _ in range(100):
        main([*arguments, "--minutes=0"])  # up to the next look at the clock
        if output.exists():
            break
        assert "with --resume continues" in capsys.readouterr().out
    assert same_weights(output, trained)
    assert not output.with_suffix(".checkpoint").exists()


def test_a_finished_model_is_not_overwritten_by_accident(encoded, trained):
    with pytest.raises(SystemExit, match="is finished; remove it to train anew"):
        main(["train", "--folder", str(encoded), "--output", str(trained), *SIZES, "--resume"])


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--epochs=0", "epochs == 0, must be >= 1"),
        ("--n-layers=0", "n_layers == 0, must be >= 1"),
        ("--learning-rate=-1", "learning_rate"),
        ("--direction=sideways", "direction='sideways' is not one of 'forward', 'backward'"),
        ("--minutes=nan", "minutes must be a number of at least 0"),
        ("--batch-size=5000", "tokens are too few for 5000 streams"),
        ("--output=model.pt", r"must end in \.npz"),
        ("--start-from=klingon", "neither a shipped language model"),
    ],
)
def test_settings_that_make_no_sense_are_refused(encoded, tmp_path, option, message):
    with pytest.raises(SystemExit, match=message):
        main(["train", "--folder", str(encoded), "--output", str(tmp_path / "lm.npz"), *SIZES, option])


def test_epochs_of_few_updates_have_checkpoints_too(encoded, tmp_path):
    output = tmp_path / "lm.npz"
    command = ["train", "--folder", str(encoded), "--output", str(output), *SIZES, "--tokens=200", "--epochs=30"]
    main([*command, "--minutes=0"])
    assert output.with_suffix(".checkpoint").exists()


def test_what_is_not_a_checkpoint_is_refused(encoded, tmp_path):
    (tmp_path / "lm.checkpoint").write_text("something else")
    with pytest.raises(SystemExit, match="is not a checkpoint of a training, or is damaged"):
        main(["train", "--folder", str(encoded), "--output", str(tmp_path / "lm.npz"), *SIZES, "--resume"])


def test_an_unfinished_training_is_not_overwritten_by_accident(encoded, tmp_path):
    arguments = ["train", "--folder", str(encoded), "--output", str(tmp_path / "lm.npz"), *SIZES]
    main([*arguments, "--minutes=0"])
    with pytest.raises(SystemExit, match="continue it with --resume, or remove it"):
        main(arguments)
    with pytest.raises(SystemExit, match=r"another training.*learning_rate"):
        main([*arguments, "--resume", "--learning-rate=0.5"])


def test_a_training_does_not_continue_on_another_corpus_of_the_same_length(encoded, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(encoded, other)
    np.save(other / "ids.npy", np.load(encoded / "ids.npy")[::-1])
    arguments = ["train", "--output", str(tmp_path / "lm.npz"), *SIZES, "--minutes=0", "--folder"]
    main([*arguments, str(encoded)])
    with pytest.raises(SystemExit, match=r"another training.*'corpus'"):
        main([*arguments, str(other), "--resume"])
    export = ["export", str(tmp_path / "lm.checkpoint"), "--folder", str(other), "--output"]
    with pytest.raises(SystemExit, match="other holds another corpus than"):
        main([*export, str(tmp_path / "lm.npz")])
    with pytest.raises(SystemExit, match=r"must end in \.npz"):
        main([*export, str(tmp_path / "lm.pt")])


def test_an_unfinished_training_can_be_exported(encoded, tmp_path):
    main(["train", "--folder", str(encoded), "--output", str(tmp_path / "lm.npz"), *SIZES, "--minutes=0"])
    checkpoint, output = tmp_path / "lm.checkpoint", tmp_path / "export.npz"
    main(["export", str(checkpoint), "--folder", str(encoded), "--output", str(output)])
    data = load_pretrained(output)
    assert 0 < data.card["tokens_seen"] < len(open_corpus(encoded)[0].ids)
    assert data.card["settings"]["bptt"] == 20


def test_a_backward_model_reads_texts_from_their_end(encoded, tmp_path):
    output = tmp_path / "backward.npz"
    main(["train", "--folder", str(encoded), "--output", str(output), *SIZES, "--direction=backward"])
    tokenizer, forward = load_pretrained(output).tokenizer, open_corpus(encoded)[1]
    there, back = forward.encode(["time and life"])[0], tokenizer.encode(["time and life"])[0]
    assert back[0] == there[0]
    assert list(back[1:]) == list(there[:0:-1])
    assert (
        LMFineTuner(output, direction="backward", epochs=0).fit(["-"]).language_model().tokenizer.direction
        == "backward"
    )


def test_a_training_can_start_from_a_language_model(encoded, trained, tmp_path):
    output = tmp_path / "further.npz"
    command = ["train", "--folder", str(encoded), "--output", str(output), f"--start-from={trained}", "--bptt=20"]
    main([*command, "--learning-rate=1e-9", "--batch-size=2"])  # nothing but the rounding of the file changes
    further, start = load_pretrained(output), load_pretrained(trained)
    assert further.architecture == start.architecture
    for name, weight in further.weights.items():
        np.testing.assert_allclose(weight, start.weights[name], atol=1e-3)
    n_tokens = 2 * start.card["tokens_seen"]
    assert f"| tokens seen | {n_tokens:,} in 2 runs" in output.with_suffix(".md").read_text()


def test_a_training_can_take_the_embeddings_of_a_language_model_under_new_layers(encoded, trained, tmp_path):
    output = tmp_path / "new.npz"
    command = ["train", "--folder", str(encoded), "--output", str(output), f"--start-from={trained}", *SIZES]
    with pytest.raises(SystemExit, match="embedding_dim=4 is not that of"):
        main([*command, "--start-with=embeddings", "--embedding-dim=4"])
    main([*command, "--start-with=embeddings", "--hidden-dim=6", "--n-layers=2", "--learning-rate=1e-9"])
    new, start = load_pretrained(output), load_pretrained(trained)
    assert (new.architecture.hidden_dim, new.architecture.n_layers) == (6, 2)
    for name in ("encoder.embedding", "decoder_bias"):
        np.testing.assert_allclose(new.weights[name], start.weights[name], atol=1e-3)


def test_a_training_cannot_start_from_a_model_that_reads_other_ids_or_the_other_way(encoded, tmp_path):
    command = ["train", "--folder", str(encoded), "--output", str(tmp_path / "lm.npz")]
    with pytest.raises(SystemExit, match="Encode it with `encode --tokenizer en`"):
        main([*command, "--start-from=en"])
    backward = tmp_path / "backward.npz"
    main([*command[:4], str(backward), *SIZES, "--direction=backward"])
    with pytest.raises(SystemExit, match="reads backward; give that as --direction"):
        main([*command, f"--start-from={backward}"])


def test_two_processes_have_the_gradients_of_one_on_the_whole_batch(encoded, tmp_path):
    script = [str(Path(__file__).with_name("gradients.py")), str(encoded)]
    run([sys.executable, *script, str(tmp_path / "one.npz"), "4"])
    run([*TORCHRUN, *script, str(tmp_path / "two.npz"), "2"])
    with np.load(tmp_path / "one.npz") as one, np.load(tmp_path / "two.npz") as two:
        assert len(one.files) == 3 * 6  # updates, parameters
        for name in one.files:
            np.testing.assert_allclose(two[name], one[name], rtol=1e-4, atol=1e-7)


def test_torchrun_trains_and_resumes_to_the_same_weights(encoded, tmp_path):
    train = [*TORCHRUN, "-m", "skulmfit.pretraining", "train", "--folder", str(encoded), *SIZES]
    run([*train, "--output", str(tmp_path / "whole.npz")])
    sliced = [*train, "--output", str(tmp_path / "sliced.npz"), "--resume"]
    assert run([*sliced, "--minutes=0"]).count("with --resume continues") == 1
    run(sliced)
    assert same_weights(tmp_path / "whole.npz", tmp_path / "sliced.npz")


def test_nats_per_word_counts_whitespace_separated_words(tiny_lm):
    figures = evaluate(tiny_lm.language_model(), TEXTS[:2])
    n_pieces = sum(len(tiny_lm.language_model().tokenizer.encode([text])[0]) - 1 for text in TEXTS[:2])
    total = -tiny_lm.score(TEXTS[:2]) * n_pieces
    assert figures["words"] == 13
    assert figures["pieces"] == n_pieces
    assert figures["nats_per_word"] == pytest.approx(total / 13, abs=1e-3)
    assert figures["perplexity_per_piece"] == pytest.approx(tiny_lm.perplexity(TEXTS[:2]), rel=1e-3)


def test_wikitext_is_cut_at_its_article_headings(tmp_path):
    path = tmp_path / "wiki.txt"
    path.write_text(" \n = One = \n \n text of one \n \n = = Part = = \n more \n = Two = \n text of two \n")
    documents = read_held_out(path)
    assert [document.split()[1] for document in documents] == ["One", "Two"]
    assert "Part" in documents[0]


def test_what_stands_before_the_first_heading_counts_too(tmp_path):
    path = tmp_path / "wiki.txt"
    path.write_text(" the end of zero \n = One = \n text of one \n")
    assert [document.split()[0] for document in read_held_out(path)] == ["the", "="]


def test_held_out_texts_are_measured_as_they_are(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("A title\nHistory.\nformula_1\n\nShort.\n")
    assert read_held_out(path) == ["A title\nHistory.\nformula_1\n", "Short.\n"]


def test_the_real_corpus_reads_as_documents(data_folder):
    documents = list(read_documents([data_folder / "corpus" / "en_valid.txt"]))
    assert len(documents) > 100
    assert not any("formula_" in document for document in documents)
