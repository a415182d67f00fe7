"""Tests that drive mxc-runtime through podman, buildah and containerd."""

RUNTIME = "//linux_runtime/runtime:mxc-runtime"

def engine_test(name, data = []):
    """A Python program NAME.py on engine.py that takes the runtime's path as its argument.

    exclusive: cases wait for each other's processes and measure time. It needs root.
    """
    native.sh_test(
        name = name,
        size = "large",
        srcs = [name + ".py"],
        args = ["$(rootpath %s)" % RUNTIME],
        data = [
            RUNTIME,
            "engine.py",
            "image.py",
            "machine.py",
            "//docs:engines.md",
            "//tests/integration:harness.py",
        ] + data,
        tags = [
            "exclusive",
            "local",
            "no-sandbox",
            "requires-root",
        ],
    )
