"""What `--image` and `--bind` may name, and the digest of an image."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_gridgpu import images
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.images.base import ARCHIVE, ORAS, REGISTRY, SANDBOX, SIF
from jupyter_gridgpu.model.resources import Container

from .kit import CONFIG, MANIFEST, archive, oci, sandbox, sif


def test_a_folder_a_sif_and_an_archive_are_told_apart_by_their_content(tmp_path: Path) -> None:
    assert images.parse(str(sandbox(tmp_path / "ml-base:latest"))).kind == SANDBOX
    assert images.parse(str(sif(tmp_path / "any.name"))).kind == SIF
    found = images.parse(str(oci(tmp_path / "ml.tar")))
    assert (found.kind, found.source, found.image_id) == (
        ARCHIVE,
        f"oci-archive:{tmp_path}/ml.tar",
        CONFIG,
    )
    assert found.path == tmp_path / "ml.tar"
    saved = archive(tmp_path / "saved.tar", {"manifest.json": [{"Config": f"{CONFIG}.json"}]})
    assert images.parse(str(saved)).source == f"docker-archive:{saved}"


def test_a_relative_path_is_made_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sif(tmp_path / "x.sif")
    monkeypatch.chdir(tmp_path)
    assert images.parse("x.sif").source == str(tmp_path / "x.sif")
    assert images.resolve(Container("x.sif"), here=True).image == str(tmp_path / "x.sif")
    assert images.resolve(Container("docker://a/b"), here=True).image == "docker://a/b"


@pytest.mark.parametrize(
    ("ref", "kind"),
    [
        ("docker://a/b:latest", REGISTRY),
        ("oras://reg.example:5000/a/b:v1", ORAS),
        (f"docker://a/b@sha256:{'0' * 64}", REGISTRY),
    ],
)
def test_an_image_of_a_registry_keeps_its_name(ref: str, kind: str) -> None:
    found = images.parse(ref)
    assert (found.kind, found.source) == (kind, ref)


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("ftp://x/y", "images are not fetched by ftp://"),
        ("docker://", "is no name of an image"),
        ("docker://-x", "is no name of an image"),
        ("docker://a b", "is no name of an image"),
        ("", "is no name of an image"),
        ("x\0y", "is no name of an image"),
        ("a" * 5000, "is no name of an image"),
    ],
)
def test_what_cannot_be_an_image_is_refused_in_a_sentence(ref: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        images.parse(ref)
    assert len(str(caught.value)) <= 300 or "…" in str(caught.value)


def test_a_file_or_folder_that_is_no_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="a folder without a root file system"):
        images.parse(str(tmp_path / "empty"))
    (tmp_path / "text.sif").write_text("hello")
    with pytest.raises(UsageError, match="is a file, but no SIF and no OCI archive"):
        images.parse(str(tmp_path / "text.sif"))
    archive(tmp_path / "other.tar", {"readme": 1})
    with pytest.raises(UsageError, match="no SIF and no OCI archive"):
        images.parse(str(tmp_path / "other.tar"))
    archive(tmp_path / "broken.tar", {"index.json": {"manifests": []}})
    with pytest.raises(UsageError, match="no SIF and no OCI archive"):
        images.parse(str(tmp_path / "broken.tar"))


def test_a_wrong_path_is_refused_but_not_one_on_a_disk_that_only_nodes_have(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such file or folder"):
        images.parse(str(tmp_path / "typo.sif"))
    with pytest.raises(UsageError, match=r"written docker://atlasml\.$"):
        images.parse("atlasml")
    found = [
        images.parse(ref)
        for ref in (
            "/nodes/only/x.sif",
            "/nodes/only/x.tar",
            "/cvmfs/no.such.repo/images/ml:latest",
        )
    ]
    assert [(image.kind, image.seen) for image in found] == [
        (SIF, False),
        (ARCHIVE, False),
        (SANDBOX, False),
    ]
    assert images.digest(found[0]) is None


def test_a_local_scan_needs_image_and_binds_here(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="on this machine, where the jobs would run"):
        images.resolve(Container("/nodes/only/x.sif"), here=True)
    assert images.resolve(Container("/nodes/only/x.sif"), here=False).digest is None
    with pytest.raises(UsageError, match="there is no /no/such/data on this machine"):
        images.resolve(
            Container(str(sandbox(tmp_path / "box")), binds=("/no/such/data",)), here=True
        )


def test_a_runtime_that_cannot_run_the_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"podman: it does not run a SIF.*apptainer does"):
        images.resolve(Container(str(sif(tmp_path / "x.sif")), runtime="podman"), here=False)
    with pytest.raises(UsageError, match=r"podman: it does not run a SIF of a registry"):
        images.resolve(Container("oras://a/b", runtime="podman"), here=False)
    assert images.resolve(Container("what/ever", runtime="none"), here=True).digest is None


@pytest.mark.parametrize(
    ("text", "bind"),
    [
        ("/data", "/data:/data"),
        ("/data:ro", "/data:/data:ro"),
        ("/data:/d", "/data:/d"),
        ("/data:/d:ro", "/data:/d:ro"),
        ("/data:/d:rw", "/data:/d"),
    ],
)
def test_a_bind_is_read(text: str, bind: str) -> None:
    assert str(images.parse_bind(text)) == bind


@pytest.mark.parametrize(
    "text", ["", "data", "/data:d", "/a:/b:/c", "/a,b", "/:/x", '/a"', "/a:/b:ro:ro", "/a\n"]
)
def test_a_text_that_is_no_bind_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="write SRC, SRC:DST or SRC:DST:ro"):
        images.parse_bind(text)


def test_the_digest_of_a_sif_is_its_files_or_of_a_large_one_its_uuid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = sif(tmp_path / "a.sif"), sif(tmp_path / "b.sif", b"x")
    digests = [images.digest(images.parse(str(path))) for path in (first, second)]
    assert all(str(digest).startswith("sha256:") for digest in digests)
    assert digests[0] != digests[1]
    monkeypatch.setattr("jupyter_gridgpu.images.identity.HASH_LIMIT_BYTES", 10)
    assert images.digest(images.parse(str(first))) == "sif:00010203-0405-0607-0809-0a0b0c0d0e0f"


def test_the_digest_of_a_folder_is_its_name_on_cvmfs_or_made_of_its_files(
    tmp_path: Path,
) -> None:
    flat = sandbox(tmp_path / ".flat" / "ab" / ("ab" * 32))
    (tmp_path / "ml:latest").symlink_to(flat)
    assert images.digest(images.parse(str(tmp_path / "ml:latest"))) == f"sha256:{'ab' * 32}"
    box = sandbox(tmp_path / "box")
    before = images.digest(images.parse(str(box)))
    assert str(before).startswith("folder:")
    assert images.digest(images.parse(str(box))) == before
    (box / "usr" / "new").write_text("x")
    assert images.digest(images.parse(str(box))) != before


def test_the_digest_of_an_archive_is_its_manifests_and_only_a_pinned_name_has_one(
    tmp_path: Path,
) -> None:
    assert images.digest(images.parse(str(oci(tmp_path / "x.tar")))) == f"sha256:{MANIFEST}"
    assert images.digest(images.parse("docker://a/b:latest")) is None
    assert images.digest(images.parse(f"docker://a/b@sha256:{CONFIG}")) == f"sha256:{CONFIG}"
