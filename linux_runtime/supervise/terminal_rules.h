// Which control functions of a program reach the user's terminal, and what has to be undone when the program is gone.
//
// The list is of what is allowed: everything that full-screen programs, shells and compilers use. Left out is what
// makes the terminal answer (the answer would be typed into whatever reads the terminal next: CVE-2003-0063 and its
// many successors), what reaches the clipboard, files, printers, notifications or the window, and what changes how the
// terminal parses (VT52 mode, 8-bit controls, other character encodings).
// Sources: XTerm Control Sequences; ECMA-48; DEC STD 070; console_codes(4).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mxc::supervise {

// A control sequence of ECMA-48, section 5.4: CSI [prefix] parameters [intermediate] final.
struct ControlSequence {
  static constexpr size_t kMaxParameters = 32;

  char prefix = 0;        // one of < = > ? or 0
  char intermediate = 0;  // 0x20 to 0x2f, or 0
  char final = 0;
  size_t count = 0;       // parameters present; an empty one is 0
  bool overflow = false;  // more than kMaxParameters
  bool colon = false;     // it has sub-parameters
  bool digits = false;    // at least one parameter is not empty
  std::array<uint16_t, kMaxParameters> parameters{};

  // First parameter, or `missing`.
  uint16_t first(uint16_t missing = 0) const { return count == 0 ? missing : parameters[0]; }

  // What stands between CSI and the end, final included. False: not well-formed.
  static bool Parse(std::string_view body, ControlSequence& sequence);
};

class TerminalRules {
 public:
  // True: pass it on. Modes that it changes are remembered.
  bool AllowControl(const ControlSequence& sequence);
  // ESC intermediates final; intermediates: "" or one or two bytes.
  bool AllowEscape(std::string_view intermediates, char final);
  // Appends the operating system command in the form in which it may pass, or nothing. False: nothing.
  // payload: valid UTF-8 without control characters; terminator: BEL or ESC \.
  bool AppendOperatingSystemCommand(std::string_view payload, std::string_view terminator, std::string& out);
  // Shift out and shift in.
  void NoteShift(bool out) { shifted_ = out; }

  // Appends what brings everything that was changed back to a terminal's defaults; nothing when nothing was.
  void AppendRestore(std::string& out);

 private:
  bool AllowPlain(const ControlSequence& sequence);
  bool AllowPrefixed(const ControlSequence& sequence);
  bool AllowIntermediate(const ControlSequence& sequence);
  bool SetPrivateModes(const ControlSequence& sequence);
  bool SetAnsiModes(const ControlSequence& sequence);
  void Forget();

  uint64_t private_changed_ = 0;  // bit: index into the table of private modes; set when not at its default
  uint32_t ansi_changed_ = 0;     // bit: number of the mode
  uint32_t key_resources_ = 0;    // bit: xterm's modify…Keys resource
  uint32_t colours_ = 0;          // bit: operating system command 4 (bit 0) or 10 + n (bit 1 + n)
  bool attributes_ = false;       // colours and the like (SGR)
  bool application_keypad_ = false;
  bool margins_ = false;
  bool cursor_style_ = false;
  bool character_set_ = false;
  bool shifted_ = false;
  bool link_ = false;
};

}  // namespace mxc::supervise
