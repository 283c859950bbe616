"""The specification, the initial weights, the batch orders and the discovery of frameworks."""

import math
import sys
import types

import numpy as np
import pytest
import spec
from conftest import WORKLOADS, in_process

import frameworks
import harness
import jobs
import weights


def test_the_network_has_the_parameters_of_its_layers():
    conv1, conv2, dense = 3 * 3 * 1 * 64 + 64, 5 * 5 * 64 * 128 + 128, 7 * 7 * 128 * 10 + 10
    assert spec.parameter_count() == conv1 + conv2 + dense == 268_298


def test_kernels_are_glorot_uniform_and_biases_zero():
    initial = weights.initial(42)
    assert {name: value.shape for name, value in initial.items()} == spec.SHAPES
    assert all(value.dtype == np.float32 for value in initial.values())
    for name, fans in {
        "conv1/kernel": 9 * 1 + 9 * 64,
        "conv2/kernel": 25 * 64 + 25 * 128,
        "dense/kernel": 6272 + 10,
    }.items():
        limit = math.sqrt(6 / fans)
        kernel = initial[name].ravel()
        assert abs(kernel).max() <= limit * (1 + 1e-6)
        # Five standard errors of a uniform distribution's mean and variance.
        assert abs(kernel.mean()) < 5 * limit / math.sqrt(3 * kernel.size)
        assert kernel.var() == pytest.approx(limit**2 / 3, rel=5 * math.sqrt(0.8 / kernel.size))
        assert np.unique(kernel).size > 0.99 * kernel.size
    assert not any(initial[name].any() for name in spec.SHAPES if name.endswith("bias"))


def test_weights_are_the_seeds_own_for_good():
    # Of the raw PCG64 stream: equal for every NumPy release and machine.
    assert weights.initial(42)["conv1/kernel"].ravel()[:3].tolist() == pytest.approx(
        [0.0554892160, -0.0123800421, 0.0726332441], abs=1e-9
    )
    assert weights.order(42, 1, 60_000)[:5].tolist() == [56699, 16889, 38649, 39468, 31011]
    assert not np.array_equal(
        weights.initial(42)["conv2/kernel"], weights.initial(43)["conv2/kernel"]
    )


def test_an_order_is_a_permutation_of_its_own_epoch():
    first, second = weights.order(42, 1, 1000), weights.order(42, 2, 1000)
    for order in (first, second):
        assert sorted(order) == list(range(1000))
    assert not np.array_equal(first, second)
    assert np.array_equal(first, weights.order(42, 1, 1000))


def test_every_image_is_as_likely_first_as_last():
    # Mean position of one image over many epochs: n/2, standard error n/√(12·epochs).
    positions = [int(np.argmax(weights.order(1, epoch, 100) == 0)) for epoch in range(400)]
    assert np.mean(positions) == pytest.approx(49.5, abs=5 * 100 / math.sqrt(12 * 400))


def test_the_last_partial_batch_counts():
    assert spec.batches(60_000, 64) == 938
    assert spec.batches(640, 64) == 10
    assert spec.batch_shapes(60_000, 64) == [64, 32]
    assert spec.batch_shapes(640, 64) == [64]
    assert spec.batch_shapes(10, 64) == [10]


