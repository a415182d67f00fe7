// Keys of the registry, read whole: of the 64-bit view, by exact type.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "shared/base/result.h"

namespace mxc::windows {

// What isn't looked at has its type's number only.
struct OtherType {
  uint32_t type = 0;
  bool operator==(const OtherType&) const = default;
};
struct RegistryValue {
  std::string name;
  std::variant<uint32_t, std::string, OtherType> data;  // REG_DWORD, REG_SZ
};
struct RegistryKey {
  std::vector<RegistryValue> values;
  std::vector<std::string> subkeys;

  const RegistryValue* Find(std::string_view name) const;  // in any case of ASCII letters
  // "", 0: it isn't there, or of another type.
  std::string Text(std::string_view name) const;
  uint32_t Number(std::string_view name) const;
};

enum class Hive : uint8_t { kMachine, kUser };

// path: "SOFTWARE\\Policies\\…". Nothing: the key doesn't exist. Errors: kSystem, kInvalid: it can't be read as a whole.
Result<std::optional<RegistryKey>> ReadRegistryKey(Hive hive, const std::string& path);

bool SameIgnoringAsciiCase(std::string_view left, std::string_view right);

}  // namespace mxc::windows
