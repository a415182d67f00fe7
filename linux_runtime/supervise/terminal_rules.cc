#include "linux_runtime/supervise/terminal_rules.h"

#include <iterator>

#include "shared/base/escape_text.h"

namespace mxc::supervise {
namespace {

constexpr size_t kMaxTitle = 256;

bool In(char c, std::string_view set) { return c != 0 && set.find(c) != std::string_view::npos; }

// Private modes (CSI ? n h, CSI ? n l) that may pass. Not here, among others: 2 (VT52), 42 and 66xx (encodings), 1001
// (the terminal then waits for the program), 2031 and 2048 (reports), 9001 (another keyboard protocol of the console).
struct PrivateMode {
  uint16_t number;
  bool on_by_default;
  bool restored;  // false: its default is the user's choice, or undoing it has an effect of its own
};
constexpr PrivateMode kPrivateModes[] = {
    {2026, false, true},  // synchronised output: first, or nothing after it is shown
    {1049, false, true},  // alternate screen, in its three forms
    {1047, false, true},  {47, false, true},    {1000, false, true},  // mouse
    {1002, false, true},  {1003, false, true},  {1005, false, true},  {1006, false, true},  {1015, false, true},
    {1016, false, true},  {9, false, true},     {1004, false, true},  // focus reports
    {2004, false, true},                                              // bracketed paste
    {1, false, true},                                                 // application cursor keys
    {5, false, true},                                                 // reverse screen
    {6, false, true},                                                 // origin
    {7, true, true},                                                  // wrap around
    {8, true, true},                                                  // key repeat
    {25, true, true},                                                 // cursor visible
    {45, false, true},                                                // reverse wrap around
    {66, false, true},                                                // application keypad
    {67, false, true},                                                // backspace key
    {69, false, true},                                                // left and right margins
    {80, false, true},                                                // graphics scrolling
    {1007, false, false}, {2027, false, false}, {3, false, false},    {4, false, false},    {12, false, false},
    {13, false, false},   {14, false, false},   {40, false, false},   {1034, false, false}, {1035, false, false},
    {1036, false, false}, {1037, false, false}, {1039, false, false}, {1048, false, false}, {1070, false, false},
};
static_assert(std::size(kPrivateModes) <= 64);

// Setting or resetting these moves the cursor.
constexpr uint16_t kMovesCursor[] = {6, 69};

int FindPrivateMode(uint16_t number) {
  for (size_t i = 0; i < std::size(kPrivateModes); ++i) {
    if (kPrivateModes[i].number == number) return static_cast<int>(i);
  }
  return -1;
}

bool PrintableAscii(std::string_view text) {
  for (const char c : text) {
    if (c < 0x20 || c > 0x7e) return false;
  }
  return true;
}

bool StartsWithIgnoringCase(std::string_view text, std::string_view prefix) {
  if (text.size() < prefix.size()) return false;
  for (size_t i = 0; i < prefix.size(); ++i) {
    const char c = text[i];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c) != prefix[i]) return false;
  }
  return true;
}

// A link is opened by a click outside of the sandbox: only to the web, not to the files and programs of the desktop.
bool SafeLink(std::string_view uri) {
  if (uri.empty()) return true;
  if (uri.find(' ') != std::string_view::npos) return false;
  return StartsWithIgnoringCase(uri, "http://") || StartsWithIgnoringCase(uri, "https://");
}

}  // namespace

bool ControlSequence::Parse(std::string_view body, ControlSequence& sequence) {
  sequence = {};
  if (body.empty()) return false;
  sequence.final = body.back();
  body.remove_suffix(1);
  if (!body.empty() && body[0] >= 0x3c && body[0] <= 0x3f) {
    sequence.prefix = body[0];
    body.remove_prefix(1);
  }
  bool colon = false;
  bool open = false;
  uint32_t value = 0;
  const auto close = [&] {
    if (sequence.count < kMaxParameters) {
      sequence.parameters[sequence.count++] = static_cast<uint16_t>(value);
    } else {
      sequence.overflow = true;
    }
    value = 0;
    colon = false;
  };
  while (!body.empty() && body[0] >= 0x30) {
    const char c = body[0];
    body.remove_prefix(1);
    open = true;
    if (c == ';') {
      close();
    } else if (c == ':') {
      colon = sequence.colon = true;
    } else if (c <= '9') {
      sequence.digits = true;
      // Behind a colon stand sub-parameters (SGR 4:3), which decide nothing here.
      if (!colon) value = value > 6000 ? 65535 : value * 10 + static_cast<uint32_t>(c - '0');
    } else {
      return false;  // a prefix in the middle
    }
  }
  if (open) close();
  if (body.size() > 1) return false;
  if (body.size() == 1) sequence.intermediate = body[0];
  return true;
}

