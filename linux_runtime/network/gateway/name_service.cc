#include "linux_runtime/network/gateway/name_service.h"

#include "linux_runtime/network/gateway/dns_message.h"
#include "linux_runtime/network/rules.h"

namespace mxc::network {
namespace {

constexpr uint32_t kTimeToLive = 300;
constexpr uint32_t kFirst = 256;  // 198.19.1.0; the resolver is in front of them

uint32_t PoolStart() { return Address::Of(NamePool()).AsV4(); }

}  // namespace

bool NameService::IsOfPool(const Address& address) { return NamePool().Contains(address.AsCidr()); }

const std::string* NameService::NameOf(const Address& address) const {
  if (!IsOfPool(address)) return nullptr;
  const uint32_t number = address.AsV4() - PoolStart();
  return number < kFirst || number - kFirst >= names_.size() ? nullptr : &names_[number - kFirst];
}

std::optional<Address> NameService::AddressOf(const std::string& name, std::optional<size_t> rule) {
  const auto known = numbers_.find(name);
  if (known != numbers_.end()) return Address::V4(PoolStart() + kFirst + known->second);
  if (names_.size() >= kPoolNames) return std::nullopt;
  if (rule && rules_[*rule].pattern.match != policy::DomainMatch::kExact) {
    if (name.size() - rules_[*rule].pattern.name.size() - 1 > kMostBytes) return std::nullopt;
    if (per_rule_[*rule] >= kMostNames) return std::nullopt;
    ++per_rule_[*rule];
  }
  const auto number = static_cast<uint32_t>(names_.size());
  names_.push_back(name);
  numbers_[name] = number;
  return Address::V4(PoolStart() + kFirst + number);
}

NameService::Reply NameService::Answer(std::string_view query) {
  const std::optional<Question> question = ParseQuery(query);
  if (!question) return {MakeError(query, kFormatError), {}};
  const auto answer = [&](uint8_t code, const Address* address) {
    return MakeAnswer(query, *question, code, address, address != nullptr ? kTimeToLive : 0);
  };
  if (question->name.empty()) return {answer(kNameError, nullptr), {}};
  const std::optional<size_t> rule = DecideLookup(rules_, question->name);
  if (rule ? !rules_[*rule].allow : !default_allow_) {
    // Programs look for the name of an address for their logs; that is no attempt to reach anything.
    if (question->name.ends_with(".arpa")) return {answer(kNameError, nullptr), {}};
    return {answer(kNameError, nullptr), Refused{question->name, rule ? rules_[*rule].origin : default_origin_}};
  }
  if (question->type != kTypeA) return {answer(kNoError, nullptr), {}};
  const std::optional<Address> address = AddressOf(question->name, rule);
  if (!address) {
    return {answer(kRefused, nullptr), Refused{question->name, "more or longer names than a sandbox may ask for"}};
  }
  return {answer(kNoError, &*address), {}};
}

}  // namespace mxc::network
