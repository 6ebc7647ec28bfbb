import sys

import pytest

import skulmfit
from skulmfit.pretraining import cli


def test_versions_name_all_that_is_used_and_what_is_missing(capsys, monkeypatch):
    monkeypatch.setattr("skulmfit.versions._PACKAGES", ("numpy", "no-such-package"))
    skulmfit.show_versions()
    printed = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert printed["skulmfit"] == skulmfit.__version__
    assert printed["no-such-package"] == "not installed"
    assert "threads of torch" in printed["device"]


@pytest.mark.parametrize(
    ("program", "name"), [("/bin/skulmfit", "skulmfit"), ("x.py", "python -m skulmfit.pretraining")]
)
def test_the_command_is_called_as_the_user_has_called_it(capsys, monkeypatch, program, name):
    monkeypatch.setattr(sys, "argv", [program])
    with pytest.raises(SystemExit):
        cli.main(["pretrain", "--help"])
    assert f"usage: {name} train" in capsys.readouterr().out
