// From a command line to what is asked of mxcd, and from its answers to what is shown; the same on Linux and Windows.
#pragma once

#include <map>
#include <string>

#include "shared/client/host.h"
#include "shared/client/options.h"
#include "shared/wire/message.h"

namespace mxc::client {

// Whether the command goes through mxcd.
bool IsRemote(const Options& options);

struct RemoteCaller {
  std::string cwd;
  std::map<std::string, std::string> env;
};

// The streams of every request that has any; in rising order.
inline constexpr wire::StreamNumbers kRemoteStreams{1, 2, 3};

// terminal: the user's, where the program is to have one. floors: of a client that mxcd can't read them of, so that they are sent
// to it. Errors: the policy can't be read; a variable of --env that isn't
// NAME=VALUE.
Result<wire::Request> RemoteRequest(const Options& options, Host& host, const RemoteCaller& caller,
                                    const std::optional<wire::TerminalSize>& terminal,
                                    const std::vector<NamedText>& floors = {});

// A further request about the program that `first` has started: a signal, another size of its terminal.
wire::Request FurtherRequest(const wire::Request& first, uint32_t id, uint32_t program, wire::Operation operation,
                             int signal, const std::optional<wire::TerminalSize>& size);

// A reply for people: of `list` a table. json: as it came.
std::string ReplyText(const Options& options, const wire::Reply& reply);

}  // namespace mxc::client
