import random
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from node import Node  # noqa: E402  (needs the path above)


def pytest_addoption(parser):
    parser.addoption(
        "--big", action="store_true", help="the sizes that the figures name, not those of every run"
    )
    parser.addoption("--rounds", type=int, default=3, help="how often a node is killed under load")
    parser.addoption("--slow", type=int, default=100, help="how many clients send and take slowly")
    parser.addoption("--seed", type=int, default=None, help="repeats a run of what is random")


@pytest.fixture
def big(request):
    return request.config.getoption("--big")


@pytest.fixture
def rounds(request):
    return request.config.getoption("--rounds")


@pytest.fixture
def slow(request):
    return request.config.getoption("--slow")


@pytest.fixture
def rng(request):
    seed = request.config.getoption("--seed")
    if seed is None:
        seed = random.SystemRandom().randrange(2**32)
    print(f"--seed {seed}")
    return random.Random(seed)


def make_scratch():
    # Not /tmp: that may be memory, where a flush proves nothing.
    return Path(tempfile.mkdtemp(prefix="kiseki-test-", dir="/var/tmp"))


@pytest.fixture
def scratch():
    folder = make_scratch()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def node(scratch):
    with Node(scratch / "data") as started:
        yield started


@pytest.fixture(scope="module")
def shared_node():
    folder = make_scratch()
    with Node(folder / "data", device_capacity="6GiB") as started:
        yield started
    shutil.rmtree(folder, ignore_errors=True)
