"""Mistakes in ml/system/."""

from tests.mutation.mutant import Mutant

MUTANTS = [
    Mutant(
        "ml/system/cores.py", "if number % CORES]", "if number % CORES == 1]", "tests/ml/models/test_exact.py -k cores"
    ),
    Mutant(
        "ml/system/cores.py",
        "next(elsewhere if number % CORES else done)",
        "next(done if number % CORES else elsewhere)",
        "tests/ml/models/test_exact.py -k cores",
    ),
    Mutant(
        "ml/system/cores.py",
        ("        with one_thread():\n            done"),
        ("        if True:\n            done"),
        "tests/ml/models/test_exact.py -k cores",
    ),
    Mutant(
        "ml/system/cores.py",
        ("    if control is None:\n        return part()"),
        "    return part()",
        "tests/ml/models/test_exact.py -k stopped",
    ),
    Mutant(
        "ml/system/device.py",
        "torchrun.local_size() > torch.cuda.device_count()",
        "torchrun.local_size() < torch.cuda.device_count()",
        "tests/ml/system/test_device.py",
    ),
    Mutant(
        "ml/system/device.py",
        "and not torchrun.launched() and torch.backends",
        "and torch.backends",
        "tests/ml/system/test_device.py",
    ),
    Mutant(
        "ml/system/device.py", 'if name in ("cuda", "mps"):', 'if name == "cuda":', "tests/ml/system/test_device.py"
    ),
    Mutant(
        "ml/system/device.py",
        "torch.set_flush_denormal(True)",
        "torch.set_flush_denormal(False)",
        "tests/ml/system/test_device.py",
    ),
    Mutant(
        "ml/system/device.py",
        "torch.cuda.mem_get_info(device)[0]",
        "torch.cuda.mem_get_info(device)[1]",
        "tests/ml/models/test_memory.py",
    ),
    Mutant(
        "ml/system/device.py",
        "psutil.virtual_memory().available",
        "psutil.virtual_memory().total",
        "tests/ml/models/test_memory.py",
    ),
    Mutant(
        "ml/system/device.py",
        "mem_get_info(device)[0] + kept",
        "mem_get_info(device)[0]",
        "tests/ml/models/test_memory.py -k free",
    ),
    Mutant(
        "ml/system/device.py",
        "@lru_cache(maxsize=1)\ndef cuda_problem",
        "def cuda_problem",
        "tests/ml/system/test_device.py -k reason",
    ),
    Mutant(
        "ml/system/device.py", "free_bytes < LEAST_FREE", "free_bytes < 0", "tests/ml/system/test_device.py -k reason"
    ),
    Mutant(
        "ml/system/device.py",
        "        torch.backends.cudnn.allow_tf32 = False\n",
        "",
        "tests/ml/system/test_device.py -k tf32",
    ),
    Mutant("ml/system/device.py", "return bf16_is_fast(device) or (", "return (", "tests/ml/system/test_device.py"),
    Mutant(
        "ml/system/download.py",
        "interruptible_sleep(pause_s * attempt)",
        "interruptible_sleep(pause_s)",
        "tests/ml/system/test_download.py",
    ),
    Mutant(
        "ml/system/download.py",
        ("                if broken.final:\n                    left.remove(url)\n"),
        "",
        "tests/ml/data/test_datasets.py",
    ),
    Mutant(
        "ml/system/download.py",
        ("_verify(part, expected)\n            except"),
        ("pass\n            except"),
        "tests/ml/system/test_download.py",
    ),
    Mutant("ml/system/download.py", 'open("ab" if done else "wb")', 'open("ab")', "tests/ml/data/test_datasets.py"),
    Mutant(
        "ml/system/download.py",
        "done = start if response.status == 206 else 0",
        "done = start",
        "tests/ml/data/test_datasets.py",
    ),
    Mutant(
        "ml/system/download.py",
        "total = done + (response.length or 0)",
        "total = response.length or 0",
        "tests/ml/data/test_datasets.py",
    ),
    Mutant(
        "ml/system/download.py",
        ("                    if max(done, total) > limit:\n                        break\n"),
        "",
        "tests/ml/data/test_datasets.py",
    ),
    Mutant(
        "ml/system/download.py",
        ("    if done < total:\n        raise"),
        ("    if done > total:\n        raise"),
        "tests/ml/data/test_datasets.py",
    ),
    Mutant(
        "ml/system/download.py",
        'headers["Range"] = f"bytes={start}-"',
        'headers["Range"] = f"bytes={start + 1}-"',
        "tests/ml/data/test_datasets.py",
    ),
    Mutant("ml/system/download.py", "            part.unlink(missing_ok=True)\n", "", "tests/ml/data/test_datasets.py"),
    Mutant("ml/system/download.py", "in (401, 403, 404, 410)", "in (401, 403, 410)", "tests/ml/data/test_datasets.py"),
    Mutant("ml/system/download.py", "address.hostname in HERE", "address.hostname", "tests/ml/system/test_download.py"),
    Mutant(
        "ml/system/download.py",
        "            _check_address(newurl)\n",
        "            pass\n",
        "tests/ml/system/test_download.py",
    ),
    Mutant(
        "ml/system/download.py",
        "if arrived < LEAST_RATE * waited:",
        "if arrived > LEAST_RATE * waited:",
        "tests/ml/system/test_download.py",
    ),
    Mutant(
        "ml/system/download.py", "if arrived < LEAST_RATE * waited:", "if True:", "tests/ml/system/test_download.py"
    ),
    Mutant("ml/system/download.py", "        arrived += len(chunk)\n", "", "tests/ml/system/test_download.py"),
    Mutant(
        "ml/system/download.py",
        ('        part.unlink()\n        raise _BrokenError(f"wrong'),
        '        raise _BrokenError(f"wrong',
        "tests/ml/data/test_datasets.py",
    ),
    Mutant(
        "ml/system/download.py",
        "return run_interruptibly(lambda: opener.open(request, timeout=timeout_s))",
        "return opener.open(request, timeout=timeout_s)",
        "tests/ml/system/test_download.py",
    ),
    Mutant(
        "ml/system/download.py",
        "chunk = run_interruptibly(lambda: response.read1(CHUNK))",
        "chunk = response.read1(CHUNK)",
        "tests/ml/system/test_download.py",
    ),
    Mutant(
        "ml/system/download.py",
        "return run_interruptibly(lambda: opener.open(request, timeout=timeout_s))",
        "return run_interruptibly(lambda: opener.open(request))",
        "tests/ml/data/test_datasets.py",
    ),
    Mutant("ml/system/download.py", ("    except Cancelled:\n        raise\n"), "", "tests/ml/system/test_download.py"),
    Mutant(
        "ml/system/download.py",
        "expected = checksum or _promised(url, timeout_s)",
        "expected = checksum or SHA256_DIGITS * '0'",
        "tests/ml/system/test_download.py",
    ),
    Mutant(
        "ml/system/download.py", "if len(tag) != SHA256_DIGITS or not", "if not", "tests/ml/system/test_download.py"
    ),
    Mutant(
        "ml/system/download.py",
        ("max(done, total))\n        except"),
        ("total)\n        except"),
        "tests/ml/data/test_datasets.py",
    ),
    Mutant(
        "ml/system/files.py",
        "            os.fsync(file.fileno())\n",
        "            pass\n",
        "tests/ml/system/test_files.py",
    ),
    Mutant(
        "ml/system/files.py",
        ("        os.replace(temporary, path)\n    except"),
        ("        shutil.copyfile(temporary, path)\n    except"),
        "tests/ml/system/test_files.py",
    ),
    Mutant("ml/system/files.py", "0o666", "0o600", "tests/ml/system/test_files.py"),
    Mutant("ml/system/files.py", "{path.stem[:40]}", "{path.stem}", "tests/ml/system/test_files.py"),
    Mutant(
        "ml/system/files.py",
        "{secrets.token_hex(6)}{path.suffix}",
        "{secrets.token_hex(6)}",
        "tests/ml/system/test_files.py",
    ),
    Mutant("ml/system/files.py", "new = not os.path.isdir(path)", "new = True", "tests/ml/system/test_files.py"),
    Mutant(
        "ml/system/files.py",
        "        shutil.rmtree(temporary, ignore_errors=True)",
        "        pass",
        "tests/ml/export/test_files.py",
    ),
    Mutant(
        "ml/system/files.py",
        "if target.exists() and not target.samefile(source):",
        "if target.exists() and target.samefile(source):",
        "tests/ml/system/test_files.py",
    ),
    Mutant(
        "ml/system/files.py",
        "        target.parent.mkdir(parents=True, exist_ok=True)\n",
        "",
        "tests/ml/system/test_files.py",
    ),
    Mutant(
        "ml/system/files.py",
        "if file != target and os.path.isfile(file):",
        "if file != target:",
        "tests/ml/system/test_files.py",
    ),
    Mutant(
        "ml/system/files.py",
        "if path.exists() and not path.is_file():",
        "if path.is_dir():",
        "tests/fuzz/test_bombs.py::test_a_pipe_under_the_name_of_a_file_keeps_nobody_waiting",
    ),
    Mutant(
        "ml/system/files.py",
        "return path.stat().st_mtime",
        "return path.stat().st_ctime",
        "tests/ml/system/test_files.py",
    ),
    Mutant(
        "ml/system/files.py",
        "    if len(content) > most:",
        "    if len(content) >= most:",
        "tests/ml/system/test_files.py",
    ),
    Mutant("ml/system/files.py", "file.read(most + 1)", "file.read(most)", "tests/ml/system/test_files.py"),
    Mutant(
        "ml/system/files.py",
        ("for n in count(2))\n    return next(candidate"),
        ("for n in count(1))\n    return next(candidate"),
        "tests/ml/system/test_files.py",
    ),
    Mutant(
        "ml/system/files.py",
        "_TEMPORARY.fullmatch(file.name)",
        "_TEMPORARY.match(file.name)",
        "tests/ml/system/test_files.py",
    ),
    Mutant(
        "ml/system/files.py",
        "_REASONS.get(error.errno or 0) or error.strerror",
        "error.strerror",
        "tests/ml/system/test_files.py",
    ),
    Mutant(
        "ml/system/folder_lock.py",
        ("    if not (folder / LOCK_FILE).exists():\n        return False\n"),
        "",
        "tests/ml/tracking/test_run_folder.py::test_checking_a_lock_creates_no_file",
    ),
    Mutant(
        "ml/system/folder_lock.py",
        ("    except Timeout:\n        return True"),
        ("    except Timeout:\n        return False"),
        "tests/ml/training/test_run_lock.py::test_a_lock_is_seen_through_by_those_who_only_look",
    ),
    Mutant(
        "ml/system/paths.py",
        "return chosen_downloads() or usual_downloads()",
        "return usual_downloads()",
        "tests/ml/system/test_files.py",
    ),
    Mutant("ml/system/paths.py", 'else user_data() / "downloads"', "else user_data()", "tests/ml/system/test_files.py"),
    Mutant(
        "ml/system/paths.py", "name.casefold() in {path.stem", "name in {path.stem", "tests/ml/system/test_files.py"
    ),
    Mutant(
        "ml/system/paths.py",
        'own = (user_models() / f"{name}.safetensors", user_runs() / name)',
        "own = (user_runs() / name,)",
        "tests/ml/system/test_files.py",
    ),
    Mutant(
        "ml/system/paths.py",
        ("for n in count(2)))\n    return"),
        ("for n in count(1)))\n    return"),
        "tests/ml/system/test_files.py",
    ),
    Mutant(
        "ml/system/safe_pickle.py",
        ("            for _ in range(LEGACY_PICKLES):\n                _check(pickletools.genops(file))\n"),
        "            pass\n",
        "tests/fuzz/test_bombs.py::test_a_pickle_that_would_act_is_refused",
    ),
    Mutant(
        "ml/system/safe_pickle.py",
        "            if weight > MAX_WEIGHT:",
        "            if weight < 0:",
        "tests/fuzz/test_bombs.py::test_a_pickle_that_would_act_is_refused",
    ),
    Mutant(
        "ml/system/safe_pickle.py",
        "any(record.compress_type != zipfile.ZIP_STORED for record in records)",
        "False",
        "tests/fuzz/test_bombs.py::test_a_compressed_file_of_weights_is_refused_before_it_is_unpacked",
        harmless="what unpacks to more than the file has is refused by the next line",
    ),
    Mutant(
        "ml/system/safe_pickle.py",
        'if operation != "GLOBAL" or not plain:',
        'if not plain and operation != "GLOBAL":',
        "tests/fuzz/test_bombs.py::test_a_pickle_that_would_act_is_refused",
    ),
    Mutant(
        "ml/system/safe_pickle.py",
        "    weight = 1 + sum(stack[max(first, 0) :])",
        "    weight = 1",
        "tests/fuzz/test_bombs.py::test_a_pickle_that_would_act_is_refused",
    ),
    Mutant(
        "ml/system/safe_pickle.py",
        "value, torch.dtype)",
        "value, int)",
        "tests/fuzz/test_bombs.py::test_weights_that_are_only_weights_are_read",
    ),
    Mutant("ml/system/trash.py", "KEPT_DAYS = 30", "KEPT_DAYS = 3", "tests/ml/registry/test_model_cards.py"),
    Mutant("ml/system/trash.py", "DAY_S = 24 * 3600", "DAY_S = 24 * 60", "tests/ml/registry/test_model_cards.py"),
    Mutant(
        "ml/system/trash.py",
        "time.time() - item.when >= older_than_s",
        "time.time() - item.when <= older_than_s",
        "tests/ml/registry/test_model_cards.py",
    ),
    Mutant(
        "ml/system/trash.py",
        "key=lambda item: item.when, reverse=True",
        "key=lambda item: item.when",
        "tests/ml/registry/test_model_cards.py",
    ),
    Mutant("ml/system/trash.py", "    _remove(trashed.folder)\n", "", "tests/ml/registry/test_model_cards.py"),
    Mutant(
        "ml/system/trash.py",
        "            move(target, source)\n",
        "            pass\n",
        "tests/ml/registry/test_model_cards.py",
    ),
    Mutant(
        "ml/system/trash.py",
        'return "" if thing.is_dir() else thing.suffix',
        "return thing.suffix",
        "tests/ml/registry/test_model_cards.py",
    ),
    Mutant(
        "ml/system/trash.py",
        "name = paths.free_model_name(trashed.name)",
        "name = trashed.name",
        "tests/ml/registry/test_model_cards.py",
    ),
    Mutant(
        "ml/system/versions.py",
        'for name in ("cpu", "instructions"))',
        'for name in ("instructions",))',
        "tests/ml/system/test_versions.py",
    ),
    Mutant(
        "ml/system/versions.py", '        return "missing"', '        return ""', "tests/ml/system/test_versions.py"
    ),
    Mutant(
        "ml/system/versions.py", '_processor("model name")', '_processor("model")', "tests/ml/system/test_versions.py"
    ),
    Mutant(
        "ml/system/versions.py",
        'for name in ("cpu", "instructions"))',
        'for name in ("cpu",))',
        "tests/ml/system/test_versions.py",
    ),
    Mutant(
        "ml/system/versions.py",
        "if name in os.environ]",
        "if name not in os.environ]",
        "tests/ml/system/test_versions.py",
    ),
    Mutant(
        "ml/system/gpu_driver.py", "or not count.value:", "or False:", "tests/ml/system/test_gpu_driver.py -k neither"
    ),
    Mutant(
        "ml/system/gpu_driver.py",
        "version.value // 10, 100)",
        "version.value // 10, 10)",
        "tests/ml/system/test_gpu_driver.py -k named",
    ),
    Mutant("ml/system/gpu_driver.py", "Type:\\s+GPU", "Type:", "tests/ml/system/test_gpu_driver.py -k rocm"),
    Mutant(
        "ml/system/device.py",
        "if paths.PACKAGED else f",
        "if not paths.PACKAGED else f",
        "tests/ml/system/test_device.py",
    ),
    Mutant(
        "ml/system/updates.py",
        "> _numbers(__version__)",
        ">= _numbers(__version__)",
        "tests/ml/system/test_updates.py",
    ),
    Mutant(
        "ml/system/updates.py",
        "build_opener(_NoRedirect)",
        "build_opener()",
        "tests/ml/system/test_updates.py -k address",
    ),
]
