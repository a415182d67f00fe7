#include "linux_runtime/network/rtnetlink.h"

#include <sys/socket.h>

#include <cstring>

#include "linux_runtime/network/netlink.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::network {
Request::Request(uint16_t type, uint16_t flags, const void* body, size_t size) {
  nlmsghdr header{};
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<uint16_t>(flags | NLM_F_REQUEST);
  header.nlmsg_len = static_cast<uint32_t>(NLMSG_LENGTH(size));
  bytes_.assign(reinterpret_cast<const char*>(&header), sizeof header);
  bytes_.append(static_cast<const char*>(body), size);
  bytes_.resize(NLMSG_ALIGN(bytes_.size()));
}

Request& Request::Add(uint16_t attribute, std::string_view data) {
  rtattr header{};
  header.rta_len = static_cast<uint16_t>(RTA_LENGTH(data.size()));
  header.rta_type = attribute;
  bytes_.append(reinterpret_cast<const char*>(&header), sizeof header);
  bytes_.append(data);
  bytes_.resize(NLMSG_ALIGN(bytes_.size()));
  const uint32_t length = static_cast<uint32_t>(bytes_.size());
  std::memcpy(bytes_.data() + offsetof(nlmsghdr, nlmsg_len), &length, sizeof length);
  return *this;
}

Request& Request::AddNumber(uint16_t attribute, uint32_t value) {
  return Add(attribute, {reinterpret_cast<const char*>(&value), sizeof value});
}

std::vector<std::pair<uint16_t, std::string>> Answer::Attributes(size_t size) const {
  std::vector<std::pair<uint16_t, std::string>> found;
  size_t at = NLMSG_ALIGN(size);
  while (at + sizeof(rtattr) <= body.size()) {
    rtattr header;
    std::memcpy(&header, body.data() + at, sizeof header);
    if (header.rta_len < sizeof header || at + header.rta_len > body.size()) break;
    found.emplace_back(header.rta_type & NLA_TYPE_MASK,
                       body.substr(at + sizeof header, header.rta_len - sizeof header));
    at += RTA_ALIGN(header.rta_len);
  }
  return found;
}

Result<Rtnetlink> Rtnetlink::Open() { return Rtnetlink(MXC_TRY(OpenNetlink(NETLINK_ROUTE))); }

Result<Rtnetlink> Rtnetlink::OpenIn(const NetworkNamespace& there) {
  return Rtnetlink(MXC_TRY(OpenNetlinkIn(there, NETLINK_ROUTE)));
}

// Until the end of a dump, or an acknowledgement: 0 or -errno.
int Rtnetlink::Collect(std::vector<Answer>* answers) {
  int result = 0;
  const int error = ReadNetlink(socket_.get(), [&](const nlmsghdr& header, std::string_view body) {
    if (header.nlmsg_type == NLMSG_DONE) return false;
    if (header.nlmsg_type == NLMSG_ERROR) {
      result = NetlinkError(body);
      return false;
    }
    if (answers != nullptr) answers->push_back({header.nlmsg_type, std::string(body)});
    return true;
  });
  return error < 0 ? error : result;
}

int Rtnetlink::Send(const Request& request, uint16_t more_flags) {
  std::string bytes = request.bytes();
  nlmsghdr header;
  std::memcpy(&header, bytes.data(), sizeof header);
  header.nlmsg_flags = static_cast<uint16_t>(header.nlmsg_flags | more_flags);
  std::memcpy(bytes.data(), &header, sizeof header);
  long sent = sys::Check(::send(socket_.get(), bytes.data(), bytes.size(), 0));
  return sent < 0 ? static_cast<int>(sent) : 0;
}

int Rtnetlink::Do(const Request& request) {
  int error = Send(request, NLM_F_ACK);
  return error < 0 ? error : Collect(nullptr);
}

Result<std::vector<Answer>> Rtnetlink::Ask(const Request& request, bool dump) {
  std::vector<Answer> answers;
  // Of a single answer, too, the end has to be seen: the acknowledgement is.
  int error = Send(request, dump ? NLM_F_DUMP : NLM_F_ACK);
  if (error == 0) error = Collect(&answers);
  if (error < 0) return sys::SystemError("ask the kernel by rtnetlink", -error);
  return answers;
}

}  // namespace mxc::network
