"""SpanNER (Fu et al., ACL 2021): every span of up to `max_width` words is classified."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from mlworker.config import ModelConfig
from mlworker.data import SHAPES, Batch
from mlworker.dropout import Dropout, quicken
from mlworker.encoders import word_embeddings
from mlworker.robust.bottleneck import Bottleneck, Gaussian


class SpanClassifier(nn.Module):
    """Encoder, span representation and output layer; it answers with logits.

    An uncased vocabulary loses the case of a word, so its shape is said twice: added to the
    embeddings of its sub-words, from zero on, where the encoder sees it among the others' (a
    headline, an acronym), and beside what the encoder makes of them.

    A span is its first and last word (first sub-word of the one, last sub-word of the other), its
    width and the shapes of its words. The layer over these is factorised: W [h_i; h_j; …] =
    W_l h_i + W_r h_j + …, so that it costs one product per word, not per span, and no tensor of
    shape (spans, 2 * encoder size) exists.
    """

    def __init__(self, config: ModelConfig, encoder: PreTrainedModel) -> None:
        super().__init__()
        size = encoder.config.hidden_size + config.shape_size
        quicken(encoder)
        self.encoder = encoder
        self.case = nn.Embedding(SHAPES, word_embeddings(encoder).embedding_dim, padding_idx=0)
        nn.init.zeros_(self.case.weight)
        self.shape = nn.Embedding(SHAPES, config.shape_size)
        self.left = nn.Linear(size, config.hidden_size)
        self.right = nn.Linear(size, config.hidden_size, bias=False)
        self.inside = nn.Linear(config.shape_size, config.hidden_size, bias=False)
        self.width = nn.Embedding(config.max_width, config.hidden_size)
        nn.init.normal_(self.width.weight, std=0.1)
        self.dropout = Dropout(config.dropout)
        self.bottleneck = (
            Bottleneck(config.hidden_size, config.bottleneck_size)
            if config.bottleneck_size
            else None
        )
        size = config.bottleneck_size or config.hidden_size
        self.output = nn.Linear(size, len(config.classes))

    def forward(self, batch: Batch) -> Tensor:
        """*Shape:* (B, N, max_width, classes), the logits of words `i..i+width` at [:, i, width].

        What `batch.spans` excludes holds no meaning.
        """
        return self.classify(self.encode(batch), batch)

    def encode(self, batch: Batch) -> Tensor:
        """*Shape:* (B, T, encoder size), the encoder's view of each sub-word."""
        embedded = word_embeddings(self.encoder)(batch.pieces) + self.case(batch.cases)
        found = self.encoder(inputs_embeds=embedded, attention_mask=batch.mask)
        pieces: Tensor = found.last_hidden_state
        return pieces

    def classify(self, pieces: Tensor, batch: Batch) -> Tensor:
        """As `forward`, from what `encode` made of the batch."""
        return self._by_width(pieces, batch, self._answered)

    def _answered(self, features: Tensor) -> Tensor:
        """*Shapes:* (…, hidden) to (…, classes)."""
        logits: Tensor = self.output(self.bottleneck(features) if self.bottleneck else features)
        return logits

    def gaussians(self, batch: Batch) -> Gaussian:
        """What the bottleneck lets through of each span. *Shapes:* (B, N, max_width, size).

        Raises `ValueError` where the model has none.
        """
        if self.bottleneck is None:
            raise ValueError("this model has no bottleneck")
        spread = self._by_width(self.encode(batch), batch, self.bottleneck.spread)
        return self.bottleneck.parted(spread)

    def vectors(self, pieces: Tensor, batch: Batch, chosen: Tensor) -> Tensor:
        """What the encoder sees in each of the spans `chosen`, in its sentence: the mean of its
        sub-words in `pieces`, of length 1.

        *Shapes:* (B, T, encoder size), `chosen` as `batch.spans`, to (spans, encoder size).
        """
        row, first, width = chosen.nonzero(as_tuple=True)
        begin, end = batch.first[row, first], batch.last[row, first + width] + 1
        summed = functional.pad(pieces.float().cumsum(1), (0, 0, 1, 0))
        return functional.normalize(summed[row, end] - summed[row, begin], dim=-1)

    def _by_width(self, pieces: Tensor, batch: Batch, answer: Callable[[Tensor], Tensor]) -> Tensor:
        """What `answer` makes of the features of each span. *Shape:* (B, N, max_width, …)."""
        shapes = self.shape(batch.shapes)
        left = self.left(self.dropout(torch.cat([_at(pieces, batch.first), shapes], -1)))
        right = self.right(self.dropout(torch.cat([_at(pieces, batch.last), shapes], -1)))
        inside, summed = self.inside(shapes), torch.zeros_like(left)
        words = left.shape[1]
        by_width = []
        for width in range(self.width.num_embeddings):
            starts = max(words - width, 0)
            summed = summed[:, :starts] + inside[:, width:]
            hidden = left[:, :starts] + right[:, width:] + summed + self.width.weight[width]
            found = answer(self.dropout(functional.gelu(hidden)))
            by_width.append(functional.pad(found, (0, 0, 0, words - starts)))
        return torch.stack(by_width, 2)


def _at(pieces: Tensor, index: Tensor) -> Tensor:
    """The sub-words at `index`. *Shapes:* (B, T, H), (B, N) to (B, N, H)."""
    rows = torch.arange(len(pieces), device=index.device)[:, None] * pieces.shape[1]
    # Whole rows are copied many times as fast as one number after the other.
    found = pieces.flatten(0, 1).index_select(0, (rows + index).flatten())
    return found.view(*index.shape, -1)