bool TerminalRules::AllowControl(const ControlSequence& sequence) {
  // Only attributes have sub-parameters; elsewhere terminals read them differently.
  if (sequence.colon && sequence.final != 'm') return false;
  if (sequence.intermediate != 0) return sequence.prefix == 0 && AllowIntermediate(sequence);
  return sequence.prefix == 0 ? AllowPlain(sequence) : AllowPrefixed(sequence);
}

bool TerminalRules::AllowPlain(const ControlSequence& sequence) {
  switch (sequence.final) {
    case 'h':
    case 'l':
      return SetAnsiModes(sequence);
    case 'm':
      attributes_ = sequence.count > 1 || sequence.first() != 0;
      return true;
    case 'r':
      margins_ = sequence.count != 0;
      return true;
    case 't':  // window operations: only to save and bring back the title
      return sequence.first() == 22 || sequence.first() == 23;
    case 'T':  // scroll; with five parameters it tracks the mouse
      return sequence.count <= 1;
    default:
      // Cursor moves, erasing, inserting, scrolling, tabs, repeat, save and restore. Not: c n x (the terminal
      // answers), i (printer), y (self-tests), and letters that mean nothing.
      return In(sequence.final, "@ABCDEFGHIJKLMPSXZ`abdefgjksu");
  }
}

bool TerminalRules::AllowPrefixed(const ControlSequence& sequence) {
  if (sequence.prefix == '?') {
    switch (sequence.final) {
      case 'h':
      case 'l':
      case 'r':  // "restore", to what was saved: taken as a change
        return SetPrivateModes(sequence);
      case 's':
        return true;
      case 'J':
      case 'K':
        return true;
      case 'c':  // the Linux console's cursor shape; without a number it might be taken for a question
        return sequence.digits;
      default:
        return false;
    }
  }
  if (sequence.prefix == '>') {
    if (sequence.final != 'm' && sequence.final != 'n') return false;
    if (sequence.first() > 7) return false;
    key_resources_ |= 1u << sequence.first();
    return true;
  }
  // The keyboard protocol of kitty (CSI > u, CSI = u, CSI < u) works on a stack that belongs to the user's shell.
  return false;
}

bool TerminalRules::AllowIntermediate(const ControlSequence& sequence) {
  switch (sequence.intermediate) {
    case ' ':
      if (sequence.final == 'q') {
        cursor_style_ = sequence.first() != 0;
        return true;
      }
      return In(sequence.final, "@A");
    case '!':
      return sequence.final == 'p';  // soft reset
    case '"':
      return sequence.final == 'q';  // protected characters; "p would switch to 8-bit controls
    case '$':
      return In(sequence.final, "rtvxz{");  // rectangles
    case '\'':
      return In(sequence.final, "}~");  // columns
    case '#':
      return In(sequence.final, "{}pq");  // save and bring back attributes
    case '*':
      return sequence.final == 'x';  // *y would report a checksum of the screen
    default:
      return false;
  }
}

bool TerminalRules::SetPrivateModes(const ControlSequence& sequence) {
  if (sequence.overflow) return false;
  for (size_t i = 0; i < sequence.count; ++i) {
    if (FindPrivateMode(sequence.parameters[i]) < 0) return false;
  }
  for (size_t i = 0; i < sequence.count; ++i) {
    const int index = FindPrivateMode(sequence.parameters[i]);
    const PrivateMode& mode = kPrivateModes[index];
    const bool changed = sequence.final == 'r' || (sequence.final == 'h') != mode.on_by_default;
    const uint64_t bit = uint64_t{1} << index;
    private_changed_ = changed ? private_changed_ | bit : private_changed_ & ~bit;
  }
  return true;
}

bool TerminalRules::SetAnsiModes(const ControlSequence& sequence) {
  if (sequence.overflow) return false;
  // 4: insert; 20: line feed goes to column 1 and Enter sends two bytes; 34: the Linux console's cursor. Not 2, which
  // locks the keyboard.
  for (size_t i = 0; i < sequence.count; ++i) {
    const uint16_t mode = sequence.parameters[i];
    if (mode != 4 && mode != 20 && mode != 34) return false;
  }
  for (size_t i = 0; i < sequence.count; ++i) {
    const uint16_t mode = sequence.parameters[i];
    if (mode == 34) continue;
    const uint32_t bit = 1u << mode;
    ansi_changed_ = sequence.final == 'h' ? ansi_changed_ | bit : ansi_changed_ & ~bit;
  }
  return true;
}

