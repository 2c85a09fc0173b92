"""Rebuild the token table that the embedded strategy ships.

usage: distill.py CORPUS.txt VOCAB.txt OUT.npz [--teacher NAME] [--dimensions 128] [--epochs 3]

CORPUS.txt holds a sentence, a heading or a word a line; the shipped table saw sentences of an
encyclopedia, software documentation and single words, and no dialogue. VOCAB.txt is the teacher's
WordPiece vocabulary. OUT.npz gets `q` (int8, a row a token) and `s` (float16, a scale a row).

The teacher's vectors are reduced to their first principal components. Then the rows are trained
so that the mean of a text's rows points where the teacher's vector does. Frequent tokens learn
short rows by themselves: that is what weighs words by how much they say.

Needs `torch` and `sentence-transformers`, and a corpus. Neither is among the project's
dependencies, and this script was not run where the shipped table was put into the package: that
one was trained beforehand by the same recipe. Expect figures near its own, not the same bytes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch  # type: ignore[import-not-found]  # not a dependency: see above
from numpy.typing import NDArray

from extproc.orchestrator.embedded.dense import unit
from extproc.orchestrator.embedded.text import clip, cut, words_and_marks
from extproc.orchestrator.embedded.tokens import WordPiece

BATCH = 512
RATE = 3e-3
Matrix = NDArray[np.float32]


def teacher_vectors(name: str, texts: list[str]) -> Matrix:
    """Return the teacher's unit vectors of texts."""
    from sentence_transformers import SentenceTransformer  # type: ignore[import-not-found]

    vectors: Matrix = SentenceTransformer(name).encode(
        texts, batch_size=256, normalize_embeddings=True, show_progress_bar=True
    )
    return vectors


def reduced(vectors: Matrix, dimensions: int) -> Matrix:
    """Return vectors in their first principal components, at length one."""
    _, axes = np.linalg.eigh(vectors.T @ vectors)
    return unit(vectors @ axes[:, ::-1][:, :dimensions])


def batches(ids: list[list[int]], goals: Matrix, chance: np.random.Generator) -> Iterator[Any]:
    """Yield token ids, where each text of the batch begins in them, and the goals."""
    order = chance.permutation(len(ids))
    for start in range(0, len(order), BATCH):
        chosen = order[start : start + BATCH]
        tokens = torch.tensor([token for place in chosen for token in ids[place]])
        sizes = [0, *(len(ids[place]) for place in chosen[:-1])]
        yield tokens, torch.tensor(np.cumsum(sizes)), torch.tensor(goals[chosen])


def train(ids: list[list[int]], goals: Matrix, size: int, epochs: int) -> Matrix:
    """Return one row a token, so that means of rows point where the goals do."""
    table = torch.nn.EmbeddingBag(size, goals.shape[1], mode="mean")
    torch.nn.init.normal_(table.weight, std=0.1)
    optimiser = torch.optim.Adam(table.parameters(), lr=RATE)
    chance = np.random.default_rng(0)
    for epoch in range(epochs):
        losses = []
        for tokens, starts, goal in batches(ids, goals, chance):
            loss = 1 - torch.cosine_similarity(table(tokens, starts), goal).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        print(f"epoch {epoch}: mean cosine {1 - np.mean(losses):.4f}")
    rows: Matrix = table.weight.detach().numpy()
    return rows


def save(rows: Matrix, out: Path) -> None:
    """Store rows as 8-bit integers with a scale each."""
    scales = np.maximum(np.abs(rows).max(axis=1, keepdims=True) / 127, 1e-7)
    np.savez_compressed(out, q=np.rint(rows / scales).astype(np.int8), s=scales.astype(np.float16))


def main() -> None:
    """Read, train, store."""
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus", type=Path)
    parser.add_argument("vocabulary", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--teacher", default="sentence-transformers/all-MiniLM-L6-v2")
    parser.add_argument("--dimensions", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=3)
    args = parser.parse_args()
    tokens = args.vocabulary.read_text("utf-8").splitlines()
    pieces = WordPiece({token: place for place, token in enumerate(tokens)}).pieces
    texts, ids = [], []
    for line in args.corpus.read_text("utf-8").splitlines():
        spoken, marks = words_and_marks(clip(line))
        spelled = [piece for word in (*cut(spoken), *marks) for piece in pieces(word)]
        if spelled:
            texts.append(line)
            ids.append(spelled)
    goals = reduced(teacher_vectors(args.teacher, texts), args.dimensions)
    save(train(ids, goals, len(tokens), args.epochs), args.out)


if __name__ == "__main__":
    main()