@pytest.mark.parametrize(
    "wrong",
    [{"epochs": 0}, {"batch_size": 0}, {"train_samples": 0}, {"learning_rate": 0.0}, {"seed": -1}],
)
def test_an_impossible_job_names_its_setting(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        spec.Job.from_request(wrong)


def test_threads_are_never_more_than_the_cores_there_are():
    assert spec.Job(threads=1).resolved_threads() == 1
    assert spec.Job(threads=10_000).resolved_threads() == jobs.available_cores()
    assert spec.Job().resolved_threads() == jobs.available_cores()


def test_a_file_adds_a_framework(tmp_path, monkeypatch):
    own = frameworks.discover()
    assert {"jax", "keras", "torch"} <= set(own)
    for name in ("mine_cnn.py", "cnn.py", "data.py"):
        (tmp_path / name).touch()
    (tmp_path / "fast_cnn.py").write_text("PACKAGES = ('torch', 'fast')\nraise SystemExit")
    monkeypatch.syspath_prepend(tmp_path)
    assert frameworks.discover() == sorted([*own, "fast", "mine"])
    assert frameworks.packages("mine") == ("mine",)
    assert frameworks.packages("fast") == ("torch", "fast")
    assert frameworks.packages("keras") == ("tensorflow", "keras")


def test_a_shared_package_is_the_processs_own(tmp_path, monkeypatch):
    (tmp_path / "fast_cnn.py").write_text("PACKAGES = ('torch', 'fast')")
    monkeypatch.syspath_prepend(tmp_path)
    for package in ("torch", "tensorflow", "keras", "jax", "jaxlib", "flax", "optax"):
        monkeypatch.delitem(sys.modules, package, raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert frameworks.loaded("fast") == ["fast"]
    assert frameworks.loaded("torch") == ["torch"]
    assert set(frameworks.loaded("jax")) == {"fast", "keras-torch", "torch"}


def test_the_process_is_capped_and_other_frameworks_are_hidden():
    (found,) = in_process(
        "import frameworks, importlib.util, os\n"
        "frameworks.settle('keras', 1)\n"
        "emit({'omp': os.environ['OMP_NUM_THREADS'], 'gpus': os.environ['CUDA_VISIBLE_DEVICES'],\n"
        "      'cores': len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else 1,\n"
        "      'hidden': [n for n in ('torch', 'jax', 'flax') if importlib.util.find_spec(n)],\n"
        "      'numpy': importlib.util.find_spec('numpy') is not None})\n"
    )
    assert found == {"omp": "1", "gpus": "-1", "cores": 1, "hidden": [], "numpy": True}


def test_the_process_sees_a_card_only_where_the_job_is_for_one():
    (found,) = in_process(
        "import frameworks, os\n"
        "told = lambda: [os.environ.get(n) for n in ('CUDA_VISIBLE_DEVICES', 'JAX_PLATFORMS',\n"
        "                                           'NVIDIA_TF32_OVERRIDE')]\n"
        "os.environ['CUDA_VISIBLE_DEVICES'] = '3'\n"
        "frameworks.show_cards('gpu', None); given = told()\n"
        "frameworks.show_cards('gpu', 1); named = told()\n"
        "frameworks.show_cards('cpu', None)\n"
        "emit({'given': given, 'named': named, 'none': told()[:2]})\n"
    )
    assert found["given"] == ["3", None, "0"], "what a cluster assigns stays, and floats are whole"
    assert found["named"] == ["1", None, "0"]
    assert found["none"] == ["-1", "cpu"]


def test_a_phase_on_a_card_ends_when_the_card_is_done(tmp_path, monkeypatch):
    (tmp_path / "fast_cnn.py").write_text("DEVICES = ('cpu', 'gpu')\nVARIANTS = {'slow': 'x'}")
    (tmp_path / "fast_cnn_slow.py").write_text("PACKAGES = ()")
    monkeypatch.syspath_prepend(tmp_path)
    order = []

    def phase(device):
        order.clear()
        emit = lambda event: order.append(event.get("edge"))  # noqa: E731
        trial = harness.Trial({"framework": "fast", "job": {"device": device}}, emit)
        trial.script = types.SimpleNamespace(synchronize=lambda: order.append("waits"))
        with trial.phase("train"):
            order.append("works")
        return order

    assert phase("gpu") == ["begin", "works", "waits", "end"]
    assert phase("cpu") == ["begin", "works", "end"]
    with pytest.raises(ValueError, match="tpu"):
        phase("tpu")
    for framework, variant in (("fast", "slow"), ("fast", None)):
        request = {"framework": framework, "variant": variant, "job": {"device": "gpu"}}
        if variant is None:
            (tmp_path / "fast_cnn.py").write_text("")
        with pytest.raises(ValueError, match="cannot run on a gpu"):
            harness.Trial(request, print)


def test_no_variable_lets_float32_lose_precision():
    (found,) = in_process(
        "import frameworks, os\n"
        "for name in frameworks.REDUCED_PRECISION: os.environ[name] = 'ANY'\n"
        "frameworks.settle('torch', 1)\n"
        "emit({'left': [n for n in frameworks.REDUCED_PRECISION if n in os.environ]})\n"
    )
    assert found == {"left": []}


def test_a_plain_run_without_data_says_what_to_pass():
    (found,) = in_process(
        "import contextlib, harness, io, os\n"
        "os.environ.pop('JOULERACE_DATA_DIR', None)\n"
        "sys.argv, text = ['torch_cnn.py'], io.StringIO()\n"
        "script = sys.path[0] + '/torch_cnn.py'\n"
        "with contextlib.redirect_stderr(text):\n"
        "    try: harness.main(script)\n"
        "    except SystemExit as end: emit({'code': end.code, 'text': text.getvalue()})\n"
    )
    assert found["code"] == 2
    assert "--data-dir DIR" in found["text"]
    assert "JOULERACE_DATA_DIR" in found["text"]


def test_an_unknown_framework_is_named_beside_the_known_ones():
    import harness

    with pytest.raises(ValueError, match=r"'caffe'.*jax,.*torch"):
        harness.Trial({"framework": "caffe", "job": {}}, print)


def test_an_unknown_variant_is_named_beside_the_known_ones():
    import harness

    with pytest.raises(ValueError, match=r"no variant 'fast'.*compile, tutorial"):
        harness.Trial({"framework": "torch", "variant": "fast", "job": {}}, print)
    with pytest.raises(ValueError, match=r"no variant 'fast'.*none"):
        harness.Trial({"framework": "paddle", "variant": "fast", "job": {}}, print)


def test_every_variant_is_declared_with_a_sentence_and_has_its_script():
    for name in frameworks.discover():
        for variant, sentence in frameworks.variants(name).items():
            assert len(sentence.split()) > 3, f"{name}:{variant}"
    declared = {f"{n}_cnn_{v}" for n in frameworks.discover() for v in frameworks.variants(n)}
    assert {file.stem for file in (WORKLOADS / "cnn").glob("*_cnn_*.py")} <= declared


def test_no_framework_sees_the_packages_of_another():
    (found,) = in_process(
        "import frameworks, importlib.util\n"
        "frameworks.settle('keras-jax', 1)\n"
        "names = ('tensorflow', 'torch', 'flax', 'equinox', 'paddle')\n"
        "emit({'seen': [n for n in names if importlib.util.find_spec(n)]})\n"
    )
    assert found == {"seen": []}
