// The proof that a test of a counter-measure tests it: in a build with MXC_WEAKENABLE (//linux_runtime/cli:mxc_weakened,
// testonly, never installed) the environment variable MXC_WITHOUT names counter-measures to leave out, separated by
// commas, and the escape test requires that the door is then open. In every other build Without() is false at compile
// time and neither the code nor a name below is in the program; tests/escape looks for them.
#pragma once

#ifdef MXC_WEAKENABLE
#include <cstdlib>
#include <string_view>
#endif

namespace mxc::sandbox {

#ifdef MXC_WEAKENABLE

inline constexpr bool kWeakenable = true;

// Whether `name` is one of MXC_WITHOUT's. No allocation: it also runs between clone and exec.
inline bool Without(const char* name) {
  const char* list = ::getenv("MXC_WITHOUT");
  std::string_view rest(list == nullptr ? "" : list);
  while (!rest.empty()) {
    size_t comma = rest.find(',');
    if (rest.substr(0, comma) == name) return true;
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  return false;
}

#else

inline constexpr bool kWeakenable = false;
constexpr bool Without(const char*) { return false; }

#endif

class Plan;
// Takes what MXC_WITHOUT names out of a finished plan. Defined in weaken_plan.cc, which only weakened builds compile.
void WeakenPlan(Plan& plan);

}  // namespace mxc::sandbox
