// The side of ffi_protocol.h that runs things.
#pragma once

namespace mxc::compat {

// argv[1] is kServeOption. The exit status: 0 when everything is told over the socket.
int ServeFfi(int argc, char** argv);

}  // namespace mxc::compat
