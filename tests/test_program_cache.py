"""Programs kept on the disk: which folders, files and entries are trusted, what happens to the others, and how much is kept."""

from __future__ import annotations

import hashlib
import io
import multiprocessing
import os
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from test_house import SOURCE, imports_of, modules

import slopes as sl
from slopes import errors
from slopes.machine import cache as programs
from slopes.machine import native

posix = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="owners and modes of POSIX")
root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file to another user")
OTHER = 12345  # the number of another user


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache, no program left in this process, and nothing said yet."""
    tmp_path.chmod(0o700)
    monkeypatch.setenv("SLOPES_CACHE", str(tmp_path))
    monkeypatch.setattr(errors, "said", set())
    native._programs.clear()
    yield tmp_path / "programs"
    native._programs.clear()


def small(x):
    return (x * 2 + 1).sum(axis=0)


def fresh() -> tuple[np.ndarray, bool]:
    """The result of the small function compiled anew, and whether its program came from the cache."""
    native._programs.clear()
    compiled = sl.compile(small)
    x = sl.tensor(np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4))
    result = compiled(x).numpy()
    found = [version for each in compiled._versions.values() for version in each]
    return result, found[0].executable.native.from_cache


def entry(cache: Path) -> Path:
    """The one program in the cache."""
    found, = cache.glob("*.bin")
    return found


def test_a_program_is_found_again_and_gives_the_same_bits(cache, capsys):
    first, cold = fresh()
    again, warm = fresh()
    assert (cold, warm) == (False, True)
    assert first.tobytes() == again.tobytes()
    assert sorted(file.suffix for file in cache.iterdir()) == ["", ".bin"]
    assert capsys.readouterr().err == ""


# Entries

DAMAGES = {
    "truncated": lambda data: data[:-7],
    "cut to nothing": lambda data: b"",
    "cut within its head": lambda data: data[:40],
    "a bit of the code turned": lambda data: data[:-50] + bytes([data[-50] ^ 1]) + data[-49:],
    "a bit of the digest turned": lambda data: data[:20] + bytes([data[20] ^ 1]) + data[21:],
    "of another kind": lambda data: b"\x7fELF" + data[4:],
    "longer": lambda data: data + b"\0" * 100,
    "of another key": lambda data: forged(data, "0" * 64),
    "nonsense with a plain digest": lambda data: plainly_signed(b"no program at all"),
    "the same code with a plain digest": lambda data: plainly_signed(data[len(programs.MAGIC) + 32:]),
    "signed with another secret": lambda data: signed(data[len(programs.MAGIC) + 32:], b"\0" * 32),
}


def plainly_signed(body: bytes) -> bytes:
    return programs.MAGIC + hashlib.sha256(body).digest() + body


def signed(body: bytes, secret: bytes) -> bytes:
    return programs.MAGIC + programs.hmac.digest(secret, body, "sha256") + body


def own_secret() -> bytes:
    return (Path(os.environ["SLOPES_CACHE"]) / "programs" / programs.KEY).read_bytes()


def forged(data: bytes, key: str) -> bytes:
    """An entry that is right in itself, but belongs to another program."""
    return signed(key.encode() + data[len(programs.MAGIC) + 32 + 64:], own_secret())


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_or_foreign_entry_is_compiled_again_and_replaced(cache, damage, capsys):
    expected, _ = fresh()
    file = entry(cache)
    file.write_bytes(DAMAGES[damage](file.read_bytes()))
    found, from_cache = fresh()
    assert not from_cache
    assert found.tobytes() == expected.tobytes()
    assert programs.unpack(file.read_bytes(), file.stem, own_secret()) is not None
    assert fresh()[1]
    assert capsys.readouterr().err == (f"slopes: an entry of {cache} is damaged, or was not written with its key: "
                                       "the program is compiled anew and the entry replaced\n")


DANGERS = {
    "others may write": lambda file: file.chmod(0o602),
    "the group may write": lambda file: file.chmod(0o620),
    "a link": lambda file: (file.rename(file.parent.parent / "elsewhere"), file.symlink_to(file.parent.parent / "elsewhere")),
    "a pipe": lambda file: (file.unlink(), os.mkfifo(file)),
    "a folder": lambda file: (file.unlink(), file.mkdir()),
    "of another user": lambda file: os.chown(file, OTHER, OTHER),
}


@posix
@pytest.mark.parametrize("danger", DANGERS)
@pytest.mark.parametrize("which", ["program", "key"])
def test_no_file_that_others_could_have_written_is_used(cache, danger, which):
    if danger == "of another user" and os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    expected, _ = fresh()
    DANGERS[danger](entry(cache) if which == "program" else cache / programs.KEY)
    found, from_cache = fresh()
    assert not from_cache and found.tobytes() == expected.tobytes()
    if danger != "a folder":  # that one stays in the way
        assert fresh()[1]


@posix
def test_files_are_closed_to_others_whatever_the_mask(cache):
    before = os.umask(0)
    try:
        fresh()
    finally:
        os.umask(before)
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in cache.iterdir()} == {0o600}
    assert len(own_secret()) == 32


# Folders


def writable(mode):
    def danger(cache):
        cache.chmod(mode)
        return "others may write to"
    return danger


def belongs(path_of):
    def danger(cache):
        os.chown(path_of(cache), OTHER, OTHER)
        return f"belongs to user {OTHER}"
    return danger


def linked(cache):
    cache.rename(cache.parent / "elsewhere")
    cache.symlink_to(cache.parent / "elsewhere")
    return "Not a directory"


def shared_above(mode):
    def danger(cache):
        cache.parent.chmod(mode)
        return "others may write to a folder above"
    return danger


FOLDERS = {"all may write": writable(0o777), "the group may write": writable(0o770), "a link": linked,
           "all may write above": shared_above(0o777), "the group may write above": shared_above(0o775)}
GIVEN_AWAY = {"of another user": belongs(lambda cache: cache), "in another user's folder": belongs(lambda cache: cache.parent)}


def refuses(cache, danger, capsys):
    expected, _ = fresh()
    before = entry(cache).read_bytes()
    said = danger(cache)
    for _ in range(2):
        found, from_cache = fresh()
        assert not from_cache and found.tobytes() == expected.tobytes()
    assert entry(cache).read_bytes() == before  # nothing is written there either
    line, = capsys.readouterr().err.splitlines()
    assert line.startswith("slopes: compiled programs are not kept: ") and said in line and str(cache) in line
    assert line.endswith("set SLOPES_CACHE to a folder that you own and only you can write to")


@posix
@pytest.mark.parametrize("danger", FOLDERS)
def test_a_folder_that_others_could_have_written_is_neither_read_nor_written_and_said_once(cache, danger, capsys):
    refuses(cache, FOLDERS[danger], capsys)


@root
@pytest.mark.parametrize("danger", GIVEN_AWAY)
def test_root_uses_no_folder_of_another_user(cache, danger, capsys):
    refuses(cache, GIVEN_AWAY[danger], capsys)


@posix
def test_a_link_above_to_a_folder_of_the_user_works(cache, monkeypatch, capsys):
    (cache.parent / "link").symlink_to(cache.parent)
    monkeypatch.setenv("SLOPES_CACHE", str(cache.parent / "link"))
    assert [fresh()[1] for _ in range(2)] == [False, True] and capsys.readouterr().err == ""


@posix
def test_a_folder_where_all_write_but_none_rename_is_as_good_as_tmp(cache, monkeypatch):
    cache.parent.chmod(0o1777)
    monkeypatch.setenv("SLOPES_CACHE", str(cache.parent / "mine"))
    assert [fresh()[1] for _ in range(2)] == [False, True]


# Disks


@posix
@pytest.mark.parametrize("named", ["/dev/null/nowhere", "/dev/null", "~nosuchuser/cache", "/proc/nowhere"])
def test_a_cache_that_cannot_be_made_costs_only_time_and_is_said(cache, monkeypatch, named, capsys):
    monkeypatch.setenv("SLOPES_CACHE", named)
    first, from_cache = fresh()
    again, _ = fresh()
    assert not from_cache and first.tobytes() == again.tobytes()
    line, = capsys.readouterr().err.splitlines()
    assert line.startswith("slopes: compiled programs are not kept: ")


@pytest.mark.parametrize("function", ["write", "replace", "link"])
def test_a_write_that_fails_leaves_nothing_behind(cache, monkeypatch, function, capsys):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    if function == "write":
        monkeypatch.setattr(programs.os, "fdopen", full)
    else:
        monkeypatch.setattr(programs.os, function, full)
    fresh()
    assert [file.name for file in cache.iterdir() if file.name != programs.KEY] == []
    assert "No space left on device" in capsys.readouterr().err
    monkeypatch.undo()


class Full(io.StringIO):
    """A stream whose disk is full."""

    def write(self, text):
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("stream", [None, Full()])
def test_a_stderr_that_is_full_or_closed_does_not_matter(cache, monkeypatch, stream):
    monkeypatch.setenv("SLOPES_CACHE", "/dev/null")
    monkeypatch.setattr(sys, "stderr", stream)
    assert fresh()[0].shape == (4,)


def in_another_process(folder: str, queue) -> None:
    os.environ["SLOPES_CACHE"] = folder
    queue.put([fresh()[0].tobytes() for _ in range(3)])


def test_processes_may_share_one_cache(cache, capfd):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    processes = [context.Process(target=in_another_process, args=(str(cache.parent), queue)) for _ in range(3)]
    for each in processes:
        each.start()
    found = [queue.get(timeout=120) for _ in processes]
    for each in processes:
        each.join(60)
    result, from_cache = fresh()
    assert {tuple(each) for each in found} == {(result.tobytes(),) * 3} and from_cache
    assert list(cache.glob("*.tmp")) == [] and "slopes:" not in capfd.readouterr().err


def test_the_entries_that_were_not_used_for_longest_are_removed_first(cache, monkeypatch):
    fresh()
    size, now = entry(cache).stat().st_size, time.time()
    entry(cache).unlink()
    for number in range(5):
        file = cache / f"{number}.bin"
        file.write_bytes(b"\0" * size)
        os.utime(file, (now - 100 * number,) * 2)
    (cache / "killed.tmp").write_bytes(b"")
    os.utime(cache / "killed.tmp", (now - 2 * programs.STALE,) * 2)
    (cache / "busy.tmp").write_bytes(b"")
    monkeypatch.setattr(programs, "MOST", 5 * size)
    monkeypatch.setattr(programs, "KEPT", 4 * size)
    fresh()
    left = {file.name for file in cache.iterdir()}
    assert {"0.bin", "1.bin", "2.bin", "busy.tmp"} <= left and not {"3.bin", "4.bin", "killed.tmp"} & left
    assert fresh()[1]


def test_sizes_are_looked_at_after_the_first_program_and_then_after_many_bytes(cache, monkeypatch):
    looks = []
    monkeypatch.setattr(programs.Folder, "tidy", lambda folder: looks.append(folder))
    fresh()
    size = entry(cache).stat().st_size
    for most, count in ((programs.MOST, 1), (3 * size / programs.UNCHECKED, 1), (3 * size / programs.UNCHECKED, 2)):
        monkeypatch.setattr(programs, "MOST", most)
        entry(cache).unlink()
        fresh()
        assert len(looks) == count


def test_what_is_used_again_counts_as_new(cache):
    fresh()
    os.utime(entry(cache), (0, 0))
    assert fresh()[1] and entry(cache).stat().st_mtime > time.time() - 3600


# Keys


def test_the_key_knows_the_graph_the_processor_and_the_compiler(monkeypatch):
    key = programs.cache_key("graph")
    assert key != programs.cache_key("graph ")
    monkeypatch.setattr(programs, "host", lambda: ("x86_64-unknown-linux-gnu", "other", ""))
    assert key != programs.cache_key("graph")
    monkeypatch.undo()
    monkeypatch.setattr(programs, "code_version", lambda: "another slopes")
    assert key != programs.cache_key("graph")


def imported_by(*names: str) -> set[str]:
    """All modules of slopes that these import, directly or not, and themselves."""
    seen, coming = set(), list(names)
    while coming:
        name = coming.pop()
        if name not in seen:
            seen.add(name)
            coming += [each for each, _ in imports_of(name, types=False) if each in modules()]
    return seen


def test_every_module_that_the_compiler_imports_is_part_of_the_version():
    hashed = set(programs.compiler_files())
    imported = imported_by("slopes.machine.native", "slopes.machine.build") - {"slopes"}
    home = Path(programs.__file__).parents[1]  # which may be an installed copy
    assert len(imported) > 40 and {home / modules()[name].relative_to(SOURCE) for name in imported} <= hashed


def test_a_byte_of_any_of_them_makes_another_version(monkeypatch):
    read, version = Path.read_bytes, programs.code_version.__wrapped__
    known, changed = version(), []
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path) + (b" " if path in changed else b""))
    seen = {known}
    for file in programs.compiler_files():
        changed[:] = [file]
        seen.add(version())
    assert len(seen) == 1 + len(programs.compiler_files())


# Users without a home


HOMELESS = """
import encodings.ascii, concurrent.futures.thread, os, sys, tempfile
import slopes as sl, slopes.machine.native, slopes.machine.build
from slopes.settings import cache_folder
tempfile.tempdir = sys.argv[1]
os.setgroups([]); os.setgid(12345); os.setuid(12345)
for factor in (2.0, 3.0):
    print(float(sl.compile(lambda x: (x * factor).sum())(sl.ones(3))))
print(cache_folder())
"""


@pytest.fixture
def shared():
    """A folder like /tmp."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o1777)
        yield Path(name)


@root
@pytest.mark.parametrize("home", [None, "", "/", "/nonexistent", "relative"])
def test_a_user_without_a_home_keeps_programs_in_a_temporary_folder_of_his_own(shared, home):
    if not all(each.stat().st_mode & 1 for each in Path(sl.__file__).parents):
        pytest.skip("another user cannot read this copy of slopes")
    environment = {name: value for name, value in os.environ.items() if name not in ("HOME", "SLOPES_CACHE", "XDG_CACHE_HOME")}
    environment.update({} if home is None else {"HOME": home, "XDG_CACHE_HOME": "relative"})
    done = subprocess.run([sys.executable, "-c", HOMELESS, str(shared)], env=environment, capture_output=True, text=True, timeout=120)
    folder = shared / f"slopes-{OTHER}"
    assert (done.returncode, done.stdout) == (0, f"6.0\n9.0\n{folder}\n"), done.stderr
    assert done.stderr == (f"slopes: this user has no home folder: downloads and compiled programs are kept in {folder}; "
                           "SLOPES_CACHE names another folder\n")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and len(list((folder / "programs").glob("*.bin"))) == 2
