// YAML through the event interface of yaml-cpp. The parser resolves nothing: it says only whether a scalar was plain, so
// the core schema of YAML 1.2 (section 10.3.2) is applied here.
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "shared/policy/document.h"
#include "shared/policy/document_builder.h"

namespace mxc::policy {
namespace {

// Thrown through yaml-cpp, whose events can't stop the parser otherwise; caught in ParseYaml.
struct Stop {};

constexpr const char* kNoAliases = "aliases (*name) are not read";
constexpr const char* kWriteOut = "write the value out";

bool IsDigits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// JSON's number grammar (RFC 8259, section 6).
bool IsJsonNumber(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  const std::string_view whole = text.substr(0, std::min(text.find_first_not_of("0123456789"), text.size()));
  if (whole.empty() || (whole.size() > 1 && whole[0] == '0')) return false;
  text.remove_prefix(whole.size());
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    if (digits == 0) return false;
    text.remove_prefix(digits);
  }
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
    return IsDigits(text);
  }
  return text.empty();
}

// A number to YAML 1.1 or 1.2 that JSON couldn't spell.
bool IsOtherNumber(std::string_view text) {
  if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
  if (text == ".inf" || text == ".Inf" || text == ".INF" || text == ".nan" || text == ".NaN" || text == ".NAN")
    return true;
  if (text.size() > 2 && (text.starts_with("0x") || text.starts_with("0X"))) {
    return text.substr(2).find_first_not_of("0123456789abcdefABCDEF_") == std::string_view::npos;
  }
  if (text.size() > 2 && (text.starts_with("0o") || text.starts_with("0b"))) {
    return text.substr(2).find_first_not_of("01234567_") == std::string_view::npos;
  }
  // +1, 007, .5, 1., 1.e3: digits, at most one point, an exponent.
  const size_t exponent = text.find_first_of("eE");
  if (exponent != std::string_view::npos) {
    std::string_view power = text.substr(exponent + 1);
    if (power.starts_with('+') || power.starts_with('-')) power.remove_prefix(1);
    if (!IsDigits(power)) return false;
    text = text.substr(0, exponent);
  }
  const size_t point = text.find('.');
  if (point == std::string_view::npos) return IsDigits(text);
  const std::string_view whole = text.substr(0, point), fraction = text.substr(point + 1);
  if (whole.empty() && fraction.empty()) return false;
  return (whole.empty() || IsDigits(whole)) && (fraction.empty() || IsDigits(fraction));
}

