"""The samplers that come with the package keep the contracts of what they are."""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_gridgpu import samplers
from jupyter_gridgpu.model.objective import Objective
from jupyter_gridgpu.model.space import Space
from jupyter_gridgpu.samplers.base import Sampler
from jupyter_gridgpu.testing.samplers import (
    AheadContract,
    CompleteContract,
    LearnsContract,
    SamplerContract,
    SamplesContract,
)


class Named(SamplerContract):
    """A sampler that is known by its name."""

    name = ""

    def make(self, space: Space, objectives: Sequence[Objective]) -> Sampler:
        return samplers.load(self.name, space, objectives)


class TestGrid(Named, AheadContract, CompleteContract):
    name = "grid"


class TestRandom(Named, SamplesContract, AheadContract):
    name = "random"


class TestSobol(Named, SamplesContract, AheadContract):
    name = "sobol"


class TestTpe(Named, SamplesContract, LearnsContract):
    name = "tpe"


class TestCmaEs(Named, SamplesContract, LearnsContract):
    name = "cmaes"
    conditions = False
    several = False


class TestNsgaII(Named, SamplesContract, LearnsContract):
    name = "nsgaii"
    trials = 60  # three generations
