"""A small CLIP (Radford et al. 2021) from open_clip's image and text towers, and a diffusion model that reads text."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from ml.config import ModelConfig
from ml.models.exact import TWINS, in_blocks
from ml.system.torchvision_compat import CLIP, CLIPTextCfg, CLIPVisionCfg
from ml.text import tokenizer
from ml.text.tokenizer import CONTEXT, PAD
from ml.threads import one_thread

HEAD = 32  # channels of an attention head
TEXTS = 4  # encoded at a time; few enough that every operation runs in one thread


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

    def encode_images(self, x: Tensor) -> Tensor:
        """Images (B, 1, H, W) in [-1, 1] -> unit vectors (B, embedding)."""
        return self.clip.encode_image(x.expand(-1, 3, -1, -1), normalize=True)

    def encode_tokens(self, tokens: Tensor) -> Tensor:
        """Tokens (B, CONTEXT), int64 -> unit vectors (B, embedding)."""
        return self.clip.encode_text(tokens, normalize=True)

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Texts -> unit vectors (N, embedding)."""
        return self.encode_tokens(tokenizer.tokens(list(texts)).to(self.clip.logit_scale.device))

    def encode_words(self, tokens: Tensor) -> Tensor:
        """Tokens (B, CONTEXT), int64 -> the text tower's output for each, (B, CONTEXT, text width)."""
        tower: Any = self.clip  # nn.Module declares no attributes
        x = tower.token_embedding(tokens) + tower.positional_embedding
        return tower.ln_final(tower.transformer(x, attn_mask=tower.attn_mask))

    @property
    def scale(self) -> Tensor:
        """The factor of similarities before a softmax."""
        return self.clip.logit_scale.exp().clamp(max=100)


class TextModel(nn.Module):
    """A diffusion network conditioned on text through the text tower of a frozen CLIP."""

    def __init__(self, network: nn.Module, reader: ModelConfig) -> None:
        super().__init__()
        self.network, self.reader = network, DigitClip(reader).requires_grad_(False)

    def forward(self, x: Tensor, time: Tensor, tokens: Tensor, augmentation: Tensor | None = None) -> Tensor:
        return self.network(x, time, self.read(tokens), augmentation)

    def read(self, tokens: Tensor) -> Tensor:
        """Tokens (B, CONTEXT) -> an embedding of each, zero for padding, (B, CONTEXT, text width)."""
        return self.reader.encode_words(tokens) * (tokens != PAD)[..., None]


class _ExactTextModel(TextModel):
    """See `ml.models.exact`. Each distinct text is encoded once."""

    def read(self, tokens: Tensor) -> Tensor:
        texts, which = tokens.unique(dim=0, return_inverse=True)
        with one_thread():
            return in_blocks(super().read, texts, TEXTS)[which]


TWINS[TextModel] = _ExactTextModel
