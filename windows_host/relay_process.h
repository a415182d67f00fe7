// wsl.exe with mxc-relay in a distribution behind it: one child for each mxc.exe, which carries the wire and keeps the distribution alive.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "shared/base/result.h"
#include "shared/wire/opening.h"
#include "windows_host/away_stream.h"
#include "windows_host/handle.h"
#include "windows_host/host_sockets.h"

namespace mxc::windows {

struct RelayOptions {
  std::string distribution;    // name; "": the default one
  std::string user;            // account in it; "": its default user
  bool away_required = false;  // over a socket of the host's, or not at all
};

// %ProgramFiles%\WSL\wsl.exe, else System32's, never looked for in PATH; MXC_WSL_EXE names another one. Error: kNotFound.
Result<std::wstring> FindWsl();

// One argument as CommandLineToArgvW reads it.
std::wstring QuoteArgument(const std::wstring& argument);

class RelayProcess {
 public:
  // Starts it and exchanges greeting and opening (shared/wire/opening.h). From then on a socket of the host's carries the wire, where
  // one can be had and who listens on it knows the key; else the pipes do. wsl.exe gets only its three pipes, an environment of our
  // own, and a job that ends it with us.
  // Errors: kSystem; kNotFound: no wsl.exe; what the relay refuses. What wsl.exe itself said is told.
  static Result<std::unique_ptr<RelayProcess>> Start(const RelayOptions& options, wire::Opening opening,
                                                     HostSockets& sockets);
  ~RelayProcess();
  RelayProcess(const RelayProcess&) = delete;
  RelayProcess& operator=(const RelayProcess&) = delete;

  const wire::Greeting& greeting() const { return greeting_; }
  // Why the pipes carry the wire though there is another way: somebody on it doesn't know the key, or is mute.
  const std::optional<Error>& turned_back() const { return turned_back_; }

  // At least a byte, blocking; "": it is gone.
  std::string Read();
  bool Write(std::string_view bytes);
  void CloseInput();  // the relay passes it on as a half-close

 private:
  RelayProcess();
  Result<void> Launch(const RelayOptions& options);
  Result<void> Open(wire::Opening opening, const RelayOptions& options, HostSockets& sockets);
  Result<void> ReadMore(std::string& bytes);
  Error Silent(const std::string& what);
  void CollectErrors();

  wire::Greeting greeting_;
  std::unique_ptr<AwayStream> away_;
  std::optional<Error> turned_back_;
  UniqueHandle process_, job_, input_, output_, error_;
  std::string early_;  // read behind the opening
  std::string noise_;  // wsl.exe's own words
  std::thread errors_;
  std::mutex lock_;
  std::string said_;  // on its standard error, the first part
  bool late_ = false;
};

}  // namespace mxc::windows
