"""Rows that show themselves as tables."""

import pickle

import pytest

from skulmfit import CLASSIFIER_RECIPES
from skulmfit.extras import import_extra
from skulmfit.tables import Table
from skulmfit.training.stages import Stage

ROWS = [{"stage": "a <b>", "loss": 0.123456}, {"stage": "c", "loss": 12.0, "score": 0.5}]


def test_a_table_is_a_list():
    table = Table(ROWS)
    assert table == ROWS
    assert pickle.loads(pickle.dumps(table)) == table
    assert isinstance(table[:1], Table)
    assert table[0] is ROWS[0]


def test_it_prints_in_columns_with_short_numbers():
    assert repr(Table(ROWS)).splitlines() == ["stage   loss  score", "a <b>  0.123", "c         12    0.5"]
    assert repr(Table()) == "[]"


def test_a_notebook_shows_it_escaped():
    assert "<td" in Table(ROWS)._repr_html_()
    assert "<b>" not in Table(ROWS)._repr_html_()


def test_a_frame_has_the_numbers_as_they_are():
    frame = Table(ROWS).to_frame()
    assert frame.columns.tolist() == ["stage", "loss", "score"]
    assert frame.loss.tolist() == [0.123456, 12.0]


def test_stages_print_short_numbers():
    stage = Stage("all layers", {"embedding": 0.000190734, "head": 0.002}, 5)
    assert repr(stage) == "<Stage 'all layers': 5 epochs, learning rate 0.000191 to 0.002>"
    assert "<td" in stage._repr_html_()
    assert Table([stage]).to_frame().columns.tolist() == ["stage", "epochs", "learning rate", "trained"]


@pytest.mark.parametrize("recipe", CLASSIFIER_RECIPES.values(), ids=CLASSIFIER_RECIPES)
def test_recipes_are_short_and_say_more_when_asked(recipe):
    assert len(repr(recipe)) < 120
    assert "weight_decay" in str(recipe)
    assert "<td" in recipe._repr_html_()


def test_what_is_not_installed_is_named_with_the_way_to_get_it():
    with pytest.raises(ImportError, match=r"plot\(\) needs nosuch, which is not installed: pip install nosuch"):
        import_extra("nosuch.part", "plot()")
