"""Teaching: segments, a teacher's vectors, and a student that learns them."""

import bz2
import lzma
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from teaching_reference import Reference, segment, vector

import skulmfit
from runs import KILLED_AS_IT_WRITES_ITS_SECOND_CHECKPOINT, TORCHRUN, WORDS, nearly_full_disk, run, same_weights
from skulmfit.models.registry import load_pretrained
from skulmfit.nn import runtime
from skulmfit.pretraining.cli import main
from skulmfit.pretraining.encoding import open_corpus
from skulmfit.pretraining.teaching.losses import PARTS
from skulmfit.pretraining.teaching.on_device import TextsOnDevice
from skulmfit.pretraining.teaching.sampling import cut_into_batches, read_in_turn
from skulmfit.pretraining.teaching.teaching_task import TeachingTask
from skulmfit.text.tokenizer import Tokenizer

SIZES = ["--embedding-dim=8", "--hidden-dim=8", "--n-layers=2", "--streams=2", "--bptt=10", "--segment-pieces=150"]
SIZES += ["--held-out=20"]


def write_folder(folder, corpus, tokenizer):
    folder.mkdir(exist_ok=True)
    np.save(folder / "ids.npy", corpus.ids.astype(np.uint16))
    np.save(folder / "offsets.npy", corpus.offsets)
    (folder / "tokenizer.model").write_bytes(tokenizer.model)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of segments with vectors that depend on their words, and in it a corpus of documents."""
    folder, rng = tmp_path_factory.mktemp("teaching"), np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, rng.integers(3, 12))).capitalize() + "." for _ in range(300)]
    tokenizer = Tokenizer.train(texts, vocab_size=320)
    write_folder(folder, tokenizer.encode(texts), tokenizer)
    write_folder(folder / "texts", tokenizer.encode([" ".join(texts[i : i + 5]) for i in range(0, 300, 5)]), tokenizer)
    word_vectors = dict(zip(WORDS, rng.normal(size=(len(WORDS), 5)) + 0.3))
    vectors = np.array([sum(word_vectors[word] for word in text.lower().rstrip(".").split()) for text in texts])
    (folder / "vectors").mkdir()
    np.save(folder / "vectors" / "0.npy", vectors[:100].astype(np.float16))
    np.save(folder / "vectors" / "1.npy", vectors[100:].astype(np.float16))
    np.save(folder / "weights.npy", np.where(np.arange(300) % 3 == 0, 2.5, 0.7).astype(np.float32))
    return folder


def command(folder, output, *options, updates=45):
    arguments = ["--folder", str(folder), "--texts", str(folder / "texts"), "--output", str(output)]
    return ["teach", *arguments, *SIZES, f"--updates={updates}", *options]


@pytest.fixture(scope="module")
def taught(folder, tmp_path_factory):
    output = tmp_path_factory.mktemp("taught") / "student.npz"
    main(command(folder, output))
    return output


def same_students(one, other):
    maps = [load_pretrained(path).sentence_map for path in (one, other)]
    return same_weights(one, other) and all(np.array_equal(*pair) for pair in zip(*(vars(m).values() for m in maps)))


def test_a_killed_teaching_continues_to_the_same_bits(folder, taught, tmp_path):
    output = tmp_path / "killed.npz"
    arguments = command(folder, output, "--checkpoint-seconds=0")
    script = [sys.executable, "-c", KILLED_AS_IT_WRITES_ITS_SECOND_CHECKPOINT, *arguments]
    assert subprocess.run(script, capture_output=True).returncode == -9
    assert output.with_suffix(".checkpoint").exists()
    main([*arguments, "--resume"])
    assert same_students(output, taught)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed.md", "killed.npz"]


@pytest.fixture
def recorded(monkeypatch):
    """What every update of a run reads, draws and loses."""
    monkeypatch.setattr(runtime, "_has_fast_bfloat16", lambda device: False)
    updates, loss = [], TeachingTask.loss

    def recording(task, batch):
        state = {name: value.clone() for name, value in task._loss.student.state_dict().items()} if not updates else {}
        record = {"batch": batch, "random": torch.get_rng_state(), "architecture": task.encoder.architecture}
        before = task.sums.clone()
        result = loss(task, batch)
        record |= {
            "state": state,
            "objective": float(result.objective.detach()),
            "parts": (task.sums - before).tolist(),
        }
        updates.append(record)
        return result

    monkeypatch.setattr(TeachingTask, "loss", recording)
    return updates


def drawn(record, lengths, n_columns):
    """The sample of positions, (row, column), that an update has drawn."""
    torch.set_rng_state(record["random"])
    n = int(0.3 * (len(lengths) * n_columns))
    rows = torch.randint(len(lengths), (n,))
    return list(zip(rows.tolist(), (torch.rand(n) * (torch.tensor(lengths)[rows] - 1)).long().tolist()))


def assert_losses_are_those_of_the_reference(updates, folder, learning_rate):
    tokenizer = Tokenizer((folder / "tokenizer.model").read_bytes())
    reference = Reference(updates[0]["state"], updates[0]["architecture"], learning_rate=learning_rate)
    state = None
    for record in updates:
        batch = record["batch"]
        segments = [segment(folder, tokenizer, row) for row in batch.rows.tolist()]
        vectors = torch.stack([vector(folder, row) for row in batch.rows.tolist()])
        sample = drawn(record, [len(ids) for ids in segments], batch.longest)
        losses, state = reference.losses(batch.stream, None if batch.starts_anew else state, segments, vectors, sample)
        expected = [float(losses[name].detach()) for name in PARTS]
        np.testing.assert_allclose(record["parts"], expected, rtol=2e-4, atol=1e-4)  # vectors in float16
        objective = losses["lm"] + 0.5 * losses["segment_lm"] + 6 * losses["cosine"] + losses["relations"]
        assert record["objective"] == pytest.approx(float(objective.detach()), rel=2e-4)
        reference.update(objective, batch.update / len(updates))


def test_the_losses_of_a_run_are_those_of_a_reference(folder, tmp_path, recorded):
    with torch.random.fork_rng():
        main(command(folder, tmp_path / "student.npz", "--learning-rate=0.02", updates=12))
        assert_losses_are_those_of_the_reference(recorded, folder, learning_rate=0.02)
    assert recorded[-1]["objective"] < recorded[0]["objective"] - 0.5


def test_on_real_segments_too_the_losses_are_those_of_the_reference(data_folder, tmp_path, recorded):
    write_slice(data_folder / "teacher", tmp_path / "slice", n=120)
    options = ["--start-from=en-lm", "--segment-pieces=150", "--streams=3", "--bptt=12", "--updates=3", "--held-out=0"]
    paths = [f"--folder={tmp_path / 'slice'}", f"--texts={tmp_path / 'slice'}", f"--output={tmp_path / 'student.npz'}"]
    with torch.random.fork_rng():
        main(["teach", *paths, *options])
        assert_losses_are_those_of_the_reference(recorded, tmp_path / "slice", learning_rate=4e-3)


def write_slice(source, folder, n):
    """The first segments of a set with the teacher's vectors."""
    with bz2.open(source / "everyday_00.txt.bz2", "rt", encoding="utf-8") as lines:
        texts = [next(lines).rstrip("\n") for _ in range(n)]
    tokenizer, projection = load_pretrained("en-lm").tokenizer, np.load(source / "projection.npz")
    write_folder(folder, tokenizer.encode(texts), tokenizer)
    rows = np.frombuffer(lzma.decompress((source / "everyday_00.int8.xz").read_bytes()), np.int8).reshape(-1, 160)[:n]
    vectors = projection["mean"] + (rows * projection["step"]) @ projection["components"]
    (folder / "vectors").mkdir()
    np.save(folder / "vectors" / "0.npy", vectors.astype(np.float16))


