// Covers on a real kernel: what a container gets when somebody outside replaces, makes or deletes denied names.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>

#include "tests/covers/box.h"

namespace mxc::covers_test {
namespace {

namespace fs = std::filesystem;
using sandbox::KeeperEvent;
using sandbox::KeeperHow;

// What an open by the container yields: 0, or its errno.
long OpenErrno(const char* path, int flags = O_RDONLY) {
  int fd = ::open(path, flags | O_CLOEXEC | O_NONBLOCK, 0666);
  if (fd < 0) return errno;
  ::close(fd);
  return 0;
}

// Inside: answers numbered questions until the end.
void Answer(Shared* shared, const std::function<long(int)>& question) {
  while (shared->stop == 0) {
    if (int number = shared->number; number != 0) {
      shared->looks = question(number);
      shared->number = 0;
    }
    ::usleep(50);
  }
}

// Outside: asks one. The keeper is served meanwhile, as a supervisor would.
long Ask(const Host& host, int number) {
  host.Serve(20);
  host.shared->number = number;
  for (int i = 0; i < 5000 && host.shared->number != 0; ++i) host.Serve(1);
  return host.shared->number == 0 ? host.shared->looks.load() : -1;
}

std::string Expect(const char* what, long got, long expected) {
  if (got == expected) return {};
  return std::string(what) + ": " + std::to_string(got) + " (" + ::strerror(static_cast<int>(got)) + "), expected " +
         std::to_string(expected) + "\n";
}

const KeeperEvent* Find(const BoxResult& result, KeeperHow how, const std::string& path = "") {
  for (const KeeperEvent& event : result.events) {
    if (event.how == how && (path.empty() || event.path == path)) return &event;
  }
  return nullptr;
}

long MicrosecondsNow() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

// What this machine, busy as it is, needs at most to wake a process, and for a rename over a covered name.
struct Machine {
  long late_us = 0, rename_us = 0;
};

// Replaces /w/secret again and again.
Machine ReplaceOften(const Host& host, int times, int pause_us) {
  while (host.shared->started == 0) ::usleep(100);
  Machine machine;
  for (int i = 0; i < times; ++i) {
    Write(host.work + "/new", "leak");
    const long before = MicrosecondsNow();
    ::rename((host.work + "/new").c_str(), (host.work + "/secret").c_str());
    const long renamed = MicrosecondsNow();
    ::usleep(static_cast<useconds_t>(pause_us));
    machine.rename_us = std::max(machine.rename_us, renamed - before);
    machine.late_us = std::max(machine.late_us, MicrosecondsNow() - renamed - pause_us);
  }
  host.Serve(50);
  host.shared->stop = 1;
  for (int i = 0; i < 5000 && !host.Ended(); ++i) ::usleep(1000);
  return machine;
}

bool EndsSoon(const Host& host) {
  for (int i = 0; i < 1000 && !host.Ended(); ++i) {
    host.Serve(1);
    ::usleep(1000);
  }
  return host.Ended();
}

// Two processes that never sleep, for as long as they live.
struct Load {
  pid_t pids[3];
  Load() {
    for (pid_t& pid : pids) {
      pid = ::fork();
      if (pid == 0) {
        for (std::atomic<unsigned long> spins{0};;) ++spins;
      }
    }
  }
  ~Load() {
    for (pid_t pid : pids) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
  }
};

struct Race {
  const char* name;
  As as;
  int times, pause_us;
  bool load;
};

// A process inside opens the denied name in a loop while it is replaced outside.
std::string RunRace(const Race& race, const std::string& work) {
  Write(work + "/secret", "leak");
  std::optional<Load> load;
  if (race.load) load.emplace();
  long opened = 0, longest = 0, looks = 0;
  Machine machine;
  BoxResult result = RunBox(
      work, BoxOptions{.names = {{"secret"}}}, [](Shared* shared) { OpenLoop(shared, "/w/secret", "leak"); },
      [&](const Host& host) {
        machine = ReplaceOften(host, race.times, race.pause_us);
        opened = host.shared->opened;
        longest = host.shared->longest_us;
        looks = host.shared->looks;
      });
  const KeeperEvent* covered = Find(result, KeeperHow::kCovered);
  ::printf(
      "%s: %ld tries, %ld opened, longest window seen inside %ld us; this machine woke others up to %ld us late, a "
      "rename took up to %ld us; keeper: %u times, longest %u us, %u opens refused\n",
      race.name, looks, opened, longest, machine.late_us, machine.rename_us, covered ? covered->count : 0,
      covered ? covered->longest_window_us : 0, covered ? covered->refused_opens : 0);
  std::string complaint;
  if (looks < race.times) complaint += "the container hardly tried\n";
  if (!covered || covered->count < 100) complaint += "the keeper covered too seldom\n";
  if (Find(result, KeeperHow::kKilled)) complaint += "killed\n";
  if (race.as == As::kRoot) {
    if (!result.held_opens) ::printf("left out: this kernel holds no opens, so none is the wrong number to expect\n");
    if (result.held_opens && opened != 0) complaint += "opens succeeded as root\n";
  } else if (race.pause_us >= 10000 && longest >= 10000 + 4 * machine.late_us + machine.rename_us) {
    // On a machine that does nothing else the additions are far below 1 ms; on one that is overloaded they are what
    // nobody can be quicker than.
    complaint += "the window was 10 ms or more\n";
  }
  return complaint;
}

TEST_CASE("a denied file replaced outside, thousands of times") {
  for (const Race& race :
       {Race{"rootless, paced", As::kRootless, 400, 10000, false},
        Race{"rootless, paced, three busy processes", As::kRootless, 400, 10000, true},
        Race{"rootless, a storm", As::kRootless, 2000, 100, true}, Race{"root, paced", As::kRoot, 400, 10000, false},
        Race{"root, a storm, three busy processes", As::kRoot, 3000, 100, true}}) {
    CHECK(Scenario(race.as, [&](const std::string& work) { return RunRace(race, work); }) == "");
  }
}

TEST_CASE("objects of another kind put in the place of denied ones") {
  for (As as : {As::kRootless, As::kRoot}) {
    CHECK(Scenario(as, [&](const std::string& work) {
            Write(work + "/file", "leak");
            Write(work + "/gone", "leak");
            Write(work + "/link", "leak");
            Write(work + "/public", "public");
            fs::create_directories(work + "/folder");
            fs::create_directories(work + "/sub/deep");
            Write(work + "/sub/deep/key", "leak");
            BoxOptions options{.names = {{"file"}, {"folder"}, {"gone"}, {"link"}, {"sub/deep/key"}}};
            std::string out;
            RunBox(
                work, options,
                [](Shared* shared) {
                  Answer(shared, [](int question) {
                    switch (question) {
                      case 1:
                        return OpenErrno("/w/file");
                      case 2:
                        return OpenErrno("/w/file/inner");
                      case 3:
                        return OpenErrno("/w/folder");
                      case 4:
                        return OpenErrno("/w/gone");
                      case 5:
                        return OpenErrno("/w/link");
                      case 6:
                        return OpenErrno("/w/sub/deep/key");
                      case 7:
                        return OpenErrno("/w/public");
                      case 8:
                        return ::unlink("/w/file") < 0 ? static_cast<long>(errno) : 0L;
                      case 9:
                        // EOVERFLOW: the owner is no id here.
                        if (::chmod("/w/gone", 0777) == 0) return -1L;
                        return errno == EPERM || errno == EOVERFLOW ? 0L : static_cast<long>(errno);
                      case 10:
                        return OpenErrno("/w/file", O_PATH);
                      case 11:
                        return OpenErrno("/w/gone", O_WRONLY);
                      default:
                        return -1L;
                    }
                  });
                },
                [&](const Host& host) {
                  for (int question : {1, 3, 4, 5, 6}) out += Expect("at the start", Ask(host, question), EACCES);
                  out += Expect("a file with no rule", Ask(host, 7), 0);
                  fs::remove(work + "/file");
                  fs::create_directories(work + "/file");
                  Write(work + "/file/inner", "leak");
                  out += Expect("a folder in a file's place", Ask(host, 1), EACCES);
                  out += Expect("a file in that folder", Ask(host, 2), EACCES);
                  fs::remove(work + "/folder");
                  Write(work + "/folder", "leak");
                  out += Expect("a file in a folder's place", Ask(host, 3), EACCES);
                  fs::remove(work + "/gone");
                  out += Expect("a deleted name", Ask(host, 4), ENOENT);
                  Write(work + "/gone", "leak");
                  out += Expect("a name deleted and made again", Ask(host, 4), EACCES);
                  out += Expect("chmod of it is refused", Ask(host, 9), 0);
                  out += Expect("writing", Ask(host, 11), EACCES);
                  fs::remove(work + "/link");
                  fs::create_symlink("public", work + "/link");
                  out += Expect("a symbolic link in a file's place", Ask(host, 5), EACCES);
                  fs::rename(work + "/sub", work + "/sub.old");
                  fs::create_directories(work + "/sub/deep");
                  Write(work + "/sub/deep/key", "leak");
                  out += Expect("a way made anew", Ask(host, 6), EACCES);
                  fs::remove_all(work + "/sub/deep");
                  fs::create_directories(work + "/elsewhere");
                  Write(work + "/elsewhere/key", "leak");
                  fs::rename(work + "/elsewhere", work + "/sub/deep");
                  out += Expect("a filled folder moved into the way", Ask(host, 6), EACCES);
                  fs::remove_all(work + "/sub/deep");
                  Write(work + "/sub.old/deep/other", "x");
                  fs::create_directory_symlink("../sub.old/deep", work + "/sub/deep");
                  out += Expect("a symbolic link in the way", Ask(host, 6), ENOTDIR);
                  out += Expect("unlink", Ask(host, 8) == 0, 0);
                  out += Expect("O_PATH works", Ask(host, 10), 0);
                });
            return out;
          }) == "");
  }
}

TEST_CASE("names that don't exist yet") {
  for (As as : {As::kRootless, As::kRoot}) {
    CHECK(Scenario(as, [&](const std::string& work) {
            fs::create_directories(work + "/repo");
            fs::permissions(work + "/repo", fs::perms::all);
            BoxOptions options{
                .names = {{"outside"}, {"inside"}, {"made/later/key"}, {"repo/hook", true}, {"hook2", true}}};
            std::string out;
            bool known = false;
            BoxResult result = RunBox(
                work, options,
                [](Shared* shared) {
                  ::umask(0);
                  Answer(shared, [](int question) {
                    int fd;
                    switch (question) {
                      case 1:
                        return OpenErrno("/w/outside");
                      case 2:
                        fd = ::open("/w/inside", O_CREAT | O_WRONLY, 0666);
                        return fd < 0 ? static_cast<long>(errno) : 0L;
                      case 3:
                        return OpenErrno("/w/made/later/key");
                      case 4:
                        return ::mkdir("/w/repo/hook", 0777) < 0 ? static_cast<long>(errno) : 0L;
                      case 5:
                        return OpenErrno("/w/repo/hook/x", O_CREAT | O_WRONLY);
                      case 6:
                        return OpenErrno("/w/hook2", O_WRONLY);
                      case 7:
                        return OpenErrno("/w/hook2", O_RDONLY);
                      default:
                        return OpenErrno("/w/inside");
                    }
                  });
                },
                [&](const Host& host) {
                  Write(work + "/outside", "mine");
                  out += Expect("made outside", Ask(host, 1), EACCES);
                  fs::create_directories(work + "/made/later");
                  Write(work + "/made/later/key", "mine");
                  out += Expect("made outside with its way", Ask(host, 3), EACCES);
                  Write(work + "/hook2", "mine");
                  out += Expect("protected, made outside, written", Ask(host, 6), EROFS);
                  out += Expect("protected, made outside, read", Ask(host, 7), 0);
                  Ask(host, 2);
                  Ask(host, 4);
                  host.Serve(30);
                  known = as == As::kRoot && host.keeper->holds_opens();
                  if (known) {
                    if (fs::exists(work + "/inside")) out += "made inside, still there at once\n";
                    if (fs::exists(work + "/repo/hook")) out += "protected, made inside, still there at once\n";
                  } else {
                    out += Expect("made inside, opened again", Ask(host, 8), EACCES);
                    out += Expect("protected, made inside, written", Ask(host, 5), EROFS);
                  }
                });
            for (const char* name : {"inside", "repo/hook"}) {
              if (fs::exists(work + "/" + name)) out += std::string(name) + " was left in the tree\n";
              const KeeperEvent* moved = Find(result, KeeperHow::kMoved, std::string("/w/") + name);
              if (!moved) {
                out += std::string(name) + " isn't reported as moved\n";
              } else if (!fs::exists(result.state + "/" + moved->detail)) {
                out += std::string(name) + " isn't in the state folder\n";
              }
            }
            for (const char* name : {"outside", "hook2"}) {
              if (known && Read(work + "/" + name) != "mine") out += std::string(name) + " made outside is gone\n";
            }
            // Made before its new folder could be watched, somebody inside may have made it: it stays, or is moved away whole.
            const KeeperEvent* moved = Find(result, KeeperHow::kMoved, "/w/made/later/key");
            const std::string kept = moved ? result.state + "/" + moved->detail : work + "/made/later/key";
            if (Read(kept) != "mine") out += "made/later/key made outside is neither there nor in the state folder\n";
            return out;
          }) == "");
  }
}

TEST_CASE("a hundred denied names, replaced in turn") {
  for (As as : {As::kRootless, As::kRoot}) {
    CHECK(Scenario(as, [&](const std::string& work) {
            BoxOptions options;
            for (int i = 0; i < 100; ++i) {
              const std::string name = "d" + std::to_string(i % 10) + "/n" + std::to_string(i);
              fs::create_directories(work + "/d" + std::to_string(i % 10));
              Write(work + "/" + name, "leak");
              options.names.push_back({name});
            }
            std::string out;
            BoxResult result = RunBox(
                work, options,
                [](Shared* shared) {
                  Answer(shared, [](int) {
                    long open = 0;
                    for (int i = 0; i < 100; ++i) {
                      const std::string name = "/w/d" + std::to_string(i % 10) + "/n" + std::to_string(i);
                      if (OpenErrno(name.c_str()) != EACCES) ++open;
                    }
                    return open;
                  });
                },
                [&](const Host& host) {
                  out += Expect("open at the start", Ask(host, 1), 0);
                  for (int round = 0; round < 5; ++round) {
                    for (const Guarded& name : options.names) {
                      Write(work + "/new", "leak");
                      fs::rename(work + "/new", work + "/" + name.path);
                    }
                    out += Expect("open after a round", Ask(host, 1), 0);
                  }
                });
            unsigned count = 0;
            for (const KeeperEvent& event : result.events) count += event.how == KeeperHow::kCovered;
            if (count != 100) out += std::to_string(count) + " of 100 names reported as covered\n";
            return out;
          }) == "");
  }
}

TEST_CASE("on_exposed: kill") {
  for (As as : {As::kRootless, As::kRoot}) {
    CHECK(Scenario(as, [&](const std::string& work) {
            Write(work + "/secret", "leak");
            BoxOptions options{.names = {{"secret"}}, .kill_on_exposed = true};
            std::string out;
            BoxResult result = RunBox(
                work, options, [](Shared* shared) { OpenLoop(shared, "/w/secret", "leak"); },
                [&](const Host& host) {
                  host.Serve(20);
                  if (host.Ended()) out += "killed before anything happened\n";
                  Write(work + "/new", "leak");
                  fs::rename(work + "/new", work + "/secret");
                  if (!EndsSoon(host)) out += "not killed\n";
                });
            if (!Find(result, KeeperHow::kKilled)) out += "not reported as killed\n";
            return out;
          }) == "");
  }
}

TEST_CASE("the guard's death ends the container") {
  CHECK(Scenario(As::kRootless, [&](const std::string& work) {
          Write(work + "/secret", "leak");
          BoxOptions options{.names = {{"secret"}}};
          std::string out;
          BoxResult result = RunBox(
              work, options, [](Shared* shared) { OpenLoop(shared, "/w/secret", "leak"); },
              [&](const Host& host) {
                host.Serve(20);
                // The guard is the other child of this process.
                for (const auto& entry : fs::directory_iterator("/proc/self/task/" + std::to_string(::getpid()))) {
                  if (entry.path().filename() != "children") continue;
                  std::ifstream children(entry.path());
                  for (int pid = 0; children >> pid;) {
                    if (pid != host.pid) ::kill(pid, SIGKILL);
                  }
                }
                if (!EndsSoon(host)) out += "not killed\n";
              });
          if (!Find(result, KeeperHow::kGuardDied)) out += "not reported\n";
          return out;
        }) == "");
}

TEST_CASE("what is made, changed and deleted outside shows up inside at once") {
  for (As as : {As::kRootless, As::kRoot}) {
    CHECK(Scenario(as, [&](const std::string& work) {
            Write(work + "/secret", "leak");
            fs::create_directories(work + "/src");
            std::string out;
            RunBox(
                work, BoxOptions{.names = {{"secret"}}},
                [](Shared* shared) {
                  Answer(shared, [](int question) {
                    struct stat stat {};
                    const char* path = question == 1 ? "/w/src/a" : "/w/b";
                    return ::stat(path, &stat) < 0 ? -static_cast<long>(errno) : static_cast<long>(stat.st_size);
                  });
                },
                [&](const Host& host) {
                  for (int question : {1, 2}) {
                    const std::string path = work + (question == 1 ? "/src/a" : "/b");
                    out += Expect("not there", Ask(host, question), -ENOENT);
                    Write(path, "abc");
                    out += Expect("made", Ask(host, question), 3);
                    Write(path + "2", "abcdef");
                    fs::rename(path + "2", path);
                    out += Expect("replaced", Ask(host, question), 6);
                    fs::remove(path);
                    out += Expect("deleted", Ask(host, question), -ENOENT);
                  }
                });
            return out;
          }) == "");
  }
}

}  // namespace
}  // namespace mxc::covers_test
