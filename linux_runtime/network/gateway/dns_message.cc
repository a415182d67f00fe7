#include "linux_runtime/network/gateway/dns_message.h"

#include <arpa/nameser.h>
#include <resolv.h>

#include <cstring>

#include "shared/policy/domain.h"

namespace mxc::network {
namespace {

constexpr size_t kMaxAliases = 8;

uint16_t Short(std::string_view message, size_t at) {
  return static_cast<uint16_t>(static_cast<uint8_t>(message[at]) << 8 | static_cast<uint8_t>(message[at + 1]));
}
void Append16(std::string& message, uint16_t value) {
  message += static_cast<char>(value >> 8);
  message += static_cast<char>(value);
}
void Append32(std::string& message, uint32_t value) {
  Append16(message, static_cast<uint16_t>(value >> 16));
  Append16(message, static_cast<uint16_t>(value));
}

const unsigned char* Data(std::string_view message) { return reinterpret_cast<const unsigned char*>(message.data()); }

// As ns_parserr writes names. "" for what no host is called.
std::string HostName(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  std::string name = policy::LowerCase(text);
  return policy::IsHostName(name) ? name : "";
}

bool Begin(std::string_view message, ns_msg& parsed) {
  return message.size() >= kDnsHeader && message.size() <= NS_MAXMSG &&
         ::ns_initparse(Data(message), static_cast<int>(message.size()), &parsed) == 0;
}

std::string Head(std::string_view query, size_t end, uint8_t code, uint16_t answers) {
  std::string message(query.substr(0, end));
  // An answer (QR), the query's RD, recursion available.
  message[2] = static_cast<char>((static_cast<uint8_t>(query[2]) & 0x79) | 0x80);
  message[3] = static_cast<char>(0x80 | code);
  std::string counts;
  Append16(counts, end > kDnsHeader ? 1 : 0);
  Append16(counts, answers);
  Append32(counts, 0);
  message.replace(4, 8, counts);
  return message;
}

}  // namespace

std::optional<Question> ParseQuery(std::string_view message) {
  ns_msg parsed;
  ns_rr record;
  if (!Begin(message, parsed) || ns_msg_getflag(parsed, ns_f_qr) != 0 ||
      ns_msg_getflag(parsed, ns_f_opcode) != ns_o_query || ns_msg_count(parsed, ns_s_qd) != 1 ||
      ::ns_parserr(&parsed, ns_s_qd, 0, &record) != 0 || ns_rr_class(record) != ns_c_in) {
    return std::nullopt;
  }
  Question question{HostName(ns_rr_name(record)), static_cast<uint16_t>(ns_rr_type(record)), 0};
  const int length = ::dn_skipname(Data(message) + kDnsHeader, Data(message) + message.size());
  if (length < 0) return std::nullopt;
  question.end = kDnsHeader + static_cast<size_t>(length) + 4;
  if (question.end > message.size()) return std::nullopt;
  return question;
}

std::string MakeAnswer(std::string_view query, const Question& question, uint8_t code, const Address* address,
                       uint32_t ttl) {
  std::string message = Head(query, question.end, code, address != nullptr ? 1 : 0);
  if (address == nullptr) return message;
  Append16(message, 0xC000 | kDnsHeader);  // the question's name
  Append16(message, question.type);
  Append16(message, ns_c_in);
  Append32(message, ttl);
  const size_t size = address->v6 ? 16 : 4;
  Append16(message, static_cast<uint32_t>(size));
  message.append(reinterpret_cast<const char*>(address->bytes.data()), size);
  return message;
}

std::string MakeError(std::string_view query, uint8_t code) {
  // To an answer nobody answers.
  if (query.size() < kDnsHeader || (static_cast<uint8_t>(query[2]) & 0x80) != 0) return "";
  return Head(query, kDnsHeader, code, 0);
}

std::string MakeQuery(uint16_t id, const std::string& name, uint16_t type) {
  std::string message;
  Append16(message, id);
  Append16(message, 0x0100);  // recursion desired
  Append16(message, 1);
  Append16(message, 0);
  Append32(message, 0);
  for (size_t begin = 0; begin <= name.size();) {
    const size_t dot = std::min(name.find('.', begin), name.size());
    message += static_cast<char>(dot - begin);
    message.append(name, begin, dot - begin);
    begin = dot + 1;
  }
  message += '\0';
  Append16(message, type);
  Append16(message, ns_c_in);
  return message;
}

std::optional<Response> ParseResponse(std::string_view message, uint16_t id, const std::string& name, uint16_t type) {
  ns_msg parsed;
  ns_rr record;
  if (!Begin(message, parsed) || Short(message, 0) != id || ns_msg_getflag(parsed, ns_f_qr) == 0 ||
      ns_msg_count(parsed, ns_s_qd) != 1 || ::ns_parserr(&parsed, ns_s_qd, 0, &record) != 0 ||
      HostName(ns_rr_name(record)) != name || ns_rr_type(record) != type) {
    return std::nullopt;
  }
  Response response;
  response.code = static_cast<uint8_t>(ns_msg_getflag(parsed, ns_f_rcode));
  response.truncated = ns_msg_getflag(parsed, ns_f_tc) != 0;
  std::string owner = name;
  size_t aliases = 0;
  for (int i = 0; i < ns_msg_count(parsed, ns_s_an); ++i) {
    if (::ns_parserr(&parsed, ns_s_an, i, &record) != 0) break;
    if (ns_rr_class(record) != ns_c_in || HostName(ns_rr_name(record)) != owner) continue;
    if (ns_rr_type(record) == ns_t_cname && ++aliases <= kMaxAliases) {
      char target[NS_MAXDNAME];
      if (::ns_name_uncompress(ns_msg_base(parsed), ns_msg_end(parsed), ns_rr_rdata(record), target, sizeof target) <
          0) {
        break;
      }
      owner = HostName(target);
      if (owner.empty()) break;
    } else if (ns_rr_type(record) == type && ns_rr_rdlen(record) == (type == kTypeA ? 4 : 16)) {
      uint8_t bytes[16] = {};
      std::memcpy(bytes, ns_rr_rdata(record), ns_rr_rdlen(record));
      Address address = Address::V6(bytes);
      if (type == kTypeA) {
        address = {};
        std::memcpy(address.bytes.data(), bytes, 4);
      }
      response.addresses.push_back(address);
    }
  }
  return response;
}

}  // namespace mxc::network
