"""The commands of pretraining end with one line for whatever goes wrong, and never with success after Ctrl-C."""

import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

from runs import WORDS, nearly_full_disk
from skulmfit.models.writing import locked
from skulmfit.pretraining.cli import main
from skulmfit.pretraining.encoding import reading, writing

SIZES = ["--embedding-dim=8", "--hidden-dim=8", "--n-layers=1", "--batch-size=2", "--bptt=20"]


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    path, rng = tmp_path_factory.mktemp("texts") / "texts.txt", np.random.default_rng(0)
    path.write_text("\n\n".join(" ".join(rng.choice(WORDS, 40)) for _ in range(60)))
    return path


@pytest.fixture(scope="module")
def encoded(texts):
    folder = texts.parent / "encoded"
    main(["encode", str(texts), "--folder", str(folder), "--vocab-size=300"])
    return folder


def fails(arguments, message, capsys):
    """Run a command that fails; the message is its only line."""
    with pytest.raises(SystemExit, match=message) as ended:
        main([str(argument) for argument in arguments])
    assert "\n" not in str(ended.value)
    assert "Traceback" not in capsys.readouterr().err


def train(folder, output, *options):
    return ["train", "--folder", folder, "--output", output, *SIZES, *options]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--device=toaster", "device='toaster' is not 'auto' or a device of this machine"),
        ("--device=meta", "device='meta' holds no values"),
        ("--learning-rate=nan", "learning_rate == nan, must be a finite number"),
        ("--learning-rate=inf", "learning_rate == inf, must be a finite number"),
        ("--embedding-scale=inf", "embedding_scale == inf"),
        ("--warmup=nan", "warmup == nan"),
        ("--minutes=nan", "minutes must be a number of at least 0, got nan"),
        ("--checkpoint-seconds=nan", "interval_seconds must be a number of at least 0, got nan"),
        ("--seed=-1", "seed == -1, must be >= 0"),
        ("--seed=99999999999999999999", "seed == 99999999999999999999, must be <="),
        ("--embedding-dim=100000000000", "allocate|memory"),
    ],
)
def test_settings_that_cannot_be_are_one_line(encoded, tmp_path, capsys, option, message):
    fails(train(encoded, tmp_path / "lm.npz", option), message, capsys)


def beyond_the_vocabulary(folder):
    ids = np.load(folder / "ids.npy")
    ids[5] = 60_000
    np.save(folder / "ids.npy", ids)


def of_another_corpus(folder):
    np.save(folder / "offsets.npy", np.load(folder / "offsets.npy") * 2)


def falling(folder):
    offsets = np.load(folder / "offsets.npy")
    offsets[3] = 0
    np.save(folder / "offsets.npy", offsets)


def floats(folder):
    np.save(folder / "offsets.npy", np.load(folder / "offsets.npy").astype(float))


def cut_short(folder):
    data = (folder / "offsets.npy").read_bytes()
    (folder / "offsets.npy").write_bytes(data[: len(data) // 2])


def lost(folder):
    (folder / "offsets.npy").unlink()


def no_tokenizer(folder):
    (folder / "tokenizer.model").write_bytes(b"")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (beyond_the_vocabulary, r"has ids from \d+ to 60000, but the tokenizer has 300 pieces"),
        (of_another_corpus, "offsets.npy does not cut the .* ids into documents"),
        (falling, "offsets.npy does not cut the .* ids into documents"),
        (floats, "must hold vectors of integers: ids are uint16, offsets float64"),
        (cut_short, "is damaged: .*Encode the texts again"),
        (lost, "No such file or directory"),
        (no_tokenizer, "is damaged: This is not a SentencePiece model: it is empty"),
    ],
)
def test_a_damaged_folder_is_one_line(encoded, tmp_path, capsys, damage, message):
    folder = tmp_path / "folder"
    shutil.copytree(encoded, folder)
    damage(folder)
    fails(train(folder, tmp_path / "lm.npz"), message, capsys)


def test_a_full_disk_is_one_line(encoded, texts, tmp_path, capsys):
    with nearly_full_disk():
        fails(train(encoded, tmp_path / "lm.npz", "--checkpoint-seconds=0"), "lm.checkpoint", capsys)
        fails(["encode", texts, "--folder", tmp_path / "folder"], "File too large|tokenizer.model|folder", capsys)


@pytest.mark.parametrize("use", [writing, reading])
def test_a_folder_is_not_written_while_another_run_uses_it(encoded, texts, capsys, use):
    with use(encoded):
        fails(["encode", texts, "--folder", encoded], "The folder .*encoded is in use by another run", capsys)


def test_a_folder_is_read_by_several_runs_but_not_while_one_writes(encoded, tmp_path, capsys):
    with reading(encoded):
        main([str(argument) for argument in train(encoded, tmp_path / "lm.npz", "--tokens=100")])
    with writing(encoded):
        fails(train(encoded, tmp_path / "other.npz"), "The folder .*encoded is in use by another run", capsys)


def test_two_runs_do_not_share_a_checkpoint(encoded, tmp_path, capsys):
    with locked(tmp_path / "lm.checkpoint.lock", "It"):
        fails(train(encoded, tmp_path / "lm.npz"), "The checkpoint .*lm.checkpoint is in use by another run", capsys)


@pytest.mark.parametrize("seconds", ["0", "120"], ids=["with a checkpoint", "without"])
def test_ctrl_c_ends_with_a_code_that_is_not_0(encoded, tmp_path, seconds):
    options = ["--epochs=1000000", f"--checkpoint-seconds={seconds}"]
    command = [sys.executable, "-m", "skulmfit.pretraining", *train(encoded, tmp_path / "lm.npz", *options)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline().startswith("pretraining: update")
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=60)
    assert run.returncode == 130
    assert errors.splitlines()[-1].startswith("interrupted: ")
    assert "Traceback" not in errors
    assert ("goes on with --resume" in errors) == (tmp_path / "lm.checkpoint").exists() == (seconds == "0")
