// mxc.exe: the commands that only look, on Windows, and those that go through mxcd in a WSL distribution.
#pragma once

#include "windows_host/host_sockets.h"

namespace mxc::windows {

// The exit status. argv: UTF-16, of wmain.
int RunProgram(int argc, wchar_t** argv, HostSockets& sockets);

}  // namespace mxc::windows
