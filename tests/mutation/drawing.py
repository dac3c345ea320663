"""Mistakes in drawing each image as if it were alone, in proving files, and in the forms of networks."""

from tests.mutation.mutant import Mutant

EXACT = "tests/ml/models/test_exact.py"
PROOF = "tests/ml/export/test_verify.py"
PIPELINE = "tests/ml/generation/test_pipeline.py"
INFERENCE = "tests/ml/models/test_optimized.py"

MUTANTS: list[Mutant] = [
    Mutant("ml/models/exact.py", 'if device.type != "cpu":', "if False:", EXACT),
    Mutant(
        "ml/models/exact.py",
        "{id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}",
        "{}",
        f"{EXACT}::test_a_twin_shares_its_weights_and_leaves_the_network_as_it_is",
    ),
    Mutant("ml/models/exact.py", "    nn.Conv2d: _Conv2d,\n", "", EXACT),
    Mutant("ml/models/exact.py", "    nn.ConvTranspose2d: _ConvTranspose2d,\n", "", EXACT),
    Mutant("ml/models/exact.py", "    nn.Linear: _Linear,\n", "", EXACT),
    Mutant("ml/models/exact.py", "    nn.SiLU: _SiLU,\n", "", EXACT),
    Mutant("ml/models/exact.py", "    nn.GroupNorm: _GroupNorm,\n", "", EXACT),
    Mutant("ml/models/exact.py", "    ClassTable: _ClassTable,\n", "", EXACT),
    Mutant(
        "ml/models/exact.py",
        "self._packed is None or self._packed[0] != side",
        "self._packed is None",
        EXACT,
        harmless="oneDNN lays weights out again where the layout is of another size: slower, and the same",
    ),
    Mutant("ml/models/exact.py", "rest = last.new_zeros(rows - len(last)", "rest = last.new_zeros(0", EXACT),
    Mutant(
        "ml/models/exact.py",
        "for block in filled_blocks(x, rows)])[: len(x)]",
        "for block in filled_blocks(x, rows)])",
        EXACT,
    ),
    Mutant("ml/models/exact.py", "if input.numel() % (LANES * threads) == 0:", "if input.numel() % LANES == 0:", EXACT),
    Mutant("ml/models/exact.py", "if input.numel() % (LANES * threads) == 0:", "if True:", EXACT),
    Mutant("ml/models/exact.py", "input.permute(0, 2, 3, 1) if", "input.permute(0, 1, 2, 3) if", EXACT),
    Mutant("ml/models/exact.py", "input.shape[-2] * input.shape[-1] < LARGE", "True", EXACT),
    Mutant("ml/models/exact.py", "[1, *side]", "[2, *side]", EXACT, harmless="a layout for two images is one for any"),
    Mutant(
        "ml/models/digit_clip.py",
        "in_blocks(super().read, texts, TEXTS)[which]",
        "in_blocks(super().read, texts, TEXTS)",
        EXACT,
    ),
    Mutant("ml/models/digit_clip.py", "TWINS[TextModel] = _ExactTextModel\n", "", f"{EXACT} -k words"),
    Mutant(
        "ml/generation/loaded_model.py",
        "else self.exact, self.config.prediction",
        "else self.network, self.config.prediction",
        PIPELINE,
    ),
    Mutant(
        "ml/generation/loaded_model.py",
        "optimized(self.network) if self.hurried else self.exact",
        "self.exact",
        INFERENCE,
    ),
    Mutant(
        "ml/generation/loaded_model.py",
        "self.exact.codec.decode(x) if isinstance(self.exact, LatentModel)",
        "self.network.codec.decode(x) if isinstance(self.network, LatentModel)",
        f"{EXACT} -k latent",
    ),
    Mutant(
        "ml/generation/loaded_model.py",
        "if file_hash(path) == digest:",
        "if True:",
        "tests/ml/training/test_run_lock.py::test_what_is_drawn_with_while_a_run_trains_is_the_model_of_one_step",
    ),
    Mutant(
        "ml/generation/denoising.py",
        "filled_blocks(wanted, matcher.together)",
        "filled_blocks(wanted, len(wanted))",
        EXACT,
    ),
    Mutant(
        "ml/generation/denoising.py",
        "return torch.cat(on_cores(each))[: len(x_t)]",
        "return torch.cat(on_cores(each))",
        f"{EXACT} -k steers",
    ),
    Mutant("ml/system/cores.py", "if number % CORES]", "if number % CORES == 1]", f"{EXACT} -k cores"),
    Mutant(
        "ml/system/cores.py",
        "next(elsewhere if number % CORES else done)",
        "next(done if number % CORES else elsewhere)",
        f"{EXACT} -k cores",
    ),
    Mutant(
        "ml/system/cores.py",
        "        with one_thread():\n            done",
        "        if True:\n            done",
        f"{EXACT} -k cores",
    ),
    Mutant(
        "ml/system/cores.py",
        "    if control is None:\n        return part()",
        "    return part()",
        f"{EXACT} -k stopped",
    ),
    Mutant(
        "ml/diffusion/guidance.py",
        "    with one_thread():\n        return",
        "    if True:\n        return",
        f"{EXACT} -k contrast",
    ),
    Mutant("ml/system/versions.py", 'for name in ("cpu", "instructions"))', 'for name in ("instructions",))', PROOF),
    Mutant("ml/export/verify.py", "ROUNDED = 1", "ROUNDED = 2", PROOF),
    Mutant("ml/export/verify.py", "ROUNDED = 1", "ROUNDED = 0", PROOF),
    Mutant("ml/export/verify.py", "if close and not same_processor(stamp.versions):", "if close:", PROOF),
    Mutant("ml/export/verify.py", "if not same and same_processor(stamp.versions):", "if not same:", PROOF),
    Mutant("ml/export/verify.py", "if not same and same_processor(stamp.versions):", "if False:", PROOF),
    Mutant("ml/export/verify.py", "close = found.shape == made.shape and", "close =", PROOF),
    Mutant("ml/export/verify.py", "if apart > CLOSE[suffix]:", "if False:", PROOF),
    Mutant("ml/export/verify.py", "if found.shape[:2] != evened:", "if False:", PROOF),
    Mutant("ml/export/verify.py", "np.repeat(made[..., None], 3, axis=-1)", "made[..., None]", PROOF),
    Mutant("ml/generation/pipeline.py", 'if request.model_hash not in ("", model.hash):', "if False:", PIPELINE),
    Mutant(
        "ml/generation/pipeline.py",
        "range(0, len(request.labels), BATCH)",
        "range(0, len(request.labels), BATCH - 1)",
        PIPELINE,
    ),
    Mutant(
        "ml/generation/pipeline.py",
        "            if control.cancelled:\n                return\n            last = step",
        "            last = step",
        PIPELINE,
    ),
    Mutant(
        "ml/generation/pipeline.py",
        "to_uint8(model.pixels(last.x_t))",
        "to_uint8(model.pixels(last.x0_hat))",
        PIPELINE,
        harmless="at the last step x_t is x0_hat",
    ),
    Mutant(
        "ml/generation/pipeline.py", "done = request.with_changes(model_hash=model.hash)", "done = request", PIPELINE
    ),
    Mutant("ml/generation/pipeline.py", "network_calls(request, grid))", "network_calls(request, grid) + 1)", PIPELINE),
    Mutant(
        "ml/generation/pipeline.py",
        "model.pixels(step.x_t / contrast), model.pixels(step.x0_hat)",
        "model.pixels(step.x_t), model.pixels(step.x0_hat)",
        PIPELINE,
    ),
    Mutant(
        "ml/generation/pipeline.py",
        "pictures = to_uint8(x_t), to_uint8(x0_hat)",
        "pictures = to_uint8(x0_hat), to_uint8(x_t)",
        PIPELINE,
    ),
    Mutant("ml/generation/pipeline.py", "/ EPS_RANGE) if seen", ") if seen", PIPELINE),
    Mutant("ml/generation/pipeline.py", "seen = level.sigma > 0 and", "seen =", PIPELINE),
    Mutant("ml/generation/pipeline.py", "return Frame(first, step.step,", "return Frame(0, step.step,", PIPELINE),
    Mutant("ml/models/optimized.py", "<= TOLERANCE", "<= 100", INFERENCE),
    Mutant(
        "ml/models/optimized.py",
        "if agrees and _seconds(form, inputs) < plain:",
        "if agrees:",
        f"{INFERENCE} -k quicker",
    ),
    Mutant(
        "ml/models/optimized.py",
        "kind = single, told.ndim, told.dtype, len(time)",
        "kind = single, len(time)",
        INFERENCE,
    ),
    Mutant("ml/models/optimized.py", "        except Stopped:\n            raise\n", "", f"{INFERENCE} -k stopped"),
]
