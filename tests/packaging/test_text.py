"""What is committed tells of the project, not of the machine it was written on."""

import re
import subprocess

import pytest

from support.checkout import ROOT

MACHINE_PATH = re.compile(rb"(?<![\w./})-])/(?:home|root|work|Users)/")
PACKAGE_HOST = re.compile(rb"py(?:pi\.org|thonhosted)")


@pytest.mark.parametrize("unwanted", [MACHINE_PATH, PACKAGE_HOST])
def test_no_committed_file_names_a_path_or_a_package_host(unwanted: re.Pattern[bytes]) -> None:
    offenders = [name for name in _committed_files() if unwanted.search((ROOT / name).read_bytes())]
    assert not offenders


def _committed_files() -> list[str]:
    """List what git holds or would take in, wherever the checkout's owner is someone else."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    # A file that was deleted is listed until the deletion is committed.
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
