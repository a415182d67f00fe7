// Names that a program may connect to: x-linux.domains.
//
//   pypi.org            that name
//   *.pythonhosted.org  one label in front of it
//   **.github.com:22    one label or more; that port
//   mirror:8000-8100    a range of ports
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.h"

namespace mxc::policy {

enum class DomainMatch : uint8_t { kExact, kOneLabel, kAnyLabels };

struct PortRange {
  uint16_t first = 1, last = 65535;
  bool operator==(const PortRange&) const = default;
};

struct DomainPattern {
  DomainMatch match = DomainMatch::kExact;
  std::string name;                // lower case, without the wildcard
  std::optional<PortRange> ports;  // absent: allowed are 80 and 443, denied all
  bool operator==(const DomainPattern&) const = default;

  // `host` in lower case, without a dot at its end.
  bool Matches(std::string_view host) const;
};

// What may be connected to by name. deny wins.
struct Domains {
  std::vector<DomainPattern> allow, deny;
  bool operator==(const Domains&) const = default;
  bool empty() const { return allow.empty() && deny.empty(); }
};

// Letters (any case), digits, - and _ in labels of at most 63 bytes, 253 in all (RFC 1035, 2.3.4); no address, no dot at the
// end. Errors are kInvalid and carry no position.
Result<DomainPattern> ParseDomainPattern(std::string_view text);

// As ParseDomainPattern reads it.
std::string SpellDomainPattern(const DomainPattern& pattern);

// In lower case: ASCII only.
std::string LowerCase(std::string_view text);

// Whether these are labels that a name can have, in lower case. What a resolver gets from inside passes here as well.
bool IsHostName(std::string_view name);

}  // namespace mxc::policy
