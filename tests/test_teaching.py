"""Teaching: segments, a teacher's vectors, and a student that learns them."""

import bz2
import lzma
import subprocess
import sys

import numpy as np
import pytest
import torch

from skulmfit.pretrained.registry import load_pretrained
from skulmfit.pretraining.cli import main
from skulmfit.pretraining.teaching.losses import PARTS
from skulmfit.pretraining.teaching.task import TeachingTask
from skulmfit.text.tokenizer import Tokenizer
from skulmfit.training import runtime
from tests.teaching_reference import Reference, segment, vector
from tests.test_pretraining import KILLED_AS_IT_WRITES_ITS_SECOND_CHECKPOINT, WORDS, same_weights

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
    options = ["--start-from=en-lm", "--segment-pieces=300", "--streams=3", "--bptt=12", "--updates=4", "--held-out=0"]
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
