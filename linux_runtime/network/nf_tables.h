// nf_tables over netlink: a table of the inet family made, filled and removed in one transaction, and its counters read.
// Only the expressions that sandboxes need. libnftables is GPL, and a child `nft` for each start takes longer than all else.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "linux_runtime/network/netlink.h"
#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"
#include "shared/policy/cidr.h"

namespace mxc::network {

// The expressions of one rule, matched in order; what comes last is what is done.
class NftRule {
 public:
  // ---- matches ----
  NftRule& Family(bool v6);
  NftRule& Protocol(uint8_t number);
  NftRule& To(const policy::Cidr& range);    // destination; its family, too
  NftRule& From(const policy::Cidr& range);  // source
  NftRule& NotFrom(const policy::Cidr& address);
  NftRule& ToPorts(uint16_t first, uint16_t last);  // of TCP or UDP, which must have been matched
  NftRule& Icmpv6Type(uint8_t type);                // ICMPv6 must have been matched
  NftRule& InOn(std::string_view device);           // a last '*' stands for any rest
  NftRule& OutOn(std::string_view device);
  NftRule& NotInOn(std::string_view device);
  NftRule& NotOutOn(std::string_view device);
  NftRule& InOnLoopback();
  NftRule& OutOnLoopback();
  NftRule& OfKnownConnection();  // established, or an error about one that is
  NftRule& HasIpv4Options();
  // ---- actions ----
  NftRule& Count();
  NftRule& Log(uint16_t group, const std::string& prefix);
  NftRule& Accept();
  NftRule& Drop();
  NftRule& Jump(const std::string& chain);
  NftRule& ResetTcp();  // answers with RST; TCP must have been matched
  NftRule& Masquerade();
  NftRule& RedirectTo(uint16_t port);  // of the loopback device, in an output chain; TCP or UDP must have been matched
  NftRule& Label(uint32_t label);      // for Counters

  const std::string& expressions() const { return expressions_; }
  const std::string& label() const { return label_; }

 private:
  NftRule& Add(std::string_view name, const std::string& data);
  NftRule& Meta(uint32_t key);
  NftRule& Compare(uint32_t op, std::string_view value);
  NftRule& Mask(std::string_view mask);
  NftRule& Load(uint32_t base, uint32_t offset, uint32_t length);
  NftRule& Address(const policy::Cidr& range, bool source, uint32_t op);
  NftRule& Device(uint32_t key, uint32_t op, std::string_view device);
  NftRule& Verdict(int code, const std::string& chain);
  std::string expressions_, label_;
};

enum class NftHook : uint32_t { kInput = 1, kForward = 2, kOutput = 3, kPostrouting = 4 };

class NftTransaction {
 public:
  explicit NftTransaction(std::string table);

  NftTransaction& MakeTable();
  NftTransaction& RemoveTable();  // an error of the transaction when there is none
  NftTransaction& MakeChain(const std::string& name);
  // type: "filter" or "nat". accept: what becomes of packets that no rule decides.
  NftTransaction& MakeBaseChain(const std::string& name, const char* type, NftHook hook, int priority, bool accept);
  NftTransaction& Append(const std::string& chain, const NftRule& rule);

  // What goes over the socket, complete.
  std::string Bytes() const;

 private:
  NftTransaction& Message(uint16_t type, uint16_t flags, const std::string& attributes);
  std::string table_, messages_;
  uint32_t sequence_ = 1;
};

// A netfilter netlink socket of one network namespace; it keeps that namespace alive.
class Netfilter {
 public:
  static Result<Netfilter> Open();
  static Result<Netfilter> OpenIn(const NetworkNamespace& there);

  // All or nothing. 0 or -errno, the kernel's.
  int Commit(const NftTransaction& transaction);
  // Packets counted, by label, added up over the rules that carry it. Error: kSystem.
  Result<std::map<uint32_t, uint64_t>> Counters(const std::string& table, const std::string& chain);

  int fd() const { return socket_.get(); }

 private:
  explicit Netfilter(sys::UniqueFd socket);
  sys::UniqueFd socket_;
};

}  // namespace mxc::network
