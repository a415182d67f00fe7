// What a sandboxed program writes, made safe for the user's own terminal. Only where a PTY is relayed: pipes and files
// get the program's bytes untouched.
//
// A pure state machine. Its output is a sequence of whole units, each either text in valid UTF-8, a control character,
// or a complete control function that TerminalRules lets pass; an unfinished or forbidden one leaves nothing behind.
// So the user's terminal is in its ground state after each unit, whatever the program sends, and two parsers can't be
// played against each other. The same bytes in other chunks give the same output.
//
// The user's terminal is taken to speak UTF-8: bytes outside of UTF-8 become U+FFFD, which is what it would show, and
// which keeps 8-bit C1 controls (0x9b is CSI) from one that doesn't. C1 controls written in UTF-8 (U+009B) are
// understood and come out in their 7-bit form, if at all.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "linux_runtime/supervise/terminal_rules.h"

namespace mxc::supervise {

class TerminalFilter {
 public:
  // Appends to `out` at most 3 × input.size() + kMaxPending bytes.
  void Filter(std::string_view input, std::string& out);
  static constexpr size_t kMaxPending = 4096;

  // The program is gone: drops what is unfinished and appends what undoes the modes that it left changed.
  // The filter is then as new, so it also serves when the terminal is handed back for a while (SIGTSTP).
  void Finish(std::string& out);

  // Control functions that were not passed on, so far.
  uint64_t dropped() const { return dropped_; }

 private:
  enum class State : uint8_t { kGround, kEscape, kControl, kCommand, kString, kPalette };

  void Byte(unsigned char byte, std::string& out);
  void Character(char32_t code, std::string& out);
  void InGround(char32_t code, std::string& out);
  void InEscape(char32_t code, std::string& out);
  void InControl(char32_t code, std::string& out);
  void InCommand(char32_t code, std::string& out);
  void InPalette(char32_t code, std::string& out);
  void StartEscape();
  void EndCommand(std::string_view terminator, std::string& out);
  void ControlCharacter(char32_t code, std::string& out);
  void Drop() { ++dropped_; }

  State state_ = State::kGround;
  bool after_command_ = false;  // in kEscape: the ESC stood in an operating system command, which "\" would end
  bool after_string_ = false;   // the same for a string that is not passed on
  bool too_long_ = false;       // of sequence_
  uint8_t palette_left_ = 0;
  uint8_t partial_size_ = 0;  // bytes of a character that is not complete
  unsigned char partial_[4] = {};
  std::string sequence_;  // what stands behind ESC, CSI or OSC, bounded
  TerminalRules rules_;
  uint64_t dropped_ = 0;
};

}  // namespace mxc::supervise
