"""SpanNER (Fu et al., ACL 2021): every span of up to `max_width` words is classified."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertModel

from mlworker.config import ModelConfig
from mlworker.data import SHAPES, Batch


class SpanClassifier(nn.Module):
    """Encoder, span representation and output layer; it answers with logits.

    A span is its first and last word (first sub-word of the one, last sub-word of the other),
    its width and the shapes of its words, which carry the case that an uncased vocabulary loses.
    The layer over these is factorised: W [h_i; h_j; …] = W_l h_i + W_r h_j + …, so that it costs
    one product per word, not per span, and no tensor of shape (spans, 2 * encoder size) exists.
    """

    def __init__(self, config: ModelConfig, encoder: BertModel) -> None:
        super().__init__()
        size = encoder.config.hidden_size + config.shape_size
        self.encoder = encoder
        self.shape = nn.Embedding(SHAPES, config.shape_size)
        self.left = nn.Linear(size, config.hidden_size)
        self.right = nn.Linear(size, config.hidden_size, bias=False)
        self.inside = nn.Linear(config.shape_size, config.hidden_size, bias=False)
        self.width = nn.Embedding(config.max_width, config.hidden_size)
        nn.init.normal_(self.width.weight, std=0.1)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(config.hidden_size, len(config.classes))

    def forward(self, batch: Batch) -> Tensor:
        """*Shape:* (B, N, max_width, classes), the logits of words `i..i+width` at [:, i, width].

        What `batch.spans` excludes holds no meaning.
        """
        pieces = self.encoder(input_ids=batch.pieces, attention_mask=batch.mask).last_hidden_state
        shapes = self.shape(batch.shapes)
        left = self.left(self.dropout(torch.cat([_at(pieces, batch.first), shapes], -1)))
        right = self.right(self.dropout(torch.cat([_at(pieces, batch.last), shapes], -1)))
        return self._classify(left, right, self.inside(shapes))

    def _classify(self, left: Tensor, right: Tensor, shapes: Tensor) -> Tensor:
        """*Shapes:* three times (B, N, hidden) to (B, N, max_width, classes)."""
        words = left.shape[1]
        inside = torch.zeros_like(shapes)
        by_width = []
        for width in range(self.width.num_embeddings):
            starts = max(words - width, 0)
            inside = inside[:, :starts] + shapes[:, width:]
            hidden = left[:, :starts] + right[:, width:] + inside + self.width.weight[width]
            logits = self.output(self.dropout(functional.gelu(hidden)))
            by_width.append(functional.pad(logits, (0, 0, 0, words - starts)))
        return torch.stack(by_width, 2)


def _at(pieces: Tensor, index: Tensor) -> Tensor:
    """The sub-words at `index`. *Shapes:* (B, T, H), (B, N) to (B, N, H)."""
    return torch.gather(pieces, 1, index.unsqueeze(-1).expand(-1, -1, pieces.shape[-1]))
