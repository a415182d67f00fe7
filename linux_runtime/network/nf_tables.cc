#include "linux_runtime/network/nf_tables.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <net/if_arp.h>
#include <netinet/in.h>

#include <cstring>

namespace mxc::network {
namespace {

constexpr uint32_t kRegister = NFT_REG_1;
constexpr uint32_t kKnownConnection = 2 | 4;  // NF_CT_STATE_BIT of IP_CT_ESTABLISHED and IP_CT_RELATED
constexpr size_t kInterfaceName = 16;

template <class T>
std::string_view Raw(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

void AddAttribute(std::string& to, uint16_t type, std::string_view data) {
  nlattr header{static_cast<uint16_t>(NLA_HDRLEN + data.size()), type};
  to.append(Raw(header)).append(data);
  to.resize(NLMSG_ALIGN(to.size()));
}
void AddNested(std::string& to, uint16_t type, std::string_view data) {
  AddAttribute(to, static_cast<uint16_t>(type | NLA_F_NESTED), data);
}
// Numbers of nf_tables are big-endian.
void AddNumber(std::string& to, uint16_t type, uint32_t value) { AddAttribute(to, type, Raw(uint32_t{htonl(value)})); }
void AddText(std::string& to, uint16_t type, const std::string& text) {
  AddAttribute(to, type, {text.c_str(), text.size() + 1});
}
void AddValue(std::string& to, uint16_t type, std::string_view value) {
  std::string data;
  AddAttribute(data, NFTA_DATA_VALUE, value);
  AddNested(to, type, data);
}

std::string_view Bytes(const policy::Cidr& range) {
  return {reinterpret_cast<const char*>(range.address.data()), range.v6 ? size_t{16} : size_t{4}};
}

}  // namespace

NftRule& NftRule::Add(std::string_view name, const std::string& data) {
  std::string expression;
  AddText(expression, NFTA_EXPR_NAME, std::string(name));
  AddNested(expression, NFTA_EXPR_DATA, data);
  AddNested(expressions_, NFTA_LIST_ELEM, expression);
  return *this;
}

NftRule& NftRule::Meta(uint32_t key) {
  std::string data;
  AddNumber(data, NFTA_META_KEY, key);
  AddNumber(data, NFTA_META_DREG, kRegister);
  return Add("meta", data);
}

NftRule& NftRule::Compare(uint32_t op, std::string_view value) {
  std::string data;
  AddNumber(data, NFTA_CMP_SREG, kRegister);
  AddNumber(data, NFTA_CMP_OP, op);
  AddValue(data, NFTA_CMP_DATA, value);
  return Add("cmp", data);
}

NftRule& NftRule::Mask(std::string_view mask) {
  std::string data;
  AddNumber(data, NFTA_BITWISE_SREG, kRegister);
  AddNumber(data, NFTA_BITWISE_DREG, kRegister);
  AddNumber(data, NFTA_BITWISE_LEN, static_cast<uint32_t>(mask.size()));
  AddValue(data, NFTA_BITWISE_MASK, mask);
  AddValue(data, NFTA_BITWISE_XOR, std::string(mask.size(), '\0'));
  return Add("bitwise", data);
}

NftRule& NftRule::Load(uint32_t base, uint32_t offset, uint32_t length) {
  std::string data;
  AddNumber(data, NFTA_PAYLOAD_DREG, kRegister);
  AddNumber(data, NFTA_PAYLOAD_BASE, base);
  AddNumber(data, NFTA_PAYLOAD_OFFSET, offset);
  AddNumber(data, NFTA_PAYLOAD_LEN, length);
  return Add("payload", data);
}

NftRule& NftRule::Family(bool v6) {
  const auto family = static_cast<uint8_t>(v6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
  return Meta(NFT_META_NFPROTO).Compare(NFT_CMP_EQ, Raw(family));
}

NftRule& NftRule::Protocol(uint8_t number) { return Meta(NFT_META_L4PROTO).Compare(NFT_CMP_EQ, Raw(number)); }

NftRule& NftRule::Address(const policy::Cidr& range, bool source, uint32_t op) {
  Family(range.v6);
  if (range.prefix == 0) return *this;
  const std::string_view bytes = Bytes(range);
  Load(NFT_PAYLOAD_NETWORK_HEADER, range.v6 ? (source ? 8 : 24) : (source ? 12 : 16),
       static_cast<uint32_t>(bytes.size()));
  if (range.prefix < bytes.size() * 8) {
    std::string mask(bytes.size(), '\0');
    for (size_t bit = 0; bit < range.prefix; ++bit) mask[bit / 8] = static_cast<char>(mask[bit / 8] | 0x80 >> bit % 8);
    Mask(mask);
  }
  return Compare(op, bytes);
}

NftRule& NftRule::To(const policy::Cidr& range) { return Address(range, false, NFT_CMP_EQ); }
NftRule& NftRule::From(const policy::Cidr& range) { return Address(range, true, NFT_CMP_EQ); }
NftRule& NftRule::NotFrom(const policy::Cidr& address) { return Address(address, true, NFT_CMP_NEQ); }

NftRule& NftRule::Icmpv6Type(uint8_t type) {
  return Load(NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1).Compare(NFT_CMP_EQ, Raw(type));
}

NftRule& NftRule::ToPorts(uint16_t first, uint16_t last) {
  Load(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2);
  const uint16_t low = htons(first), high = htons(last);
  if (first == last) return Compare(NFT_CMP_EQ, Raw(low));
  return Compare(NFT_CMP_GTE, Raw(low)).Compare(NFT_CMP_LTE, Raw(high));
}

NftRule& NftRule::Device(uint32_t key, uint32_t op, std::string_view device) {
  Meta(key);
  if (device.ends_with('*')) return Compare(op, device.substr(0, device.size() - 1));
  std::string name(device);
  name.resize(kInterfaceName);
  return Compare(op, name);
}
NftRule& NftRule::InOn(std::string_view device) { return Device(NFT_META_IIFNAME, NFT_CMP_EQ, device); }
NftRule& NftRule::OutOn(std::string_view device) { return Device(NFT_META_OIFNAME, NFT_CMP_EQ, device); }
NftRule& NftRule::NotInOn(std::string_view device) { return Device(NFT_META_IIFNAME, NFT_CMP_NEQ, device); }
NftRule& NftRule::NotOutOn(std::string_view device) { return Device(NFT_META_OIFNAME, NFT_CMP_NEQ, device); }

NftRule& NftRule::InOnLoopback() { return Meta(NFT_META_IIFTYPE).Compare(NFT_CMP_EQ, Raw(uint16_t{ARPHRD_LOOPBACK})); }
NftRule& NftRule::OutOnLoopback() { return Meta(NFT_META_OIFTYPE).Compare(NFT_CMP_EQ, Raw(uint16_t{ARPHRD_LOOPBACK})); }

NftRule& NftRule::OfKnownConnection() {
  std::string data;
  AddNumber(data, NFTA_CT_DREG, kRegister);
  AddNumber(data, NFTA_CT_KEY, NFT_CT_STATE);
  Add("ct", data);
  return Mask(Raw(kKnownConnection)).Compare(NFT_CMP_NEQ, Raw(uint32_t{0}));
}

NftRule& NftRule::HasIpv4Options() {
  Family(false).Load(NFT_PAYLOAD_NETWORK_HEADER, 0, 1);
  return Mask(Raw(uint8_t{0x0F})).Compare(NFT_CMP_NEQ, Raw(uint8_t{5}));  // five words are a header without options
}

NftRule& NftRule::Count() { return Add("counter", {}); }

NftRule& NftRule::Log(uint16_t group, const std::string& prefix) {
  std::string data;
  AddAttribute(data, NFTA_LOG_GROUP, Raw(uint16_t{htons(group)}));
  AddText(data, NFTA_LOG_PREFIX, prefix);
  AddNumber(data, NFTA_LOG_SNAPLEN, 128);
  return Add("log", data);
}

NftRule& NftRule::Verdict(int code, const std::string& chain) {
  std::string verdict, value, data;
  AddNumber(verdict, NFTA_VERDICT_CODE, static_cast<uint32_t>(code));
  if (!chain.empty()) AddText(verdict, NFTA_VERDICT_CHAIN, chain);
  AddNested(value, NFTA_DATA_VERDICT, verdict);
  AddNumber(data, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
  AddNested(data, NFTA_IMMEDIATE_DATA, value);
  return Add("immediate", data);
}
NftRule& NftRule::Accept() { return Verdict(NF_ACCEPT, ""); }
NftRule& NftRule::Drop() { return Verdict(NF_DROP, ""); }
NftRule& NftRule::Jump(const std::string& chain) { return Verdict(NFT_JUMP, chain); }

NftRule& NftRule::ResetTcp() {
  std::string data;
  AddNumber(data, NFTA_REJECT_TYPE, NFT_REJECT_TCP_RST);
  return Add("reject", data);
}

NftRule& NftRule::Masquerade() { return Add("masq", {}); }

NftRule& NftRule::RedirectTo(uint16_t port) {
  std::string load, redirect;
  const uint16_t number = htons(port);
  AddNumber(load, NFTA_IMMEDIATE_DREG, kRegister);
  AddValue(load, NFTA_IMMEDIATE_DATA, Raw(number));
  AddNumber(redirect, NFTA_REDIR_REG_PROTO_MIN, kRegister);
  return Add("immediate", load).Add("redir", redirect);
}

NftRule& NftRule::Label(uint32_t label) {
  label_ = std::string(Raw(label));
  return *this;
}

// ---- transactions ----

NftTransaction::NftTransaction(std::string table) : table_(std::move(table)) {}

NftTransaction& NftTransaction::Message(uint16_t type, uint16_t flags, const std::string& attributes) {
  nlmsghdr header{};
  header.nlmsg_len = static_cast<uint32_t>(NLMSG_LENGTH(sizeof(nfgenmsg)) + attributes.size());
  header.nlmsg_type = static_cast<uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type);
  header.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
  header.nlmsg_seq = ++sequence_;
  const nfgenmsg family{NFPROTO_INET, NFNETLINK_V0, 0};
  messages_.append(Raw(header)).append(Raw(family)).append(attributes);
  return *this;
}

NftTransaction& NftTransaction::MakeTable() {
  std::string attributes;
  AddText(attributes, NFTA_TABLE_NAME, table_);
  return Message(NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, attributes);
}

NftTransaction& NftTransaction::RemoveTable() {
  std::string attributes;
  AddText(attributes, NFTA_TABLE_NAME, table_);
  return Message(NFT_MSG_DELTABLE, 0, attributes);
}

NftTransaction& NftTransaction::MakeChain(const std::string& name) {
  std::string attributes;
  AddText(attributes, NFTA_CHAIN_TABLE, table_);
  AddText(attributes, NFTA_CHAIN_NAME, name);
  return Message(NFT_MSG_NEWCHAIN, NLM_F_CREATE, attributes);
}

NftTransaction& NftTransaction::MakeBaseChain(const std::string& name, const char* type, NftHook hook, int priority,
                                              bool accept) {
  std::string attributes, place;
  AddNumber(place, NFTA_HOOK_HOOKNUM, static_cast<uint32_t>(hook));
  AddNumber(place, NFTA_HOOK_PRIORITY, static_cast<uint32_t>(priority));
  AddText(attributes, NFTA_CHAIN_TABLE, table_);
  AddText(attributes, NFTA_CHAIN_NAME, name);
  AddNested(attributes, NFTA_CHAIN_HOOK, place);
  AddNumber(attributes, NFTA_CHAIN_POLICY, accept ? NF_ACCEPT : NF_DROP);
  AddText(attributes, NFTA_CHAIN_TYPE, type);
  return Message(NFT_MSG_NEWCHAIN, NLM_F_CREATE, attributes);
}

NftTransaction& NftTransaction::Append(const std::string& chain, const NftRule& rule) {
  std::string attributes;
  AddText(attributes, NFTA_RULE_TABLE, table_);
  AddText(attributes, NFTA_RULE_CHAIN, chain);
  AddNested(attributes, NFTA_RULE_EXPRESSIONS, rule.expressions());
  if (!rule.label().empty()) AddAttribute(attributes, NFTA_RULE_USERDATA, rule.label());
  return Message(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, attributes);
}

std::string NftTransaction::Bytes() const {
  const auto frame = [&](uint16_t type, uint32_t sequence, uint16_t flags) {
    nlmsghdr header{};
    header.nlmsg_len = NLMSG_LENGTH(sizeof(nfgenmsg));
    header.nlmsg_type = type;
    header.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
    header.nlmsg_seq = sequence;
    const nfgenmsg family{AF_UNSPEC, NFNETLINK_V0, htons(NFNL_SUBSYS_NFTABLES)};
    return std::string(Raw(header)).append(Raw(family));
  };
  return frame(NFNL_MSG_BATCH_BEGIN, 1, 0) + messages_ + frame(NFNL_MSG_BATCH_END, sequence_ + 1, NLM_F_ACK);
}

}  // namespace mxc::network
