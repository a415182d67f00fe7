#include "windows_host/relay_process.h"

#include <windows.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <utility>
#include <vector>

#include "shared/base/escape_text.h"
#include "shared/wire/secret_stream.h"
#include "windows_host/system_error.h"
#include "windows_host/wide_text.h"

namespace mxc::windows {
namespace {

constexpr DWORD kStartWithinMs = 60'000;
constexpr uint32_t kAwayWithinMs = 3000;
constexpr wchar_t kRelay[] = L"/usr/local/libexec/mxc/mxc-relay";

std::wstring Variable(const wchar_t* name) {
  std::wstring value(32'768, L'\0');
  const DWORD size = ::GetEnvironmentVariableW(name, value.data(), static_cast<DWORD>(value.size()));
  value.resize(size < value.size() ? size : 0);
  return value;
}

bool IsFile(const std::wstring& path) {
  const DWORD attributes = ::GetFileAttributesW(path.c_str());
  return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) == 0;
}

// WSLENV hands variables on to root's process inside: nothing of the caller's environment goes along but what Windows needs.
std::wstring EnvironmentBlock() {
  std::vector<std::wstring> entries = {L"WSLENV=", L"WSL_DISABLE_WARNINGS=1", L"WSL_UTF8=1"};
  for (const wchar_t* name : {L"SystemRoot", L"SystemDrive", L"TEMP", L"USERPROFILE", L"LOCALAPPDATA"}) {
    if (const std::wstring value = Variable(name); !value.empty()) entries.push_back(std::wstring(name) + L"=" + value);
  }
  std::sort(entries.begin(), entries.end(), [](const std::wstring& left, const std::wstring& right) {
    return ::CompareStringOrdinal(left.c_str(), -1, right.c_str(), -1, TRUE) == CSTR_LESS_THAN;
  });
  std::wstring block;
  for (const std::wstring& entry : entries) block.append(entry).push_back(L'\0');
  block.push_back(L'\0');
  return block;
}

struct Pipe {
  UniqueHandle read{nullptr}, write{nullptr};
};

Result<Pipe> MakePipe(bool child_reads) {
  HANDLE read = nullptr, write = nullptr;
  if (!::CreatePipe(&read, &write, nullptr, 64 << 10)) return SystemError("make a pipe for wsl.exe", ::GetLastError());
  Pipe pipe{UniqueHandle(read), UniqueHandle(write)};
  if (!::SetHandleInformation(child_reads ? read : write, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT)) {
    return SystemError("make a pipe for wsl.exe", ::GetLastError());
  }
  return pipe;
}

Result<std::unique_ptr<AwayStream>> GoAway(const wire::Greeting& greeting, const std::string& id,
                                           const wire::Secret& secret, HostSockets& sockets) {
  if (greeting.port == 0) {
    return Error(Code::kUnsupported, "mxcd in the distribution doesn't listen for Windows")
        .WithHint("start it with --vsock-port 783, as mxcd.service does");
  }
  std::unique_ptr<HostSocket> socket = MXC_TRY(sockets.Connect(greeting.vm_id, greeting.port, kAwayWithinMs));
  return AwayStream::Open(std::move(socket), id, secret, kAwayWithinMs);
}

// wsl.exe writes UTF-16 where it is told nothing else, in the user's language: a zero byte, as every line's end has there, is in no
// other text.
std::string Readable(const std::string& bytes) {
  if (bytes.find('\0') == std::string::npos) return EscapeText(bytes);
  std::wstring wide;
  for (size_t at = 0; at + 1 < bytes.size(); at += 2) {
    wide +=
        static_cast<wchar_t>(static_cast<unsigned char>(bytes[at]) | static_cast<unsigned char>(bytes[at + 1]) << 8);
  }
  Result<std::string> narrow = Narrow(wide);
  return EscapeText(narrow.ok() ? *narrow : bytes);
}

}  // namespace

std::wstring QuoteArgument(const std::wstring& argument) {
  std::wstring quoted = L"\"";
  size_t slashes = 0;
  for (const wchar_t unit : argument) {
    if (unit == L'\\') {
      ++slashes;
      continue;
    }
    quoted.append(unit == L'"' ? 2 * slashes + 1 : slashes, L'\\');
    slashes = 0;
    quoted += unit;
  }
  quoted.append(2 * slashes, L'\\');
  return quoted + L"\"";
}

Result<std::wstring> FindWsl() {
  if (std::wstring named = Variable(L"MXC_WSL_EXE"); !named.empty()) {
    if (IsFile(named)) return named;
    return Error(Code::kNotFound, "MXC_WSL_EXE names no file");
  }
  // The 64-bit folder of programs, as the registry has it: the environment is the caller's to change.
  wchar_t folder[MAX_PATH];
  DWORD size = sizeof folder;
  if (::RegGetValueW(HKEY_LOCAL_MACHINE, L"SOFTWARE\\Microsoft\\Windows\\CurrentVersion", L"ProgramFilesDir",
                     RRF_RT_REG_SZ | RRF_SUBKEY_WOW6464KEY, nullptr, folder, &size) == ERROR_SUCCESS) {
    std::wstring path = std::wstring(folder) + L"\\WSL\\wsl.exe";
    if (IsFile(path)) return path;
  }
  if (::GetSystemDirectoryW(folder, MAX_PATH) != 0) {
    std::wstring path = std::wstring(folder) + L"\\wsl.exe";
    if (IsFile(path)) return path;
  }
  return Error(Code::kNotFound, "there is no wsl.exe on this machine")
      .WithHint("install WSL: wsl --install, as Microsoft describes it");
}

RelayProcess::RelayProcess() : process_(nullptr), job_(nullptr), input_(nullptr), output_(nullptr), error_(nullptr) {}

RelayProcess::~RelayProcess() {
  input_ = UniqueHandle(nullptr);
  // The job's end is wsl.exe's, should it not have ended by itself.
  if (process_.get() != nullptr) ::WaitForSingleObject(process_.get(), 2000);
  job_ = UniqueHandle(nullptr);
  if (errors_.joinable()) errors_.join();
}

Result<std::unique_ptr<RelayProcess>> RelayProcess::Start(const RelayOptions& options, wire::Opening opening,
                                                          HostSockets& sockets) {
  std::unique_ptr<RelayProcess> relay(new RelayProcess());
  MXC_TRY_AS("start WSL", relay->Launch(options));
  // Reading a pipe has no time limit: it is ended by ending who writes into it.
  std::atomic<bool> opened{false};
  std::thread watch([&] {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(kStartWithinMs);
    while (!opened && std::chrono::steady_clock::now() < end) ::Sleep(20);
    if (!opened) {
      relay->late_ = true;
      ::TerminateJobObject(relay->job_.get(), 1);
    }
  });
  Result<void> opening_done = relay->Open(std::move(opening), options, sockets);
  opened = true;
  watch.join();
  if (!opening_done.ok()) return std::move(opening_done).error();
  return relay;
}

Result<void> RelayProcess::Launch(const RelayOptions& options) {
  const std::wstring wsl = MXC_TRY(FindWsl());
  std::wstring command = QuoteArgument(wsl);
  if (!options.distribution.empty())
    command += L" --distribution " + QuoteArgument(MXC_TRY(Widen(options.distribution)));
  command += std::wstring(L" -u root --cd / --exec ") + kRelay + L" --proto 1";

  Pipe in = MXC_TRY(MakePipe(true)), out = MXC_TRY(MakePipe(false)), error = MXC_TRY(MakePipe(false));
  job_ = UniqueHandle(::CreateJobObjectW(nullptr, nullptr));
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits{};
  limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
  if (job_.get() == nullptr ||
      !::SetInformationJobObject(job_.get(), JobObjectExtendedLimitInformation, &limits, sizeof limits)) {
    return SystemError("make a job for wsl.exe", ::GetLastError());
  }
  SIZE_T size = 0;
  ::InitializeProcThreadAttributeList(nullptr, 1, 0, &size);
  std::vector<char> memory(size);
  auto* attributes = reinterpret_cast<LPPROC_THREAD_ATTRIBUTE_LIST>(memory.data());
  HANDLE inherited[] = {in.read.get(), out.write.get(), error.write.get()};
  if (!::InitializeProcThreadAttributeList(attributes, 1, 0, &size) ||
      !::UpdateProcThreadAttribute(attributes, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, inherited, sizeof inherited,
                                   nullptr, nullptr)) {
    return SystemError("limit what wsl.exe inherits", ::GetLastError());
  }
  STARTUPINFOEXW startup{};
  startup.StartupInfo.cb = sizeof startup;
  startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
  startup.StartupInfo.hStdInput = inherited[0];
  startup.StartupInfo.hStdOutput = inherited[1];
  startup.StartupInfo.hStdError = inherited[2];
  startup.lpAttributeList = attributes;
  PROCESS_INFORMATION started{};
  std::wstring environment = EnvironmentBlock();
  // Of its own group: Ctrl-C is ours, and goes to the program as a signal. Suspended until it is in the job.
  const BOOL created = ::CreateProcessW(wsl.c_str(), command.data(), nullptr, nullptr, TRUE,
                                        CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP | CREATE_SUSPENDED |
                                            CREATE_UNICODE_ENVIRONMENT | EXTENDED_STARTUPINFO_PRESENT,
                                        environment.data(), nullptr, &startup.StartupInfo, &started);
  const DWORD failure = ::GetLastError();
  ::DeleteProcThreadAttributeList(attributes);
  if (!created) return SystemError("start wsl.exe", failure);
  process_ = UniqueHandle(started.hProcess);
  const UniqueHandle thread(started.hThread);
  if (!::AssignProcessToJobObject(job_.get(), process_.get())) {
    const DWORD error_code = ::GetLastError();
    ::TerminateProcess(process_.get(), 1);
    return SystemError("tie wsl.exe to this process", error_code);
  }
  ::ResumeThread(thread.get());
  input_ = std::move(in.write);
  output_ = std::move(out.read);
  error_ = std::move(error.read);
  errors_ = std::thread([this] { CollectErrors(); });
  return {};
}

void RelayProcess::CollectErrors() {
  char buffer[4096];
  DWORD size = 0;
  while (::ReadFile(error_.get(), buffer, sizeof buffer, &size, nullptr) && size != 0) {
    const std::lock_guard<std::mutex> hold(lock_);
    if (said_.size() < wire::kMaxNoise) said_.append(buffer, size);
  }
}

Error RelayProcess::Silent(const std::string& what) {
  ::WaitForSingleObject(process_.get(), 1000);
  DWORD code = 0;
  const bool ended = ::GetExitCodeProcess(process_.get(), &code) && code != STILL_ACTIVE;
  std::string text = what;
  if (late_) {
    text += ": it said nothing for " + std::to_string(kStartWithinMs / 1000) + " seconds, and was ended";
  } else if (ended) {
    text += ": wsl.exe ended with " +
            (code == 0xffffffff ? std::string("an error of its own") : "status " + std::to_string(code));
  }
  if (!noise_.empty()) text += "; it said: " + Readable(noise_).substr(0, 2000);
  const std::lock_guard<std::mutex> hold(lock_);
  if (!said_.empty()) text += "; " + Readable(said_).substr(0, 2000);
  return Error(Code::kSystem, text)
      .WithHint(
          "try `wsl -u root --exec /usr/local/libexec/mxc/mxc-relay --proto 1`; mxc has to be installed in the "
          "distribution");
}

Result<void> RelayProcess::ReadMore(std::string& bytes) {
  char buffer[4096];
  DWORD size = 0;
  if (!::ReadFile(output_.get(), buffer, sizeof buffer, &size, nullptr) || size == 0) {
    return Error(Code::kSystem, "the pipe ended");
  }
  bytes.append(buffer, size);
  return {};
}

Result<void> RelayProcess::Open(wire::Opening opening, const RelayOptions& options, HostSockets& sockets) {
  constexpr char kWhat[] = "wait for mxc's relay in the distribution";
  std::string bytes;
  for (;;) {
    Result<bool> there = wire::TakeMagic(bytes, noise_);
    if (!there.ok()) {
      noise_ = bytes.substr(0, 2000);
      return Silent(std::string(kWhat) + ": " + there.error().message());
    }
    if (*there) break;
    if (!ReadMore(bytes).ok()) {
      noise_ = bytes;
      return Silent(kWhat);
    }
  }
  auto part = [&]() -> Result<std::string> {
    for (;;) {
      std::optional<std::string> taken = MXC_TRY(wire::TakePart(bytes));
      if (taken) return *std::move(taken);
      if (!ReadMore(bytes).ok()) return Silent(kWhat);
    }
  };
  wire::Transcript transcript;
  transcript.greeting = MXC_TRY(part());
  greeting_ = MXC_TRY(wire::ReadGreeting(transcript.greeting));
  transcript.vm_id = greeting_.vm_id;
  transcript.port = greeting_.port;
  transcript.id = wire::RandomBytes(wire::kConnectionIdSize);
  opening.id = wire::ToHex(transcript.id);
  transcript.opening = wire::WriteOpening(opening);
  wire::Secret secret{wire::NewKey(), transcript.Hash()};
  std::string said = wire::Part(transcript.opening);
  said.append(reinterpret_cast<const char*>(secret.key.data()), secret.key.size());
  if (!Write(said)) return Silent(kWhat);
  if (const std::string refusal = MXC_TRY(part()); !refusal.empty()) {
    return Error(Code::kRefused, "the relay in the distribution: " + EscapeText(refusal));
  }
  Result<std::unique_ptr<AwayStream>> away = GoAway(greeting_, transcript.id, secret, sockets);
  wire::Wipe(secret.key);
  if (!away.ok() && options.away_required) {
    return std::move(away).error().WithContext(
        "reach mxcd by hvsocket, which the machine's policy requires (RequireHvSocket)");
  }
  if (!Write(std::string_view(away.ok() ? &wire::kAway : &wire::kStay, 1))) return Silent(kWhat);
  if (away.ok()) {
    away_ = *std::move(away);
  } else if (away.error().code() == Code::kRefused || away.error().code() == Code::kInvalid) {
    turned_back_ = std::move(away).error();
  }
  early_ = std::move(bytes);
  return {};
}

std::string RelayProcess::Read() {
  if (away_) return away_->Read();
  if (!early_.empty()) return std::exchange(early_, {});
  std::string bytes(64 << 10, '\0');
  DWORD size = 0;
  if (!::ReadFile(output_.get(), bytes.data(), static_cast<DWORD>(bytes.size()), &size, nullptr)) size = 0;
  bytes.resize(size);
  return bytes;
}

bool RelayProcess::Write(std::string_view bytes) {
  if (away_) return away_->Write(bytes);
  while (!bytes.empty()) {
    DWORD written = 0;
    if (!::WriteFile(input_.get(), bytes.data(), static_cast<DWORD>(std::min<size_t>(bytes.size(), 64 << 10)), &written,
                     nullptr))
      return false;
    bytes.remove_prefix(written);
  }
  return true;
}

void RelayProcess::CloseInput() {
  if (away_) return away_->Finish();
  input_ = UniqueHandle(nullptr);
}

}  // namespace mxc::windows
