"""A student and its losses written again, text by text, on torch's own LSTM: what `teach` must agree with."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

MARKERS = ("▁xxmaj", "▁xxup")


class Reference:
    """The student that stands in `state`, updated as the paper of the method says, with plain loops."""

    def __init__(self, state, architecture, *, learning_rate, clip=1.0, weight_decay=0.01):
        self.architecture = architecture
        self.params = {name: nn.Parameter(value.detach().clone()) for name, value in state.items()}
        self.clip = clip
        groups = []
        for name, param in self.params.items():
            rate = learning_rate * (0.5 if name.endswith(("encoder.embedding", "decoder_bias")) else 1)
            decay = weight_decay if param.ndim > 1 else 0
            groups.append({"params": [param], "lr": rate, "peak": rate, "weight_decay": decay})
        self.optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99), foreach=False)

    def encode(self, ids, state=None):
        """Outputs (B, T, E) and next state, by one `nn.LSTM` a layer."""
        x = F.embedding(ids, self.params["language_model.encoder.embedding"]) * self.architecture.embedding_scale
        next_state = []
        for index, (n_in, n_out) in enumerate(self.architecture.layer_sizes()):
            lstm = nn.LSTM(n_in, n_out, batch_first=True)
            prefix = f"language_model.encoder.layers.{index}."
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            weights = {f"{name}_l0": self.params[prefix + name] for name in names}
            x, layer_state = torch.func.functional_call(lstm, weights, (x, *([state[index]] if state else [])))
            next_state.append(tuple(part.detach() for part in layer_state))
        return x, next_state

    def next_piece(self, outputs, targets):
        """Mean cross-entropy of targets (n,) given outputs (n, E)."""
        weight, bias = (self.params[f"language_model.{name}"] for name in ("encoder.embedding", "decoder_bias"))
        return F.cross_entropy(outputs * self.architecture.output_scale @ weight.T + bias, targets)

    def losses(self, stream, state, segments, vectors, sample):
        """Of streams (inputs, targets), of segments, each by itself, and of a sample of their positions: by name."""
        outputs = [self.encode(ids[None])[0][0] for ids in segments]
        pooled = torch.stack([torch.cat([out[-1], out.max(dim=0).values, out.mean(dim=0)]) for out in outputs])
        predicted = pooled @ self.params["sentence_map.weight"].T + self.params["sentence_map.bias"]
        mine = [torch.stack([one @ other for other in vectors]) / 0.05 for one in F.normalize(predicted)]
        teachers = [torch.stack([vector @ other for other in vectors]) / 0.05 for vector in vectors]
        divergences = [F.cross_entropy(student, teacher.softmax(0)) for student, teacher in zip(mine, teachers)]
        encoded, state = self.encode(stream[0], state)
        return {
            "lm": self.next_piece(encoded.flatten(0, 1), stream[1].flatten()),
            "segment_lm": self.next_piece(
                torch.stack([outputs[row][column] for row, column in sample]),
                torch.stack([segments[row][column + 1] for row, column in sample]),
            ),
            "cosine": (1 - F.cosine_similarity(predicted, vectors)).mean(),
            "relations": torch.stack(divergences).mean(),
        }, state

    def update(self, objective, share, warmup=0.03, cooldown=0.55):
        """One step of AdamW at the rate of a run of which `share` is over."""
        factor = share / warmup if share < warmup else 1.0 if share <= 1 - cooldown else (1 - share) / cooldown
        self.optimizer.zero_grad()
        objective.backward()
        norm = math.sqrt(sum(float((param.grad**2).sum()) for param in self.params.values()))
        for param in self.params.values():
            param.grad *= min(1.0, self.clip / norm)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * factor
        self.optimizer.step()


def segment(folder, tokenizer, row):
    """Ids of a segment of a folder, without case markers if it is of the second half of rows."""
    ids, offsets = np.load(folder / "ids.npy"), np.load(folder / "offsets.npy")
    row, is_caseless = row % (len(offsets) - 1), row >= len(offsets) - 1
    ids = [int(piece) for piece in ids[offsets[row] : offsets[row + 1]]]
    return torch.tensor([piece for piece in ids if not is_caseless or tokenizer.pieces[piece] not in MARKERS])


def vector(folder, row):
    """The teacher's vector of a segment, at length 1, kept in float16."""
    vectors = np.concatenate([np.load(path) for path in sorted((folder / "vectors").glob("*.npy"))])
    return F.normalize(torch.from_numpy(vectors[row % len(vectors)].astype(np.float32)), dim=0).half().float()
