"""Makes folders of installed Debian packages visible to Bazel without copying them."""

def _impl(ctx):
    ctx.symlink(ctx.attr.build_file, "BUILD.bazel")
    for name, target in ctx.attr.links.items():
        if ctx.path(target).exists:
            ctx.symlink(target, name)

system_links = repository_rule(
    implementation = _impl,
    local = True,
    attrs = {
        "build_file": attr.label(mandatory = True),
        "links": attr.string_dict(),
    },
)