class Handler final : public YAML::EventHandler {
 public:
  Handler(std::string_view text, DocumentBuilder& builder) : text_(text), builder_(builder) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) Refuse(Offset(mark), "a second document", "a policy file holds one document");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const size_t offset = Offset(mark);
    CheckProperties(offset, "?", anchor);
    if (ExpectsName()) Refuse(offset, "a key that is null", "put a name before the colon");
    const bool spelled =
        offset < text_.size() && (text_[offset] == '~' || text_[offset] == 'n' || text_[offset] == 'N');
    // An empty value has no place of its own; the parser gives that of whatever comes next.
    Done(builder_.Scalar(Kind::kNull, {}, spelled || levels_.empty() ? offset : last_offset_));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { Refuse(Offset(mark), kNoAliases, kWriteOut); }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    const size_t offset = Offset(mark);
    CheckProperties(offset, tag, anchor);
    const bool plain = tag == "?";
    if (ExpectsName()) {
      if (plain && value == "<<") Refuse(offset, "merge keys (<<) are not read", "write the members out");
      if (plain && KindOfPlain(value, offset) != Kind::kString) {
        Refuse(offset, "a key that is " + std::string(Describe(KindOfPlain(value, offset))),
               "put it in quotes if it is a key; else a [ or { before it is not closed");
      }
      last_offset_ = offset;
      levels_.back().name_next = false;
      if (!builder_.Name(value, offset)) throw Stop{};
      return;
    }
    last_offset_ = offset;
    const Kind kind = plain ? KindOfPlain(value, offset) : Kind::kString;
    const bool truth = kind == Kind::kBool && (value[0] == 't' || value[0] == 'T');
    Done(builder_.Scalar(kind, kind == Kind::kBool ? std::string() : value, offset, truth));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Begin(Kind::kArray, Offset(mark), tag, anchor);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Begin(Kind::kObject, Offset(mark), tag, anchor);
  }
  void OnSequenceEnd() override { End(); }
  void OnMapEnd() override { End(); }
  void OnAnchor(const YAML::Mark& mark, const std::string&) override { RefuseAnchor(Offset(mark)); }

 private:
  struct Level {
    bool object;
    bool name_next;
  };

  size_t Offset(const YAML::Mark& mark) const {
    return std::min(static_cast<size_t>(std::max(mark.pos, 0)), text_.size());
  }
  bool ExpectsName() const { return !levels_.empty() && levels_.back().object && levels_.back().name_next; }

  [[noreturn]] void Refuse(size_t offset, std::string message, std::string hint) {
    builder_.Refuse(offset, std::move(message), std::move(hint));
    throw Stop{};
  }
  [[noreturn]] void RefuseAnchor(size_t offset) {
    Refuse(offset, "anchors (&name) are not read", "write the value out where it is used");
  }

  // Tags and anchors stand before the value, and then the value's mark is theirs.
  void CheckProperties(size_t offset, std::string_view tag, YAML::anchor_t anchor) {
    if (documents_ == 1 && levels_.empty()) CheckDirectives(offset);
    if (anchor != 0) RefuseAnchor(offset);
    // "!" stands for quotes, but also for a written "!", which the source tells.
    if ((tag != "?" && tag != "!" && !tag.empty()) || (offset < text_.size() && text_[offset] == '!')) {
      Refuse(offset, "tags (!name) are not read", "remove it; put the value in quotes if it is meant as a string");
    }
  }

  // %YAML and %TAG would change what the text means; only comments may stand before the document.
  void CheckDirectives(size_t end) {
    for (size_t line = 0; line < end;) {
      if (text_[line] == '%') Refuse(line, "directives (%…) are not read", "remove the line");
      line = std::min(text_.find('\n', line), end) + 1;
    }
  }

  Kind KindOfPlain(const std::string& value, size_t offset) {
    if (value == "true" || value == "True" || value == "TRUE") return Kind::kBool;
    if (value == "false" || value == "False" || value == "FALSE") return Kind::kBool;
    if (IsJsonNumber(value)) return Kind::kNumber;
    if (IsOtherNumber(value)) {
      Refuse(offset, "readers of YAML disagree about the number " + Quote(value),
             "write a plain decimal number, or put it in quotes if it is meant as a string");
    }
    return Kind::kString;
  }

  void Begin(Kind kind, size_t offset, const std::string& tag, YAML::anchor_t anchor) {
    CheckProperties(offset, tag, anchor);
    if (ExpectsName())
      Refuse(offset, "a key that is " + std::string(Describe(kind)),
             "keys are strings; or a [ or { before it is not closed");
    last_offset_ = offset;
    if (!builder_.Begin(kind, offset)) throw Stop{};
    levels_.push_back({kind == Kind::kObject, true});
  }
  void End() {
    levels_.pop_back();
    builder_.End();
    Done(true);
  }
  // A value is complete: in an object a name comes next.
  void Done(bool accepted) {
    if (!accepted) throw Stop{};
    if (!levels_.empty()) levels_.back().name_next = true;
  }

  std::string_view text_;
  DocumentBuilder& builder_;
  std::vector<Level> levels_;
  size_t last_offset_ = 0;
  int documents_ = 0;
};

// yaml-cpp takes 0x04 for the end of its input and no lone CR for the end of a line (YAML 1.2, section 5.4, does), so
// either could hide a part of the document from the one or the other reader. YAML forbids the other controls anyway.
size_t FirstControl(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 && byte != 0x7F) continue;
    if (byte == '\n' || byte == '\t' || (byte == '\r' && i + 1 < text.size() && text[i + 1] == '\n')) continue;
    return i;
  }
  return text.size();
}

// A view as a stream, without a copy.
class ViewBuffer final : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    char* start = const_cast<char*>(text.data());  // setg wants it; nothing is ever put back other than what was read
    setg(start, start, start + text.size());
  }
};

}  // namespace

Result<Value> ParseYaml(std::string_view text, const std::string& source, const Limits& limits) {
  if (auto error = CheckText(text, source, limits)) return std::move(*error);
  DocumentBuilder builder(text, source, limits);
  if (const size_t bad = FirstControl(text); bad < text.size()) {
    builder.Refuse(bad, text[bad] == '\r' ? "a carriage return that ends no line" : "a control character",
                   "in a double-quoted string write it as \\xNN");
    return builder.TakeError();
  }
  try {
    ViewBuffer buffer(text);
    std::istream stream(&buffer);
    YAML::Parser parser(stream);
    Handler handler(text, builder);
    while (parser.HandleNextDocument(handler)) {
    }
  } catch (const Stop&) {
  } catch (const YAML::Exception& error) {
    const size_t offset = error.mark.is_null() ? 0 : static_cast<size_t>(std::max(error.mark.pos, 0));
    if (offset < text.size() && text[offset] == '*') {
      builder.Refuse(offset, kNoAliases, kWriteOut);  // one without an anchor, which the parser finds first
    } else {
      builder.Refuse(offset, "not YAML: " + error.msg);
    }
  } catch (const std::exception& error) {
    builder.Refuse(0, std::string("not YAML: ") + error.what());
  }
  if (!builder.failed() && !builder.complete()) builder.Refuse(text.size(), "the document is empty");
  if (builder.failed()) return builder.TakeError();
  return builder.TakeRoot();
}

}  // namespace mxc::policy
