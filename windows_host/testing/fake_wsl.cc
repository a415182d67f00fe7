// A stand-in for wsl.exe in tests: writes down how it was started, then carries its standard streams to a relay that listens on
// loopback, or misbehaves. Beside it lies fake_wsl.txt: the port, and a mode.
//
//   bridge   as wsl.exe does      noise   UTF-16 text first, then so      late   after a second, then so
//   die      says why and fails   silent  ends with 0, without a word     flood  more text than anybody wants
//   foreign  the same in Chinese  stderr  says it there, as a shell would  mute  nothing, and doesn't end
// clang-format off
#include <winsock2.h>
#include <windows.h>
// clang-format on

#include <fstream>
#include <string>
#include <thread>

namespace {

std::wstring Beside(const wchar_t* name) {
  wchar_t path[4096];
  ::GetModuleFileNameW(nullptr, path, 4096);
  const std::wstring own(path);
  return own.substr(0, own.rfind(L'\\') + 1) + name;
}

std::string Utf8(const std::wstring& wide) {
  std::string text(4 * wide.size() + 1, '\0');
  const int size = ::WideCharToMultiByte(CP_UTF8, 0, wide.data(), static_cast<int>(wide.size()), text.data(),
                                         static_cast<int>(text.size()), nullptr, nullptr);
  text.resize(static_cast<size_t>(size));
  return text;
}

void Say(const std::string& bytes, DWORD stream = STD_OUTPUT_HANDLE) {
  DWORD written = 0;
  ::WriteFile(::GetStdHandle(stream), bytes.data(), static_cast<DWORD>(bytes.size()), &written, nullptr);
}

std::string Utf16(const std::string& ascii) {
  std::string wide;
  for (const char unit : ascii) wide.append({unit, '\0'});
  return wide;
}

void WriteDown(int argc, wchar_t** argv) {
  std::ofstream file(Utf8(Beside(L"fake_wsl.log")), std::ios::binary | std::ios::trunc);
  for (int index = 1; index < argc; ++index) file << "argument " << Utf8(argv[index]) << "\n";
  wchar_t* const block = ::GetEnvironmentStringsW();
  for (const wchar_t* entry = block; *entry != L'\0'; entry += wcslen(entry) + 1)
    file << "variable " << Utf8(entry) << "\n";
}

int Bridge(unsigned short port) {
  WSADATA data;
  if (::WSAStartup(MAKEWORD(2, 2), &data) != 0) return 2;
  const SOCKET relay = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  address.sin_port = ::htons(port);
  if (::connect(relay, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return 3;
  // Never joined, as it may hang in its read, and never detached: winpthreads loses such a thread's start now and then.
  auto* const inward = new std::thread([relay] {
    char buffer[65536];
    DWORD size = 0;
    while (::ReadFile(::GetStdHandle(STD_INPUT_HANDLE), buffer, sizeof buffer, &size, nullptr) && size != 0) {
      for (int sent = 0; sent < static_cast<int>(size);) {
        const int done = ::send(relay, buffer + sent, static_cast<int>(size) - sent, 0);
        if (done <= 0) return;
        sent += done;
      }
    }
    ::shutdown(relay, SD_SEND);
  });
  (void)inward;
  char buffer[65536];
  for (int size; (size = ::recv(relay, buffer, sizeof buffer, 0)) > 0;) {
    for (DWORD sent = 0; sent < static_cast<DWORD>(size);) {
      DWORD done = 0;
      if (!::WriteFile(::GetStdHandle(STD_OUTPUT_HANDLE), buffer + sent, static_cast<DWORD>(size) - sent, &done,
                       nullptr))
        return 4;
      sent += done;
    }
  }
  return 0;
}

}  // namespace

int wmain(int argc, wchar_t** argv) {
  WriteDown(argc, argv);
  std::ifstream file(Utf8(Beside(L"fake_wsl.txt")));
  unsigned short port = 0;
  std::string mode = "bridge";
  file >> port >> mode;
  if (mode == "silent") return 0;
  if (mode == "die") {
    Say(Utf16("There is no distribution with the supplied name.\r\n"));
    return -1;
  }
  if (mode == "foreign") {
    const std::wstring text = L"\u6ca1\u6709\u5206\u53d1\u7248\r\n";
    Say({reinterpret_cast<const char*>(text.data()), text.size() * sizeof(wchar_t)});
    return -1;
  }
  if (mode == "stderr") {
    Say("exec: No such file or directory\n", STD_ERROR_HANDLE);
    return 1;
  }
  if (mode == "mute") ::Sleep(INFINITE);
  if (mode == "flood") {
    const std::string block(4096, 'x');
    for (int i = 0; i < 64; ++i) Say(block);
    ::Sleep(20'000);
    return 0;
  }
  if (mode == "noise") Say(Utf16("wsl: a newer version is there\r\n"));
  if (mode == "late") ::Sleep(1000);
  const int status = Bridge(port);
  ::ExitProcess(static_cast<UINT>(status));
}
