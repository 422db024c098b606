"""Make the jets that train_btag.ipynb learns from, at generator level.

Proton-proton collisions at 13 TeV give top-quark pairs, made by Pythia 8. Stable visible particles
are clustered into anti-kT jets of R = 0.4. There is no detector: charged particles are taken as
tracks, some are lost at random, and their impact parameters are smeared by hand. There is no
magnetic field (tracks are straight lines from where they were made) and no pile-up. The primary
vertex is at the origin.

Conventions follow ATLAS flavour tagging (arXiv:1512.01094 for IP2D, IP3D and secondary vertices,
arXiv:2211.16345 for DL1):

  * d0 = y cos(phi) - x sin(phi) is the transverse impact parameter, z0 sin(theta) the longitudinal
    one;
  * both are signed with the jet axis: positive if the track crosses the axis in front of the
    primary vertex;
  * a jet is b (2) if a b hadron above 5 GeV lies within dR = 0.3, else c (1) if a c hadron does,
    else light (0). A hadron counts for its nearest jet only;
  * jets on top of a lepton or tau from a W decay are dropped.

Units are GeV and mm. The output is a compressed npz: features (N, F) float16, label (N,) int8,
names (F,) str, pt (N,) float32. The per-track likelihoods of IP2D and IP3D come from events that
are not in the output.

    pip install pythia8mc==8.316 numpy
    python make_jets.py --events 20000 --seed 1 --out jets.npz
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pythia8mc
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LIGHT, CHARM, BOTTOM = 0, 1, 2
FLAVOURS = (LIGHT, CHARM, BOTTOM)

JET_RADIUS = 0.4
JET_MIN_PT = 20.0
JET_MAX_ETA = 2.5
PARTICLE_MAX_ETA = 3.0
HADRON_MIN_PT = 5.0
HADRON_MAX_DR = 0.3
LEPTON_MIN_PT = 10.0
LEPTON_MAX_DR = 0.4
W_BOSON = 24  # PDG numbers
LEPTONS = (11, 13, 15)
MUON = 13

TRACK_MIN_PT = 1.0
TRACK_MAX_D0 = 1.0  # as IP3D
TRACK_MAX_Z0 = 1.5
TRACK_MAX_RADIUS = 30.0  # made inside the first pixel layer
TRACK_EFFICIENCY = 0.92
TAIL_SHARE = 0.04  # of the tracks, which have wrong hits
TAIL_WIDTH = 3.0  # how many times wider these are smeared
PION_MASS = 0.13957
DISPLACED = 2.5  # signed d0 significance from which a track counts as displaced

CHUNK = 500  # events per random seed: the result does not depend on the number of processes
TEMPLATE_SHARE = 0.2  # of the events, used for the likelihood templates and nothing else
# Bins of a significance: narrow where most tracks are, wide in the tails.
# fmt: off
EDGES = np.array([
    -60, -20, -10, -6, -4, -3, -2, -1, -0.5, 0,
    0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 14, 20, 30, 60.0,
])

TRACK = np.dtype(
    [(name, "f8") for name in ("pt", "eta", "phi", "d0", "d0_error", "d0_sig", "z0_sig", "muon")]
)

# The features of a jet, in the order of `features_of`.
NAMES = (
    "pt", "abs_eta", "mass", "n_tracks",
    "d0_sig_1", "d0_sig_2", "d0_sig_3", "z0_sig_1", "z0_sig_2", "z0_sig_3",
    "d0_sig_sum", "z0_sig_sum",
    "ip2d_bl", "ip3d_bl", "ip3d_bc", "ip3d_cl",
    "sv_n_tracks", "sv_mass", "sv_energy_fraction", "sv_lxy", "sv_lxy_sig", "sv_chi2", "sv_dr",
    "muon_pt_rel",
)
# fmt: on


@dataclass(frozen=True)
class Jet:
    """One labelled jet and its tracks, a structured array (n,) of type TRACK."""

    pt: float
    eta: float
    phi: float
    mass: float
    label: int
    tracks: NDArray[Any]


# events -> jets ----------------------------------------------------------------------


def make_pythia(seed: int) -> Any:
    """Return a silent Pythia 8 that makes top-quark pairs at 13 TeV. Raises RuntimeError."""
    pythia = pythia8mc.Pythia("", False)
    for setting in (
        "Beams:eCM = 13000.",
        "Top:gg2ttbar = on",
        "Top:qqbar2ttbar = on",
        "Print:quiet = on",
        "Random:setSeed = on",
        f"Random:seed = {seed}",
    ):
        pythia.readString(setting)
    if not pythia.init():
        raise RuntimeError("Pythia could not be initialised")
    return pythia


def jets_of_chunk(chunk: int, *, events: int, seed: int) -> list[Jet]:
    """Return all jets of one chunk of events, which has a random seed of its own."""
    rng = np.random.default_rng([seed, chunk])
    pythia = make_pythia(int(rng.integers(1, 900_000_000)))
    anti_kt = pythia8mc.SlowJet(-1, JET_RADIUS, JET_MIN_PT, PARTICLE_MAX_ETA, 2, 2)
    jets: list[Jet] = []
    for _ in range(events):
        if pythia.next():
            anti_kt.analyze(pythia.event)
            jets += jets_of_event(pythia.event, anti_kt, rng)
    return jets


def jets_of_event(event: Any, anti_kt: Any, rng: np.random.Generator) -> Iterator[Jet]:
    """Yield the labelled jets in acceptance, without those that are leptons or taus from a W."""
    hadrons = heavy_hadrons(event)
    leptons = prompt_leptons(event)
    count = anti_kt.sizeJet()
    axes = np.array([(anti_kt.y(index), anti_kt.phi(index)) for index in range(count)])
    flavours = nearest_flavours(axes.reshape(-1, 2), hadrons)
    for index in range(count):
        momentum = anti_kt.p(index)
        eta, phi = momentum.eta(), momentum.phi()
        if abs(eta) > JET_MAX_ETA or bool((delta_r(eta, phi, leptons) < LEPTON_MAX_DR).any()):
            continue
        tracks = tracks_of_jet(event, anti_kt.constituents(index), eta, phi, rng)
        # Rounding may give a jet of one particle a mass slightly below zero.
        mass = max(anti_kt.m(index), 0.0)
        yield Jet(anti_kt.pT(index), eta, phi, mass, flavours[index], tracks)


def heavy_hadrons(event: Any) -> Floats:
    """Return rows (rapidity, phi, flavour) of b and c hadrons that decay weakly, shape (n, 3)."""
    hadrons: list[tuple[float, float, float]] = []
    for particle in event:
        pdg = particle.idAbs()
        if pdg <= 100 or not particle.isHadron() or particle.pT() <= HADRON_MIN_PT:
            continue
        flavour = hadron_flavour(pdg)
        # A hadron that decays into another one of its flavour does not decay weakly.
        daughters = (event[daughter].idAbs() for daughter in particle.daughterList())
        if flavour and not any(hadron_flavour(daughter) == flavour for daughter in daughters):
            hadrons.append((particle.y(), particle.phi(), flavour))
    return np.array(hadrons).reshape(-1, 3)


def prompt_leptons(event: Any) -> Floats:
    """Return rows (eta, phi, PDG number) of the e, mu and tau from W decays, shape (n, 3)."""
    leptons: list[tuple[float, float, float]] = []
    for particle in event:
        mother = particle.mother1()
        if particle.idAbs() not in LEPTONS or mother <= 0 or particle.pT() <= LEPTON_MIN_PT:
            continue
        if event[mother].idAbs() == W_BOSON:
            leptons.append((particle.eta(), particle.phi(), particle.idAbs()))
    return np.array(leptons).reshape(-1, 3)


def hadron_flavour(pdg: int) -> int:
    """Return BOTTOM or CHARM for hadrons that hold such a quark, else 0."""
    if pdg <= 100:
        return LIGHT
    # In PDG numbers, the digits of hundreds and thousands are the heaviest quarks of a hadron.
    heaviest = max(pdg // 1000 % 10, pdg // 100 % 10)
    return {5: BOTTOM, 4: CHARM}.get(heaviest, LIGHT)


def nearest_flavours(axes: Floats, hadrons: Floats) -> list[int]:
    """Return the label of every jet: b over c over light.

    `axes` (J, 2) are the axes of the jets. Each of the hadrons (H, 3) is given to its nearest axis.
    """
    labels = [LIGHT] * len(axes)
    if not labels:
        return labels
    for y, phi, flavour in hadrons:
        distance = delta_r(y, phi, axes)
        nearest = int(distance.argmin())
        if distance[nearest] < HADRON_MAX_DR:
            labels[nearest] = max(labels[nearest], int(flavour))
    return labels


def delta_r(eta: float, phi: float, others: Floats) -> Floats:
    """Return the distances to the rows of `others` (n, 2 or more), shape (n,).

    They are distances in (eta, phi), or in (rapidity, phi).
    """
    return np.asarray(np.hypot(others[:, 0] - eta, delta_phi(others[:, 1], phi)))


def delta_phi(angle: Any, other: Any) -> Any:
    """Return angle - other, brought to [-pi, pi)."""
    return (angle - other + np.pi) % (2 * np.pi) - np.pi


# charged particles -> tracks ---------------------------------------------------------


def tracks_of_jet(
    event: Any, constituents: Any, jet_eta: float, jet_phi: float, rng: np.random.Generator
) -> NDArray[Any]:
    """Return the smeared, selected tracks of a jet, the largest signed d0 significance first."""
    rows = []
    for constituent in constituents:
        particle = event[constituent]
        if not particle.isCharged() or particle.pT() <= TRACK_MIN_PT:
            continue
        if abs(particle.eta()) >= JET_MAX_ETA:
            continue
        made_at = (particle.xProd(), particle.yProd(), particle.zProd())
        muon = particle.idAbs() == MUON
        rows.append((particle.pT(), particle.eta(), particle.phi(), *made_at, muon))
    charged = np.array(rows, dtype=float).reshape(-1, 7)
    inside = np.hypot(charged[:, 3], charged[:, 4]) < TRACK_MAX_RADIUS
    found = rng.random(len(charged)) < TRACK_EFFICIENCY
    return smeared_tracks(charged[inside & found], jet_eta, jet_phi, rng)


def smeared_tracks(
    charged: Floats, jet_eta: float, jet_phi: float, rng: np.random.Generator
) -> NDArray[Any]:
    """Return tracks made from rows (pt, eta, phi, x, y, z, muon).

    They are smeared by sigma(d0) = 15 + 60 / pT um and sigma(z0 sin(theta)) = 30 + 100 / pT um.
    """
    pt, eta, phi, x, y, z, muon = charged.T
    width = np.where(rng.random(len(pt)) < TAIL_SHARE, TAIL_WIDTH, 1.0)
    d0_error = 1e-3 * (15 + 60 / pt)
    z0_error = 1e-3 * (30 + 100 / pt)
    d0 = y * np.cos(phi) - x * np.sin(phi) + width * d0_error * rng.standard_normal(len(pt))
    along = x * np.cos(phi) + y * np.sin(phi)
    z0 = (z - along * np.sinh(eta)) / np.cosh(eta) + width * z0_error * rng.standard_normal(len(pt))
    tracks = np.zeros(len(pt), TRACK)
    tracks["pt"] = pt
    tracks["eta"] = eta
    tracks["phi"] = phi
    tracks["muon"] = muon
    tracks["d0"] = d0
    tracks["d0_error"] = d0_error
    tracks["d0_sig"] = np.abs(d0) / d0_error * np.sign(d0 * np.sin(jet_phi - phi))
    tracks["z0_sig"] = np.abs(z0) / z0_error * np.sign(z0 * (jet_eta - eta))
    kept = tracks[(np.abs(d0) < TRACK_MAX_D0) & (np.abs(z0) < TRACK_MAX_Z0)]
    return np.asarray(kept[np.argsort(-kept["d0_sig"], kind="stable")])


# tracks -> features ------------------------------------------------------------------


def bins_of(significance: Floats) -> NDArray[np.intp]:
    """Return the bin of each significance. The first and the last bin hold all beyond EDGES."""
    return np.clip(np.searchsorted(EDGES, significance) - 1, 0, len(EDGES) - 2)


def log_templates(jets: list[Jet]) -> Floats:
    """Return log p(d0 bin, z0 bin | flavour) of a track, shape (3, B, B)."""
    size = len(EDGES) - 1
    # Half an entry in every bin: a bin that no track of the templates reached has a finite log.
    counts = np.full((len(FLAVOURS), size, size), 0.5)
    for jet in jets:
        d0 = bins_of(jet.tracks["d0_sig"])
        z0 = bins_of(jet.tracks["z0_sig"])
        np.add.at(counts[jet.label], (d0, z0), 1)
    return np.asarray(np.log(counts / counts.sum(axis=(1, 2), keepdims=True)))


def likelihood_features(tracks: NDArray[Any], templates: Floats) -> list[float]:
    """Return log-likelihood ratios, each summed over the tracks.

    They are IP2D log(b / light), then IP3D log(b / light), log(b / c) and log(c / light).
    """
    d0 = bins_of(tracks["d0_sig"])
    z0 = bins_of(tracks["z0_sig"])
    light, charm, bottom = templates[:, d0, z0].sum(axis=1)
    # The template of IP2D is that of IP3D, summed over the bins of z0.
    light_2d, _, bottom_2d = np.logaddexp.reduce(templates, axis=2)[:, d0].sum(axis=1)
    return [bottom_2d - light_2d, bottom - light, bottom - charm, charm - light]


def impact_features(tracks: NDArray[Any]) -> list[float]:
    """Return d0 and z0 significances of the three most displaced tracks, and their sums.

    The significances are 0 if there are fewer tracks. The sums are over all tracks, divided by the
    root of their number.
    """
    leading = np.zeros((2, 3))
    leading[:, : len(tracks)] = tracks["d0_sig"][:3], tracks["z0_sig"][:3]
    norm = max(len(tracks), 1) ** 0.5
    return [
        *leading.clip(-99, 99).ravel(),
        *(tracks[name].clip(-99, 99).sum() / norm for name in ("d0_sig", "z0_sig")),
    ]


def vertex_features(jet: Jet) -> list[float]:
    """Return what is known of the vertex that the displaced tracks come from.

    That is their number, mass, share of the energy, lxy, its significance, chi2 / n and the
    distance to the jet axis, or seven times 0 if no track is displaced.

    The transverse flight distance lxy is the least-squares crossing of these tracks with the jet
    axis: a particle that decays at lxy on the axis leaves d0 = lxy sin(phi_jet - phi_track).
    """
    tracks = jet.tracks[jet.tracks["d0_sig"] > DISPLACED]
    if not len(tracks):
        return [0.0] * 7
    momenta = four_momenta(tracks)
    energy, px, py, pz = momenta.sum(axis=0)
    lever = np.sin(jet.phi - tracks["phi"]) / tracks["d0_error"]
    pull = tracks["d0"] / tracks["d0_error"]
    lxy = (lever @ pull) / (lever @ lever)
    sigma = (lever @ lever) ** -0.5
    chi2 = ((pull - lxy * lever) ** 2).sum() / len(tracks)
    mass = max(energy**2 - px**2 - py**2 - pz**2, 0.0) ** 0.5
    axis = np.array([[np.arcsinh(pz / np.hypot(px, py)), np.arctan2(py, px)]])
    fraction = energy / four_momenta(jet.tracks)[:, 0].sum()
    distance = delta_r(jet.eta, jet.phi, axis)[0]
    # The features are kept as float16, and a few wild values would ruin their scale.
    bounded = [min(lxy, 99.0), min(lxy / sigma, 999.0), min(chi2, 999.0)]
    return [len(tracks), mass, fraction, *bounded, distance]


def four_momenta(tracks: NDArray[Any]) -> Floats:
    """Return (E, px, py, pz) in GeV of every track, taken as a pion; shape (n, 4)."""
    pt, eta, phi = tracks["pt"], tracks["eta"], tracks["phi"]
    energy = np.sqrt((pt * np.cosh(eta)) ** 2 + PION_MASS**2)
    return np.stack([energy, pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)], axis=1)


def muon_pt_rel(jet: Jet) -> float:
    """Return the momentum in GeV of the hardest muon transverse to the jet axis; 0 without one."""
    muons = jet.tracks[jet.tracks["muon"] > 0]
    if not len(muons):
        return 0.0
    momentum = four_momenta(muons[[muons["pt"].argmax()]])[0, 1:]
    axis = np.array([np.cos(jet.phi), np.sin(jet.phi), np.sinh(jet.eta)]) / np.cosh(jet.eta)
    return float(np.linalg.norm(np.cross(momentum, axis)))


def features_of(jet: Jet, templates: Floats) -> list[float]:
    """Return the features of one jet, in the order of NAMES."""
    return [
        *(jet.pt, abs(jet.eta), jet.mass, len(jet.tracks)),
        *impact_features(jet.tracks),
        *likelihood_features(jet.tracks, templates),
        *vertex_features(jet),
        muon_pt_rel(jet),
    ]


# command line ------------------------------------------------------------------------


def generate(events: int, seed: int, processes: int) -> tuple[list[Jet], list[Jet]]:
    """Return the jets for the templates, and the other jets, from disjoint chunks of events."""
    chunks = math.ceil(events / CHUNK)
    for_templates = max(1, round(TEMPLATE_SHARE * chunks))
    parts: list[list[Jet]] = []
    with ProcessPoolExecutor(processes) as pool:
        for part in pool.map(partial(jets_of_chunk, events=CHUNK, seed=seed), range(chunks)):
            parts.append(part)
            print(f"\r{CHUNK * len(parts)} events", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return list(chain(*parts[:for_templates])), list(chain(*parts[for_templates:]))


def save(path: Path, jets: list[Jet], templates: Floats) -> None:
    """Write the features and labels of the jets to a compressed npz. Raises ValueError."""
    features = np.array([features_of(jet, templates) for jet in jets])
    if not np.isfinite(features).all():
        raise ValueError("a feature is not finite")
    np.savez_compressed(
        path,
        features=features.astype(np.float16),
        label=np.array([jet.label for jet in jets], np.int8),
        names=np.array(NAMES),
        pt=np.array([jet.pt for jet in jets], np.float32),
    )


def main() -> None:
    """Generate, build the features, write the file and say what is in it."""
    parser = argparse.ArgumentParser(
        description="Generate labelled jets of top-quark pairs for train_btag.ipynb."
    )
    parser.add_argument(
        "--events", type=int, default=20_000, help=f"events, in chunks of {CHUNK} (default 20000)"
    )
    parser.add_argument("--seed", type=int, default=1, help="random seed (default 1)")
    parser.add_argument(
        "--out", type=Path, default=Path("jets.npz"), help="file to write (default jets.npz)"
    )
    parser.add_argument(
        "--processes", type=int, default=2, help="processes; the result does not depend on it"
    )
    args = parser.parse_args()
    if args.events < 2 * CHUNK:
        parser.error(
            f"--events must be at least {2 * CHUNK}: a part of them makes the likelihood templates"
        )

    start = time.monotonic()
    template_jets, jets = generate(args.events, args.seed, args.processes)
    save(args.out, jets, log_templates(template_jets))
    counts = np.bincount([jet.label for jet in jets], minlength=3)
    flavours = f"{counts[BOTTOM]} b, {counts[CHARM]} c, {counts[LIGHT]} light"
    print(f"{args.out}: {len(jets)} jets ({flavours}), {len(NAMES)} features,")
    print(f"{args.out.stat().st_size / 1e6:.1f} MB, {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
