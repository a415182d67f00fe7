#!/usr/bin/env python3
"""podman build and buildah, whose RUN steps are containers of the runtime's create, start, state and delete."""
import os
import sys

sys.dont_write_bytecode = True
from engine import Terminal, case, check, contains, equal, main  # noqa: E402
from podman import IMAGE, Podman  # noqa: E402

FILE = f"""FROM {IMAGE}
RUN echo built > /made && id -u && mkdir -p /srv/app
COPY data /srv/app/data
RUN --mount=type=tmpfs,target=/t test "$(stat -f -c %T /t)" = tmpfs && touch /t/x
WORKDIR /srv/app
ENV COLOUR=red
USER 1000
RUN test "$(id -u) $(pwd) $COLOUR" = "1000 /srv/app red" && cat data
ENTRYPOINT ["cat", "/made", "/srv/app/data"]
"""


def context(engine, text):
    folder = engine.folder("context")
    engine.file("context/Containerfile", text)
    engine.file("context/data", "data of the context\n")
    return folder


def buildah(engine, *arguments):
    """buildah's command line; the name of a command has to come first."""
    return ["buildah", *engine.storage(), arguments[0], "--runtime", engine.place.runtime, *arguments[1:]]


class WithBuildah(Podman):
    programs = (*Podman.programs, "buildah")


@case
def podman_build(engine):
    ended = engine.podman("build", "--network", "none", "--tag", "built", context(engine, FILE)).expect()
    contains(ended.text + ended.err, "data of the context", "output of RUN steps")
    equal(engine.podman("run", "--rm", "--network", "none", "built").expect().text, "built\ndata of the context\n")
    engine.podman("rmi", "built").expect()


@case
def buildah_build(engine):
    folder = context(engine, FILE)
    for isolation in ("oci", "rootless") if engine.root else ("rootless",):
        command = buildah(engine, "bud", "--isolation", isolation, "--network", "none", "--no-cache", "--tag", "built", folder)
        contains(engine.command(*command).expect().text, "data of the context")
        equal(engine.podman("run", "--rm", "--network", "none", "built").expect().text, "built\ndata of the context\n")
        engine.podman("rmi", "built").expect()


@case
def failing_step_fails_the_build(engine):
    folder = context(engine, f"FROM {IMAGE}\nRUN echo before; exit 42\n")
    ended = engine.podman("build", "--network", "none", "--tag", "broken", folder)
    check(ended.code != 0, "the build succeeds")
    contains(ended.err, "42")
    check(engine.podman("image", "exists", "broken").code != 0, "there is an image of it")


@case
def buildah_run(engine):
    inside = [] if engine.root else ["podman", *engine.storage(), "unshare"]
    name = engine.command(*inside, "buildah", *engine.storage(), "from", IMAGE).expect().text.strip()

    def command(*words):
        return [*inside, *buildah(engine, "run", "--network", "none", *words)]

    equal(engine.command(*command(name, "sh", "-c", "echo ran; touch /x")).expect().text, "ran\n")
    ended = engine.command(*command(name, "--", "sh", "-c", "test -e /x && exit 3"))
    contains(ended.err, "exit status 3")
    check(engine.command(*command(name, "/no/such")).code != 0, "running a missing program succeeds")
    terminal = Terminal(engine, *command("--tty", name, "tty"))
    terminal.expect(rb"/dev/pts/0\r\n")
    equal(terminal.end(), 0, "exit status on a terminal")
    engine.command(*inside, "buildah", *engine.storage(), "rm", name).expect()
    check(not [file for file in os.listdir("/var/tmp") if file.startswith("buildah")], "buildah's folders are left")


if __name__ == "__main__":
    main(WithBuildah)
