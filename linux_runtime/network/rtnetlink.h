// rtnetlink(7): requests to one network namespace and their answers. Only what the runtime needs of links and addresses.
#pragma once

#include <linux/rtnetlink.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "linux_runtime/network/netlink.h"
#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"

namespace mxc::network {

// A message under construction: a header, the family's structure, attributes.
class Request {
 public:
  // flags: NLM_F_*; NLM_F_REQUEST is added.
  template <typename Body>
  Request(uint16_t type, uint16_t flags, const Body& body) : Request(type, flags, &body, sizeof body) {}

  Request& Add(uint16_t attribute, std::string_view data);
  Request& AddNumber(uint16_t attribute, uint32_t value);
  // A name as the kernel wants it, with its NUL.
  Request& AddName(uint16_t attribute, const std::string& name) {
    return Add(attribute, {name.c_str(), name.size() + 1});
  }
  const std::string& bytes() const { return bytes_; }

 private:
  Request(uint16_t type, uint16_t flags, const void* body, size_t size);
  std::string bytes_;
};

// One message of an answer: its type and what follows the header.
struct Answer {
  uint16_t type = 0;
  std::string body;

  // The attributes that follow a structure of `size` bytes: type and data each.
  std::vector<std::pair<uint16_t, std::string>> Attributes(size_t size) const;
};

class Rtnetlink {
 public:
  // As OpenNetlink and OpenNetlinkIn (netlink.h).
  static Result<Rtnetlink> Open();
  static Result<Rtnetlink> OpenIn(const NetworkNamespace& there);

  // Sends a request and waits for its acknowledgement: 0 or -errno, the kernel's.
  int Do(const Request& request);
  // Sends a request and collects the answers; dump: all that there are. Error: kSystem with the kernel's errno.
  Result<std::vector<Answer>> Ask(const Request& request, bool dump);

 private:
  explicit Rtnetlink(sys::UniqueFd socket) : socket_(std::move(socket)) {}
  int Send(const Request& request, uint16_t more_flags);
  int Collect(std::vector<Answer>* answers);
  sys::UniqueFd socket_;
};

}  // namespace mxc::network
