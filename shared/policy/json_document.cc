// JSON through the SAX interface of nlohmann/json. It reports no places, so a cursor follows the events through the
// text: between two tokens there are only blanks, colons and commas.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "shared/policy/document.h"
#include "shared/policy/document_builder.h"

namespace mxc::policy {
namespace {

using Json = nlohmann::json;

class Handler final : public nlohmann::json_sax<Json> {
 public:
  Handler(std::string_view text, DocumentBuilder& builder) : text_(text), builder_(builder) {}

  bool null() override { return builder_.Scalar(Kind::kNull, {}, Token(4)); }
  bool boolean(bool value) override { return builder_.Scalar(Kind::kBool, {}, Token(value ? 4 : 5), value); }
  bool number_integer(number_integer_t) override { return Number(); }
  bool number_unsigned(number_unsigned_t) override { return Number(); }
  bool number_float(number_float_t, const string_t&) override { return Number(); }
  bool string(string_t& value) override { return builder_.Scalar(Kind::kString, std::move(value), StringToken()); }
  bool key(string_t& value) override { return builder_.Name(std::move(value), StringToken()); }
  bool start_object(size_t) override { return builder_.Begin(Kind::kObject, Token(1)); }
  bool start_array(size_t) override { return builder_.Begin(Kind::kArray, Token(1)); }
  bool end_object() override { return End(); }
  bool end_array() override { return End(); }
  bool binary(binary_t&) override { return false; }  // JSON has none

  bool parse_error(size_t position, const std::string& token, const nlohmann::detail::exception& error) override;

 private:
  // Start of the next token; the cursor moves behind it.
  size_t Token(size_t length) {
    Skip();
    const size_t start = cursor_;
    cursor_ += length;
    return start;
  }
  size_t StringToken() {
    const size_t start = Token(1);
    for (; cursor_ < text_.size() && text_[cursor_] != '"'; ++cursor_) {
      if (text_[cursor_] == '\\') ++cursor_;
    }
    cursor_ = std::min(cursor_ + 1, text_.size());
    return start;
  }
  bool Number() {
    const size_t start = Token(0);
    cursor_ = std::min(text_.find_first_not_of("+-.0123456789Ee", start), text_.size());
    // A zero in front ends the number: in 01 the 1 is the next token, which the parser then refuses in its place.
    const size_t first = text_[start] == '-' ? start + 1 : start;
    if (first + 1 < cursor_ && text_[first] == '0' && text_[first + 1] >= '0' && text_[first + 1] <= '9')
      cursor_ = first + 1;
    return builder_.Scalar(Kind::kNumber, std::string(text_.substr(start, cursor_ - start)), start);
  }
  bool End() {
    Token(1);
    builder_.End();
    return true;
  }
  // A plain loop: find_first_not_of searches its set anew for each of the many blanks.
  void Skip() {
    for (; cursor_ < text_.size(); ++cursor_) {
      const char c = text_[cursor_];
      if (c != ' ' && c != '\t' && c != '\r' && c != '\n' && c != ':' && c != ',') return;
    }
  }

  std::string_view text_;
  DocumentBuilder& builder_;
  size_t cursor_ = 0;
};

// The reason in the library's message, which starts with its own code and place.
std::string Reason(std::string_view what) {
  for (const std::string_view start : {"] parse error at line ", "] "}) {
    if (const size_t at = what.find(start); at != std::string_view::npos) {
      what.remove_prefix(at + start.size());
      if (start.size() > 2) {
        if (const size_t colon = what.find(": "); colon != std::string_view::npos) what.remove_prefix(colon + 2);
      }
      break;
    }
  }
  // "syntax error while parsing value - unexpected '}'; expected …", with the last token read somewhere in it.
  if (const size_t dash = what.find(" - "); dash != std::string_view::npos) what.remove_prefix(dash + 3);
  const size_t last = what.find("; last read: ");
  std::string reason(what.substr(0, last));
  if (last != std::string_view::npos) {
    std::string_view rest = what.substr(last + 13);
    // The token itself may hold anything, quotes too; only what comes after its last quote is the library's.
    if (const size_t expected = rest.rfind("'; expected "); expected != std::string_view::npos) {
      reason += rest.substr(expected + 1);
    }
  }
  return reason;
}

bool Handler::parse_error(size_t position, const std::string&, const nlohmann::detail::exception& error) {
  if (builder_.failed()) return false;
  // The cursor stands behind the last good token; the next thing after blanks, colons and commas is the culprit.
  const size_t before = cursor_;
  Skip();
  const std::string_view skipped = text_.substr(before, cursor_ - before);
  const std::string_view rest = text_.substr(cursor_);
  if (builder_.complete()) {
    return builder_.Refuse(cursor_, "something follows the end of the document", "a policy file holds one object");
  }
  if (rest.starts_with("//") || rest.starts_with("/*") || rest.starts_with("#")) {
    return builder_.Refuse(cursor_, "JSON has no comments", "put it into \"_comment\", or write the policy in YAML");
  }
  if ((rest.starts_with("}") || rest.starts_with("]")) && skipped.find(',') != std::string_view::npos) {
    return builder_.Refuse(before + skipped.find(','), "a comma with nothing after it", "remove the comma");
  }
  const bool at_mark = std::string_view(error.what()).find("unexpected ','") != std::string_view::npos;
  if (rest.empty() && !at_mark) {
    return builder_.Refuse(text_.size(), text_.find_first_not_of(" \t\r\n") == std::string_view::npos
                                             ? "the document is empty"
                                             : "the document ends before it is complete");
  }
  if (rest.starts_with("'")) return builder_.Refuse(cursor_, "strings stand in double quotes, not in single ones");
  const std::string reason = Reason(error.what());
  const size_t last_read = position > 0 ? std::min(position, text_.size()) - 1 : 0;
  // In a string, and at a mark, the library's place is the better one: it points to the character.
  if (reason.starts_with("invalid string") || reason.starts_with("unexpected ','") ||
      reason.starts_with("unexpected ':'")) {
    return builder_.Refuse(last_read, "not JSON: " + reason);
  }
  const std::string_view word = rest.substr(0, rest.find_first_of(" \t\r\n,:[]{}\""));
  if (reason.starts_with("invalid literal")) {
    return builder_.Refuse(cursor_, "not JSON: unknown word " + Quote(word), "strings stand in double quotes");
  }
  if (reason.starts_with("number overflow")) {
    return builder_.Refuse(cursor_, "the number " + Quote(word) + " is too large");
  }
  return builder_.Refuse(cursor_, "not JSON: " + reason);
}

}  // namespace

Result<Value> ParseJson(std::string_view text, const std::string& source, const Limits& limits) {
  if (auto error = CheckText(text, source, limits)) return std::move(*error);
  DocumentBuilder builder(text, source, limits);
  try {
    Handler handler(text, builder);
    if (!Json::sax_parse(text.begin(), text.end(), &handler) && !builder.failed()) {
      builder.Refuse(0, "not JSON");
    }
  } catch (const std::exception& error) {
    builder.Refuse(0, std::string("not JSON: ") + error.what());
  }
  if (builder.failed()) return builder.TakeError();
  return builder.TakeRoot();
}

}  // namespace mxc::policy
