// How mxc.exe and the relay that wsl.exe starts in a distribution begin, over the relay's standard streams:
//
//   relay → mxc.exe   kRelayMagic, u32 size, Greeting as JSON
//   mxc.exe → relay   u32 size, Opening as JSON, then the 32 bytes of the connection's key
//   relay → mxc.exe   u32 size, "" or an error's text (the opening is known to mxcd now)
//   mxc.exe → relay   one byte: kStay, and the streams carry the wire from there on; or kAway, and they stay open and silent while the
//                     wire goes over hvsocket (handshake.h)
//
// What comes before the magic are wsl.exe's own messages. All numbers little endian. The pipe is WSL's own, made for this one
// process: what goes over it needs no encryption.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "shared/base/result.h"
#include "shared/wire/secret_stream.h"

namespace mxc::wire {

inline constexpr std::string_view kRelayMagic{"\x7fMXC-RELAY-1\r\n\x1a\n", 16};
inline constexpr size_t kMaxOpening = 16 << 10;  // of each part's JSON
inline constexpr size_t kMaxNoise = 64 << 10;    // before the magic
inline constexpr char kStay = 'S', kAway = 'A';

struct Greeting {
  std::string program;  // "mxc-relay 0.1.0"
  std::string boot_id;  // of the kernel
  std::string vm_id;    // GUID in braces; "": unknown
  uint32_t port = 0;    // of mxcd's hvsocket; 0: none
};

// Who asks, as mxc.exe has it. Claims for the audit, but for `user`, which relay and mxcd act by: the Windows user may be any user
// of his distributions.
struct Opening {
  std::string id;    // kConnectionIdSize bytes as 32 hexadecimal digits
  std::string user;  // account in the distribution to run as; "": its default user
  std::string windows_user, windows_sid, client_path, policy_digest;
};

std::string WriteGreeting(const Greeting& greeting);
Result<Greeting> ReadGreeting(std::string_view json);
std::string WriteOpening(const Opening& opening);
Result<Opening> ReadOpening(std::string_view json);

// Takes a part of u32 size and so many bytes from the front of `bytes`; none: more is needed. Error (kInvalid): larger than
// kMaxOpening.
Result<std::optional<std::string>> TakePart(std::string& bytes);
std::string Part(std::string_view content);

// Finds the magic: what stood before it goes to `noise`, and it and that are taken from `bytes`. False: not there yet. Error
// (kInvalid): more than kMaxNoise without it.
Result<bool> TakeMagic(std::string& bytes, std::string& noise);

}  // namespace mxc::wire