def test_an_epoch_reads_segments_as_often_as_their_weights_say_and_a_share_without_case():
    lengths, weights = np.tile(np.arange(300) % 40 + 5, 2), np.tile([0.5, 2.0, 1.25], 100)
    turns = read_in_turn(
        lengths, np.arange(300), weights, np.random.default_rng(0), caseless=0.3, max_pieces=400, max_rows=30
    )
    read = np.concatenate([next(turns).rows for _ in range(200)])
    np.testing.assert_allclose(np.bincount(read % 300, minlength=300) / 200, weights, atol=0.15)
    assert (read >= 300).mean() == pytest.approx(0.3, abs=0.01)


def test_batches_hold_segments_of_similar_length_and_leave_none_out():
    lengths = np.sort(np.random.default_rng(0).integers(4, 90, 1001))
    batches = cut_into_batches(lengths, max_pieces=500, max_rows=40)
    assert [start for start, _, _ in batches] == [0, *(end for _, end, _ in batches[:-1])]
    assert batches[-1][1] == 1001
    assert all(2 <= end - start <= 40 and longest == lengths[start:end].max() for start, end, longest in batches)
    assert all((end - start) * longest <= 500 for start, end, longest in batches[:-1])


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_texts_on_a_device_are_those_of_the_corpus(folder, direction):
    corpus, _ = open_corpus(folder)
    texts = TextsOnDevice.from_corpus(corpus, torch.device("cpu"), direction)
    expected = corpus if direction == "forward" else corpus.backward()
    rows = np.array([7, 0, 299, 7])
    longest = corpus.lengths[rows].max()
    ids, lengths = texts.padded(torch.from_numpy(rows), int(longest))
    for row, index in enumerate(rows):
        padding = [0] * (longest - len(expected[index]))
        assert ids[row].tolist() == [*expected[index], *padding]
        assert lengths[row] == len(expected[index])
    joined = texts.joined(torch.from_numpy(rows), int(corpus.lengths[rows].sum()))
    assert joined.tolist() == [int(piece) for index in rows for piece in expected[index]]


