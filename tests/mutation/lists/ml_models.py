"""Mistakes in ml/models/."""

from tests.mutation.mutant import Mutant

MUTANTS = [
    Mutant(
        "ml/models/autoencoder.py",
        "return self.reconstruct(z / self.scale)",
        "return self.reconstruct(z * self.scale)",
        "tests/ml/models/test_networks.py::test_a_latent_is_scaled_when_it_is_made_and_back_when_it_is_decoded",
    ),
    Mutant(
        "ml/models/blocks.py",
        "torch.cat([angles.sin(), angles.cos()], dim=1)",
        "torch.cat([angles.cos(), angles.sin()], dim=1)",
        "tests/ml/models/test_networks.py::test_time_is_embedded_as_by_diffusers",
    ),
    Mutant(
        "ml/models/blocks.py",
        "input.to(self.weight.dtype) @ self.weight",
        "self.weight[input.argmax(dim=1)]",
        "tests/ml/models/test_networks.py::test_a_mixture_of_one_class_is_that_class_and_mixtures_lie_between",
    ),
    Mutant(
        "ml/models/digit_clip.py",
        "(tokens != PAD)[..., None]",
        "(tokens >= PAD)[..., None]",
        "tests/ml/models/test_networks.py::test_words_that_are_not_there_say_nothing",
    ),
    Mutant(
        "ml/models/digit_clip.py",
        "in_blocks(super().read, texts, TEXTS)[which]",
        "in_blocks(super().read, texts, TEXTS)",
        "tests/ml/models/test_exact.py",
    ),
    Mutant(
        "ml/models/digit_clip.py", "TWINS[TextModel] = _ExactTextModel\n", "", "tests/ml/models/test_exact.py -k words"
    ),
    Mutant("ml/models/exact.py", 'if device.type != "cpu":', "if False:", "tests/ml/models/test_exact.py"),
    Mutant(
        "ml/models/exact.py",
        "{id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}",
        "{}",
        "tests/ml/models/test_exact.py::test_a_twin_shares_its_weights_and_leaves_the_network_as_it_is",
    ),
    Mutant("ml/models/exact.py", "    nn.Conv2d: _Conv2d,\n", "", "tests/ml/models/test_exact.py"),
    Mutant("ml/models/exact.py", "    nn.ConvTranspose2d: _ConvTranspose2d,\n", "", "tests/ml/models/test_exact.py"),
    Mutant("ml/models/exact.py", "    nn.Linear: _Linear,\n", "", "tests/ml/models/test_exact.py"),
    Mutant("ml/models/exact.py", "    nn.SiLU: _SiLU,\n", "", "tests/ml/models/test_exact.py"),
    Mutant("ml/models/exact.py", "    nn.GroupNorm: _GroupNorm,\n", "", "tests/ml/models/test_exact.py"),
    Mutant("ml/models/exact.py", "    ClassTable: _ClassTable,\n", "", "tests/ml/models/test_exact.py"),
    Mutant(
        "ml/models/exact.py",
        "self._packed is None or self._packed[0] != side",
        "self._packed is None",
        "tests/ml/models/test_exact.py",
        harmless="oneDNN lays weights out again where the layout is of another size: slower, and the same",
    ),
    Mutant(
        "ml/models/exact.py",
        "rest = last.new_zeros(rows - len(last)",
        "rest = last.new_zeros(0",
        "tests/ml/models/test_exact.py",
    ),
    Mutant(
        "ml/models/exact.py",
        "for block in filled_blocks(x, rows)])[: len(x)]",
        "for block in filled_blocks(x, rows)])",
        "tests/ml/models/test_exact.py",
    ),
    Mutant(
        "ml/models/exact.py",
        "if input.numel() % (LANES * threads) == 0:",
        "if input.numel() % LANES == 0:",
        "tests/ml/models/test_exact.py",
    ),
    Mutant(
        "ml/models/exact.py", "if input.numel() % (LANES * threads) == 0:", "if True:", "tests/ml/models/test_exact.py"
    ),
    Mutant(
        "ml/models/exact.py",
        "input.permute(0, 2, 3, 1) if",
        "input.permute(0, 1, 2, 3) if",
        "tests/ml/models/test_exact.py",
    ),
    Mutant("ml/models/exact.py", "input.shape[-2] * input.shape[-1] < LARGE", "True", "tests/ml/models/test_exact.py"),
    Mutant(
        "ml/models/exact.py",
        "[1, *side]",
        "[2, *side]",
        "tests/ml/models/test_exact.py",
        harmless="a layout for two images is one for any",
    ),
    Mutant(
        "ml/models/memory.py",
        "(PICTURES * (request.steps + 1) if frames else 0)",
        "(PICTURES * request.steps if frames else 0)",
        "tests/ml/models/test_memory.py",
    ),
    Mutant(
        "ml/models/memory.py",
        "(PICTURES * (request.steps + 1) if frames else 0)",
        "(PICTURES * (request.steps + 1))",
        "tests/ml/models/test_memory.py",
    ),
    Mutant(
        "ml/models/memory.py",
        "kept = images * pixels * (1 + ",
        "kept = images * pixels * (0 + ",
        "tests/ml/models/test_memory.py",
    ),
    Mutant(
        "ml/models/memory.py",
        "FLOAT * GUIDED * min(images, batch)",
        "FLOAT * GUIDED * images",
        "tests/ml/models/test_memory.py",
    ),
    Mutant(
        "ml/models/memory.py",
        "FLOAT * GUIDED * min(images, batch)",
        "FLOAT * min(images, batch)",
        "tests/ml/models/test_memory.py",
    ),
    Mutant(
        "ml/models/memory.py",
        "_per_image(config, AT_ONCE)",
        "_per_image(config, KEPT)",
        "tests/ml/models/test_memory.py",
    ),
    Mutant(
        "ml/models/memory.py",
        '_check(kept, torch.device("cpu"),',
        "_check(kept, device,",
        "tests/ml/models/test_memory.py",
    ),
    Mutant("ml/models/memory.py", "part = 1 if halved else", "part =", "tests/ml/models/test_memory.py"),
    Mutant(
        "ml/models/memory.py",
        "math.ceil(config.batch_size / config.accumulate)",
        "config.batch_size",
        "tests/ml/models/test_memory.py",
    ),
    Mutant(
        "ml/models/memory.py",
        "math.ceil(config.batch_size / config.accumulate)",
        "config.batch_size // config.accumulate",
        "tests/ml/models/test_memory.py",
    ),
    Mutant("ml/models/memory.py", "COPIES * weights + part", "weights + part", "tests/ml/models/test_memory.py"),
    Mutant("ml/models/memory.py", "max(side // config.patch, 1)", "side", "tests/ml/models/test_memory.py"),
    Mutant(
        "ml/models/memory.py",
        "resolution = (resolution + 1) // 2",
        "resolution = resolution // 2",
        "tests/ml/models/test_memory.py",
    ),
    Mutant(
        "ml/models/memory.py", "held += 2 * config.blocks", "held += config.blocks", "tests/ml/models/test_memory.py"
    ),
    Mutant(
        "ml/models/memory.py",
        "held += 2 * config.blocks * results * width * resolution**2",
        "held += 2 * results * width * resolution**2",
        "tests/ml/models/test_memory.py",
    ),
    Mutant(
        "ml/models/memory.py", "_, side = config.codes", "side = config.image_size", "tests/ml/models/test_memory.py"
    ),
    Mutant(
        "ml/models/memory.py",
        "available = free(device) if size > SMALL else SMALL",
        "available = free(device)",
        "tests/ml/models/test_memory.py",
    ),
    Mutant("ml/models/memory.py", "if size > available:", "if size > 2 * available:", "tests/ml/models/test_memory.py"),
    Mutant(
        "ml/models/memory.py",
        "torch.cuda.mem_get_info(device)[0]",
        "torch.cuda.mem_get_info(device)[1]",
        "tests/ml/models/test_memory.py",
    ),
    Mutant(
        "ml/models/memory.py",
        "psutil.virtual_memory().available",
        "psutil.virtual_memory().total",
        "tests/ml/models/test_memory.py",
    ),
    Mutant(
        "ml/models/memory.py",
        "{weights / 1e6:,.1f} million",
        "{weights / 1e9:,.1f} million",
        "tests/ml/models/test_memory.py",
    ),
    Mutant(
        "ml/models/memory.py",
        "pixels = config.channels * config.image_size**2",
        "pixels = config.image_size**2",
        "tests/ml/models/test_memory.py",
    ),
    Mutant(
        "ml/models/openai_clip.py",
        "encode_image((x - self.mean) / self.std, normalize=True)",
        "encode_image(x, normalize=True)",
        "tests/ml/models/test_openai_clip.py::test_images_are_seen_as_open_clip_shows_them",
    ),
    Mutant(
        "ml/models/openai_clip.py",
        ("    if not weights_path().is_file():\n        yield"),
        ("    if True:\n        yield"),
        "tests/ml/models/test_openai_clip.py::test_the_weights_are_downloaded_by_name_once",
    ),
    Mutant(
        "ml/models/openai_clip.py",
        '{str(name).removeprefix("module."): value',
        "{str(name): value",
        "tests/ml/models/test_openai_clip.py::test_a_plain_state_dict_is_read",
    ),
    Mutant("ml/models/optimized.py", "<= TOLERANCE", "<= 100", "tests/ml/models/test_optimized.py"),
    Mutant(
        "ml/models/optimized.py",
        "if agrees and _seconds(variant, inputs) < reference_seconds:",
        "if agrees:",
        "tests/ml/models/test_optimized.py -k faster",
    ),
    Mutant(
        "ml/models/optimized.py",
        "kind = single, condition.ndim, condition.dtype, len(time)",
        "kind = single, len(time)",
        "tests/ml/models/test_optimized.py",
    ),
    Mutant(
        "ml/models/optimized.py",
        ("        except Cancelled:\n            raise\n"),
        "",
        "tests/ml/models/test_optimized.py -k stopped",
    ),
    Mutant(
        "ml/models/shufflenet_unet.py",
        ".transpose(1, 2).reshape(b, c, h, w)",
        ".reshape(b, c, h, w)",
        "tests/ml/models/test_networks.py::test_channels_are_shuffled_as_by_torch",
    ),
    Mutant(
        "ml/models/unet.py",
        "attends = resolution in config.attention",
        "attends = bool(config.attention)",
        "tests/ml/models/test_networks.py::test_attention_is_at_the_resolutions_asked_for",
    ),
    Mutant(
        "ml/models/unet.py",
        "resolution = config.image_size // config.patch",
        "resolution = config.image_size",
        "tests/ml/models/test_networks.py::test_attention_is_at_the_resolutions_asked_for",
    ),
    Mutant(
        "ml/models/weights.py",
        "for name in sorted(expected.keys() | found.keys()):",
        "for name in sorted(expected.keys()):",
        "tests/ml/registry/test_checkpoint.py::test_a_tensor_of_another_kind_or_name_does_not_agree",
    ),
    Mutant(
        "ml/models/weights.py",
        '    kind = "" if tensor.is_floating_point() else',
        '    kind = "" if True else',
        "tests/ml/registry/test_checkpoint.py::test_a_tensor_of_another_kind_or_name_does_not_agree",
    ),
    Mutant(
        "ml/models/weights.py",
        "and not (tensor.abs() > most).any() else tensor",
        "else tensor",
        "tests/ml/training/test_trainer.py::test_what_half_precision_cannot_hold_stays_as_it_is",
    ),
    Mutant(
        "ml/models/weights.py",
        ("    check_weights(network.state_dict(), weights, source)\n    network"),
        "    network",
        "tests/ml/registry/test_checkpoint.py::test_weights_of_another_shape_say_what_was_expected_and_found",
    ),
]
