#include "linux_runtime/supervise/terminal_filter.h"

#include <array>
#include <cstring>

#include "shared/base/utf8.h"

namespace mxc::supervise {
namespace {

constexpr size_t kMaxControl = 512;   // of CSI sequences; long true-colour attributes reach 200
constexpr size_t kMaxCommand = 2048;  // of OSC; titles and links

constexpr char kEnq = 0x05;
constexpr char kBel = 0x07;
constexpr char kShiftOut = 0x0e;
constexpr char kShiftIn = 0x0f;
constexpr char kCan = 0x18;
constexpr char kSub = 0x1a;
constexpr char kEsc = 0x1b;
constexpr char kDel = 0x7f;
constexpr char32_t kReplacement = 0xfffd;
constexpr std::string_view kStringTerminator = "\x1b\\";

// ENQ makes the terminal answer. CAN and SUB only cancel a sequence, and start a download in terminals that speak
// ZMODEM. The shifts are passed on, but noted.
constexpr bool PassesInRun(unsigned char byte) {
  return byte < 0x80 && byte != kEnq && byte != kCan && byte != kSub && byte != kEsc && byte != kShiftOut &&
         byte != kShiftIn;
}

constexpr std::array<bool, 256> kRun = [] {
  std::array<bool, 256> table{};
  for (size_t i = 0; i < 256; ++i) table[i] = PassesInRun(static_cast<unsigned char>(i));
  return table;
}();

// Bytes at the start of `text` that go through as they are, when a control function is not open.
size_t RunLength(std::string_view text) {
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const char* at = begin;
  while (at != end) {
    // Eight at a time while all are printable ASCII or DEL.
    while (end - at >= 8) {
      uint64_t word;
      std::memcpy(&word, at, 8);
      const uint64_t below_space = (word - 0x2020202020202020u) | word;
      if (below_space & 0x8080808080808080u) break;
      at += 8;
    }
    // The rest of this word byte by byte, so that line ends don't cost more than themselves.
    const char* const stop = end - at >= 8 ? at + 8 : end;
    while (at != stop && kRun[static_cast<unsigned char>(*at)]) ++at;
    if (at == stop) continue;
    if (static_cast<unsigned char>(*at) < 0xc2) break;
    const Utf8Char next = DecodeUtf8({at, static_cast<size_t>(end - at)});
    if (!next.valid || next.code < 0xa0) break;
    at += next.size;
  }
  return static_cast<size_t>(at - begin);
}

void AppendUtf8(char32_t code, std::string& out) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

// Length that a lead byte announces; 0: not a lead byte.
size_t AnnouncedSize(unsigned char lead) {
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  return 0;
}

// Whether `byte` can stand second behind `lead` (Unicode 15, table 3-7).
bool SecondByteFits(unsigned char lead, unsigned char byte) {
  switch (lead) {
    case 0xe0:
      return byte >= 0xa0 && byte <= 0xbf;
    case 0xed:
      return byte >= 0x80 && byte <= 0x9f;
    case 0xf0:
      return byte >= 0x90 && byte <= 0xbf;
    case 0xf4:
      return byte >= 0x80 && byte <= 0x8f;
    default:
      return byte >= 0x80 && byte <= 0xbf;
  }
}

}  // namespace

void TerminalFilter::Filter(std::string_view input, std::string& out) {
  while (!input.empty()) {
    if (state_ == State::kGround && partial_size_ == 0) {
      const size_t run = RunLength(input);
      out.append(input.data(), run);
      input.remove_prefix(run);
      if (input.empty()) return;
    }
    Byte(static_cast<unsigned char>(input[0]), out);
    input.remove_prefix(1);
  }
}

void TerminalFilter::Byte(unsigned char byte, std::string& out) {
  if (partial_size_ != 0) {
    const bool fits = partial_size_ == 1 ? SecondByteFits(partial_[0], byte) : (byte & 0xc0) == 0x80;
    if (fits) {
      partial_[partial_size_++] = byte;
      if (partial_size_ != AnnouncedSize(partial_[0])) return;
      const Utf8Char next = DecodeUtf8({reinterpret_cast<const char*>(partial_), partial_size_});
      partial_size_ = 0;
      Character(next.code, out);
      return;
    }
    partial_size_ = 0;
    Character(kReplacement, out);
  }
  if (byte < 0x80) {
    Character(byte, out);
  } else if (AnnouncedSize(byte) != 0) {
    partial_[partial_size_++] = byte;
  } else {
    Character(kReplacement, out);
  }
}

void TerminalFilter::Character(char32_t code, std::string& out) {
  if (code == kCan || code == kSub) {
    if (state_ != State::kGround) Drop();
    state_ = State::kGround;
    return;
  }
  if (code == kEsc) {
    StartEscape();
    return;
  }
  if (code >= 0x80 && code <= 0x9f) {
    StartEscape();
    InEscape(code - 0x40, out);
    return;
  }
  switch (state_) {
    case State::kGround:
      return InGround(code, out);
    case State::kEscape:
      return InEscape(code, out);
    case State::kControl:
      return InControl(code, out);
    case State::kCommand:
      return InCommand(code, out);
    case State::kString:
      return;  // until ESC, CAN or SUB
    case State::kPalette:
      return InPalette(code, out);
  }
}

// ESC from anywhere: what was open is at its end or cancelled.
void TerminalFilter::StartEscape() {
  after_command_ = state_ == State::kCommand;
  after_string_ = state_ == State::kString;
  if (state_ == State::kEscape || state_ == State::kControl || state_ == State::kPalette) Drop();
  if (!after_command_) sequence_.clear();  // the command is still to be judged if "\" follows
  if (!after_command_) too_long_ = false;
  state_ = State::kEscape;
}

void TerminalFilter::ControlCharacter(char32_t code, std::string& out) {
  if (code == kEnq) {
    Drop();
    return;
  }
  if (code == kShiftOut || code == kShiftIn) rules_.NoteShift(code == kShiftOut);
  out += static_cast<char>(code);
}

void TerminalFilter::InGround(char32_t code, std::string& out) {
  if (code < 0x20) return ControlCharacter(code, out);
  AppendUtf8(code, out);
}

void TerminalFilter::InEscape(char32_t code, std::string& out) {
  if (after_command_ || after_string_) {
    const bool command = after_command_;
    const bool ends = code == '\\';
    after_command_ = after_string_ = false;
    if (ends) {
      state_ = State::kGround;
      if (command) return EndCommand(kStringTerminator, out);
      return;
    }
    if (command) Drop();
    sequence_.clear();
    too_long_ = false;
  }
  // Real terminals carry out a control character in the middle of a sequence at once.
  if (code < 0x20) return ControlCharacter(code, out);
  if (code == kDel) return;
  if (code > 0x7e) {
    Drop();
    state_ = State::kGround;
    return InGround(code, out);
  }
  const char c = static_cast<char>(code);
  if (c < 0x30) {
    if (sequence_.size() < 2)
      sequence_ += c;
    else
      too_long_ = true;
    return;
  }
  if (sequence_.empty()) {
    switch (c) {
      case '[':
        state_ = State::kControl;
        return;
      case ']':
        state_ = State::kCommand;
        return;
      case 'P':  // device control: settings, queries, images, commands to tmux
      case 'X':
      case '^':
      case '_':
      case 'k':  // a title, in screen and tmux; text of unlimited length elsewhere
        Drop();
        state_ = State::kString;
        return;
      default:
        break;
    }
  }
  state_ = State::kGround;
  if (too_long_ || !rules_.AllowEscape(sequence_, c)) return Drop();
  out += kEsc;
  out.append(sequence_);
  out += c;
}

void TerminalFilter::InControl(char32_t code, std::string& out) {
  if (code < 0x20) return ControlCharacter(code, out);
  if (code == kDel) return;
  if (code > 0x7e) {
    Drop();
    state_ = State::kGround;
    return InGround(code, out);
  }
  if (sequence_.size() < kMaxControl)
    sequence_ += static_cast<char>(code);
  else
    too_long_ = true;
  if (code < 0x40) return;
  state_ = State::kGround;
  ControlSequence sequence;
  if (too_long_ || !ControlSequence::Parse(sequence_, sequence) || !rules_.AllowControl(sequence)) return Drop();
  out.append("\x1b[").append(sequence_);
}

void TerminalFilter::InCommand(char32_t code, std::string& out) {
  if (code == kBel) {
    state_ = State::kGround;
    return EndCommand("\a", out);
  }
  if (code < 0x20 || code == kDel) return;
  if (sequence_.empty() && (code == 'P' || code == 'R')) {
    // The Linux console's palette: P and seven digits, or R, without an end (console_codes(4)).
    Drop();
    palette_left_ = 7;
    state_ = code == 'P' ? State::kPalette : State::kGround;
    return;
  }
  if (sequence_.size() + 4 <= kMaxCommand)
    AppendUtf8(code, sequence_);
  else
    too_long_ = true;
}

void TerminalFilter::InPalette(char32_t code, std::string& out) {
  const bool digit = (code >= '0' && code <= '9') || (code >= 'a' && code <= 'f') || (code >= 'A' && code <= 'F');
  if (digit && --palette_left_ != 0) return;
  state_ = State::kGround;
  if (!digit) InGround(code, out);
}

void TerminalFilter::EndCommand(std::string_view terminator, std::string& out) {
  const bool passed = !too_long_ && rules_.AppendOperatingSystemCommand(sequence_, terminator, out);
  if (!passed) Drop();
  sequence_.clear();
  too_long_ = false;
}

void TerminalFilter::Finish(std::string& out) {
  if (partial_size_ != 0 && state_ == State::kGround) AppendUtf8(kReplacement, out);
  if (state_ != State::kGround) Drop();
  partial_size_ = 0;
  state_ = State::kGround;
  after_command_ = after_string_ = too_long_ = false;
  sequence_.clear();
  rules_.AppendRestore(out);
}

}  // namespace mxc::supervise
