// The sandbox's resolver: it knows which names may be asked for, and gives each an address of the pool. It asks nobody.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "linux_runtime/network/gateway/address.h"
#include "shared/network/names.h"

namespace mxc::network {

class NameService {
 public:
  // Under one wildcard; so many names, each of which is looked up outside, could carry data out.
  static constexpr size_t kMostNames = 1024;
  static constexpr size_t kMostBytes = 96;  // in front of what the wildcard stands before
  static constexpr size_t kPoolNames = 60'000;

  struct Refused {
    std::string name;
    std::string origin;  // which rule
  };
  struct Reply {
    std::string message;  // "": none
    std::optional<Refused> refused;
  };

  // default_allow: names that no rule is about are answered, and their addresses decide. default_origin: which rule says so.
  NameService(const NameRules& rules, bool default_allow, std::string default_origin)
      : rules_(rules),
        per_rule_(rules.size()),
        default_allow_(default_allow),
        default_origin_(std::move(default_origin)) {}

  // One DNS message to another.
  Reply Answer(std::string_view query);
  // The name that has this address of the pool.
  const std::string* NameOf(const Address& address) const;
  static bool IsOfPool(const Address& address);

 private:
  std::optional<Address> AddressOf(const std::string& name, std::optional<size_t> rule);

  const NameRules& rules_;
  std::vector<size_t> per_rule_;
  bool default_allow_;
  std::string default_origin_;
  std::unordered_map<std::string, uint32_t> numbers_;
  std::vector<std::string> names_;  // by number
};

}  // namespace mxc::network
