#include "windows_host/hv_sockets.h"
#include "windows_host/program.h"

// mingw's own start code asks: wildcards in arguments are the program's business, and a * in a policy's command line must
// arrive as it is.
extern "C" {
int _dowildcard = 0;
}

int wmain(int argc, wchar_t** argv) {
  mxc::windows::HvSockets sockets;
  return mxc::windows::RunProgram(argc, argv, sockets);
}
