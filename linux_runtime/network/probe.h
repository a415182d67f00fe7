// Whether this kernel has what the network of a sandbox needs, found out by making one.
#pragma once

#include <string>

namespace mxc::network {

// In a child with a network namespace of its own, so that nothing of the host is touched. Without root only what a sandbox of
// an ordinary user needs. "": all is there; else what is missing, in a few words.
std::string MissingForNetworks();

}  // namespace mxc::network
