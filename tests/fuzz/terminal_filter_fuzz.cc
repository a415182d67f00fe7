// Whatever bytes a program writes: nothing forbidden reaches the terminal, chunks don't matter, memory is bounded, and
// what Finish adds is as clean as the rest. The first byte is the size of the chunks.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "linux_runtime/supervise/terminal_check.h"
#include "linux_runtime/supervise/terminal_filter.h"

using mxc::supervise::FindForbidden;
using mxc::supervise::TerminalFilter;

namespace {

void Require(bool holds, const std::string& what) {
  if (holds) return;
  std::fprintf(stderr, "terminal_filter_fuzz: %s\n", what.c_str());
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t chunk = data[0] % 16 + 1;
  std::string_view input(reinterpret_cast<const char*>(data + 1), size - 1);

  TerminalFilter whole;
  std::string at_once;
  whole.Filter(input, at_once);
  Require(at_once.size() <= 3 * input.size() + TerminalFilter::kMaxPending, "the output is too long");
  const std::string offence = FindForbidden(at_once);
  Require(offence.empty(), offence);

  TerminalFilter again;
  std::string twice;
  again.Filter(at_once, twice);
  Require(twice == at_once, "filtering twice changes something");

  TerminalFilter pieces;
  std::string in_pieces;
  for (std::string_view rest = input; !rest.empty(); rest.remove_prefix(std::min(chunk, rest.size()))) {
    pieces.Filter(rest.substr(0, chunk), in_pieces);
  }
  Require(in_pieces == at_once, "chunks change the output");

  std::string end;
  whole.Finish(end);
  Require(FindForbidden(at_once + end).empty(), "what Finish adds is forbidden: " + FindForbidden(at_once + end));
  std::string second;
  whole.Finish(second);
  Require(second.empty(), "Finish adds something twice");
  return 0;
}
