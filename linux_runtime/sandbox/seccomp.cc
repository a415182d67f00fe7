#include "linux_runtime/sandbox/seccomp.h"

#include <errno.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string_view>

#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/fd.h"

namespace mxc::sandbox {
namespace {

// From this number on, all architectures number their calls alike.
constexpr int kUnifiedNumbers = 424;

struct FreeFilter {
  void operator()(void* filter) const { seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, FreeFilter>;

Error Invalid(std::string message, std::string pointer) {
  Position position;
  position.pointer = "/linux/seccomp" + std::move(pointer);
  return Error(Code::kInvalid, std::move(message)).WithPosition(std::move(position));
}

Result<uint32_t> ParseAction(const std::string& name, std::optional<uint32_t> data, std::string pointer) {
  uint32_t value = data.value_or(EPERM);
  if (name == "SCMP_ACT_ALLOW") return uint32_t{SCMP_ACT_ALLOW};
  if (name == "SCMP_ACT_KILL" || name == "SCMP_ACT_KILL_THREAD") return uint32_t{SCMP_ACT_KILL_THREAD};
  if (name == "SCMP_ACT_KILL_PROCESS") return uint32_t{SCMP_ACT_KILL_PROCESS};
  if (name == "SCMP_ACT_TRAP") return uint32_t{SCMP_ACT_TRAP};
  if (name == "SCMP_ACT_LOG") return uint32_t{SCMP_ACT_LOG};
  if (name == "SCMP_ACT_NOTIFY") return uint32_t{SCMP_ACT_NOTIFY};
  if (name != "SCMP_ACT_ERRNO" && name != "SCMP_ACT_TRACE")
    return Invalid("the seccomp action '" + name + "' doesn't exist", std::move(pointer));
  // The kernel cuts an errno at MAX_ERRNO, and 16 bits are all that an answer carries.
  uint32_t largest = name == "SCMP_ACT_ERRNO" ? 4095 : 65535;
  if (value > largest)
    return Invalid("errnoRet " + std::to_string(value) + " is above " + std::to_string(largest), std::move(pointer));
  if (name == "SCMP_ACT_ERRNO") return uint32_t{SCMP_ACT_ERRNO(value)};
  return uint32_t{SCMP_ACT_TRACE(value)};
}

Result<scmp_arg_cmp> ParseArg(const oci::SeccompArg& arg, const std::string& pointer) {
  struct Operator {
    std::string_view name;
    scmp_compare value;
  };
  static constexpr Operator kOperators[] = {{"SCMP_CMP_NE", SCMP_CMP_NE},
                                            {"SCMP_CMP_LT", SCMP_CMP_LT},
                                            {"SCMP_CMP_LE", SCMP_CMP_LE},
                                            {"SCMP_CMP_EQ", SCMP_CMP_EQ},
                                            {"SCMP_CMP_GE", SCMP_CMP_GE},
                                            {"SCMP_CMP_GT", SCMP_CMP_GT},
                                            {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ}};
  if (arg.index > 5) return Invalid("a system call has arguments 0 to 5, not " + std::to_string(arg.index), pointer);
  for (const Operator& each : kOperators) {
    if (each.name != arg.op) continue;
    if (each.value == SCMP_CMP_MASKED_EQ) return scmp_arg_cmp{arg.index, each.value, arg.value, arg.value_two};
    return scmp_arg_cmp{arg.index, each.value, arg.value, 0};
  }
  return Invalid("the seccomp operator '" + arg.op + "' doesn't exist", pointer);
}

Result<uint32_t> ParseFlags(const oci::Strings& names) {
  uint32_t flags = 0;
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == "SECCOMP_FILTER_FLAG_TSYNC")
      flags |= sys::kSeccompFlagTsync;
    else if (names[i] == "SECCOMP_FILTER_FLAG_LOG")
      flags |= sys::kSeccompFlagLog;
    else if (names[i] == "SECCOMP_FILTER_FLAG_SPEC_ALLOW")
      flags |= sys::kSeccompFlagSpecAllow;
    else if (names[i] == "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV")
      flags |= sys::kSeccompFlagWaitKillableRecv;
    else
      return Invalid("the seccomp flag '" + names[i] + "' doesn't exist", "/flags/" + std::to_string(i));
  }
  return flags;
}

struct Architectures {
  bool x86 = false, x32 = false;
};

// Those of other processors never run here and need no rules.
Result<Architectures> ParseArchitectures(const oci::Strings& names) {
  static const std::set<std::string_view> kOthers = {
      "X86_64",    "ARM",     "AARCH64",  "LOONGARCH64", "M68K",   "MIPS",     "MIPS64",
      "MIPS64N32", "MIPSEL",  "MIPSEL64", "MIPSEL64N32", "PARISC", "PARISC64", "PPC",
      "PPC64",     "PPC64LE", "RISCV64",  "S390",        "S390X",  "SH",       "SHEB"};
  Architectures found;
  for (size_t i = 0; i < names.size(); ++i) {
    std::string_view name = names[i];
    if (name.starts_with("SCMP_ARCH_")) name.remove_prefix(10);
    if (name == "X86")
      found.x86 = true;
    else if (name == "X32")
      found.x32 = true;
    else if (!kOthers.contains(name) || name.size() == names[i].size())
      return Invalid("the architecture '" + names[i] + "' doesn't exist", "/architectures/" + std::to_string(i));
  }
  return found;
}

struct Rule {
  std::string name;
  int number = 0;            // x86-64's; negative: a call of other architectures only, libseccomp's own numbering
  bool native_only = false;  // libseccomp doesn't know it and can't say its number elsewhere
  uint32_t action = 0;
  std::vector<scmp_arg_cmp> args;
};

// One rule of the list as rules of libseccomp, which takes one condition per argument: where an argument has several,
// each condition becomes a rule (any may hold), as runc has it.
Result<std::vector<std::vector<scmp_arg_cmp>>> ParseArgs(const oci::SeccompSyscall& entry, const std::string& pointer) {
  std::vector<scmp_arg_cmp> all;
  std::set<uint32_t> seen;
  bool repeated = false;
  for (size_t i = 0; i < entry.args.size(); ++i) {
    all.push_back(MXC_TRY(ParseArg(entry.args[i], pointer + "/args/" + std::to_string(i))));
    repeated |= !seen.insert(entry.args[i].index).second;
  }
  std::vector<std::vector<scmp_arg_cmp>> rules;
  if (!repeated) {
    rules.push_back(std::move(all));
  } else {
    for (const scmp_arg_cmp& each : all) rules.push_back({each});
  }
  return rules;
}

Result<std::vector<Rule>> ParseRules(const oci::LinuxSeccomp& list, uint32_t default_action, SeccompProgram& program) {
  std::vector<Rule> rules;
  for (size_t i = 0; i < list.syscalls.size(); ++i) {
    const oci::SeccompSyscall& entry = list.syscalls[i];
    std::string pointer = "/syscalls/" + std::to_string(i);
    uint32_t action = MXC_TRY(ParseAction(entry.action, entry.errno_ret, pointer + "/action"));
    auto alternatives = MXC_TRY(ParseArgs(entry, pointer));
    for (const std::string& name : entry.names) {
      Rule rule{name, seccomp_syscall_resolve_name(name.c_str()), false, action, {}};
      if (rule.number == __NR_SCMP_ERROR) {
        rule.number = SyscallNumber(name);
        rule.native_only = true;
      }
      if (rule.number == __NR_SCMP_ERROR) {
        program.skipped.push_back(name);
        continue;
      }
      program.notifies |= action == SCMP_ACT_NOTIFY;
      for (const auto& args : alternatives) {
        rule.args = args;
        rules.push_back(rule);
      }
    }
  }
  program.notifies |= default_action == SCMP_ACT_NOTIFY;
  return rules;
}

Error LibraryError(std::string_view what, int error) {
  return sys::SystemError("compile the seccomp list: " + std::string(what), -error);
}

Result<Filter> MakeFilter(uint32_t default_action, uint32_t architecture) {
  Filter filter(seccomp_init(default_action));
  if (!filter) return Error(Code::kInternal, "libseccomp refuses to start a filter with this default action");
  int error = seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  if (error == 0) error = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  if (error == 0 && architecture != SCMP_ARCH_X86_64) {
    error = seccomp_arch_remove(filter.get(), SCMP_ARCH_X86_64);
    if (error == 0) error = seccomp_arch_add(filter.get(), architecture);
  }
  if (error != 0) return LibraryError("set up the filter", error);
  return filter;
}

Result<void> AddRules(void* filter, const std::vector<Rule>& rules, uint32_t default_action, bool native) {
  for (const Rule& rule : rules) {
    // libseccomp takes no rule that says what the default says.
    if (rule.action == default_action || (rule.native_only && !native)) continue;
    int error = seccomp_rule_add_array(filter, rule.action, rule.number, static_cast<unsigned>(rule.args.size()),
                                       rule.args.data());
    if (error != 0 && error != -EEXIST) return LibraryError("add the rule for " + rule.name, error);
  }
  return {};
}

Result<std::vector<sock_filter>> Export(void* filter) {
  sys::UniqueFd file(::memfd_create("mxc-seccomp", MFD_CLOEXEC));
  if (!file.valid()) return sys::SystemError("compile the seccomp list: make a memory file", errno);
  int error = seccomp_export_bpf(filter, file.get());
  if (error != 0) return LibraryError("export the program", error);
  off_t size = ::lseek(file.get(), 0, SEEK_END);
  std::vector<sock_filter> code(static_cast<size_t>(size) / sizeof(sock_filter));
  ssize_t got = ::pread(file.get(), code.data(), static_cast<size_t>(size), 0);
  if (size <= 0 || got != size) return Error(Code::kInternal, "libseccomp's program can't be read back");
  return code;
}

constexpr sock_filter Load(uint32_t offset) { return {BPF_LD | BPF_W | BPF_ABS, 0, 0, offset}; }
constexpr sock_filter Return(uint32_t value) { return {BPF_RET | BPF_K, 0, 0, value}; }
// Jumps over `yes` or `no` instructions.
constexpr sock_filter If(uint16_t kind, uint32_t value, uint8_t yes, uint8_t no) {
  return {static_cast<uint16_t>(BPF_JMP | kind | BPF_K), yes, no, value};
}

// What stands before libseccomp's program; see the header. newest: above it a number gets ENOSYS; -1: none does.
std::vector<sock_filter> Prologue(const Architectures& also, int newest) {
  const sock_filter no_sys = Return(sys::kSeccompErrno | ENOSYS);
  std::vector<sock_filter> native, x32, i386;
  if (newest >= 0) native = {If(BPF_JGT, static_cast<uint32_t>(newest), 0, 1), no_sys};

  x32 = {If(BPF_JEQ, 0xffffffff, 0, 1), Return(sys::kSeccompAllow)};
  if (!also.x32) x32.push_back(no_sys);

  if (!also.x86)
    i386 = {Return(sys::kSeccompKillProcess)};
  else if (newest >= kUnifiedNumbers)
    i386 = {Load(offsetof(sys::SeccompData, nr)), If(BPF_JGT, static_cast<uint32_t>(newest), 0, 1), no_sys};

  // Layout: arch?  nr?  native  jump main  x32  jump main  i386  main
  auto size = [](const std::vector<sock_filter>& part) { return static_cast<uint8_t>(part.size()); };
  auto skip = [](size_t count) { return sock_filter{BPF_JMP | BPF_JA, 0, 0, static_cast<uint32_t>(count)}; };
  std::vector<sock_filter> code = {
      Load(offsetof(sys::SeccompData, arch)),
      If(BPF_JEQ, sys::kAuditArchX8664, 0, static_cast<uint8_t>(2 + size(native) + 1 + size(x32) + 1)),
      Load(offsetof(sys::SeccompData, nr)),
      If(BPF_JGE, sys::kX32Bit, static_cast<uint8_t>(size(native) + 1), 0),
  };
  code.insert(code.end(), native.begin(), native.end());
  code.push_back(skip(x32.size() + 1 + i386.size()));
  code.insert(code.end(), x32.begin(), x32.end());
  code.push_back(skip(i386.size()));
  code.insert(code.end(), i386.begin(), i386.end());
  return code;
}

// -1: the default action is no errno, or already ENOSYS.
int NewestKnown(uint32_t default_action, const std::vector<Rule>& rules) {
  bool refuses = (default_action & 0xffff0000) == SCMP_ACT_ERRNO(0);
  if (!refuses || default_action == SCMP_ACT_ERRNO(ENOSYS) || rules.empty()) return -1;
  int newest = -1;
  for (const Rule& rule : rules) newest = std::max(newest, rule.number);
  return newest;
}

}  // namespace

Result<SeccompProgram> CompileSeccomp(const oci::LinuxSeccomp& list) {
  // libseccomp otherwise asks the running kernel what it may emit; the program may be for another one (build time).
  seccomp_api_set(6);
  SeccompProgram program;
  program.origin = "compiled";
  uint32_t default_action = MXC_TRY(ParseAction(list.default_action, list.default_errno_ret, "/defaultAction"));
  program.flags = MXC_TRY(ParseFlags(list.flags));
  Architectures also = MXC_TRY(ParseArchitectures(list.architectures));
  std::vector<Rule> rules = MXC_TRY(ParseRules(list, default_action, program));
  if (program.notifies) {
    program.flags |= sys::kSeccompFlagNewListener;
    // The call has one result, the listener: a failure to synchronise then has to be an errno.
    if ((program.flags & sys::kSeccompFlagTsync) != 0) program.flags |= sys::kSeccompFlagTsyncEsrch;
  } else {
    // It says how notified calls wait; the kernel refuses it where there are none.
    program.flags &= ~sys::kSeccompFlagWaitKillableRecv;
  }

  Filter filter = MXC_TRY(MakeFilter(default_action, SCMP_ARCH_X86_64));
  MXC_TRY(AddRules(filter.get(), rules, default_action, true));
  auto add = [&](uint32_t architecture, const char* name) -> Result<void> {
    Filter other = MXC_TRY(MakeFilter(default_action, architecture));
    MXC_TRY(AddRules(other.get(), rules, default_action, false));
    int error = seccomp_merge(filter.get(), other.get());
    if (error != 0) return LibraryError("join the architectures", error);
    (void)other.release();  // part of `filter` now
    for (const Rule& rule : rules)
      if (rule.native_only) program.skipped.push_back(rule.name + " (" + name + ")");
    return {};
  };
  if (also.x86) MXC_TRY(add(SCMP_ARCH_X86, "SCMP_ARCH_X86"));
  if (also.x32) MXC_TRY(add(SCMP_ARCH_X32, "SCMP_ARCH_X32"));

  program.code = Prologue(also, NewestKnown(default_action, rules));
  std::vector<sock_filter> body = MXC_TRY(Export(filter.get()));
  program.code.insert(program.code.end(), body.begin(), body.end());
  if (program.code.size() > BPF_MAXINSNS)
    return Error(Code::kUnsupported, "the seccomp list compiles to " + std::to_string(program.code.size()) +
                                         " instructions; the kernel takes at most 4096")
        .WithHint("use fewer rules with conditions on arguments");
  return program;
}

}  // namespace mxc::sandbox
