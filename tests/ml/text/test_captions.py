"""Captions say what is true, and the digit CLIP learns to tell which."""

import random

import pytest
import torch
from torch import Tensor, nn

from ml.text import captions, tokenizer
from ml.text.captions import BOLD, LARGE, LEFT, NARROW, RIGHT, SLANTED, SMALL, THIN, UPRIGHT, WIDE, Caption


def stroke(width: float, lean: float, length: float = 16) -> Tensor:
    """A straight stroke as an image (1, 28, 28) in [0, 1]: `lean` pixels to the right per pixel upwards."""
    y, x = torch.meshgrid(torch.arange(28.0) - 14, torch.arange(28.0) - 14, indexing="ij")
    across = (x + lean * y) / (1 + lean**2) ** 0.5
    along = y.abs() - length / 2
    return ((width / 2 + 0.5 - across.abs()).clamp(0, 1) * (0.5 - along).clamp(0, 1))[None]


@pytest.mark.parametrize("width", [2.0, 3.0, 5.0])
def test_thickness_is_measured_in_pixels(width: float) -> None:
    assert float(captions.stroke_width(stroke(width, 0.0, 24))) == pytest.approx(width, rel=0.25)
    assert captions.stroke_width(stroke(width + 1, 0.3)) > captions.stroke_width(stroke(width, 0.3))


@pytest.mark.parametrize("lean", [-0.5, 0.0, 0.3])
def test_slant_is_measured_towards_the_right(lean: float) -> None:
    assert float(captions.slant(stroke(3.0, lean))) == pytest.approx(lean, abs=0.05)


def test_aspect_and_extent_follow_the_box() -> None:
    narrow, wide, small = stroke(3.0, 0.0, 20), stroke(8.0, 0.0, 20), stroke(3.0, 0.0, 8)
    assert captions.aspect(wide) > 2 * captions.aspect(narrow)
    assert captions.extent(small) < captions.extent(narrow) < captions.extent(wide)


def test_attributes_are_the_extremes_of_a_class() -> None:
    widths = torch.linspace(1.5, 6, 20)
    images = torch.cat([stroke(float(w), 0.4 if w < 3 else -0.4) for w in widths])
    bits = captions.attributes((images * 255).byte()[:, None], torch.zeros(20, dtype=torch.long))
    assert (bits & THIN).bool().tolist() == [True] * 4 + [False] * 16
    assert (bits & BOLD).bool().tolist() == [False] * 16 + [True] * 4
    assert not ((bits & LEFT).bool() & (bits & RIGHT).bool()).any()


def test_every_attribute_is_the_extreme_that_its_name_says_and_of_its_own_class() -> None:
    def bits(images: list[Tensor], labels: list[int]) -> list[int]:
        found = captions.attributes((torch.cat(images) * 255).byte()[:, None], torch.tensor(labels))
        return found.tolist()

    def said(images: list[Tensor], low: int, high: int) -> list[tuple[bool, bool]]:
        return [(bool(each & low), bool(each & high)) for each in bits(images, [0] * len(images))]

    extremes = [(True, False), *[(False, False)] * 3, (False, True)]
    leaning = [-0.5, -0.2, 0.0, 0.2, 0.5]
    assert said([stroke(3.0, lean) for lean in leaning], LEFT, RIGHT) == extremes
    assert [bool(each & UPRIGHT) for each in bits([stroke(3.0, lean) for lean in leaning], [0] * 5)] == [
        False, False, True, False, False,
    ]  # fmt: skip
    assert said([stroke(3.0, 0.0, length) for length in (8, 11, 14, 17, 20)], SMALL, LARGE) == extremes
    assert said([stroke(3.0, 0.0, length) for length in (20, 17, 14, 11, 8)], NARROW, WIDE) == extremes
    # Thin for a zero is bold for a one, and each is told from its own kind alone.
    widths = [2.0, 2.2, 2.4, 2.6, 2.8, 4.0, 4.2, 4.4, 4.6, 4.8]
    found = bits([stroke(width, 0.0, 20) for width in widths], [1] * 5 + [0] * 5)
    assert [bool(each & BOLD) for each in found] == [False] * 4 + [True] + [False] * 4 + [True]
    assert [bool(each & THIN) for each in found] == [True] + [False] * 4 + [True] + [False] * 4


def test_a_caption_demands_its_attributes() -> None:
    rng = random.Random(1)
    words = {word for _, forms in (*captions.ADJECTIVES, *captions.ENDINGS) for form in forms for word in form.split()}
    words -= {"to", "the"}
    endings = [form for _, forms in captions.ENDINGS for form in forms]
    seen = {"ending": 0, "adjective": 0, "plain": 0, "manner": 0}
    for _ in range(600):
        digit, bits = rng.randrange(10), rng.randrange(512)
        entry = captions.caption(digit, bits, rng)
        plain = captions.truth([entry], torch.tensor([digit]), torch.tensor([0]))  # of an image that has nothing
        assert bool(plain) == (not words & set(entry.text.split())), entry
        other = captions.truth([entry], torch.tensor([(digit + 1) % 10]), torch.tensor([bits]))
        assert bool(other) == (entry.digit < 0)
        ending = any(entry.text.endswith(form) for form in endings)
        seen["ending"] += ending
        seen["adjective"] += bool(entry.demands) and not ending
        seen["plain"] += entry.digit < 0
        seen["manner"] += entry.text.startswith(captions.MANNERS)
    assert all(10 < count < 500 for count in seen.values()), seen


