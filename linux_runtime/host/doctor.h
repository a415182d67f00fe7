// What this host can enforce, one line a thing: found, what that gives, and what to do where it is weaker or missing.
// Nothing is changed and nothing is run but what details.h tries.
#pragma once

#include <string>
#include <vector>

#include "linux_runtime/host/details.h"
#include "shared/base/result.h"
#include "shared/translate/host_facts.h"

namespace mxc::host {

enum class Status : uint8_t {
  kOk,
  kWeaker,   // sandboxes run, with less; what a policy asks for by name and isn't there is refused
  kMissing,  // sandboxes, or all that ask for it, are refused
};
std::string_view StatusName(Status status);

struct Finding {
  Status status = Status::kOk;
  std::string topic;   // "Landlock"
  std::string found;   // "ABI 7"
  std::string gives;   // what it is good for
  std::string advice;  // what to do; empty when nothing is
  bool operator==(const Finding&) const = default;
};

struct Report {
  std::string host;  // "Linux 6.18.44, rootless, cgroup v2"
  std::vector<Finding> findings;
  bool operator==(const Report&) const = default;
};

// The judgement alone, over facts from anywhere.
Report Judge(const translate::HostFacts& facts, const Details& details);

// Of this host. Fails only where ProbeHost does.
Result<Report> Diagnose();

// For a terminal: `width` columns (40 at least), with ANSI colours where asked. Text of the host (names of users,
// groups, distributions) is escaped. Ends with a line that counts.
std::string FormatDoctor(const Report& report, int width = 80, bool color = false);

// {"host": …, "findings": [{"topic", "status", "found", "gives", "advice"}]}, indented.
std::string DoctorJson(const Report& report);

}  // namespace mxc::host
