// A small container for tests of covers: user, mount and pid namespaces, a tmpfs as root, one folder of the host at /w.
// What runs inside is a function of the test, which keeps all capabilities of the container's user namespace.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "linux_runtime/sandbox/cover_keeper.h"

namespace mxc::covers_test {

// Shared by the test's processes.
struct Shared {
  std::atomic<int> stop, started, number;
  std::atomic<long> looks, opened, leaked, longest_us;
};

struct Guarded {
  std::string path;  // below /w
  bool protect = false;
};

struct BoxOptions {
  std::vector<Guarded> names;
  bool keeper = true;
  bool kill_on_exposed = false;
  bool hold_opens = true;
};

struct BoxResult {
  std::vector<sandbox::KeeperEvent> events;
  int wait_status = 0;  // of the container's first process
  bool held_opens = false;
  std::string state;  // the state folder
};

// Host side of a running box. work: the folder that is /w inside.
struct Host {
  std::string work;
  Shared* shared;
  sandbox::CoverKeeper* keeper;
  pid_t pid;
  // Lets the keeper do what its supervisor's loop would, for this long.
  void Serve(int milliseconds) const;
  bool Ended() const;
};

// Throws std::runtime_error when the box can't be made. outside runs while inside does.
BoxResult RunBox(const std::string& work, const BoxOptions& options, const std::function<void(Shared*)>& inside,
                 const std::function<void(const Host&)>& outside);

enum class As { kRoot, kRootless };

// Runs a scenario in a process of its own, as root or as uid 65534, in a fresh folder that is removed afterwards.
// Returns what it complains about, "" when all is well; prints and returns "" when the test isn't root.
std::string Scenario(As as, const std::function<std::string(const std::string& work)>& body);

void Write(const std::string& path, const std::string& text);
std::string Read(const std::string& path);  // "(errno name)" when it can't

// Opens path in a loop until shared->stop; counts opens and opens that read `leak`, and the longest run of them.
void OpenLoop(Shared* shared, const char* path, const char* leak);

}  // namespace mxc::covers_test
