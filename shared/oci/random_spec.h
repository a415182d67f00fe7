// Random specifications for round-trip tests: every field of every object, filled or left out by chance.
#pragma once

#include <random>
#include <string>

#include "shared/oci/fields.h"

namespace mxc::oci {

class RandomSpec {
 public:
  explicit RandomSpec(uint32_t seed) : random_(seed) {}

  Spec Next() {
    Spec spec;
    Fill(spec);
    return spec;
  }

 private:
  bool Chance(uint32_t one_in) { return random_() % one_in == 0; }

  void Fill(bool& value) { value = Chance(2); }
  void Fill(std::string& text) {
    static const char* const kPieces[] = {"a", "/", "~",   "\"", "\\",   "\n", "é", "日本",
                                          "%", " ", "x-y", "0",  "\x7f", "=",  "é́"};
    text.clear();
    for (uint32_t i = random_() % 6; i > 0; --i) text += kPieces[random_() % std::size(kPieces)];
  }
  template <class T>
  requires std::is_integral_v<T>
  void Fill(T& value) {
    switch (random_() % 4) {
      case 0:
        value = std::numeric_limits<T>::max();
        break;
      case 1:
        value = std::numeric_limits<T>::min();
        break;
      default:
        value = static_cast<T>(random_());
        break;
    }
  }
  template <class T>
  void Fill(std::optional<T>& value) {
    if (Chance(2)) Fill(value.emplace());
  }
  void Fill(std::shared_ptr<const LinuxSeccomp>& value) {
    if (Chance(2)) return;
    LinuxSeccomp seccomp;
    Fill(seccomp);
    value = std::make_shared<const LinuxSeccomp>(std::move(seccomp));
  }
  template <class T>
  void Fill(std::vector<T>& list) {
    if (Chance(2)) return;
    for (uint32_t i = random_() % 4; i > 0; --i) Fill(list.emplace_back());
  }
  template <class T>
  void Fill(std::map<std::string, T>& map) {
    if (Chance(2)) return;
    for (uint32_t i = random_() % 4; i > 0; --i) {
      std::string key;
      Fill(key);
      Fill(map[key]);
    }
  }
  template <fields::Object T>
  void Fill(T& object) {
    std::apply([&](const auto&... field) { (Fill(object.*field.member), ...); }, fields::kOf<T>);
  }

  std::mt19937 random_;
};

}  // namespace mxc::oci
