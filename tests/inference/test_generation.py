import numpy as np
import pytest
import torch

from skulmfit.inference.generation import generate, sample
from skulmfit.nn.encoder import Architecture, Encoder
from skulmfit.nn.networks import LanguageModelNetwork
from skulmfit.nn.runtime import Runtime

LOGITS = np.log(np.array([0.15, 0.5, 0.05, 0.3]))


def draws(n=2000, **options):
    rng = np.random.default_rng(0)
    options = {"temperature": 1.0, "top_k": None, "top_p": None} | options
    return np.bincount([sample(LOGITS, rng, **options) for _ in range(n)], minlength=4) / n


def test_pieces_are_drawn_by_their_probability():
    np.testing.assert_allclose(draws(), np.exp(LOGITS), atol=0.04)


@pytest.mark.parametrize(
    ("options", "kept"),
    [({"top_k": 2}, [1, 3]), ({"top_p": 0.7}, [1, 3]), ({"top_p": 0.4}, [1]), ({"top_p": 1.0}, [0, 1, 2, 3])],
)
def test_only_the_most_probable_are_drawn(options, kept):
    np.testing.assert_array_equal(np.flatnonzero(draws(**options)), kept)


@pytest.mark.parametrize("temperature", [0, 1e-300, 5e-324])
def test_a_temperature_next_to_0_takes_the_most_probable(temperature):
    np.testing.assert_array_equal(draws(n=3, temperature=temperature), [0, 1, 0, 0])


def test_a_low_temperature_sharpens():
    sharp = np.exp(LOGITS / 0.5)
    np.testing.assert_allclose(draws(temperature=0.5), sharp / sharp.sum(), atol=0.04)
    assert draws(temperature=0)[1] == 1


STOP, NEVER = 2, (0, 1)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return LanguageModelNetwork(Encoder(Architecture(12, 8, 8, 2)))


def generated(model, n_tokens=30, temperature=0.0, seed=0):
    rng, runtime = np.random.default_rng(seed), Runtime.resolve("cpu")
    prompt = np.array([STOP, 5, 6])
    options = {"temperature": temperature, "top_k": None, "top_p": None, "stop_id": STOP, "never": NEVER}
    return prompt, generate(model, prompt, n_tokens, rng, runtime, **options)


def test_the_carried_state_is_as_good_as_reading_everything_again(model):
    prompt, new = generated(model)
    ids = list(prompt)
    for index, token in enumerate(new):
        encoded = model(torch.tensor(np.array([ids])), model.encoder.initial_state(1))
        hidden = encoded.output[0, -1] * model.encoder.architecture.output_scale
        logits = model.encoder.embedding @ hidden + model.decoder_bias
        logits[[*NEVER, STOP] if index == 0 else [*NEVER]] = -torch.inf
        assert token == int(logits.argmax())
        ids.append(token)


def test_the_end_of_the_text_ends_generation_but_not_before_it_begins(model):
    with torch.no_grad():
        model.decoder_bias[STOP] = 1e4
    assert len(generated(model)[1]) == 1


def test_padding_and_unknown_tokens_are_never_generated(model):
    with torch.no_grad():
        model.decoder_bias[list(NEVER)] = 1e4
    assert not set(generated(model, temperature=2.0)[1]) & {*NEVER, STOP}
