// Standard output and error: to a console as Unicode, to files and pipes the very bytes, \n as it is.
#pragma once

#include <string_view>

namespace mxc::windows {

class Output {
 public:
  enum class Stream { kOut, kError };
  explicit Output(Stream stream);
  // Puts the console's mode back as it was.
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  bool is_console() const { return console_; }
  // Lets the console understand colours; false where it can't (before Windows 10) or where this is no console.
  bool EnableColors();

  // Columns of the console's window, 40 to 120; 80 where this is none.
  int width() const;

  // text: UTF-8. False when not all of it could be written.
  bool Write(std::string_view text);

 private:
  bool WriteBytes(std::string_view bytes);
  bool WriteCharacters(std::string_view text);

  void* handle_;
  bool console_;
  unsigned long mode_ = 0;
  bool mode_changed_ = false;
};

}  // namespace mxc::windows
