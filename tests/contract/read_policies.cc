#include <iostream>
#include <string>

#include "shared/policy/read.h"

int main() {
  std::ios::sync_with_stdio(false);
  for (std::string line; std::getline(std::cin, line);) {
    const mxc::Result<mxc::policy::Policy> policy = mxc::policy::ReadPolicy(line, {.source = "p"});
    if (policy.ok()) {
      std::cout << "ok\n";
      continue;
    }
    const mxc::Error& error = policy.error();
    std::string message = error.message();
    for (char& c : message) c = c == '\n' ? ' ' : c;
    std::cout << (error.code() == mxc::Code::kUnsupported ? "UNSUPPORTED " : "INVALID ")
              << (error.position() ? error.position()->pointer : "") << ": " << message << "\n";
  }
}
