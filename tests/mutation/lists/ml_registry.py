"""Mistakes in ml/registry/."""

from tests.mutation.mutant import Mutant

MUTANTS = [
    Mutant(
        "ml/registry/checkpoint.py",
        "        if len(text) > MAX_TEXT:",
        "        if False:",
        "tests/ml/registry/test_checkpoint.py::test_a_description_without_end_is_refused",
    ),
    Mutant(
        "ml/registry/checkpoint.py",
        "        return KEY in (file.metadata() or {})",
        "        return bool(file.metadata() is None)",
        "tests/ml/registry/test_checkpoint.py::test_a_file_is_known_by_its_content",
    ),
    Mutant(
        "ml/registry/checkpoint.py",
        "    return int(digits) if digits.isdigit() else 0",
        "    return 0",
        "tests/ml/registry/test_checkpoint.py::test_a_full_disk_is_named_whoever_notices",
    ),
    Mutant(
        "ml/registry/import_weights.py",
        '"ema", "model_ema", "state_dict", "model_state_dict", "model",',
        '"state_dict", "model_state_dict", "model", "ema", "model_ema",',
        "tests/ml/registry/test_model_cards.py",
    ),
    Mutant(
        "ml/registry/import_weights.py",
        "if named and all(name",
        "if named and any(name",
        "tests/ml/registry/test_model_cards.py",
    ),
    Mutant(
        "ml/registry/import_weights.py", 'and tensor.device.type == "cpu"', "", "tests/ml/registry/test_model_cards.py"
    ),
    Mutant(
        "ml/registry/import_weights.py",
        "if theirs == found]",
        "if theirs.items() <= found.items()]",
        "tests/ml/registry/test_model_cards.py",
    ),
    Mutant(
        "ml/registry/import_weights.py",
        "found.get(name) != wanted[name]",
        "found.get(name) == wanted[name]",
        "tests/ml/registry/test_model_cards.py",
    ),
    Mutant(
        "ml/registry/import_weights.py",
        "different.setdefault(kind.model, kind)",
        "different[kind.model] = kind",
        "tests/ml/registry/test_model_cards.py",
    ),
    Mutant(
        "ml/registry/local_models.py",
        "trash.empty(trash.KEPT_DAYS * trash.DAY_S)",
        "trash.empty(trash.KEPT_DAYS)",
        "tests/ml/registry/test_model_cards.py",
    ),
    Mutant(
        "ml/registry/local_models.py",
        "    trash.empty(trash.KEPT_DAYS * trash.DAY_S)\n",
        "",
        "tests/ml/registry/test_model_cards.py",
    ),
    Mutant("ml/registry/local_models.py", 'or ".." in name', "", "tests/ml/registry/test_model_cards.py"),
    Mutant("ml/registry/local_models.py", 'or name.endswith(".")', "", "tests/ml/registry/test_model_cards.py"),
    Mutant("ml/registry/local_models.py", "{LONGEST - 1}", "{LONGEST}", "tests/ml/registry/test_model_cards.py"),
    Mutant(
        "ml/registry/local_models.py",
        ("or name.casefold() == _STEM:\n        raise"),
        ("or name == _STEM:\n        raise"),
        "tests/ml/registry/test_model_cards.py",
    ),
    Mutant(
        "ml/registry/local_models.py",
        "name.casefold() != card.name.casefold() and ",
        "",
        "tests/ml/registry/test_model_cards.py",
    ),
    Mutant(
        "ml/registry/local_models.py",
        "if beside.exists() and not path.exists():",
        "if beside.exists() and path.exists():",
        "tests/ml/registry/test_model_cards.py",
    ),
    Mutant(
        "ml/registry/local_models.py",
        "path = free_name(path.with_name(",
        "path = (path.with_name(",
        "tests/ml/registry/test_model_cards.py",
    ),
    Mutant(
        "ml/registry/local_models.py",
        "if path.exists() and path.samefile(card.path):",
        "if path == card.path.parent:",
        "tests/ml/registry/test_model_cards.py",
    ),
    Mutant(
        "ml/registry/local_models.py",
        "        load_model(path)  # it is whole, and fits its own description\n",
        "",
        "tests/ml/registry/test_model_cards.py",
    ),
    Mutant(
        "ml/registry/local_models.py",
        "            _write_card(target, _scores_of(found))",
        "            pass",
        "tests/ml/registry/test_model_cards.py",
    ),
    Mutant(
        "ml/registry/local_models.py",
        "kinds[0] if len(kinds) == 1 else None",
        "kinds[0]",
        "tests/ml/registry/test_model_cards.py",
    ),
    Mutant(
        "ml/registry/local_models.py",
        ("    _check_own(card)\n    trash"),
        "    trash",
        "tests/ml/registry/test_model_cards.py",
    ),
    Mutant(
        "ml/registry/local_models.py",
        'now.scores.get("images") == scores',
        'now.scores.get("images") != scores',
        "tests/ml/registry/test_model_cards.py",
    ),
    Mutant(
        "ml/registry/local_models.py",
        "scores=before | scores",
        "scores=scores | before",
        "tests/ml/registry/test_model_cards.py",
    ),
    Mutant(
        "ml/registry/local_models.py",
        "if is_run(card) and is_held(card.path.parent):",
        "if False:",
        "tests/ml/registry/test_model_cards.py",
    ),
    Mutant(
        "ml/registry/local_models.py",
        "return [card.path, sidecar] if sidecar.is_file() else [card.path]",
        "return [card.path]",
        "tests/ml/registry/test_model_cards.py",
    ),
    Mutant("ml/registry/local_models.py", "[: LONGEST - 5]", "[:LONGEST]", "tests/ml/registry/test_model_cards.py"),
    Mutant(
        "ml/registry/local_models.py",
        "model=kind.model, defaults=kind.defaults",
        "model=kind.model",
        "tests/ml/registry/test_model_cards.py",
    ),
    Mutant(
        "ml/registry/model_cards.py",
        "own.sort(key=modified, reverse=True)",
        "own.sort(key=modified)",
        "tests/ml/registry/test_model_cards.py",
    ),
    Mutant(
        "ml/registry/model_cards.py",
        "if int(path.stem) == int(step):",
        "if int(path.stem) >= int(step):",
        "tests/ml/tracking/test_preview_history.py",
    ),
    Mutant(
        "ml/registry/model_cards.py",
        ("except (BadFile, OSError):\n        return None"),
        ("except OSError:\n        return None"),
        "tests/ml/registry/test_checkpoint.py",
    ),
    Mutant(
        "ml/registry/model_cards.py",
        "name = path.parent.name if path.name == MODEL_FILE else path.stem",
        "name = path.stem",
        "tests/ml/registry/test_checkpoint.py",
    ),
    Mutant(
        "ml/registry/model_cards.py",
        '"parameters": parameters, "size": size',
        '"parameters": size, "size": parameters',
        "tests/ml/registry/test_model_cards.py",
    ),
    Mutant(
        "ml/registry/presets.py",
        "    return _read(path, path.stat().st_mtime_ns)",
        "    return _read(path, 0)",
        "tests/ml/training/test_overrides.py::test_presets_are_read_anew_once_they_have_changed",
    ),
    Mutant(
        "ml/registry/presets.py",
        "    return sorted(path.stem for",
        "    return list(path.stem for",
        "tests/ml/training/test_overrides.py::test_presets_are_in_order_wherever_they_lie",
    ),
]
