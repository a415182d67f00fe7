// Why something is allowed or refused: which rule decides, where it stands, and what would change it. For `mxc why`.
// Answers are about the policy as resolved; what the objects on disk are (links, other users' permissions) is not looked at.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "shared/base/result.h"
#include "shared/policy/effective.h"

namespace mxc::policy {

enum class Operation : uint8_t { kRead, kList, kWrite, kCreate, kDelete, kExecute };

// "read", "list", "write", "create", "delete", "execute".
Result<Operation> ParseOperation(std::string_view name);
std::string_view Spell(Operation operation);

enum class Verdict : uint8_t { kAllowed, kDenied, kConditional };

struct Answer {
  std::string question;  // "write /home/u/proj/x"
  Verdict verdict = Verdict::kDenied;
  std::string how;     // what a program sees: "EACCES", "ENOENT", "EROFS", …; "" when allowed
  std::string rule;    // the rule that decides, in words
  std::string origin;  // where it stands; "" when nothing said so
  std::string remedy;  // what would allow it, with the JSON to add; "" when allowed
};

// `path` in normal form.
Answer WhyPath(const EffectivePolicy& policy, Operation operation, std::string_view path);

// `address` as the user wrote it: an address or a name, with or without a port.
Answer WhyAddress(const EffectivePolicy& policy, std::string_view address);

// What a seccomp list says about a call; whoever knows the lists gives this.
struct SyscallVerdict {
  Verdict verdict = Verdict::kDenied;
  std::string how;         // "EPERM", "ENOSYS", "killed"
  std::string reason;      // the list's own words, with conditions
  std::string allowed_by;  // names of lists that allow it, "ml, build"; "" if none does
};
using SyscallLookup = std::function<SyscallVerdict(std::string_view list, std::string_view syscall)>;

Answer WhySyscall(const EffectivePolicy& policy, std::string_view syscall, const SyscallLookup& lookup);

// A variable of the environment, by name.
Answer WhyVariable(const EffectivePolicy& policy, std::string_view name);

std::string AsText(const Answer& answer);

}  // namespace mxc::policy
