"""Sampling from a language model. Its state is carried from token to token, so time is linear."""

from collections.abc import Iterable

import numpy as np
import torch
import torch.nn.functional as F

from skulmfit.inference.passes import evaluating
from skulmfit.models.language_model import LanguageModel
from skulmfit.nn.networks import LanguageModelNetwork
from skulmfit.nn.runtime import Runtime
from skulmfit.text.rules import restore


def continue_text(
    model: LanguageModel,
    prompt: str,
    n_tokens: int,
    rng: np.random.Generator,
    runtime: Runtime,
    *,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
) -> str:
    """A prompt, normalised by the tokenizer, and at most `n_tokens` pieces that follow it."""
    tokenizer = model.tokenizer
    ids = tokenizer.encode([prompt])[0]
    new = generate(
        model.network, ids, n_tokens, rng, runtime, temperature=temperature, top_k=top_k, top_p=top_p,
        stop_id=tokenizer.bos_id, never=(tokenizer.unk_id, tokenizer.pad_id),
    )  # fmt: skip
    text = tokenizer.decode([*ids[1:], *new])
    return restore(text) if tokenizer.applies_rules else text


@torch.no_grad()
def generate(
    model: LanguageModelNetwork,
    prompt: np.ndarray,
    n_tokens: int,
    rng: np.random.Generator,
    runtime: Runtime,
    *,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    stop_id: int,
    never: Iterable[int],
) -> list[int]:
    """At most `n_tokens` ids that follow a prompt; `stop_id` ends the text, but is never the first of them."""
    generated: list[int] = []
    with evaluating(model, runtime):
        state, ids = model.encoder.initial_state(1), runtime.tensor(prompt)[None]  # (1, T)
        while len(generated) < n_tokens:
            encoded = model(ids, state)
            state = encoded.state
            hidden = encoded.output[0, -1:] * model.encoder.architecture.output_scale
            logits = F.linear(hidden, model.encoder.embedding, model.decoder_bias)[0]  # (V,)
            logits[[*never, stop_id] if not generated else [*never]] = -torch.inf
            token = sample(logits.cpu().numpy(), rng, temperature=temperature, top_k=top_k, top_p=top_p)
            if token == stop_id:
                break
            generated.append(token)
            ids = runtime.tensor(np.array([[token]]))
    return generated


def sample(
    logits: np.ndarray, rng: np.random.Generator, *, temperature: float, top_k: int | None, top_p: float | None
) -> int:
    """Draw one index by its logit (V,), among the `top_k` most probable and those that make up `top_p` together.

    A temperature of 0 takes the most probable.
    """
    if temperature == 0:
        return int(logits.argmax())
    order = np.argsort(-logits, kind="stable")[:top_k]
    with np.errstate(over="ignore"):
        scores = logits[order].astype(np.float64) / temperature
    if not np.isfinite(scores[0]):  # a temperature next to 0
        return int(order[0])
    probabilities = np.exp(scores - scores[0])
    probabilities /= probabilities.sum()
    if top_p is not None:
        n_kept = int(np.searchsorted(np.cumsum(probabilities), top_p)) + 1  # the one that passes it too
        order, probabilities = order[:n_kept], probabilities[:n_kept]
    return int(rng.choice(order[: len(probabilities)], p=probabilities / probabilities.sum()))
