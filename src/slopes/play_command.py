"""`slopes play`: the studio in the browser."""

from __future__ import annotations

from pathlib import Path

import click

from .errors import ArgumentError
from .extras import on_demand


@click.command()
@click.argument("run", type=click.Path(path_type=Path), required=False)
@click.option("--port", type=click.IntRange(1, 65535), metavar="N", help="the port to serve it at  [default: the first free one from 8765]")
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS",
              help="the address to serve it at; 0.0.0.0 opens it to the network, for everyone who has the address with its token")
@click.option("--page", default="", metavar="NAME", help="the page to open  [default: playground, or runs with RUN]")
@click.option("--pictures", type=click.Path(path_type=Path), metavar="FOLDER",
              help="pictures of your own for the page of pictures, a subfolder for each class")
@click.option("--sessions", type=click.IntRange(1, 1000), default=32, show_default=True, metavar="N",
              help="the most tabs that may learn at one time")
@click.option("--no-browser", is_flag=True, help="print the address, open no browser")
def play(run: Path | None, port: int | None, host: str, page: str, pictures: Path | None, sessions: int, no_browser: bool) -> None:
    """Open the studio: a network learns in the browser, on this machine's own engine. Ctrl-C ends it.

    RUN is the folder of a run to look at, as `slopes train` wrote it. No network is needed; others on the network are refused unless
    --host lets them in. Needs the extra [studio]: pip install 'slopes[studio]'.

    \b
    Examples:
      slopes play
      slopes play runs/lenet
      slopes play --pictures FOLDER
      slopes play --port 9000 --no-browser
      slopes play --host 0.0.0.0 --sessions 40     for a class on the same network
    """
    studio = on_demand("slopes.studio")
    pages = on_demand("slopes.studio.pages").PAGES
    if page and page not in pages:
        raise ArgumentError(f"--page {page}: the studio has no such page", why=f"it has {', '.join(pages)}", repair="name one of these")
    if run is not None and not run.is_dir():
        raise ArgumentError(f"there is no folder {run}", why="RUN is a folder that slopes train wrote", repair="slopes runs lists them")
    if pictures is not None and not pictures.is_dir():
        raise ArgumentError(f"there is no folder {pictures}", why="--pictures names a folder with a subfolder of pictures for each class",
                            repair="check the path")
    first = "runs" if run is not None and "runs" in pages else "pictures" if pictures is not None else ""
    studio.serve(host, port, page or first, run, sessions, not no_browser, click.echo, pictures)