def test_a_caption_is_true_of_its_image() -> None:
    rng = random.Random(0)
    labels, bits = torch.arange(200) % 10, torch.randint(512, (200,), generator=torch.Generator().manual_seed(0))
    said = [captions.caption(int(c), int(b), rng) for c, b in zip(labels, bits, strict=True)]
    assert captions.truth(said, labels, bits).diagonal().all()
    assert len({entry.text for entry in said}) > 150
    for entry in said:
        spoken = any(word in entry.text.split() for word in (captions.WORDS[entry.digit], str(entry.digit)))
        assert spoken == (entry.digit >= 0)
        assert tokenizer.UNKNOWN not in tokenizer.encode(entry.text)


def test_a_foreign_text_has_no_digit_and_a_word_that_no_caption_has() -> None:
    rng = random.Random(0)
    for _ in range(200):
        said = captions.unrelated(rng)
        assert tokenizer.UNKNOWN in tokenizer.encode(said)
        assert not set(said.split()) & {*captions.WORDS, *map(str, range(10))}


def test_truth_needs_the_digit_and_something_of_every_demand() -> None:
    said = [Caption("seven", 7, ()), Caption("a bold seven", 7, (BOLD,)), Caption("slanted", -1, (SLANTED, WIDE))]
    labels = torch.tensor([7, 7, 3])
    bits = torch.tensor([BOLD, LEFT | WIDE, RIGHT])
    assert captions.truth(said, labels, bits).tolist() == [
        [True, True, False], [True, False, True], [False, False, False]
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Seven", "seven"),
        ("seven,", "seven"),
        ("left-slanted", "left slanted"),
        ("  a  7 ", "a 7"),
        ("\u017feven", "seven"),  # the long s of old prints
    ],
)
def test_case_punctuation_and_spaces_do_not_matter(one: str, other: str) -> None:
    assert tokenizer.encode(one) == tokenizer.encode(other)


def test_a_word_that_no_caption_has_is_one_unknown() -> None:
    assert tokenizer.encode("banana") == (tokenizer.UNKNOWN,)
    assert len(tokenizer._pieces("leftward")) > 1 and tokenizer.encode("leftward") == (tokenizer.UNKNOWN,)
    assert tokenizer.encode("a lovely seven") == (*tokenizer.encode("a"), tokenizer.UNKNOWN, *tokenizer.encode("seven"))
    assert tokenizer.encode("") == ()


def test_tokens_begin_and_end_and_are_cut_to_their_room() -> None:
    table = tokenizer.tokens(["seven", "a " * 100])
    end = tokenizer.vocabulary_size() - 1
    assert table.shape == (2, tokenizer.CONTEXT)
    assert table[0].tolist()[:4] == [tokenizer.START, *tokenizer.encode("seven"), end, tokenizer.PAD]
    assert table[1, -1] == end == table.max() and (table.argmax(dim=1) == (table == end).int().argmax(dim=1)).all()


def test_the_contrastive_loss_is_that_of_open_clip_where_every_caption_has_one_image() -> None:
    from open_clip.loss import ClipLoss

    from ml.training.losses import contrastive_loss

    generator = torch.Generator().manual_seed(0)
    image, words = (nn.functional.normalize(torch.randn(6, 8, generator=generator), dim=1) for _ in range(2))
    expected = ClipLoss()(image, words, torch.tensor(10.0))
    found = contrastive_loss(10 * image @ words.T, torch.eye(6).bool(), torch.zeros(6, 0))
    torch.testing.assert_close(found, expected)
    assert contrastive_loss(10 * image @ words.T, torch.eye(6).bool(), torch.zeros(6, 3)) > expected


def test_every_true_caption_of_an_image_counts_alike_and_so_does_every_image_of_a_caption() -> None:
    from ml.training.losses import contrastive_loss

    similarity = torch.randn(3, 2, generator=torch.Generator().manual_seed(0))
    absent = torch.randn(3, 1, generator=torch.Generator().manual_seed(1))
    truth = torch.tensor([[True, True], [True, False], [False, True]])
    images = torch.cat([similarity, absent], dim=1).log_softmax(dim=1)
    texts = similarity.log_softmax(dim=0)
    of_images = [(images[0, 0] + images[0, 1]) / 2, images[1, 0], images[2, 1]]
    of_texts = [(texts[0, 0] + texts[1, 0]) / 2, (texts[0, 1] + texts[2, 1]) / 2]
    expected = -(torch.stack(of_images).mean() + torch.stack(of_texts).mean()) / 2
    torch.testing.assert_close(contrastive_loss(similarity, truth, absent), expected)
