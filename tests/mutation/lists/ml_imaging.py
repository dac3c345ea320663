"""Mistakes in ml/imaging/."""

from tests.mutation.mutant import Mutant

MUTANTS = [
    Mutant(
        "ml/imaging/embedded_png.py",
        "if image.size != (side, side) or side > MAX_SIDE:",
        "if side > MAX_SIDE:",
        "tests/ml/generation/test_image_editing.py::test_what_is_no_drawing_is_refused",
    ),
    Mutant("ml/imaging/figure.py", "scale if few else max(1, scale // 2)", "scale", "tests/ml/imaging/test_figure.py"),
    Mutant(
        "ml/imaging/figure.py",
        "len(panel.images) <= FEW and",
        "len(panel.images) < FEW and",
        "tests/ml/imaging/test_figure.py",
    ),
    Mutant(
        "ml/imaging/figure.py",
        "BETWEEN * k for k in range(len(heights))",
        "BETWEEN for k in range(len(heights))",
        "tests/ml/imaging/test_figure.py",
    ),
    Mutant(
        "ml/imaging/figure.py",
        "for k in range(isqrt(count - 1) + 1, count + 1) if count % k == 0)",
        "for k in range(isqrt(count - 1) + 1, count + 1))",
        "tests/ml/experiments/test_comparison.py::test_blocks_of_images_are_whole_and_share_one_size",
    ),
    Mutant(
        "ml/imaging/figure.py",
        "pen.text((MARGIN, y + high / 2), row.name",
        "pen.text((MARGIN, y + high / 2), row.note",
        "tests/ml/imaging/test_figure.py",
    ),
    Mutant(
        "ml/imaging/figure.py",
        ('head.note, MUTED, _font(), anchor="mm")\n    for row'),
        ('head.name, MUTED, _font(), anchor="mm")\n    for row'),
        "tests/ml/imaging/test_figure.py",
    ),
    Mutant("ml/imaging/figure.py", "MARGIN + _width(title, 18)", "0", "tests/ml/imaging/test_figure.py"),
    Mutant(
        "ml/imaging/figure.py",
        "    if width * (top + inner[1] + bottom) > MAX_PIXELS:",
        "    if False:",
        "tests/ml/imaging/test_figure.py",
    ),
    Mutant(
        "ml/imaging/figure.py",
        "y, x = (height - picture.shape[0]) // 2, (width - picture.shape[1]) // 2",
        "y, x = 0, 0",
        "tests/ml/imaging/test_figure.py",
    ),
    Mutant("ml/imaging/figure.py", "LINE + (LINE if subtitle else 0)", "LINE", "tests/ml/imaging/test_figure.py"),
    Mutant(
        "ml/imaging/pixels.py",
        "values.add_(1).mul_(127.5).round_()",
        "values.add_(1).mul_(127.5)",
        "tests/ml/imaging/test_pixels.py",
    ),
    Mutant("ml/imaging/pixels.py", "nan_to_num(nan=-1.0)", "nan_to_num(nan=0.0)", "tests/ml/imaging/test_pixels.py"),
    Mutant(
        "ml/imaging/pixels.py",
        "    columns = min(columns, count)\n    rows = -(-count // columns)\n    canvas",
        "    rows = -(-count // columns)\n    canvas",
        "tests/ml/imaging/test_pixels.py",
    ),
    Mutant(
        "ml/imaging/pixels.py",
        "steps[frame.step][frame.first : frame.first + len(part)] = part",
        "steps[frame.step][: len(part)] = part",
        "tests/ml/imaging/test_pixels.py",
    ),
    Mutant("ml/imaging/pixels.py", "getattr(frame, shown)", "frame.x_t", "tests/ml/imaging/test_pixels.py"),
    Mutant(
        "ml/imaging/pixels.py",
        "[images[k : k + 1] for k in range(len(images))]",
        "[images[: k + 1] for k in range(len(images))]",
        "tests/ml/cli/test_cli.py",
    ),
    Mutant(
        "ml/imaging/safe_open.py",
        "                if image.width * image.height > MAX_PIXELS:",
        "                if False:",
        "tests/fuzz/test_bombs.py::test_a_bomb_does_not_go_off",
    ),
    Mutant(
        "ml/imaging/safe_open.py",
        '        warnings.simplefilter("error", Image.DecompressionBombWarning)\n',
        "",
        "tests/ml/export/test_files.py",
        harmless="the next lines refuse such sizes too",
    ),
]
