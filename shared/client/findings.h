// What a doctor reports, one line a thing: found, what that gives, and what to do where it is weaker or missing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mxc::client {

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

// For a terminal: `width` columns (40 at least), with ANSI colours where asked. Text of the host (names of users,
// groups, distributions) is escaped. Ends with a line that counts.
std::string FormatDoctor(const Report& report, int width = 80, bool color = false);

// {"host": …, "findings": [{"topic", "status", "found", "gives", "advice"}]}, indented.
std::string DoctorJson(const Report& report);

}  // namespace mxc::client
