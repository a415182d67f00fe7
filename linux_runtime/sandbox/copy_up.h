// "tmpcopyup": a tmpfs that starts with what the image has in the folder that it covers.
#pragma once

namespace mxc::sandbox {

// Copies what is below `from` into `to`, two folders: files, folders, symbolic links, nodes and hard links among them,
// with owner, mode, times and extended attributes. No link is followed, and nothing outside `from` is reached, whatever
// is renamed meanwhile. Left as they come out: owners that the user namespace doesn't map, attributes that the file
// system or the caller's rights don't allow, device nodes in a user namespace (left out), and hard links beyond the
// first few thousand (files of their own). own_top: `to` itself gets owner and attributes of `from`.
//
// System calls only: no allocation but mmap(2); 0 or -errno. -ENAMETOOLONG: more than 128 folders deep.
int CopyUp(int from, int to, bool own_top);

}  // namespace mxc::sandbox
