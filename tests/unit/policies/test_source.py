"""The text of a policy, read from a folder."""

from pathlib import Path

import pytest

from penstock.contracts.errors import InvalidPolicy
from penstock.contracts.policy import PolicyFile, PolicySetName
from penstock.policies import make_source, read_source


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (
        ("allow/b.cedar", "// b"),
        ("allow/a.cedar", "// ä"),
        ("gates/a.cedar", "// g"),
        ("allow/notes.txt", "no policy"),
        ("other.cedar", "// nowhere"),
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def test_a_policy_is_every_cedar_file_of_both_sets(folder: Path) -> None:
    assert [(file.set, file.name, file.text) for file in read_source(folder).files] == [
        ("allow", "a.cedar", "// ä"),
        ("allow", "b.cedar", "// b"),
        ("gates", "a.cedar", "// g"),
    ]


def test_one_set_alone_is_a_policy(folder: Path) -> None:
    (folder / "gates" / "a.cedar").unlink()
    assert len(read_source(folder).files) == 2


@pytest.mark.parametrize(
    "change",
    ["allow/a.cedar", "gates/a.cedar", "allow/c.cedar"],
)
def test_a_changed_text_is_another_version(folder: Path, change: str) -> None:
    before = read_source(folder).digest
    assert len(before) == 64
    assert read_source(folder).digest == before
    (folder / change).write_text("// changed")
    assert read_source(folder).digest != before


def test_a_file_that_changes_its_set_or_its_name_is_another_version() -> None:
    def digest(name: PolicySetName, file: str, text: str) -> str:
        return make_source([PolicyFile(set=name, name=file, text=text)]).digest

    texts = {
        digest(PolicySetName.ALLOW, "a.cedar", "x"),
        digest(PolicySetName.GATES, "a.cedar", "x"),
        digest(PolicySetName.ALLOW, "b.cedar", "x"),
        digest(PolicySetName.ALLOW, "a.cedarx", ""),
    }
    assert len(texts) == 4


def test_the_order_in_which_files_are_found_makes_no_version(folder: Path) -> None:
    source = read_source(folder)
    assert make_source(reversed(source.files)) == source


def test_what_is_no_folder_is_refused(folder: Path) -> None:
    for path in (folder / "none", folder / "other.cedar"):
        with pytest.raises(InvalidPolicy, match=r"is no folder. Wanted is .* Make it"):
            read_source(path)


def test_a_folder_without_a_policy_is_refused(tmp_path: Path) -> None:
    (tmp_path / "allow").mkdir()
    with pytest.raises(InvalidPolicy, match=r"no policy in it. Wanted is .* Write one"):
        read_source(tmp_path)


def test_what_is_no_text_is_refused_by_name(folder: Path) -> None:
    (folder / "gates" / "a.cedar").write_bytes(b"// \xff")
    with pytest.raises(InvalidPolicy, match=r"gates/a.cedar: It is not UTF-8 at byte 3"):
        read_source(folder)


def test_what_cannot_be_read_is_refused_by_name(folder: Path) -> None:
    (folder / "gates" / "b.cedar").mkdir()
    with pytest.raises(InvalidPolicy, match=r"gates/b.cedar: It cannot be read"):
        read_source(folder)
