"""Tests that run the real mxc as root and as an ordinary user."""

def integration_test(name, data = [], size = "medium", tags = [], programs = ["//linux_runtime/cli:mxc"], **kwargs):
    """A Python program NAME.py on tests/integration/harness.py that takes the programs' paths as its arguments.

    exclusive: cases measure time and look at the whole host. It needs root, and without it leaves out what does.
    """
    native.sh_test(
        name = name,
        size = size,
        srcs = [name + ".py"],
        args = ["$(rootpath %s)" % program for program in programs],
        data = programs + ["//tests/integration:harness.py"] + data,
        tags = [
            "exclusive",
            "local",
            "no-sandbox",
            "requires-root",
        ] + tags,
        **kwargs
    )
