#include "linux_runtime/network/gateway/inspection.h"

#include "linux_runtime/network/gateway/tls_hello.h"

namespace mxc::network {

Seen HelloInspection::Refuse(const std::string& why) {
  on_refused_(why);
  return {.refuse = true};
}

Seen HelloInspection::OnClient(std::string_view held, bool end) {
  if (held.empty()) return {.done = end};
  const Hello hello = again_ ? ReadSecondHello(held) : ReadHello(held);
  if (hello.kind == HelloKind::kPartial && !end) return {};
  if (hello.kind == HelloKind::kNotTls) return {.done = true};
  if (hello.kind != HelloKind::kNamed) return Refuse("its TLS says no name (SNI)");
  if (hello.name != name_) return Refuse("its TLS asks for another name: " + hello.name);
  if (again_) return {.done = true};
  return {.release = hello.size, .wait_for_server = true};
}

Seen HelloInspection::OnServer(std::string_view first) {
  switch (ReadServerHello(first)) {
    case ServerSays::kPartial:
      return {.wait_for_server = true};
    case ServerSays::kRetry:
      again_ = true;
      return {};
    case ServerSays::kSomething:
      return {.done = true};
  }
  return {.refuse = true};
}

}  // namespace mxc::network
