#include "shared/policy/cidr.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <vector>

#include "shared/policy/document.h"

namespace mxc::policy {
namespace {

// A decimal number without leading zeros, at most `max`.
std::optional<unsigned> Decimal(std::string_view text, unsigned max) {
  if (text.empty() || text.size() > 3 || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number > max) return std::nullopt;
  return number;
}

std::vector<std::string_view> Split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (size_t start = 0;;) {
    const size_t end = text.find(at, start);
    parts.push_back(text.substr(start, end - start));
    if (end == std::string_view::npos) return parts;
    start = end + 1;
  }
}

bool ParseV4(std::string_view text, uint8_t* bytes) {
  const auto parts = Split(text, '.');
  if (parts.size() != 4) return false;
  for (size_t i = 0; i < 4; ++i) {
    const auto byte = Decimal(parts[i], 255);
    if (!byte) return false;
    bytes[i] = static_cast<uint8_t>(*byte);
  }
  return true;
}

// Colon-separated groups, appended to `bytes`; the last may be an IPv4 address.
bool ParseGroups(std::string_view text, bool v4_tail, std::vector<uint8_t>& bytes) {
  if (text.empty()) return true;
  const auto groups = Split(text, ':');
  for (size_t i = 0; i < groups.size(); ++i) {
    const std::string_view group = groups[i];
    if (v4_tail && i + 1 == groups.size() && group.find('.') != std::string_view::npos) {
      uint8_t v4[4];
      if (!ParseV4(group, v4)) return false;
      bytes.insert(bytes.end(), v4, v4 + 4);
      return true;
    }
    unsigned number = 0;
    const auto [end, error] = std::from_chars(group.data(), group.data() + group.size(), number, 16);
    if (group.empty() || group.size() > 4 || error != std::errc() || end != group.data() + group.size()) return false;
    bytes.push_back(static_cast<uint8_t>(number >> 8));
    bytes.push_back(static_cast<uint8_t>(number & 0xFF));
  }
  return true;
}

bool ParseV6(std::string_view text, std::array<uint8_t, 16>& address) {
  const size_t gap = text.find("::");
  std::vector<uint8_t> head, tail;
  if (gap == std::string_view::npos) {
    if (!ParseGroups(text, true, head) || head.size() != 16) return false;
  } else {
    if (!ParseGroups(text.substr(0, gap), false, head) || !ParseGroups(text.substr(gap + 2), true, tail)) return false;
    if (head.size() + tail.size() > 14) return false;  // "::" stands for at least one group
  }
  address = {};
  std::copy(head.begin(), head.end(), address.begin());
  std::copy(tail.begin(), tail.end(), address.end() - static_cast<std::ptrdiff_t>(tail.size()));
  return true;
}

// The first `prefix` bits of `address`, the rest zero.
std::array<uint8_t, 16> Masked(std::array<uint8_t, 16> address, unsigned prefix) {
  for (unsigned i = 0; i < 16; ++i) {
    const unsigned bits = prefix > i * 8 ? std::min(prefix - i * 8, 8u) : 0;
    address[i] = static_cast<uint8_t>(address[i] & ~(0xFFu >> bits));
  }
  return address;
}

}  // namespace

bool Cidr::Contains(const Cidr& other) const {
  return v6 == other.v6 && prefix <= other.prefix && Masked(other.address, prefix) == Masked(address, prefix);
}

Result<Cidr> ParseCidr(std::string_view text) {
  const size_t slash = text.find('/');
  const std::string_view host = text.substr(0, slash);
  Cidr cidr;
  cidr.v6 = host.find(':') != std::string_view::npos;
  if (!(cidr.v6 ? ParseV6(host, cidr.address) : ParseV4(host, cidr.address.data()))) {
    return Error(Code::kInvalid, Quote(text) + " is no IP address or CIDR range")
        .WithHint("write \"192.0.2.0/24\" or \"2001:db8::/32\"; host names are not resolved");
  }
  const unsigned bits = cidr.v6 ? 128 : 32;
  cidr.prefix = static_cast<uint8_t>(bits);
  if (slash != std::string_view::npos) {
    const auto prefix = Decimal(text.substr(slash + 1), bits);
    if (!prefix) {
      return Error(Code::kInvalid,
                   Quote(text) + " has no prefix length from 0 to " + std::to_string(bits) + " after the slash");
    }
    cidr.prefix = static_cast<uint8_t>(*prefix);
  }
  if (Masked(cidr.address, cidr.prefix) != cidr.address) {
    return Error(Code::kInvalid, Quote(text) + " has host bits set behind its prefix")
        .WithHint("write the network's own address, or a longer prefix");
  }
  return cidr;
}

}  // namespace mxc::policy
