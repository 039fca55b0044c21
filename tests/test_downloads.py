"""Downloads, from a server on this machine: resumed, checked, shared between processes, and honest when they fail."""

from __future__ import annotations

import contextlib
import errno
import gzip
import hashlib
import http.server
import io
import json
import os
import re
import struct
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest

from slopes import data
from slopes.data.sets import download, progress, sources
from slopes.data.sets import locate as local
from slopes.data.sets.download import fetch
from slopes.data.sets.sources import SOURCES, DataSource, Known
from slopes.errors import DownloadError, SaveError
from slopes.files.lock import locked

SHARED = Path(os.environ.get("SLOPES_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
CONTENT = np.random.default_rng(0).bytes(300_000)
FILE = "file.gz"
KNOWN = Known(len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves what the test's `Server` says, and notes what was asked for."""

    def do_GET(self):
        server = self.server
        path, asked = self.path.lstrip("/"), self.headers.get("Range")
        server.requests.append((path, asked))
        body = server.files.get(path)
        if body is None:
            self.send_error(404)
            return
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and server.ranges else 0
        if start >= len(body) > 0:
            self.send_error(416)
            return
        self.answer(body, start, server)

    def answer(self, body, start, server):
        rest = body[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start + server.shift}-{len(body) - 1}/{len(body)}")
        if server.tell_length:
            self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        most = server.breaks.pop(0) if server.breaks else len(rest)
        with contextlib.suppress(ConnectionError):
            self.wfile.write(rest[:most])

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.requests = {FILE: CONTENT}, []
        self.breaks = []  # after how many bytes the next answers break off
        self.ranges, self.tell_length, self.shift = True, True, 0

    @property
    def url(self):
        return f"http://{self.server_address[0]}:{self.server_address[1]}/"


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No proxy, no network, no cache of the user's, no long waiting."""
    for name in ("SLOPES_DATA", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("SLOPES_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "TIMEOUT", (2.0, 2.0))


@pytest.fixture
def serve():
    """Starts servers, which stop with the test."""
    with contextlib.ExitStack() as stack:
        def start():
            server = stack.enter_context(Server())
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            return server
        yield start


@pytest.fixture
def server(serve):
    return serve()


def get(*servers, known=KNOWN, **options):
    mirrors = tuple(each if isinstance(each, str) else each.url for each in servers)
    return fetch("toy", FILE, DataSource(mirrors, {FILE: known}), **options)


def part_of(tmp_path, content):
    home = tmp_path / "cache" / "data" / "toy"
    home.mkdir(parents=True)
    (home / f"{FILE}.part").write_bytes(content)


def test_a_file_comes_into_the_cache_and_stays(server, tmp_path, capsys):
    path = get(server)
    assert path == tmp_path / "cache" / "data" / "toy" / FILE and path.read_bytes() == CONTENT
    assert get(server) == path and len(server.requests) == 1
    begun = f"downloading toy/{FILE} (0.3 MB) from {server.url[7:-1]}"
    assert capsys.readouterr().err.splitlines() == [begun, f"downloaded toy/{FILE}"]
    assert not path.with_name(f"{FILE}.part").exists()


def test_a_folder_can_be_named_instead_of_the_cache(server, tmp_path):
    assert get(server, folder=tmp_path / "mine") == tmp_path / "mine" / "toy" / FILE


def test_the_checksum_is_computed_once_only(server, monkeypatch):
    get(server), get(server)
    monkeypatch.setattr(download.pooch, "file_hash", lambda _: pytest.fail("the file was read again"))
    get(server)


def test_a_read_only_cache_with_the_file_works(server):
    path = get(server)
    path.parent.chmod(0o500)
    try:
        assert get(server).read_bytes() == CONTENT and len(server.requests) == 1
    finally:
        path.parent.chmod(0o700)


@pytest.mark.parametrize("damage", [lambda raw: raw[:-1], lambda raw: b"x" + raw[1:], lambda raw: b"", lambda raw: raw + b"1"])
def test_a_damaged_file_in_the_cache_is_fetched_again(server, damage):
    path = get(server)
    get(server)
    path.write_bytes(damage(CONTENT))
    assert get(server).read_bytes() == CONTENT and len(server.requests) == 2


def test_nothing_beside_a_file_can_say_that_it_is_right(server, tmp_path):
    path = get(server)
    assert sorted(os.listdir(path.parent)) == sorted([f".{FILE}.lock", FILE])
    forged = path.with_name("forged")
    forged.write_bytes(b"x" + CONTENT[1:])
    os.replace(forged, path)
    times = path.stat()
    note = {"schema": "slopes.verified", "version": 1, "size": len(CONTENT), "changed": times.st_mtime_ns, "sha256": KNOWN.sha256}
    path.with_name(f".{FILE}.verified").write_text(json.dumps(note))
    assert get(server).read_bytes() == CONTENT and len(server.requests) == 2


@pytest.mark.parametrize("link", [os.symlink, os.link])
@pytest.mark.parametrize("size", [0, 1000])
def test_a_part_that_is_a_link_is_not_written_through(server, tmp_path, link, size):
    part_of(tmp_path, b"")
    precious = tmp_path / "precious"
    precious.write_bytes(CONTENT[:size])
    part = tmp_path / "cache" / "data" / "toy" / f"{FILE}.part"
    part.unlink()
    link(precious, part)
    assert get(server).read_bytes() == CONTENT and not get(server).is_symlink()
    assert precious.read_bytes() == CONTENT[:size] and server.requests[0][1] is None


def test_a_part_that_is_a_pipe_does_not_hang(server, tmp_path):
    part_of(tmp_path, b"")
    part = tmp_path / "cache" / "data" / "toy" / f"{FILE}.part"
    part.unlink()
    os.mkfifo(part)
    assert get(server).read_bytes() == CONTENT


def test_a_lock_that_is_a_link_is_refused(server, tmp_path):
    part_of(tmp_path, b"")
    (tmp_path / "cache" / "data" / "toy" / f".{FILE}.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SaveError):
        get(server)
    assert not (tmp_path / "elsewhere").exists()


def test_a_broken_download_is_continued_where_it_stopped(server):
    server.breaks = [12 * download.CHUNK, 2 * download.CHUNK]
    assert get(server).read_bytes() == CONTENT
    asked = [asked for _, asked in server.requests]
    assert asked == [None, f"bytes={12 * download.CHUNK}-", f"bytes={14 * download.CHUNK}-"]


def test_a_download_is_continued_by_a_later_call(server, tmp_path):
    part_of(tmp_path, CONTENT[:123_456])
    assert get(server).read_bytes() == CONTENT
    assert server.requests == [(FILE, "bytes=123456-")]


def test_a_server_that_never_finishes_is_given_up_and_the_part_kept(server, tmp_path):
    server.breaks = [download.CHUNK] * 100
    with pytest.raises(DownloadError, match=f"broke off after {download.CHUNK * download.ATTEMPTS} of 300000 bytes"):
        get(server)
    assert (tmp_path / "cache" / "data" / "toy" / f"{FILE}.part").read_bytes() == CONTENT[: download.CHUNK * download.ATTEMPTS]
    server.breaks = []
    assert get(server).read_bytes() == CONTENT


def test_a_server_without_ranges_sends_everything_again(server, tmp_path):
    server.ranges = False
    part_of(tmp_path, CONTENT[:1000])
    assert get(server).read_bytes() == CONTENT and len(server.requests) == 1


def test_a_server_that_tells_no_length_is_continued_too(server):
    server.tell_length = False
    server.breaks = [100_000]
    assert get(server).read_bytes() == CONTENT and len(server.requests) == 2


def test_a_server_that_continues_elsewhere_is_not_believed(server, tmp_path):
    server.shift = 1
    part_of(tmp_path, CONTENT[:1000])
    assert get(server).read_bytes() == CONTENT
    assert [asked for _, asked in server.requests] == ["bytes=1000-", None]


@pytest.mark.parametrize("rest", [b"x" * 1000, CONTENT + b"1", b"x" * len(CONTENT), b"x" * (len(CONTENT) + 1)])
def test_a_wrong_part_is_thrown_away_and_the_file_fetched_whole(server, tmp_path, rest):
    part_of(tmp_path, rest)
    assert get(server).read_bytes() == CONTENT


def test_a_complete_part_needs_no_request(server, tmp_path):
    part_of(tmp_path, CONTENT)
    assert get(server).read_bytes() == CONTENT and server.requests == []


def test_mirrors_are_tried_in_turn(serve):
    missing, wrong, broken, good = (serve() for _ in range(4))
    missing.files = {}
    wrong.files[FILE] = b"x" * len(CONTENT)
    broken.breaks = [0] * 100
    assert get("http://127.0.0.1:" + "1/", missing, wrong, broken, good).read_bytes() == CONTENT
    assert [len(each.requests) for each in (missing, wrong, broken, good)] == [1, 1, 1, 1]


def test_the_text_when_nothing_helped(serve, tmp_path):
    missing, wrong, long = serve(), serve(), serve()
    missing.files = {}
    wrong.files[FILE] = b"x" * len(CONTENT)
    long.files[FILE] = CONTENT + b"more"
    with pytest.raises(DownloadError) as caught:
        get(missing, wrong, long)
    hosts = [each.url[7:-1] for each in (missing, wrong, long)]
    assert str(caught.value).rsplit(":", 1)[0].splitlines() == [
        f"toy/{FILE} could not be downloaded",
        f"  {hosts[0]}: 404 Client Error: Not Found for url: {missing.url}{FILE}; "
        f"{hosts[1]}: the checksum is wrong: the server gave another file; "
        f"{hosts[2]}: the server gave more than the 300000 bytes of the file",
        f"  check the network and try again; or bring {missing.url}{FILE} here by other means, into FOLDER/toy, "
        "and say SLOPES_DATA=FOLDER or --data FOLDER",
        "  at test_downloads.py",
    ]
    assert not (tmp_path / "cache" / "data" / "toy" / FILE).exists()


def test_without_a_network_the_repair_is_named():
    with pytest.raises(DownloadError, match=r"(?s)127\.0\.0\.1:1: .*(refused|retries).*SLOPES_DATA=FOLDER or --data FOLDER"):
        get("http://127.0.0.1:" + "1/")


def test_a_server_that_sends_without_end_is_stopped(server):
    server.files[FILE] = bytes(20_000_000)
    server.tell_length = False
    with pytest.raises(DownloadError, match="the server gave more than the 300000 bytes"):
        get(server)


def test_a_full_disk_during_a_download_is_said_and_the_part_kept(server, tmp_path, monkeypatch):
    class Full(io.FileIO):
        def write(self, chunk):
            if self.tell() > 100_000:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(chunk)

    monkeypatch.setattr(download, "open_own", lambda path: Full(path, "x+"))
    with pytest.raises(SaveError) as caught:
        get(server)
    lines = str(caught.value).splitlines()
    assert "No space left on device" in lines[0] and lines[2] == "  free space on the disk, or save to another one"
    assert lines[3].startswith("  at test_downloads.py:")
    monkeypatch.undo()
    assert (tmp_path / "cache" / "data" / "toy" / f"{FILE}.part").stat().st_size > 100_000


def test_a_cache_that_cannot_be_made_is_named(server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SaveError, match=r"file.*could not be written"):
        get(server, folder=tmp_path / "file")


def test_an_interrupted_download_keeps_its_part(server, tmp_path, monkeypatch):
    seen = []

    def stop(self, done):
        seen.append(done)
        if done > 100_000:
            raise KeyboardInterrupt

    monkeypatch.setattr(progress.Progress, "show", stop)
    with pytest.raises(KeyboardInterrupt):
        get(server)
    assert (tmp_path / "cache" / "data" / "toy" / f"{FILE}.part").stat().st_size == seen[-1]
    monkeypatch.undo()
    monkeypatch.setenv("SLOPES_CACHE", str(tmp_path / "cache"))
    assert get(server).read_bytes() == CONTENT
    assert server.requests[-1] == (FILE, f"bytes={seen[-1]}-")


# Sharing


def test_threads_that_want_the_same_file_fetch_it_once(server):
    found = []
    threads = [threading.Thread(target=lambda: found.append(get(server).read_bytes())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [CONTENT] * 8 and len(server.requests) == 1


PROCESS = """
import sys
from slopes.data.sets.download import fetch
from slopes.data.sets.sources import DataSource, Known
url, size, digest, folder = sys.argv[1:]
print(fetch("toy", "file.gz", DataSource((url,), {"file.gz": Known(int(size), digest)}), folder).stat().st_size)
"""


def test_processes_that_want_the_same_file_fetch_it_once(server, tmp_path):
    source = str(Path(download.__file__).parents[3])
    command = [sys.executable, "-c", PROCESS, server.url, str(KNOWN.size), KNOWN.sha256, str(tmp_path)]
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "env": {**os.environ, "PYTHONPATH": source}}
    children = [subprocess.Popen(command, **settings) for _ in range(3)]
    assert [child.communicate()[0] for child in children] == [b"300000\n"] * 3
    assert len(server.requests) == 1


def test_the_lock_lets_one_in_at_a_time(tmp_path):
    inside, most = [], []

    def work():
        for _ in range(20):
            with locked(tmp_path / "lock", pause=0.0001):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 80 and set(most) == {1}


def test_a_lock_of_a_killed_process_is_free(tmp_path):
    code = "import sys\nfrom slopes.files.lock import locked\nwith locked(sys.argv[1]):\n print(1, flush=True)\n sys.stdin.read()"
    source = str(Path(download.__file__).parents[3])
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          env={**os.environ, "PYTHONPATH": source}) as child:
        assert child.stdout.readline() == b"1\n"
        child.kill()
    with locked(tmp_path / "lock"):
        pass


# Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_sees_a_bar_only_when_it_takes_long(monkeypatch):
    for patience, expected in ((1e9, False), (-1.0, True)):
        monkeypatch.setattr(progress, "PATIENCE", patience)
        monkeypatch.setattr(sys, "stderr", Terminal())
        with progress.Progress("toy/file", 1000, "host") as shown:
            shown.show(400)
            shown.show(1000)
        assert bool(sys.stderr.getvalue()) == expected
        assert not expected or "toy/file" in sys.stderr.getvalue()


def test_elsewhere_plain_lines_say_how_far_it_is(monkeypatch, capsys):
    monkeypatch.setattr(progress, "LINE_EVERY", -1.0)
    with progress.Progress("toy/file", 1000, "host") as shown:
        shown.show(400)
    assert capsys.readouterr().err.splitlines() == ["downloading toy/file (0.0 MB) from host", "  toy/file: 40%"]


# The public sets


def test_every_public_file_has_a_size_a_checksum_and_two_mirrors_and_every_set_its_source_and_licence():
    for source in SOURCES.values():
        assert source.cite and source.licence
        assert len(source.mirrors) == 2 and all(re.fullmatch(r"https?://\S+/", mirror) for mirror in source.mirrors)
        assert all(known.size > 0 and re.fullmatch(r"[0-9a-f]{64}", known.sha256) for known in source.files.values())


def test_local_copies_are_the_public_files(monkeypatch):
    if not (SHARED / "mnist").is_dir():
        pytest.skip("no local copies of the data sets")
    monkeypatch.setenv("SLOPES_DATA", str(SHARED))
    assert local.found_sets() == list(SOURCES)
    for name, source in SOURCES.items():
        for file, known in source.files.items():
            path = local.located(name, file, None)
            raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" and not file.endswith(".gz") else path.read_bytes()
            assert (len(raw), hashlib.sha256(raw).hexdigest()) == known[:2], path


PIECES = {f"{number}.wav": bytes([number]) * (number + 1) for number in range(20)}


def in_pieces(server, contents):
    """A source of one file that is put together from pieces, and what it must become."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, raw in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(raw)
            archive.addfile(member, io.BytesIO(raw))
    whole = out.getvalue()
    known = Known(len(whole), hashlib.sha256(whole).hexdigest(), pieces=tuple(contents))
    return DataSource((server.url,), {"all.tar": known}), whole


def test_a_file_in_pieces_is_put_together_byte_for_byte(server, tmp_path):
    server.files.update(PIECES)
    source, whole = in_pieces(server, PIECES)
    assert fetch("toy", "all.tar", source, tmp_path).read_bytes() == whole
    assert sorted(path for path, _ in server.requests) == sorted(PIECES)


@pytest.mark.parametrize("damage, text", [({"7.wav": b"another"}, "the checksum is wrong: the server gave other files"),
                                          ({"7.wav": None}, "404"), ({"7.wav": bytes(100_000)}, "more than")])
def test_a_file_in_pieces_of_which_one_is_wrong_is_refused_and_leaves_nothing(server, tmp_path, damage, text):
    source, _ = in_pieces(server, PIECES)
    server.files.update(PIECES | damage)
    with pytest.raises(DownloadError) as caught:
        fetch("toy", "all.tar", source, tmp_path)
    assert text in str(caught.value) and "the 20 files" in str(caught.value)
    assert not (tmp_path / "toy" / "all.tar").exists()


def test_a_file_has_another_name_on_its_mirror(server, tmp_path):
    source = DataSource((server.url,), {"here.gz": Known(*KNOWN[:2], path=FILE)})
    assert fetch("toy", "here.gz", source, tmp_path).read_bytes() == CONTENT


def test_mnist_comes_from_the_net_and_its_test_files_only_when_asked_for(server, monkeypatch):
    def idx(array):
        head = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
        return gzip.compress(head + array.astype(np.uint8).tobytes(), mtime=0)

    for stem, count in (("train", 24), ("t10k", 5)):
        server.files[f"{stem}-images-idx3-ubyte.gz"] = idx(np.zeros((count, 2, 2)))
        server.files[f"{stem}-labels-idx1-ubyte.gz"] = idx(np.arange(count) % 10)
    known = {file: Known(len(raw), hashlib.sha256(raw).hexdigest()) for file, raw in server.files.items()}
    monkeypatch.setitem(sources.SOURCES, "mnist", DataSource((server.url,), known))
    found = data.mnist()
    assert [path for path, _ in server.requests] == ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"]
    assert len(found.train) == 22 and len(found.test) == 5
    assert [path for path, _ in server.requests[2:]] == ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"]
