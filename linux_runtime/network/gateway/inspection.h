// A look at what passes over a connection before it passes: TLS to a name has to ask for that name.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace mxc::network {

// What becomes of the client's bytes that are held back.
struct Seen {
  bool refuse = false;
  bool done = false;             // all that is held goes on, and all that comes
  size_t release = 0;            // so many of the held bytes go on
  bool wait_for_server = false;  // nothing more of the client is read until OnServer has said something
};

class HelloInspection {
 public:
  // on_refused: why.
  HelloInspection(std::string name, std::function<void(const std::string& why)> on_refused)
      : name_(std::move(name)), on_refused_(std::move(on_refused)) {}

  // held: what the client said and isn't let through yet; end: nothing more comes.
  Seen OnClient(std::string_view held, bool end);
  // first: the server's first bytes, as far as they are known; asked while it is waited for.
  Seen OnServer(std::string_view first);

 private:
  Seen Refuse(const std::string& why);
  std::string name_;
  std::function<void(const std::string& why)> on_refused_;
  bool again_ = false;  // the server asked for another hello
};

}  // namespace mxc::network