def test_a_full_disk_is_one_clear_error_and_the_run_goes_on_from_what_was_kept(folder, taught, tmp_path):
    output = tmp_path / "student.npz"
    arguments = command(folder, output, "--checkpoint-seconds=0")
    with nearly_full_disk(), pytest.raises(SystemExit, match=r"^error: .*student\.checkpoint"):
        main(arguments)
    assert list(tmp_path.iterdir()) == []
    main([*arguments, "--resume"])
    assert same_students(output, taught)


def test_vectors_and_segments_of_different_numbers_are_refused(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    np.save(copy / "vectors" / "1.npy", np.ones((199, 5), np.float16))
    with pytest.raises(SystemExit, match=r"300 segments and 299 vectors: there must be one vector for each"):
        main(command(copy, tmp_path / "student.npz"))


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_vectors_without_a_direction_are_refused(folder, tmp_path, value):
    copy = shutil.copytree(folder, tmp_path / "copy")
    np.save(copy / "vectors" / "1.npy", np.full((200, 5), value, np.float16))
    with pytest.raises(SystemExit, match="200 of 300 vectors are 0, NaN or infinite, the first in row 100"):
        main(command(copy, tmp_path / "student.npz"))


def test_torchrun_teaches_with_two_processes(folder, taught, tmp_path):
    arguments = command(folder, tmp_path / "two.npz")
    run([*TORCHRUN, "-m", "skulmfit.pretraining", *arguments])
    one, two = load_pretrained(taught).card, load_pretrained(tmp_path / "two.npz").card
    assert two["processes"] == 2
    assert two["tokens_seen"] == pytest.approx(2 * one["tokens_seen"], rel=0.1)
    assert two["taught"]["cosine_about_mean"] > 0.2


KILLED_BEFORE_ITS_SECOND_CHECKPOINT = """
import os
import resource
from skulmfit.pretraining.cli import main
from skulmfit.training.checkpoint import Checkpoint
save, saved = Checkpoint.save, []
def cut_short(checkpoint, state):
    if saved:
        os.kill(os.getpid(), 9)
    saved.append(save(checkpoint, state))
Checkpoint.save = cut_short
main()
"""


@pytest.mark.slow
def test_torchrun_resumes_a_killed_teaching_to_the_same_bits(folder, tmp_path):
    whole, output = tmp_path / "whole.npz", tmp_path / "killed.npz"
    run([*TORCHRUN, "-m", "skulmfit.pretraining", *command(folder, whole)])
    (tmp_path / "killed.py").write_text(KILLED_BEFORE_ITS_SECOND_CHECKPOINT)
    killed = [*TORCHRUN, str(tmp_path / "killed.py"), *command(folder, output, "--checkpoint-seconds=0")]
    environment = {"PYTHONPATH": str(Path(skulmfit.__file__).parents[1]), **os.environ}
    assert subprocess.run(killed, capture_output=True, env=environment).returncode != 0
    assert output.with_suffix(".checkpoint").exists()
    assert not output.exists()
    run([*TORCHRUN, "-m", "skulmfit.pretraining", *command(folder, output, "--resume")])
    assert same_students(output, whole)


def test_a_teaching_by_the_clock_ends_when_it_should(folder, tmp_path):
    output = tmp_path / "student.npz"
    main(command(folder, output, "--minutes=0.05", updates=0))
    assert 2.9 < load_pretrained(output).card["seconds"] < 10


def test_a_student_learns_its_teachers_vectors_and_the_next_piece(folder, tmp_path, capsys):
    main(command(folder, tmp_path / "start.npz", "--learning-rate=1e-9", updates=1))
    main(command(folder, tmp_path / "student.npz", "--learning-rate=0.02", "--teacher=A dictionary", updates=400))
    start, student = (load_pretrained(tmp_path / f"{name}.npz").card["taught"] for name in ("start", "student"))
    assert start["cosine_about_mean"] < 0.3 < 0.6 < student["cosine_about_mean"]
    assert student["nats_per_piece"] < start["nats_per_piece"] - 1
    card = (tmp_path / "student.md").read_text()
    assert f"cosine about mean {student['cosine_about_mean']}" in card
    assert "| teacher | A dictionary |" in card


def test_a_teaching_can_go_on_from_a_model_with_a_sentence_map(folder, taught, tmp_path):
    output = tmp_path / "further.npz"
    arguments = command(folder, output, f"--start-from={taught}", "--learning-rate=1e-9", updates=1)
    main(arguments)
    further, start = load_pretrained(output), load_pretrained(taught)
    np.testing.assert_allclose(further.sentence_map.weight, start.sentence_map.weight, atol=1e-3)
    np.testing.assert_allclose(further.weights["encoder.embedding"], start.weights["encoder.embedding"], atol=1e-3)
    assert further.card["taught"]["cosine"] == pytest.approx(start.card["taught"]["cosine"], abs=5e-3)


def test_a_backward_student_starts_from_a_forward_one_only_if_told_so(folder, taught, tmp_path):
    output = tmp_path / "backward.npz"
    arguments = command(folder, output, f"--start-from={taught}", "--direction=backward", updates=2)
    with pytest.raises(SystemExit, match="take its weights for reading the other way with --start-with turned"):
        main(arguments)
    main([*arguments, "--start-with=turned"])
    assert load_pretrained(output).tokenizer.direction == "backward"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--updates=0", "updates and minutes are both 0"),
        ("--temperature=0", "temperature"),
        ("--caseless=1.5", "caseless"),
        ("--texts=nowhere", "nowhere holds no encoded corpus"),
        ("--folder=nowhere", "nowhere holds no segments; make some with `segment"),
        ("--start-from=en", "another tokenizer"),
    ],
)
def test_settings_that_make_no_sense_are_refused(folder, tmp_path, option, message):
    with pytest.raises(SystemExit, match=message):
        main([*command(folder, tmp_path / "lm.npz"), option])


def test_without_any_loss_or_vectors_a_teaching_is_refused(folder, tmp_path):
    with pytest.raises(SystemExit, match="give one of the losses a weight"):
        main(command(folder, tmp_path / "lm.npz", "--lm=0", "--segment-lm=0", "--cosine=0", "--relations=0"))
    with pytest.raises(SystemExit, match=r"holds no vectors; make them with `embed --folder .*texts"):
        main(["teach", "--folder", str(folder / "texts"), "--output", str(tmp_path / "lm.npz"), "--updates=1"])


def test_a_mixture_without_a_sentence_vectors_loss_gives_a_plain_language_model(folder, tmp_path):
    main(command(folder, tmp_path / "lm.npz", "--cosine=0", "--relations=0", updates=2))
    assert load_pretrained(tmp_path / "lm.npz").sentence_map is None
