"""The local backend with jobs in real containers keeps the promises that it keeps without."""

from __future__ import annotations

import pytest

from jupyter_gridgpu.model.resources import Container
from tests.engines import images

from .test_local_backend import OfThisMachine


class TestApptainer(OfThisMachine):
    """Jobs run in an unpacked image, with Apptainer."""

    patience_s = 120.0  # a busy machine takes long to start a container

    @pytest.fixture(autouse=True)
    def runtime(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
        for name, value in images.apptainer_environment().items():
            monkeypatch.setenv(name, value)

    def container(self) -> Container:
        return Container(str(images.sandbox()), runtime="apptainer")


class TestPodman(OfThisMachine):
    """Jobs run in an unpacked image, with podman."""

    patience_s = 120.0

    @pytest.fixture(autouse=True)
    def runtime(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
        for name, value in images.podman_environment().items():
            monkeypatch.setenv(name, value)

    def container(self) -> Container:
        return Container(str(images.sandbox()), runtime="podman")
