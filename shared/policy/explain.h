// A resolved policy as a person reads it: one line a fact, with what said so. For `mxc check`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shared/policy/effective.h"

namespace mxc::policy {

struct Fact {
  std::string name;    // "memory", "rw"
  std::string value;   // "2 GiB", "/home/u/proj"
  std::string origin;  // "p.json:3 /filesystem/readwritePaths/0", "profile default"
};

struct Section {
  std::string title;
  std::vector<Fact> facts;
};

// "p.json:3 /x-linux/hostname", "profile secrets:12", "built in", "managed floor /etc/mxc/policy.d/10.yaml:4".
std::string DescribeOrigin(const Origin& origin);

// Untrusted text for a terminal: control characters, bidi overrides and malformed UTF-8 as \xNN or \u{NNNN}.
std::string Printable(std::string_view text);

// "2 GiB", "1536 KiB", "unlimited" for UINT64_MAX.
std::string DescribeBytes(uint64_t bytes);

// What the policy comes to. The base system is one line, and so are the denials and protections that a profile part
// gives, unless `every_path` asks for each.
std::vector<Section> Explain(const EffectivePolicy& policy, bool every_path = false);

// Sections as aligned text. Lines are at most `width` columns where the facts allow it: an origin that doesn't fit
// beside its fact stands below it.
std::string AsText(const std::vector<Section>& sections, size_t width = 80);

}  // namespace mxc::policy
