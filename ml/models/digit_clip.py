"""A small CLIP of open_clip's own parts (Radford et al. 2021): an image tower and a text tower that agree."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from ml.config import ModelConfig
from ml.models.exact import TWINS, in_blocks
from ml.system.device import one_thread
from ml.system.torchvision_compat import CLIP, CLIPTextCfg, CLIPVisionCfg
from ml.text import tokenizer as text
from ml.text.tokenizer import CONTEXT, PAD

HEAD = 32  # channels of an attention head
TEXTS = 4  # read at a time: few enough for one thread's share of every operation


class DigitClip(nn.Module):
    """open_clip's CLIP at a small size: `widths` are those of the image and the text tower, `blocks` their layers,
    `patch` pixels make a token of the image, and `embedding` is the width of the joint space.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        image, texts = config.widths
        self.clip = CLIP(
            config.embedding,
            CLIPVisionCfg(config.blocks, image, HEAD, patch_size=config.patch, image_size=config.image_size),
            CLIPTextCfg(CONTEXT, config.vocabulary, width=texts, heads=texts // HEAD, layers=config.blocks),
        )

    def image(self, x: Tensor) -> Tensor:
        """Images (B, 1, H, W) in [-1, 1] -> unit vectors (B, embedding)."""
        return self.clip.encode_image(x.expand(-1, 3, -1, -1), normalize=True)

    def text(self, tokens: Tensor) -> Tensor:
        """Tokens (B, CONTEXT), int64 -> unit vectors (B, embedding)."""
        return self.clip.encode_text(tokens, normalize=True)

    def sentences(self, texts: Sequence[str]) -> Tensor:
        """Texts -> unit vectors (N, embedding)."""
        return self.text(text.tokens(list(texts)).to(self.clip.logit_scale.device))

    def words(self, tokens: Tensor) -> Tensor:
        """Tokens (B, CONTEXT), int64 -> what the text tower makes of each, (B, CONTEXT, text width)."""
        tower: Any = self.clip  # nn.Module declares no parts
        x = tower.token_embedding(tokens) + tower.positional_embedding
        return tower.ln_final(tower.transformer(x, attn_mask=tower.attn_mask))

    @property
    def scale(self) -> Tensor:
        """What similarities are multiplied with before a softmax."""
        return self.clip.logit_scale.exp().clamp(max=100)


class TextModel(nn.Module):
    """A diffusion network that reads words: those of a CLIP's text tower, which comes along and stays as it is."""

    def __init__(self, network: nn.Module, reader: ModelConfig) -> None:
        super().__init__()
        self.network, self.reader = network, DigitClip(reader).requires_grad_(False)

    def forward(self, x: Tensor, time: Tensor, tokens: Tensor) -> Tensor:
        return self.network(x, time, self.read(tokens))

    def read(self, tokens: Tensor) -> Tensor:
        """Tokens (B, CONTEXT) -> what is made of each word, zero where there is none, (B, CONTEXT, text width)."""
        return self.reader.words(tokens) * (tokens != PAD)[..., None]


class _ExactTextModel(TextModel):
    """See `ml.models.exact`. What is asked for again and again is read once."""

    def read(self, tokens: Tensor) -> Tensor:
        texts, which = tokens.unique(dim=0, return_inverse=True)
        with one_thread():
            return in_blocks(super().read, texts, TEXTS)[which]


TWINS[TextModel] = _ExactTextModel
