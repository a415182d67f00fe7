"""Tests that run the real mxc as root and as an ordinary user."""

def integration_test(name, data = [], size = "medium", tags = [], **kwargs):
    """A Python program NAME.py on tests/integration/harness.py that takes mxc's path as its argument.

    exclusive: cases measure time and look at the whole host. It needs root, and without it leaves out what does.
    """
    native.sh_test(
        name = name,
        size = size,
        srcs = [name + ".py"],
        args = ["$(rootpath //linux_runtime/cli:mxc)"],
        data = [
            "//linux_runtime/cli:mxc",
            "//tests/integration:harness.py",
        ] + data,
        tags = [
            "exclusive",
            "local",
            "no-sandbox",
            "requires-root",
        ] + tags,
        **kwargs
    )
