from __future__ import annotations

from jupyter_gridgpu import samplers
from jupyter_gridgpu.model.scan import Objective
from jupyter_gridgpu.model.space import Space
from jupyter_gridgpu.samplers.base import Sampler
from jupyter_gridgpu.testing.samplers import SamplerContract


class Named(SamplerContract):
    name = ""

    def make(self, space: Space, objective: Objective | None) -> Sampler:
        return samplers.load(self.name, space, objective)


class TestGrid(Named):
    name = "grid"
    continuous = False
    complete = True


class TestRandom(Named):
    name = "random"


class TestSobol(Named):
    name = "sobol"


class TestTpe(Named):
    name = "tpe"
    adaptive = True
    better_than_random = True


class TestCmaEs(Named):
    name = "cmaes"
    adaptive = True
    better_than_random = True