bool TerminalRules::AllowEscape(std::string_view intermediates, char final) {
  if (intermediates.empty()) {
    switch (final) {
      case '=':
      case '>':
        application_keypad_ = final == '=';
        return true;
      case 'c':  // full reset
        Forget();
        return true;
      default:
        // Save and restore, line feeds, tab stops, shifts, column moves, the end of a string. Not: Z (the terminal
        // answers), N and O (they turn the next byte into another), l and m (memory lock).
        return In(final, "78DEHM69no|}~\\");
    }
  }
  const char first = intermediates[0];
  if (In(first, "()*+-./")) {
    const bool ascii = intermediates.size() == 1 && first == '(' && final == 'B';
    if (!ascii) character_set_ = true;
    return true;
  }
  if (intermediates.size() != 1) return false;
  if (first == '#') return In(final, "34568");
  if (first == '%') return final == 'G';  // UTF-8; %@ would leave it, and then letters hold C1 controls
  return false;
}

bool TerminalRules::AppendOperatingSystemCommand(std::string_view payload, std::string_view terminator,
                                                 std::string& out) {
  size_t digits = 0;
  uint32_t number = 0;
  while (digits < payload.size() && digits < 5 && payload[digits] >= '0' && payload[digits] <= '9') {
    number = number * 10 + static_cast<uint32_t>(payload[digits++] - '0');
  }
  if (digits == 0 || (digits < payload.size() && payload[digits] != ';')) return false;
  const bool has_text = digits < payload.size();
  const std::string_view text = has_text ? payload.substr(digits + 1) : std::string_view();
  switch (number) {
    case 0:
    case 1:
    case 2:
      if (!has_text) return false;
      out.append("\x1b]").append(payload.substr(0, digits + 1));
      out.append(EscapeText(text, {.max_bytes = kMaxTitle})).append(terminator);
      return true;
    case 8: {
      const size_t separator = text.find(';');
      if (separator == std::string_view::npos || !PrintableAscii(text)) return false;
      const std::string_view uri = text.substr(separator + 1);
      if (!SafeLink(uri)) return false;
      link_ = !uri.empty();
      break;
    }
    case 4:
      if (!has_text || !PrintableAscii(text) || text.find('?') != std::string_view::npos) return false;
      colours_ |= 1;
      break;
    case 10:
    case 11:
    case 12:
    case 17:
    case 19:
      // One value only: a second one would set the colour of the next number.
      if (!has_text || !PrintableAscii(text) || text.find_first_of("?;") != std::string_view::npos) return false;
      colours_ |= 1u << (number - 9);
      break;
    case 104:
      if (!PrintableAscii(text)) return false;
      if (text.empty()) colours_ &= ~1u;
      break;
    case 110:
    case 111:
    case 112:
    case 117:
    case 119:
      if (!text.empty()) return false;
      colours_ &= ~(1u << (number - 109));
      break;
    default:
      return false;
  }
  out.append("\x1b]").append(payload).append(terminator);
  return true;
}

void TerminalRules::AppendRestore(std::string& out) {
  // Done between saving and restoring the cursor, and after the switch back from the alternate screen, which restores
  // the cursor from the same place.
  std::string moving;
  if (margins_) moving += "\x1b[r";
  for (const uint16_t number : kMovesCursor) {
    const int index = FindPrivateMode(number);
    if (private_changed_ >> index & 1) moving += "\x1b[?" + std::to_string(number) + "l";
    private_changed_ &= ~(uint64_t{1} << index);
  }
  for (size_t i = 0; i < std::size(kPrivateModes); ++i) {
    const PrivateMode& mode = kPrivateModes[i];
    if ((private_changed_ >> i & 1) == 0 || !mode.restored) continue;
    out += "\x1b[?" + std::to_string(mode.number) + (mode.on_by_default ? "h" : "l");
  }
  if (!moving.empty())
    out +=
        "\x1b"
        "7" +
        moving +
        "\x1b"
        "8";
  for (uint32_t mode = 0; mode < 32; ++mode) {
    if (ansi_changed_ >> mode & 1) out += "\x1b[" + std::to_string(mode) + "l";
  }
  for (uint32_t resource = 0; resource < 8; ++resource) {
    if (key_resources_ >> resource & 1) out += "\x1b[>" + std::to_string(resource) + ";m";
  }
  if (application_keypad_) out += "\x1b>";
  if (cursor_style_) out += "\x1b[0 q";
  if (link_) out += "\x1b]8;;\x1b\\";
  if (colours_ & 1) out += "\x1b]104\x1b\\";
  for (uint32_t number = 10; number <= 19; ++number) {
    if (colours_ >> (number - 9) & 1) out += "\x1b]" + std::to_string(100 + number) + "\x1b\\";
  }
  if (shifted_) out += '\x0f';
  if (character_set_) out += "\x1b(B";
  if (attributes_) out += "\x1b[0m";
  Forget();
}

void TerminalRules::Forget() { *this = {}; }

}  // namespace mxc::supervise
