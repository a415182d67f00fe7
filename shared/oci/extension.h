// What the OCI runtime specification has no field for: our annotations under `dev.mxc.`, as types.
//
// Every value is JSON text, so that a spec stays a plain runtime-spec document. An annotation of this prefix that
// ReadExtension does not know is an error: a newer policy is never half enforced by an older runtime.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shared/base/result.h"
#include "shared/network/names.h"
#include "shared/network/ports.h"
#include "shared/network/ruleset.h"

namespace mxc::oci {

inline constexpr char kAnnotationPrefix[] = "dev.mxc.";

// root.path of a spec whose root is dev.mxc.root = "empty". It never exists, so a runtime that doesn't know the
// annotation fails instead of showing the host's root.
inline constexpr char kEmptyRootPath[] = "/proc/dev.mxc.root-is-empty";

enum class OnExposed : uint8_t { kCover, kKill };
enum class OnMissing : uint8_t { kWatch, kRefuse, kSeal };
enum class Identity : uint8_t { kSpec, kCaller, kHostRoot };

// A path that is visible but may not be opened, listed, traversed or changed.
struct DeniedPath {
  std::string path;  // absolute, inside the container
  std::string rule;  // who said so, for reports: "p.json#/filesystem/deniedPaths/0"
  bool if_missing_watch = true;
  bool operator==(const DeniedPath&) const = default;
};

struct LandlockSpec {
  bool enabled = true;
  bool required = false;
  bool files = true;                              // false with nesting
  std::optional<std::vector<uint16_t>> tcp_bind;  // ports; absent: TCP is not handled
  std::optional<std::vector<uint16_t>> tcp_connect;
  bool operator==(const LandlockSpec&) const = default;
};

struct Extension {
  // dev.mxc.root: "empty": / is a fresh tmpfs, filled by mounts, symlinks and `files`, read-only once set up.
  bool empty_root = false;
  // dev.mxc.files: files made in the empty root before anything is mounted there (mode 0644): path → content.
  std::map<std::string, std::string> files;
  // dev.mxc.if-present: destinations of bind mounts whose source may be missing (the mount is then left out). A source
  // that is a symbolic link to something visible inside becomes the same link there (/bin → usr/bin).
  std::vector<std::string> if_present;
  // dev.mxc.windows: names of Windows for paths of grants and denials ("/mnt/c/dir" → "C:\\dir"). What is granted or denied is
  // what a walk from that drive's own mount finds, which crosses no link and no other mount, whatever lies at the path.
  std::map<std::string, std::string> windows;
  // dev.mxc.caller-owned: destinations of bind mounts that show the caller's files as the container user's own
  // (idmapped when started as root, decision 10).
  std::vector<std::string> caller_owned;
  std::vector<DeniedPath> denied;            // dev.mxc.denied
  std::vector<DeniedPath> protect;           // dev.mxc.protect: read-only when there, can't be created
  OnExposed on_exposed = OnExposed::kCover;  // dev.mxc.on-exposed: "cover" | "kill"
  OnMissing on_missing = OnMissing::kWatch;  // dev.mxc.on-missing: "watch" | "refuse" | "seal"
  // dev.mxc.identity: "caller": ids by decision 10; "host-root": host ids unchanged; absent: as linux.uidMappings say.
  Identity identity = Identity::kSpec;
  bool own_session = false;              // dev.mxc.isolation: "session": ids and a home of its own, which mxcd gives
  std::optional<LandlockSpec> landlock;  // dev.mxc.landlock; absent: none (a plain OCI bundle)
  bool nesting = false;                  // dev.mxc.nesting
  bool init = false;                     // dev.mxc.init: a reaper of ours is pid 1
  uint32_t timeout_ms = 0;               // dev.mxc.timeout-ms; 0: none
  // dev.mxc.named-limits: names of limits (memory, cpu, pids) that are refused, not weakened, when unenforceable.
  std::vector<std::string> named_limits;
  // dev.mxc.network: the egress rules, a line each (network::Spell). Empty: no network but the loopback device.
  network::Ruleset network;
  network::NameRules names;                 // dev.mxc.names: which names may be connected to, a line each
  std::optional<uint64_t> name_sent_bytes;  // dev.mxc.name-sent-bytes: the most that may go to one name
  network::PortRules ports;                 // dev.mxc.ports: what is shared with the host's ports, a line each
  std::string run_name;                     // dev.mxc.run
  std::string policy_digest;                // dev.mxc.policy-digest: "sha256:…"
  std::string profile;                      // dev.mxc.profile

  bool operator==(const Extension&) const = default;
  bool any() const {
    return empty_root || init || landlock || !policy_digest.empty() || !denied.empty() || !protect.empty();
  }
};

// Errors: unknown dev.mxc.* name, malformed value; the position's pointer is /annotations/NAME.
Result<Extension> ReadExtension(const std::map<std::string, std::string>& annotations);

// Adds to `annotations` what differs from the default. ReadExtension(WriteExtension(x)) == x.
void WriteExtension(const Extension& extension, std::map<std::string, std::string>& annotations);

}  // namespace mxc::oci
